//! The form of objects in answers, asked for by the `Accept` header: whole, their metadata alone
//! (`PartialObjectMetadata`), or as the rows of a table.

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use crate::table::Include;

/// How objects are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Whole,
    /// Their metadata.
    Metadata,
    /// The rows of a table, each with so much of its object.
    Table(Include),
}

impl Form {
    /// What an `Accept` header asks for: the first that can be served. Rows of a table go with so
    /// much of their objects; without `include` there are no tables.
    ///
    /// # Errors
    /// 406 when none can.
    pub fn accepted(header: &str, include: Option<&str>) -> Result<Form, Status> {
        let kinds = header.split(',').map(str::trim).filter(|kind| !kind.is_empty());
        let mut last = None;
        for kind in kinds {
            let (media, parameters) = kind.split_once(';').unwrap_or((kind, ""));
            let json = matches!(media.trim(), "application/json" | "application/*" | "*/*");
            let shape = parameters.split(';').find_map(|part| part.trim().strip_prefix("as="));
            match (json, shape, include) {
                (true, None, _) => return Ok(Form::Whole),
                (true, Some("PartialObjectMetadata" | "PartialObjectMetadataList"), _) => {
                    return Ok(Form::Metadata);
                }
                (true, Some("Table"), Some(include)) => {
                    return Ok(Form::Table(Include::read(include)?));
                }
                _ => last = Some(json),
            }
        }
        match last {
            None => Ok(Form::Whole),
            // What is asked for is JSON, but of a shape that there is not.
            Some(true) => {
                let text = "only the following media types are accepted: application/json";
                Err(Status::new(406, "NotAcceptable", text))
            }
            Some(false) => {
                let text = "406: Not Acceptable\n\nAvailable representations: application/json";
                let mut status = Status::new(406, "NotAcceptable", text);
                status.details = Tree::map();
                Err(status)
            }
        }
    }
}
