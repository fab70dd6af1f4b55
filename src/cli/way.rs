//! What is said of the ways to run a subject, beside their catalogue.

use super::topic::{Kind, Topic};
use crate::suite::Entry;

const COMMAND: &[&str] = &[
    "It runs in the folder of the subject's file. A program with a slash stands in that folder; \
     another one is looked for on `PATH` and beside `shakedown`. It gets a process group of its \
     own, and ends with the harness; what it has started, if the harness was killed, with the next \
     run or `shakedown cleanup`. When it ends by itself it is started again: at once, then \
     after 10 seconds, and then after twice as long each time, up to 5 minutes.",
    "For the API it is the service account `NAME` in the namespace `shakedown-system`, where NAME \
     is the subject's name; so `identities` say `system:serviceaccount:shakedown-system:NAME`.",
    "`controller-crash` kills its process group and `controller-pause` stops it. What it prints is \
     written to `NAME.log` in the folder of the trial.",
    "The program's time is the wall clock's, and so is its cluster's: a trial takes as long as it \
     says, and no two are the same to the byte. Without `--provider` the cluster is `served`, \
     where everybody may do everything: `permissions` are held against a real API server only.",
];

const IMAGE: &[&str] = &[
    "The harness makes a Deployment of one replica of it, and the service account `NAME` in the \
     namespace `shakedown-system`, where NAME is the subject's name; so `identities` say \
     `system:serviceaccount:shakedown-system:NAME`. It runs on the control plane if it can, so \
     that faults of hosts don't meet it by chance. The image is pulled if no archive that was \
     loaded with `--images` has it; `shakedown image` makes such an archive of a program.",
    IN_CLUSTER,
];

const MANIFESTS: &[&str] = &[
    "They are applied before `given`, and it is waited until what they define is established and \
     what they run is ready; they are deleted after the trial. An object without a namespace is \
     put into `shakedown-system`, and namespaces that are missing are made. Their \
     namespaces hold nothing that is judged.",
    "The subject is known by its service accounts: `identities` say \
     `system:serviceaccount:NAMESPACE:ACCOUNT`. If no manifest defines the workload's kind, one \
     that takes every field is defined.",
    IN_CLUSTER,
];

const RENDERED: &[&str] = &[
    "The tool is run when the trial begins, for at most a minute; without it the trial is \
     `unknown`, by fault of the environment. A plan names the folder but does not hold it.",
    "What it makes is treated as the objects of `manifests`.",
];

const IN_CLUSTER: &str = "`controller-crash` kills the container, which the kubelet starts again when it will, not after \
     `for`; `controller-pause` stops its process. What it prints is written to `ACCOUNT.log` in the \
     folder of the trial. Only clusters of which the nodes are real can do all this.";

/// What is said of a way, and how it stands in a file.
fn details(name: &str) -> (&'static [&'static str], &'static str) {
    match name {
        "builtin" => {
            (&["Nothing is installed; `identities` say whose requests are meant."], "builtin: {}")
        }
        "reference" => (
            &["On real clusters it takes part from inside the harness, as it does in the \
               simulation; what acts on each node can't run on real nodes."],
            "reference: cloneset",
        ),
        "inProcess" => (
            &["The subject `cloneset-kube` is such a program, which `shakedown` itself brings. \
               For programs of your own see the module `harness`."],
            "inProcess: my-controller",
        ),
        "command" => (COMMAND, "command: [./bin/manager, --leader-elect=false]"),
        "image" => (
            IMAGE,
            "image: {image: \"localhost/my-controller:v1\", permissions: [{apiGroups: [\"\"], \
             resources: [pods], verbs: [\"*\"]}]}",
        ),
        "manifests" => (MANIFESTS, "manifests: [crds.yaml, deploy]"),
        "kustomize" => (RENDERED, "kustomize: ../config/default"),
        "chart" => (RENDERED, "chart: {chart: ../charts/my-controller, values: values.yaml}"),
        _ => (&[], ""),
    }
}

/// The topic of a way.
pub(super) fn topic(way: &Entry) -> Topic {
    let (details, example) = details(way.name);
    let first = way
        .params
        .first()
        .map(|first| format!("A value that is no mapping is that of `{}` alone.", first.name));
    let details = details.iter().map(|text| (*text).to_owned());
    Topic {
        kind: Kind::Way,
        name: way.name.to_owned(),
        doc: way.doc.to_owned(),
        details: details.chain(first).collect(),
        params: way.params,
        example: Some(format!("run: {{{example}}}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::load::{Inlined, parse_subject};
    use crate::suite::ways::WAYS;
    use crate::suite::{Code, Source};

    #[test]
    fn every_way_has_an_example_that_is_understood() {
        let nothing = Default::default();
        for way in WAYS {
            let run = topic(way).example.unwrap_or_default();
            let text = format!(
                "apiVersion: shakedown/v1alpha1\nkind: Subject\nmetadata: {{name: a}}\nspec:\n  \
                 {run}\n  workload: {{apiVersion: v1, kind: A}}\n"
            );
            let read = parse_subject(&Source::new("a.yaml", text), &Inlined(&nothing));
            let wrong = read.err().unwrap_or_default();
            // The files of the examples are nowhere.
            let wrong: Vec<_> = wrong
                .iter()
                .filter(|one| one.code != Code::MissingFile && one.code != Code::BadManifest)
                .collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", way.name);
        }
    }
}
