//! Kubernetes' own conformance specs against `shakedown serve`. Which of them pass stands in
//! `fixtures/conformance/specs.yaml`; one that is said to pass must, and one that is said to fail must
//! still fail.
//!
//! A slice of them runs always. `SHAKEDOWN_CONFORMANCE=all` runs all, and any other text those whose
//! group and name contain it; with `BLESS=1` what came of them is written into the list. Without
//! `e2e.test` v1.36 and kubectl, in `SHAKEDOWN_K8S_BIN` or on PATH, it is said that nothing was run;
//! without `agnhost` there is nobody who would answer for webhooks.

#![expect(clippy::print_stderr, reason = "the one way to say what runs, and that nothing was run")]
#![expect(clippy::unwrap_used, reason = "a test may panic, also in what it is made of")]

#[expect(unreachable_pub, reason = "a module of a test")]
#[path = "conformance/list.rs"]
mod list;
#[expect(unreachable_pub, reason = "a module of a test")]
#[path = "conformance/run.rs"]
mod run;
#[expect(dead_code, unreachable_pub, reason = "the module is shared between tests")]
mod served;
#[expect(unreachable_pub, reason = "a module of a test")]
#[path = "conformance/webhooks.rs"]
mod webhooks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use list::{Group, Spec};
use run::{Outcome, Programs};
use served::{Served, programs_called};
use webhooks::Webhooks;

/// The version whose specs are listed.
const VERSION: &str = "v1.36.";

fn programs() -> Option<Programs> {
    let is_of_version = |path: &PathBuf| {
        let asked = Command::new(path).arg("--version").output();
        asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(VERSION))
    };
    let specs = programs_called("e2e.test").into_iter().find(is_of_version);
    let kubectl = programs_called("kubectl").into_iter().next();
    if specs.is_none() || kubectl.is_none() {
        eprintln!("not run: there is no e2e.test {VERSION}x, or no kubectl");
    }
    Some(Programs { specs: specs?, kubectl: kubectl? })
}

/// The specs that are to run.
fn chosen(groups: &[Group]) -> Vec<(String, Spec)> {
    let wanted = std::env::var("SHAKEDOWN_CONFORMANCE").unwrap_or_default();
    let all = groups
        .iter()
        .flat_map(|group| group.specs.iter().map(|spec| (group.group.clone(), spec.clone())));
    let is_wanted = |(group, spec): &(String, Spec)| match wanted.as_str() {
        "" => spec.quick,
        "all" => true,
        text => spec.full_name(group).contains(text),
    };
    all.filter(is_wanted).collect()
}

#[test]
fn specs_pass_that_are_said_to_pass_and_no_others() {
    let Some(programs) = programs() else { return };
    let mut groups = list::read();
    let chosen = chosen(&groups);
    let served = Served::start(&["--nodes", "2"]);
    let agnhost = programs_called("agnhost").into_iter().next();
    if agnhost.is_none() {
        eprintln!("there is no agnhost: nobody answers for webhooks");
    }
    let webhooks = agnhost.map(|agnhost| Webhooks::run(agnhost, &served.kubeconfig));
    let outcomes = run::all(&programs, &served.kubeconfig, &chosen);
    drop((webhooks, served));
    if std::env::var_os("BLESS").is_some() {
        take(&mut groups, &chosen, &outcomes);
        return list::write(&groups);
    }
    let complaints = chosen.iter().filter_map(|(group, spec)| {
        let name = spec.full_name(group);
        let why = match (&outcomes[&name], &spec.fails) {
            (Err(why), None) => why.as_str(),
            (Ok(()), Some(_)) => "passes, and is said to fail; BLESS=1 writes it down",
            _ => return None,
        };
        Some(format!("{name}\n  {why}"))
    });
    let complaints: Vec<String> = complaints.collect();
    let (count, all) = (complaints.len(), chosen.len());
    assert!(complaints.is_empty(), "\n{}\n{count} of {all}\n", complaints.join("\n"));
}

/// Writes down what came of specs. A reason that is there stays.
fn take(groups: &mut [Group], chosen: &[(String, Spec)], outcomes: &BTreeMap<String, Outcome>) {
    for (group, ran) in chosen {
        let outcome = &outcomes[&ran.full_name(group)];
        let of_group = groups.iter_mut().find(|one| one.group == *group);
        let mut specs = of_group.into_iter().flat_map(|group| &mut group.specs);
        let Some(spec) = specs.find(|spec| spec.name == ran.name) else { continue };
        let why = outcome.as_ref().err();
        spec.fails = why.map(|why| spec.fails.take().unwrap_or_else(|| why.clone()));
    }
}

#[test]
fn the_page_says_what_the_list_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/conformance.md");
    let page = list::page(&list::read());
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(path, page).unwrap();
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(have, page, "docs/conformance.md is stale; BLESS=1 rewrites it");
}
