//! One trial from a cluster to its history and judgement.

use kubesim_model::Text;
use thiserror::Error;

use super::conductor::{Conductor, Next, Score};
use super::isolate;
use super::journal::Journal;
use super::pulse::Pulse;
use crate::check::{Judgement, Observed, judge};
pub use crate::cluster::ProgramLog;
use crate::cluster::{Advance, ClusterError, Provider};
use crate::history::{Clock, Header, History};
use crate::plan::Trial;
use crate::subject::{InstallError, Installation, installation};
use crate::suite::cel::CelError;

/// What came of a trial.
#[derive(Clone, Debug)]
pub struct TrialResult {
    /// Everything that was recorded.
    pub history: History,
    /// What it says.
    pub judgement: Judgement,
    /// What the programs under test have printed, where that is no part of the history.
    pub logs: Vec<ProgramLog>,
}

/// Why a trial could not be run at all.
#[derive(Clone, Debug, Error)]
pub enum TrialError {
    /// The environment could not provide what is needed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The subject could not be installed.
    #[error("the subject can't be installed: {0}")]
    Install(#[from] InstallError),
    /// A template of the subject failed.
    #[error(transparent)]
    Template(#[from] CelError),
}

/// Runs a trial, or its baseline, and judges it.
///
/// # Errors
/// The environment failed. Whatever the subject does ends in a judgement.
pub fn record_trial(
    trial: &Trial,
    baseline: bool,
    provider: &dyn Provider,
) -> Result<TrialResult, TrialError> {
    let trial = &*trial.paced(provider);
    let (history, logs) = match isolate::is_needed(trial, provider) {
        true => (isolate::record(trial, baseline, provider)?, Vec::new()),
        false => record_history(trial, baseline, provider)?,
    };
    let judgement = judge(&history, &trial.judge_plan(&Observed::new(&trial.subject)));
    Ok(TrialResult { history, judgement, logs })
}

/// The history of a trial, recorded on this thread, and what programs printed.
pub(super) fn record_history(
    trial: &Trial,
    baseline: bool,
    provider: &dyn Provider,
) -> Result<(History, Vec<ProgramLog>), TrialError> {
    let spec = trial.cluster_spec();
    let nodes: Vec<Text> = spec.nodes.iter().map(|node| node.name.clone()).collect();
    let installation = installation(&trial.subject, &trial.programs, &nodes)?;
    let header = trial.header(provider, baseline);
    conduct(trial, baseline, provider, &installation, header)
}

fn conduct(
    trial: &Trial,
    baseline: bool,
    provider: &dyn Provider,
    installation: &Installation,
    mut header: Header,
) -> Result<(History, Vec<ProgramLog>), TrialError> {
    let mut spec = trial.cluster_spec();
    spec.bugs.extend(installation.bugs.iter().cloned());
    let mut cluster = provider.provision(&spec)?;
    header.began = cluster.began();
    for program in &installation.programs {
        cluster.install(program)?;
    }
    let observed = Observed::new(&trial.subject);
    let params = trial.scenario.params.tree();
    let journal = Journal::new(&header);
    let score = Score {
        scenario: &trial.scenario,
        subject: &trial.subject,
        observed: &observed,
        params: &params,
        seed: trial.seed,
        pace: header.pace.cluster,
        baseline,
    };
    let mut conductor = Conductor::new(score, journal, installation, cluster.now());
    let mut pulse = (cluster.clock() == Clock::Wall).then(Pulse::feel);
    while let Next::Advance(until) = conductor.poll(cluster.as_mut()) {
        let advance = cluster.advance(until)?;
        conductor.observe(advance);
        let now = cluster.now();
        if let Some(body) = pulse.as_mut().and_then(|pulse| pulse.failing(now)) {
            conductor.journal.record(now, body, &observed);
        }
    }
    conductor.observe(Advance { observed: cluster.finish()?, idle: false });
    Ok((conductor.journal.into_history(header), cluster.logs()))
}
