//! The form of objects in answers: whole, or their metadata alone
//! (`PartialObjectMetadata`, asked for by the `Accept` header).

use kubesim_model::request::Status;

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
}
