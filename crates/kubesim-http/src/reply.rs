//! Answers as HTTP: codes, JSON bodies, `Retry-After`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use kubesim_model::request::{Answer, Remarks, Status, Verb};
use kubesim_model::tree::Tree;

use crate::View;
use crate::meta::{self, NO_PAGE};

/// An answer with its whole body.
pub type Reply = Response<Bytes>;

/// The reply of a request, with what the server remarked; `None` when the connection was lost.
pub fn answer(verb: Verb, view: &View, answer: &Answer, remarks: &Remarks) -> Option<Reply> {
    let mut reply = match answer {
        Ok(object) => {
            let code = if verb == Verb::Create || remarks.created { 201 } else { 200 };
            json(code, &view.answer(object))
        }
        Err(failure) if failure.code == 0 => return None,
        Err(failure) => status(failure),
    };
    let told = remarks.warnings.iter().filter_map(|text| warning(text));
    for value in view.warning().into_iter().chain(told) {
        reply.headers_mut().append(header::WARNING, value);
    }
    Some(reply)
}

/// The header of a warning (RFC 7234, as Kubernetes uses it).
pub(crate) fn warning(text: &str) -> Option<HeaderValue> {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_str(&format!("299 - \"{text}\"")).ok()
}

/// A failure.
pub fn status(status: &Status) -> Reply {
    if status.message == NO_PAGE {
        return meta::text(404, "404 page not found\n");
    }
    let mut reply = json(status.code, &status.to_tree());
    if let Some(seconds) = status.details["retryAfterSeconds"].as_i64() {
        reply.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    reply
}

/// A JSON body.
pub(crate) fn json(code: u16, body: &Tree) -> Reply {
    let mut reply = Response::new(Bytes::from(body.to_string()));
    // A fault may answer with any number; what is no HTTP status is shown as a server's failure.
    *reply.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    reply
}
