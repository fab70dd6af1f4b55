//! OpenAPI v2: a document of custom types in JSON, and of nothing in protobuf. All types are
//! described in v3; clients that do not find one there look for it here in protobuf (kubectl v1.36,
//! for a kind that is mistyped or not defined), and go on when this document does not know it
//! either.

use http::header::{self, HeaderValue};
use kubesim::api::Api;
use kubesim_model::map;
use kubesim_model::tree::Tree;

use crate::discovery::qualified;
use crate::reply::{Reply, json};
use crate::schemas::{self, Document};

/// The encoding that client-go v0.36 asks for: by a name that is none to Go's own parser of such
/// names, so that the answer has another.
const ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// Fields 1 (`swagger`), 2 (`info`: `title`, `version`) and 8 (`paths`, of which there are none).
const DOCUMENT: &[u8] = b"\x0a\x032.0\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.3\x42\x00";

/// The document, as the client accepts it.
pub(crate) fn document(api: &Api, accept: &str) -> Reply {
    let mut accepted = accept.split(',').map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    if accepted.any(|kind| kind == ASKED || kind == PROTOBUF) {
        let mut reply = json(200, &Tree::Null);
        *reply.body_mut() = DOCUMENT.into();
        reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF));
        return reply;
    }
    let mut definitions = Tree::map();
    for kind in api.resources().filter(|kind| kind.custom) {
        let group = kind.resource.group();
        let served = kind.versions.iter().filter(|name| kind.serves(&qualified(group, name)));
        for version in served {
            schemas::add(&mut definitions, Document::V2, api, kind, (group, version));
        }
    }
    json(
        200,
        &map! {
            "swagger" => "2.0",
            "info" => map! { "title" => "Kubernetes", "version" => "v1.36.3" },
            "paths" => map! {}, "definitions" => definitions,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_say_that_there_is_nothing() {
        let api = Api::new(1, kubesim::api::ApiConfig::default());
        let reply = document(&api, "application/json");
        assert_eq!(reply.headers()[header::CONTENT_TYPE], "application/json");
        for kind in [ASKED, PROTOBUF] {
            let reply = document(&api, &format!("{kind}, application/json;q=0.5"));
            assert_eq!(reply.headers()[header::CONTENT_TYPE], PROTOBUF);
            // The lengths say where each field ends.
            let info = &reply.body()[5..];
            assert_eq!((reply.body()[1], info[0], info[1] as usize), (3, 0x12, info.len() - 4));
            assert!(info.ends_with(b"\x42\x00"));
        }
    }
}
