//! The list of specs, `fixtures/conformance/specs.yaml`, and the page that is made of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The specs of a special interest group.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// As in `sig-apps`.
    pub group: String,
    pub specs: Vec<Spec>,
}

/// A spec and what is known of it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name, without the group before it and the mark of conformance behind.
    pub name: String,
    /// Whether it is one of those that always run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quick: bool,
    /// How many seconds it may take, if that is unusually long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// Why it does not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

impl Spec {
    /// Whether nothing else may run beside it.
    pub fn is_serial(&self) -> bool {
        self.name.contains("[Serial]")
    }

    /// As `e2e.test` calls it.
    pub fn full_name(&self, group: &str) -> String {
        format!("[{group}] {} [Conformance]", self.name)
    }
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance/specs.yaml")
}

/// All listed specs.
pub fn read() -> Vec<Group> {
    serde_saphyr::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

/// Writes the list anew.
pub fn write(groups: &[Group]) {
    std::fs::write(path(), serde_saphyr::to_string(&groups).unwrap()).unwrap();
}

/// The page of `docs/`.
pub fn page(groups: &[Group]) -> String {
    let mut page = String::from(
        "<!-- Made of fixtures/conformance by `BLESS=1 cargo test --test conformance`. -->\n\n\
         # Kubernetes' own conformance specs\n\n\
         The conformance specs of Kubernetes v1.36.3 (`e2e.test`) against `shakedown serve`, group by\n\
         group. Which of them pass is checked by `cargo test --test conformance`, where\n\
         `SHAKEDOWN_K8S_BIN` or `PATH` has `e2e.test`, `kubectl` and, for webhooks, `agnhost`.\n\n\
         | group | specs | pass |\n|---|---|---|\n",
    );
    let passing = |group: &Group| group.specs.iter().filter(|spec| spec.fails.is_none()).count();
    for group in groups {
        let row = (&group.group, group.specs.len(), passing(group));
        let _ = writeln!(page, "| {} | {} | {} |", row.0, row.1, row.2);
    }
    let all: usize = groups.iter().map(|group| group.specs.len()).sum();
    let pass: usize = groups.iter().map(passing).sum();
    let _ = writeln!(page, "| **all** | **{all}** | **{pass}** |\n\n## What does not pass");
    for group in groups.iter().filter(|group| passing(group) < group.specs.len()) {
        let _ = writeln!(page, "\n### {}\n\n| spec | why |\n|---|---|", group.group);
        for spec in &group.specs {
            if let Some(why) = &spec.fails {
                let _ = writeln!(page, "| {} | {} |", spec.name, why.replace('|', "\\|"));
            }
        }
    }
    page
}
