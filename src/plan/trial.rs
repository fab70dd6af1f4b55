//! A trial: one scenario, one row of its parameters, one subject, one seed, and nothing left open.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::Text;

use super::pace;
use crate::check::{self, FINDINGS, Observe, Plan};
use crate::cluster::{Capability, ClusterSpec, NodeSpec, Provider};
use crate::fault;
use crate::history::{Header, Names, Pace, SCHEMA, Source as Stored};
use crate::subject::{Programs, programs};
use crate::suite::checks::CheckSpec;
use crate::suite::model::Across;
use crate::suite::steps::{Action, Script, Step};
use crate::suite::vocabulary::KnownRequirement;
use crate::suite::ways::{Rendering, Run};
use crate::suite::{Params, ResolvedScenario, Scenario, Source, Subject};

/// What runs: a scenario with a row of its parameters, a subject and a seed.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The row, resolved.
    pub scenario: ResolvedScenario,
    /// The scenario's file.
    pub source: Arc<Source>,
    /// The files that its steps apply, and those of the subject.
    pub files: BTreeMap<Utf8PathBuf, Arc<Source>>,
    /// The subject.
    pub subject: Arc<Subject>,
    /// Programs in this process that subjects may name.
    pub programs: Programs,
    /// The requirements that the scenario proves.
    pub requirements: Vec<KnownRequirement>,
    /// The seed.
    pub seed: u64,
    /// Bugs planted in components of the cluster, by component and bug. They prove the harness, and
    /// are no part of a stored plan.
    pub bugs: Vec<(Text, Text)>,
    checks: Vec<CheckSpec>,
    expected: Vec<(String, Across)>,
    /// What the scenario requires of subjects and this one can't.
    lacking: Vec<Text>,
    /// What the scenario requires of the provider.
    required: Vec<Text>,
    names: Names,
}

impl Trial {
    /// The trial of a row of `scenario` with `subject`.
    pub fn new(
        scenario: &Scenario,
        row: ResolvedScenario,
        subject: &Arc<Subject>,
        catalogue: &[KnownRequirement],
        seed: u64,
    ) -> Trial {
        // In the scenario's order: that of the catalogue is another in a replay.
        let proved = row
            .proves
            .iter()
            .filter_map(|id| catalogue.iter().find(|known| *known.id == **id).cloned());
        let of_subject = row.expect.iter().filter(|e| e.subject.value == subject.name.value);
        let expected = of_subject.flat_map(|e| e.fails.iter().map(|id| (id.to_string(), e.across)));
        let (of_provider, of_subject) = (&scenario.requires.provider, &scenario.requires.subject);
        let lacking = of_subject
            .iter()
            .filter(|need| !subject.capabilities.iter().any(|have| have.value == need.value));
        let own = |(path, source): (&Utf8PathBuf, &Arc<Source>)| (path.clone(), source.clone());
        Trial {
            requirements: proved.collect(),
            expected: expected.collect(),
            checks: checks(&row),
            source: scenario.source.clone(),
            files: scenario.files.iter().chain(&subject.files).map(own).collect(),
            subject: subject.clone(),
            programs: programs(),
            lacking: lacking.map(|need| need.value.clone()).collect(),
            required: of_provider.iter().map(|need| need.value.clone()).collect(),
            names: names(scenario, subject),
            scenario: row,
            seed,
            bugs: Vec::new(),
        }
    }

    /// Scenario, parameters and subject: what trials of several seeds share.
    pub fn case(&self) -> String {
        let Params(params) = &self.scenario.params;
        match params.is_empty() {
            true => format!("{}/{}", self.scenario.name, self.subject.name.value),
            false => {
                let params = &self.scenario.params;
                format!("{}/{params}/{}", self.scenario.name, self.subject.name.value)
            }
        }
    }

    /// The name, unique in a run: the case and the seed.
    pub fn name(&self) -> String {
        format!("{}/seed-{}", self.case(), self.seed)
    }

