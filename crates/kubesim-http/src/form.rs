//! The form of objects in answers: whole, or their metadata alone
//! (`PartialObjectMetadata`, asked for by the `Accept` header).

use kubesim_model::map;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

/// How objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Whole,
    /// Their metadata.
    Metadata,
}

impl Form {
    /// What an `Accept` header asks for: the first that can be served.
    ///
    /// # Errors
    /// 406 when none can.
    pub fn accepted(header: &str) -> Result<Form, Status> {
        let kinds = header.split(',').map(str::trim).filter(|kind| !kind.is_empty());
        let mut unserved = false;
        for kind in kinds {
            let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
            let json = matches!(media.trim(), "application/json" | "application/*" | "*/*");
            let shape = parameters.split(';').find_map(|part| part.trim().strip_prefix("as="));
            match (json, shape) {
                (true, None) => return Ok(Form::Whole),
                (true, Some("PartialObjectMetadata" | "PartialObjectMetadataList")) => {
                    return Ok(Form::Metadata);
                }
                _ => unserved = true,
            }
        }
        if unserved {
            let text = format!("only JSON and PartialObjectMetadata are simulated, not `{header}`");
            return Err(Status::new(406, "NotAcceptable", text));
        }
        Ok(Form::Whole)
    }

    /// Shows an object.
    pub fn object(self, object: &Tree) -> Tree {
        match self {
            Form::Whole => object.clone(),
            Form::Metadata => partial(object, "PartialObjectMetadata"),
        }
    }

    /// Shows an answer: an object, a list, or a Status, which has no other form.
    pub fn answer(self, answer: &Tree) -> Tree {
        if self == Form::Whole || answer["kind"] == "Status" {
            return answer.clone();
        }
        match answer.get("items") {
            None => self.object(answer),
            Some(items) => {
                let items: Vec<Tree> = items.items().iter().map(|item| self.object(item)).collect();
                let mut list = partial(answer, "PartialObjectMetadataList");
                list.set(&["items"], items);
                list
            }
        }
    }
}

fn partial(object: &Tree, kind: &'static str) -> Tree {
    map! {
        "apiVersion" => "meta.k8s.io/v1", "kind" => kind, "metadata" => &object["metadata"],
    }
}
