//! Simulated controllers of workloads against kube-controller-manager, as `deployment.rs` does for
//! Deployments: put before the same states, they must write the same, in the same order.
//!
//! The states, and what the real controllers wrote, stand in `fixtures/workloads`, a file for each
//! controller. CONTRIBUTING.md says how to record one anew: the file whose name is in
//! `SHAKEDOWN_REAL_THEME` is.

#[path = "recorded/case.rs"]
mod case;
#[path = "recorded/compare.rs"]
mod compare;
#[path = "workloads/facts.rs"]
mod facts;
#[path = "workloads/objects.rs"]
mod objects;
#[path = "recorded/real.rs"]
mod real;
#[path = "recorded/simulated.rs"]
mod simulated;
#[path = "recorded/theme.rs"]
mod theme;
#[path = "recorded/writes.rs"]
mod writes;

use serde_json::Value;

use case::Case;
use theme::{Facts, Kind, Server, Theme};

struct Workloads {
    name: &'static str,
    controller: &'static str,
    /// The kinds whose writes are compared, as lines name them.
    kinds: &'static [&'static str],
}

const THEMES: [Workloads; 5] = [
    Workloads {
        name: "replication-controllers",
        controller: "replication-controller",
        kinds: &["controller", "pod"],
    },
    Workloads { name: "quotas", controller: "resourcequota-controller", kinds: &["quota"] },
    Workloads { name: "jobs", controller: "job-controller", kinds: &["job", "pod"] },
    Workloads { name: "cron-jobs", controller: "cronjob-controller", kinds: &["cron", "job"] },
    Workloads { name: "ttl", controller: "ttl-after-finished-controller", kinds: &["job"] },
];

impl Workloads {
    fn file(&self) -> String {
        format!("workloads/{}.txt", self.name)
    }
}

impl Theme for Workloads {
    fn controller(&self) -> &'static str {
        self.controller
    }

    fn kinds(&self) -> Vec<Kind> {
        self.kinds.iter().map(|kind| objects::kind(kind)).collect()
    }

    fn prepare(&self, server: &mut dyn Server, case: &Case) {
        objects::prepare(server, case);
    }

    fn shown(&self, object: &Value) -> String {
        facts::name(object)
    }

    fn facts(&self, object: &Value) -> Facts {
        facts::of(object)
    }

    /// What is asked for at once for several pods may be done in any order.
    fn lines(&self, mut lines: Vec<String>) -> Vec<String> {
        let is_pod = |line: &String| line.starts_with("pod/");
        for run in lines.chunk_by_mut(|a, b| is_pod(a) && is_pod(b)) {
            run.sort();
        }
        lines
    }
}

#[test]
fn the_simulated_controllers_write_what_the_real_ones_wrote() {
    for theme in &THEMES {
        compare::with_simulated(theme, &theme.file());
    }
}

#[test]
fn the_real_controllers_write_what_was_recorded() {
    let only = std::env::var("SHAKEDOWN_REAL_THEME").unwrap_or_default();
    for theme in THEMES.iter().filter(|theme| theme.name == only) {
        compare::with_real(theme, &theme.file());
    }
}