    /// Why the trial can't run with this provider; `None` if it can.
    pub fn skipped(&self, provider: &dyn Provider) -> Option<String> {
        let (have, name) = (provider.capabilities(), provider.name());
        let named = have.names();
        if let Some(need) = self.lacking.first() {
            return Some(format!("the subject can't `{need}`"));
        }
        let has = |need: &str| named.iter().any(|have| have == need);
        if let Some(need) = self.required.iter().find(|need| !has(need)) {
            return Some(format!("`{name}` can't `{need}`"));
        }
        let need = self.needed_to_run().filter(|need| !have.has(*need));
        if let Some(need) = need {
            let subject = &self.subject.name.value;
            let needs = format!("`{name}` lacks `{need}`, which the subject `{subject}` needs");
            let beside = need == Capability::Commands;
            return Some(needs + if beside { "; `--provider served` has it" } else { "" });
        }
        if let Some(version) = self.other_version(provider) {
            return Some(version);
        }
        for spec in &self.scenario.faults {
            let fault = fault::fault(&spec.name);
            let needs = fault.map(|fault| fault.needs_with(&spec.args)).unwrap_or_default();
            if let Some(lack) = have.lacks(&needs).first() {
                let fault = &spec.name.value;
                return Some(format!("`{name}` lacks `{lack}`, which `{fault}` needs"));
            }
        }
        if !has(Capability::Scripts.as_str()) && !self.scripts().is_empty() {
            return Some(format!("`{name}` can't run scripts"));
        }
        provider.unfit(&self.cluster_spec())
    }

    /// Which of its checks will be undecided with this provider, and for want of what record.
    pub fn undecidable(&self, provider: &dyn Provider) -> Vec<(Text, &'static str)> {
        let have = provider.capabilities().names();
        let lacks = |check: &CheckSpec| {
            let needs = check::find(&check.name).map_or(&[][..], |definition| definition.needs);
            let words = needs.iter().map(|need| need.word());
            words.filter(|word| !have.iter().any(|have| have == word)).collect::<Vec<_>>()
        };
        let name = |check: &CheckSpec| check.name.value.clone();
        let each = self
            .checks
            .iter()
            .flat_map(|check| lacks(check).into_iter().map(move |need| (name(check), need)));
        each.collect()
    }

