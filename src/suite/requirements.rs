//! The catalogue of requirements: `suites/requirements.yaml`. Owns its model.

use std::sync::Arc;

use kubesim_model::Text;

use super::located::{Located, Source};

/// The file of requirements.
#[derive(Clone, Debug)]
pub struct Requirements {
    /// The file.
    pub source: Arc<Source>,
    /// The requirements, in the order of the file.
    pub requirements: Vec<Requirement>,
    /// The profiles: a name and what conforming to it means.
    pub profiles: Vec<(Located<Text>, Text)>,
}

/// A numbered claim about a subject.
#[derive(Clone, Debug)]
pub struct Requirement {
    /// The identifier, e.g. `CONV-3`.
    pub id: Located<Text>,
    /// What must hold, in a sentence or two.
    pub statement: Text,
    /// Why, or where it comes from.
    pub rationale: Option<Text>,
    /// The invariants that decide it: it fails if one of them has a finding.
    pub invariants: Vec<Located<Text>>,
    /// The profiles that it belongs to.
    pub profiles: Vec<Located<Text>>,
}
