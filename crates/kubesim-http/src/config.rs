//! Configurations that are applied: YAML, of which JSON is a part. The one file here that touches
//! YAML.

use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use serde_saphyr::{DuplicateKeyPolicy, Options};

/// Reads a configuration. Of a key that is there twice, the last counts; whole numbers that begin
/// with 0 are octal (sigs.k8s.io/yaml v1.6.0).
///
/// # Errors
/// 400 for what is no YAML, or no object.
pub(crate) fn read(body: &[u8]) -> Result<Tree, Status> {
    // Most clients send JSON, which is read faster.
    let config: Tree = match serde_json::from_slice(body) {
        Ok(config) => config,
        Err(_) => serde_saphyr::from_slice_with_options(body, options()).map_err(refused)?,
    };
    if config.as_map().is_none() {
        return Err(refused("a configuration is an object"));
    }
    Ok(config)
}

fn options() -> Options {
    let mut options = Options::default();
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    options.legacy_octal_numbers = true;
    options
}

fn refused(why: impl std::fmt::Display) -> Status {
    Status::new(400, "BadRequest", format!("error decoding YAML: {why}"))
}