    /// The provider that runs it when `chosen` is asked to: another one, if `chosen` leaves such
    /// subjects to it.
    pub fn runs_on<'p>(&self, chosen: &'p dyn Provider) -> &'p dyn Provider {
        let Some(need) = self.needed_to_run() else { return chosen };
        let runs = |provider: &&dyn Provider| provider.capabilities().has(need);
        let other = chosen.stand_in().filter(runs);
        if runs(&chosen) { chosen } else { other.unwrap_or(chosen) }
    }

    /// What a provider must be able to do to run the subject.
    fn needed_to_run(&self) -> Option<Capability> {
        match self.subject.run {
            Run::Command(_) => Some(Capability::Commands),
            Run::Image(_) | Run::Manifests(_) | Run::Rendered(_) => Some(Capability::Images),
            Run::Builtin { .. } | Run::Reference { .. } | Run::InProcess(_) => None,
        }
    }

    /// The programs that its steps run on this machine.
    pub fn scripts(&self) -> Vec<&Script> {
        self.scenario.given.iter().chain(&self.scenario.when).flat_map(scripts).collect()
    }

    /// What it runs on this machine, each with the folder that it runs in: the programs of its
    /// steps and those of the subject.
    pub fn commands(&self) -> Vec<(&Utf8Path, String)> {
        let of_steps = self.scripts().into_iter();
        let of_steps = of_steps.map(|one| (one.folder.as_path(), one.command.join(" ")));
        let here = Utf8Path::new("");
        let of_subject = match &self.subject.run {
            Run::Command(run) => Some((run.folder.as_path(), run.command.join(" "))),
            Run::Rendered(Rendering::Kustomize(folder)) => {
                Some((here, format!("kubectl kustomize {}", folder.value)))
            }
            Run::Rendered(Rendering::Chart(chart)) => {
                Some((here, format!("helm template {}", chart.chart.value)))
            }
            _ => None,
        };
        of_steps.chain(of_subject).collect()
    }

    /// Says so if the scenario wants a version of Kubernetes that the provider does not have.
    fn other_version(&self, provider: &dyn Provider) -> Option<String> {
        let wanted = self.scenario.cluster.version.as_deref()?;
        let there = provider.version()?;
        let minor = wanted.trim_start_matches('v').splitn(3, '.').take(2).collect::<Vec<_>>();
        let is_other = minor.join(".") != there;
        is_other.then(|| format!("`{}` has Kubernetes {there}, not {wanted}", provider.name()))
    }

    /// The cluster that it runs in.
    pub fn cluster_spec(&self) -> ClusterSpec {
        let pairs = |map: &BTreeMap<Text, Text>| map.clone().into_iter().collect();
        let node = |node: &crate::suite::model::NodeSpec| NodeSpec {
            name: node.name.clone(),
            is_control_plane: node.role == "control-plane",
            labels: pairs(&node.labels),
            zone: node.zone.clone(),
            taints: node.taints.clone(),
            capacity: pairs(&node.capacity),
        };
        ClusterSpec {
            seed: self.seed,
            nodes: self.scenario.cluster.nodes.iter().map(node).collect(),
            bugs: self.bugs.clone(),
            record_deliveries_of: None,
        }
    }

    /// The first line of its history.
    pub fn header(&self, provider: &dyn Provider, baseline: bool) -> Header {
        let params = self.scenario.params.0.iter();
        let file = |(path, source): (&Utf8PathBuf, &Arc<Source>)| {
            (path.to_string(), source.text.to_string())
        };
        Header {
            schema: SCHEMA.to_owned(),
            tool: concat!("shakedown ", env!("CARGO_PKG_VERSION")).to_owned(),
            trial: match baseline {
                true => format!("{}/baseline", self.case()),
                false => self.name(),
            },
            scenario: stored(&self.source),
            subject: stored(&self.subject.source),
            files: self.files.iter().map(file).collect(),
            params: params.map(|(name, value)| (name.to_string(), value.clone())).collect(),
            provider: provider.name().to_owned(),
            capabilities: provider.capabilities().names(),
            seed: self.seed,
            baseline,
            clock: provider.clock(),
            began: 0,
            pace: self.pace(provider),
            names: self.names.clone(),
        }
    }

    /// How much faster than by default things go with this provider.
    fn pace(&self, provider: &dyn Provider) -> Pace {
        let cluster = provider.pace();
        Pace { cluster, scenario: pace::of_scenario(&self.scenario, cluster) }
    }

    /// The same trial with its times as they are with this provider.
    pub fn paced(&self, provider: &dyn Provider) -> Cow<'_, Trial> {
        match self.pace(provider).scenario {
            1 => Cow::Borrowed(self),
            pace => Cow::Owned(self.clone().shortened(pace)),
        }
    }

    /// The same trial with outages, waits and holds divided by `pace`.
    pub fn shortened(mut self, pace: u64) -> Trial {
        pace::shorten(&mut self.scenario, pace.max(1));
        self.checks = checks(&self.scenario);
        self
    }

    /// What is to be judged.
    pub fn judge_plan<'a>(&'a self, subject: &'a dyn Observe) -> Plan<'a> {
        Plan {
            checks: &self.checks,
            subject,
            requirements: &self.requirements,
            expected: &self.expected,
            findings: usize::try_from(self.scenario.limits.findings).unwrap_or(FINDINGS),
        }
    }
}

/// Everything that is judged.
fn checks(row: &ResolvedScenario) -> Vec<CheckSpec> {
    row.always.iter().chain(&row.eventually).cloned().collect()
}

/// What the names in the scenario mean; nothing that it does not name.
fn names(scenario: &Scenario, subject: &Subject) -> Names {
    let vocabulary = scenario.vocabulary();
    let ids = scenario.proves.iter().filter_map(|id| vocabulary.requirement(id));
    let subjects = scenario.subjects.iter().filter_map(|name| vocabulary.subject(name));
    let own = subject.operations.keys().map(ToString::to_string).collect();
    let mut names = Names {
        requirements: ids.map(|known| (known.id.clone(), known.invariants.clone())).collect(),
        subjects: subjects.map(|known| (known.name.clone(), known.operations.clone())).collect(),
    };
    names.subjects.insert(subject.name.to_string(), own);
    names
}

fn scripts(step: &Step) -> Vec<&Script> {
    match &step.action {
        Action::Script(script) => vec![script],
        Action::Parallel(lists) => lists.iter().flatten().flat_map(scripts).collect(),
        _ => Vec::new(),
    }
}

fn stored(source: &Source) -> Stored {
    Stored { path: source.path.to_string(), text: source.text.to_string() }
}
