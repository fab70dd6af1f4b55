//! Reads a CloneSet's spec into numbers and choices; refuses what is wrong or not supported.

use std::collections::BTreeSet;

use kubesim_model::object;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

use super::Bug;
use super::portion::Portion;

const MOST_REPLICAS: i64 = 100_000;
/// The revision's name is a label value, which has 63 characters at most.
const LONGEST_NAME: usize = 46;

/// How pods get a new revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// Delete, then create.
    Recreate,
    /// In place where only images and metadata change, else recreate.
    InPlaceIfPossible,
    /// In place or not at all.
    InPlaceOnly,
}

/// What is wrong with a CloneSet.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "the messages say it")]
pub(super) enum SpecError {
    #[error("{field}: {value} is not a whole number or a percentage like \"20%\"")]
    NotAPortion { field: &'static str, value: String },
    #[error("spec.replicas: {0} is not between 0 and {MOST_REPLICAS}")]
    Replicas(String),
    #[error("{0} is not supported by this controller")]
    Unsupported(&'static str),
    #[error("spec.updateStrategy.type: {0:?} is none of ReCreate, InPlaceIfPossible, InPlaceOnly")]
    Type(Text),
    #[error("spec.updateStrategy: maxSurge can't be used with InPlaceOnly")]
    SurgeInPlaceOnly,
    #[error(
        "spec.updateStrategy: maxUnavailable and maxSurge are both 0, nothing could be updated"
    )]
    NoBudget,
    #[error("metadata.name has more than {LONGEST_NAME} characters, too long for a revision label")]
    Name,
}

/// A CloneSet's spec, resolved against its replicas.
#[derive(Clone, Debug)]
pub(super) struct Spec {
    pub(super) replicas: usize,
    /// How many pods stay at the old revision.
    pub(super) partition: usize,
    pub(super) max_unavailable: usize,
    pub(super) max_surge: usize,
    pub(super) paused: bool,
    pub(super) policy: Policy,
    pub(super) grace: Millis,
    pub(super) min_ready_seconds: i64,
    /// The limit of unavailable pods while scaling out; `None` for no limit (CS-17).
    pub(super) scale_max_unavailable: Option<usize>,
    pub(super) pods_to_delete: BTreeSet<Text>,
    pub(super) history_limit: usize,
}

impl Spec {
    /// Reads `set`. With a planted bug the numbers are as wrong as the bug wants them.
    pub(super) fn read(set: &Tree, bug: Option<Bug>) -> Result<Spec, SpecError> {
        let (spec, update) = (&set["spec"], &set["spec"]["updateStrategy"]);
        refuse_unsupported(set)?;
        let replicas = replicas(&spec["replicas"])?;
        let policy = policy(update)?;
        let paused = update["paused"].is_true();
        let surge = portion(update, "maxSurge", "spec.updateStrategy.maxSurge")?
            .map_or(0, |surge| surge.up(replicas));
        if surge > 0 && policy == Policy::InPlaceOnly {
            return Err(SpecError::SurgeInPlaceOnly);
        }
        let unavailable = portion(update, "maxUnavailable", "spec.updateStrategy.maxUnavailable")?
            .unwrap_or(Portion::Percent(20.0));
        // CS-7
        let unavailable =
            if surge == 0 { unavailable.up(replicas) } else { unavailable.down(replicas) };
        if replicas > 0 && unavailable == 0 && surge == 0 {
            return Err(SpecError::NoBudget);
        }
        let partition = portion(update, "partition", "spec.updateStrategy.partition")?;
        let scale = &spec["scaleStrategy"];
        let scale_limit = portion(scale, "maxUnavailable", "spec.scaleStrategy.maxUnavailable")?;
        let seconds = update["inPlaceUpdateStrategy"]["gracePeriodSeconds"].as_i64().unwrap_or(0);
        let names = scale["podsToDelete"].items().iter().map(Tree::text);
        let mut read = Spec {
            replicas,
            partition: partition.map_or(0, |partition| old_quota(partition, replicas)),
            max_unavailable: unavailable,
            max_surge: if paused { 0 } else { surge },
            paused,
            policy,
            grace: Millis::try_from(seconds).unwrap_or(0).saturating_mul(1000),
            min_ready_seconds: spec["minReadySeconds"].as_i64().unwrap_or(0).max(0),
            scale_max_unavailable: scale_limit.map(|limit| limit.up(replicas)),
            pods_to_delete: names.filter(|name| !name.is_empty()).collect(),
            history_limit: history_limit(&spec["revisionHistoryLimit"]),
        };
        match bug {
            Some(Bug::OffByOneUnavailable) => read.max_unavailable += 1,
            Some(Bug::ExceedsSurge) if !paused => read.max_surge += 1,
            Some(Bug::IgnoresPartition) => read.partition = 0,
            Some(Bug::OffByOnePartition) => read.partition = read.partition.saturating_sub(1),
            Some(Bug::IgnoresMinReadySeconds) => read.min_ready_seconds = 0,
            _ => {}
        }
        Ok(read)
    }

