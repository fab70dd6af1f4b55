//! Configurations that are applied: YAML, of which JSON is a part. The one file here that touches
//! YAML.

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use serde::de::IgnoredAny;
use serde_saphyr::{DuplicateKeyPolicy, Error, Options};

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

/// What is said of a key that a configuration has twice, if there is one (goyaml.v2, by way of
/// sigs.k8s.io/yaml v1.6.0).
pub(crate) fn repeated(body: &[u8]) -> Option<Text> {
    let mut options = options();
    options.duplicate_keys = DuplicateKeyPolicy::Error;
    let read: Result<IgnoredAny, _> = serde_saphyr::from_slice_with_options(body, options);
    let error = read.err()?;
    let Error::DuplicateMappingKey { key, location } = error.without_snippet() else { return None };
    let key = key.as_deref().unwrap_or_default();
    let line = location.line();
    Some(Text::from(format!("line {line}: key \"{key}\" already set in map")))
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
