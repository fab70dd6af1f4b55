//! Plans as files: every choice of a trial, so that it can be repeated anywhere. Also makes trials
//! of what histories say of themselves. Owns the form of `plan.json`.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use kubesim_model::tree::{Map, Tree};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::catalogue::vocabulary;
use super::trial::Trial;
use crate::cluster::Provider;
use crate::history::{Header, Names, Pace, Source as Stored};
use crate::suite::load::{Inlined, parse_scenario, parse_subject};
use crate::suite::vocabulary::{KnownRequirement, KnownSubject};
use crate::suite::{Diagnostic, Params, Source, Subject, Vocabulary, resolve};

/// The version of the form of plans; another one is refused with a clear error.
pub const PLAN_SCHEMA: &str = "shakedown/plan-v1";

/// What decides how a simulated trial goes on, besides its plan: a digest of the sources of the
/// simulation. Under another revision the same plan may give another history.
pub const REVISION: &str = env!("SHAKEDOWN_REVISION");

/// The content of `plan.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPlan {
    /// [`PLAN_SCHEMA`].
    pub schema: String,
    /// Name and version of the program that wrote it.
    pub tool: String,
    /// The [`REVISION`] that ran it.
    pub revision: String,
    /// The trial's name.
    pub trial: String,
    /// The provider's name.
    pub provider: String,
    /// The seed.
    pub seed: u64,
    /// Whether the faults are left out.
    pub baseline: bool,
    /// How much faster than by default things went.
    #[serde(default, skip_serializing_if = "Pace::is_ordinary")]
    pub pace: Pace,
    /// The row of parameters.
    pub params: BTreeMap<String, Tree>,
    /// What the names in the scenario mean.
    pub names: Names,
    /// The scenario file.
    pub scenario: Stored,
    /// The subject file.
    pub subject: Stored,
    /// The files that the scenario refers to, by the path it uses.
    pub files: BTreeMap<String, String>,
}

/// Why a plan can't be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// It is no plan at all, or a damaged one.
    #[error("not a plan: {0}")]
    NotAPlan(String),
    /// Another version wrote it.
    #[error("the plan is of schema `{found}`; this version reads `{PLAN_SCHEMA}`")]
    OtherSchema {
        /// What it says.
        found: String,
    },
    /// Another simulator would run it than did.
    #[error(
        "the plan was made by simulator revision `{found}`, this is `{REVISION}`: \
         the same plan may give another history"
    )]
    OtherRevision {
        /// What it says.
        found: String,
    },
}

impl StoredPlan {
    /// The plan of a trial.
    pub fn of(trial: &Trial, baseline: bool, provider: &dyn Provider) -> StoredPlan {
        let header = trial.header(provider, baseline);
        StoredPlan {
            schema: PLAN_SCHEMA.to_owned(),
            tool: header.tool,
            revision: REVISION.to_owned(),
            trial: header.trial,
            provider: header.provider,
            seed: header.seed,
            baseline,
            pace: header.pace,
            params: header.params,
            names: header.names,
            scenario: header.scenario,
            subject: header.subject,
            files: header.files,
        }
    }

    /// As the text of a file.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("texts, numbers and maps");
        text.push('\n');
        text
    }

    /// Reads a plan.
    ///
    /// # Errors
    /// It is no plan, or one of another schema.
    pub fn parse(text: &str) -> Result<StoredPlan, PlanError> {
        #[derive(Deserialize)]
        struct Schema {
            schema: String,
        }
        let not_a_plan = |error: serde_json::Error| PlanError::NotAPlan(error.to_string());
        let Schema { schema } = serde_json::from_str(text).map_err(not_a_plan)?;
        if schema != PLAN_SCHEMA {
            return Err(PlanError::OtherSchema { found: schema });
        }
        serde_json::from_str(text).map_err(not_a_plan)
    }

    /// Whether this program repeats it exactly.
    ///
    /// # Errors
    /// It was made by another simulator revision.
    pub fn is_exact(&self) -> Result<(), PlanError> {
        match self.revision == REVISION {
            true => Ok(()),
            false => Err(PlanError::OtherRevision { found: self.revision.clone() }),
        }
    }

    /// The trial that it plans.
    ///
    /// # Errors
    /// What is wrong with its files.
    pub fn trial(&self) -> Result<Trial, Vec<Diagnostic>> {
        let files = Files {
            scenario: &self.scenario,
            subject: &self.subject,
            files: &self.files,
            params: &self.params,
            names: &self.names,
        };
        files.trial(self.seed)
    }
}

/// The trial that a history is of, to judge it again.
///
/// # Errors
/// What is wrong with its files.
pub fn trial_of(header: &Header) -> Result<Trial, Vec<Diagnostic>> {
    let files = Files {
        scenario: &header.scenario,
        subject: &header.subject,
        files: &header.files,
        params: &header.params,
        names: &header.names,
    };
    let trial = files.trial(header.seed)?;
    Ok(trial.shortened(header.pace.scenario))
}

/// What trials are made of.
struct Files<'a> {
    scenario: &'a Stored,
    subject: &'a Stored,
    files: &'a BTreeMap<String, String>,
    params: &'a BTreeMap<String, Tree>,
    names: &'a Names,
}

impl Files<'_> {
    fn trial(&self, seed: u64) -> Result<Trial, Vec<Diagnostic>> {
        let source = |file: &Stored| Source::new(file.path.as_str(), file.text.as_str());
        let files: BTreeMap<Utf8PathBuf, Arc<Source>> = self
            .files
            .iter()
            .map(|(path, text)| (path.into(), Source::new(path.as_str(), text.as_str())))
            .collect();
        let files = Inlined(&files);
        let subject: Subject = parse_subject(&source(self.subject), &files)?;
        let vocabulary = Arc::new(self.vocabulary());
        let scenario = parse_scenario(&source(self.scenario), &files, &vocabulary)?;
        let mut params = Map::default();
        let constants = scenario.params.iter().map(|(name, _)| name);
        for name in constants.chain(scenario.matrix.iter().map(|(name, _)| name)) {
            if let Some(value) = self.params.get(name.as_str()) {
                params.insert(name, value.clone());
            }
        }
        let row = resolve(&scenario, &Params(params))?;
        Ok(Trial::new(&scenario, row, &Arc::new(subject), &vocabulary.requirements, seed))
    }

    fn vocabulary(&self) -> Vocabulary {
        let requirement = |(id, invariants): (&String, &Vec<String>)| KnownRequirement {
            id: id.clone(),
            invariants: invariants.clone(),
        };
        let subject = |(name, operations): (&String, &Vec<String>)| KnownSubject {
            name: name.clone(),
            operations: operations.clone(),
        };
        Vocabulary {
            requirements: self.names.requirements.iter().map(requirement).collect(),
            subjects: self.names.subjects.iter().map(subject).collect(),
            ..vocabulary(&[], &[])
        }
    }
}