    /// How many pods shall have the new revision (CS-3).
    pub(super) fn updated_wanted(&self) -> usize {
        self.replicas - self.partition
    }
}

fn replicas(value: &Tree) -> Result<usize, SpecError> {
    if value.is_null() {
        return Ok(1);
    }
    let count = value.as_i64().filter(|count| (0..=MOST_REPLICAS).contains(count));
    count.map(|count| count as usize).ok_or_else(|| SpecError::Replicas(value.to_string()))
}

fn portion(of: &Tree, name: &str, field: &'static str) -> Result<Option<Portion>, SpecError> {
    let value = &of[name];
    if value.is_null() {
        return Ok(None);
    }
    let error = || SpecError::NotAPortion { field, value: value.to_string() };
    Portion::read(value).map(Some).ok_or_else(error)
}

/// CS-1, and CS-2: a percentage below 100 lets at least one of several pods go on.
fn old_quota(partition: Portion, replicas: usize) -> usize {
    let quota = partition.up(replicas).min(replicas);
    match partition {
        Portion::Percent(percent) if percent < 100.0 && quota == replicas && replicas > 1 => {
            replicas - 1
        }
        _ => quota,
    }
}

fn policy(update: &Tree) -> Result<Policy, SpecError> {
    let chosen = [&update["podUpdatePolicy"], &update["type"]];
    match chosen.iter().map(|value| value.str()).find(|value| !value.is_empty()) {
        None | Some("ReCreate") => Ok(Policy::Recreate),
        Some("InPlaceIfPossible") => Ok(Policy::InPlaceIfPossible),
        Some("InPlaceOnly") => Ok(Policy::InPlaceOnly),
        Some(other) => Err(SpecError::Type(Text::new(other))),
    }
}

fn history_limit(value: &Tree) -> usize {
    value.as_i64().and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10)
}

fn refuse_unsupported(set: &Tree) -> Result<(), SpecError> {
    if object::name(set).len() > LONGEST_NAME {
        return Err(SpecError::Name);
    }
    let unsupported: [(&[&str], &'static str); 5] = [
        (&["volumeClaimTemplates"], "spec.volumeClaimTemplates"),
        (&["lifecycle"], "spec.lifecycle"),
        (&["updateStrategy", "priorityStrategy"], "spec.updateStrategy.priorityStrategy"),
        (&["updateStrategy", "scatterStrategy"], "spec.updateStrategy.scatterStrategy"),
        (&["updateStrategy", "rollingUpdate"], "spec.updateStrategy.rollingUpdate"),
    ];
    let spec = &set["spec"];
    let found = unsupported.iter().find(|(path, _)| {
        let value = spec.at(path);
        !value.is_null() && *value != Tree::map() && *value != Tree::from(Vec::new())
    });
    found.map_or(Ok(()), |(_, field)| Err(SpecError::Unsupported(field)))
}
