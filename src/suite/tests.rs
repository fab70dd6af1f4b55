//! Facts about the reading of whole files.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use kubesim_model::tree::Tree;
use proptest::prelude::*;

use super::faults::Lasts;
use super::load::{Inlined, parse_requirements, parse_scenario, parse_subject};
use super::render::{Colour, render};
use super::select::Mode;
use super::steps::{Action, WaitFor};
use super::vocabulary::{KnownRequirement, KnownSubject};
use super::*;

const EXAMPLE: &str = r#"
apiVersion: shakedown/v1alpha1
kind: Scenario
metadata: {name: release-while-scaling-on-a-frozen-node, labels: {theme: release}}
spec:
  proves: [CONV-3, INPLACE-2, BUDGET-1]             # requirements of the catalogue
  subjects: [cloneset, deployment, ticket]          # `--subject` overrides
  cluster: {nodes: 5}
  requires: {subject: [in-place-update]}            # unmet: skipped, with the reason
  matrix: {replicas: [6, 30]}
  given:
    - apply: {file: ../../fixtures/workloads/web.yaml, with: {replicas: "${{ params.replicas }}"}}
    - converge: {within: 2m, hold: 30s}
  when:
    - parallel:
        - - release: {workload: web, container: app, image: "registry.k8s.io/e2e-test-images/agnhost:2.60"}
        - - wait: {event: {kind: Pod, where: "object.status.phase == 'Running'", nth: 2}, within: 1m}
          - scale: {workload: web, replicas: "${{ params.replicas * 2 }}"}
  faults:
    - node-freeze: {select: {role: worker, mode: one}, for: lasting, trigger: {event: {kind: Pod, on: update, nth: 1}}}
  always:
    - disruption-bounded: {}
    - in-place-identity-kept: {}
    - no-zombie-containers: {within: 10s}
    - cel: {name: never-empty, expr: "objects.pods.exists(p, p.status.phase == 'Running')"}
  eventually:
    - converge: {within: 15m, hold: 60s}
  expect:
    - {subject: deployment, fails: [INPLACE-2]}
    - {subject: ticket, fails: [CONV-3], across: seeds}   # in at least one seed
"#;

const WEB: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${{ params.replicas }}
  template: {spec: {containers: [{name: app, image: a}]}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
";

const SELECT: Param = Param::new("select", ParamKind::Select, "Which nodes.");
const WITHIN: Param = Param::new("within", ParamKind::Duration, "How long.").default("30s");

fn vocabulary() -> Arc<Vocabulary> {
    let invariant = |name| Entry { name, doc: "", params: &[] };
    let requirement = |id: &str, invariant: &str| KnownRequirement {
        id: id.into(),
        invariants: vec![invariant.into()],
    };
    let subject = |name: &str| KnownSubject {
        name: name.into(),
        operations: vec!["release".into(), "scale".into()],
    };
    Arc::new(Vocabulary {
        faults: vec![Entry { name: "node-freeze", doc: "", params: &[SELECT] }],
        invariants: vec![
            invariant("disruption-bounded"),
            invariant("in-place-identity-kept"),
            Entry { name: "no-zombie-containers", doc: "", params: &[WITHIN] },
        ],
        requirements: vec![
            requirement("CONV-3", "converged-and-stable"),
            requirement("INPLACE-2", "in-place-identity-kept"),
            requirement("BUDGET-1", "disruption-bounded"),
        ],
        subjects: vec![subject("cloneset"), subject("deployment"), subject("ticket")],
        ..Vocabulary::default()
    })
}

fn files() -> BTreeMap<Utf8PathBuf, Arc<Source>> {
    let path = Utf8PathBuf::from("fixtures/workloads/web.yaml");
    BTreeMap::from([(path.clone(), Source::new(path, WEB))])
}

fn example() -> Scenario {
    let source = Source::new("suites/release/example.yaml", EXAMPLE);
    parse_scenario(&source, &Inlined(&files()), &vocabulary())
        .unwrap_or_else(|found| panic!("{}", render(&found, Colour::Plain)))
}

#[test]
fn the_example_of_the_design_parses() {
    let scenario = example();
    assert_eq!(scenario.name.as_str(), "release-while-scaling-on-a-frozen-node");
    assert_eq!(scenario.name.at.line_and_column(), (4, 18));
    assert_eq!(scenario.requires.subject[0].as_str(), "in-place-update");
    let rows = rows(&scenario);
    assert_eq!(
        rows.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["replicas=6", "replicas=30"]
    );
}

#[test]
fn a_row_is_plain_and_typed() {
    let scenario = example();
    let row = resolve(&scenario, &rows(&scenario)[1]).unwrap();
    assert_eq!(row.cluster.nodes.len(), 5);
    let Action::Apply(apply) = &row.given[0].action else { panic!("apply") };
    assert_eq!(apply.manifests.len(), 2);
    assert_eq!(apply.manifests[0].at(&["spec", "replicas"]), &Tree::Int(30));
    let Action::Parallel(branches) = &row.when[0].action else { panic!("parallel") };
    let Action::Wait(wait) = &branches[1][0].action else { panic!("wait") };
    let WaitFor::Event(event) = &wait.until else { panic!("event") };
    assert_eq!((event.nth, wait.within), (2, 60_000));
    let Action::Operate(scale) = &branches[1][1].action else { panic!("scale") };
    assert_eq!(scale.args["replicas"], Tree::Int(60));
    let fault = &row.faults[0];
    assert_eq!((fault.lasts, fault.select().mode), (Lasts::Lasting, Mode::One));
    assert_eq!(fault.at.to_string(), "suites/release/example.yaml:20:7");
    assert_eq!(row.always.len(), 4);
    assert_eq!(row.eventually[0].name.as_str(), "converged-and-stable");
}

#[test]
fn a_subject_file_parses() {
    let text = r#"
apiVersion: shakedown/v1alpha1
kind: Subject
metadata: {name: cloneset}
spec:
  run: {reference: {actor: cloneset, bug: marks-done-early}}
  identities: {users: ["system:serviceaccount:*:cloneset"], userAgents: ["cloneset/*"]}
  workload: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet}
  from:
    drop: [spec.strategy]
    set: {spec.updateStrategy: {type: InPlaceIfPossible, partition: 0}}
  operations:
    scale: {patch: {spec: {replicas: "${{ args.replicas }}"}}}
    release:
      type: json
      patch:
        - {op: replace, path: "/spec/template/spec/containers/0/image", value: "${{ args.image }}"}
  observe:
    replicas: object.spec.replicas
    partition: 0
    revision: pod.metadata.labels['controller-revision-hash']
  capabilities: [in-place-update]
"#;
    let source = Source::new("cloneset.yaml", text);
    let subject = parse_subject(&source, &Inlined(&BTreeMap::new()))
        .unwrap_or_else(|found| panic!("{}", render(&found, Colour::Plain)));
    assert_eq!(subject.workload.resource.as_str(), "clonesets");
    let bindings = cel::Bindings::new().with("args", kubesim_model::map! { "replicas" => 3 });
    let patch = subject.operations["scale"].patches[0].patch.eval(&bindings).unwrap();
    assert_eq!(patch.to_string(), r#"{"spec":{"replicas":3}}"#);
}

#[test]
fn requirements_are_checked_against_the_catalogue() {
    let text = "apiVersion: shakedown/v1alpha1\nkind: Requirements\nspec:\n  \
                profiles: {core: everyone}\n  requirements:\n  - {id: CONV-1, statement: x, \
                invariants: [disruption-bounded], profiles: [core]}\n";
    let source = Source::new("requirements.yaml", text);
    let read = parse_requirements(&source, &vocabulary()).unwrap();
    assert_eq!(read.requirements[0].id.as_str(), "CONV-1");
    let source = Source::new("r.yaml", text.replace("disruption-bounded", "disruption-bound"));
    let found = parse_requirements(&source, &vocabulary()).unwrap_err();
    assert_eq!(found[0].help.as_deref(), Some("did you mean `disruption-bounded`?"));
}

#[test]
fn folders_hold_manifests_and_subjects_beside_scenarios() {
    let folder = std::env::temp_dir().join(format!("shakedown-suite-{}", std::process::id()));
    let folder = Utf8PathBuf::from_path_buf(folder).unwrap();
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let scenario = EXAMPLE.replace("../../fixtures/workloads/web.yaml", "../web.yaml");
    put("deep/b.yaml", &scenario);
    put("deep/a.yml", &scenario.replace("name: release-while", "name: first-while"));
    put("web.yaml", WEB);
    put("subject.yaml", "apiVersion: shakedown/v1alpha1\nkind: Subject\n");
    put("notes.txt", "not read");
    let suite = load_suite(std::slice::from_ref(&folder), &vocabulary());
    std::fs::remove_dir_all(&folder).unwrap();
    let suite = suite.unwrap_or_else(|found| panic!("{}", render(&found, Colour::Plain)));
    let names: Vec<&str> = suite.scenarios.iter().map(|scenario| &scenario.name[..11]).collect();
    assert_eq!(names, ["first-while", "release-whi"]);
}

#[test]
fn a_default_that_is_none_is_found() {
    const BAD: Param = Param::new("within", ParamKind::Duration, "").default("soon");
    let good = vocabulary();
    assert_eq!(good.bad_defaults(), Vec::<String>::new());
    let faults = vec![Entry { name: "f", doc: "", params: &[BAD] }];
    let bad = Vocabulary { faults, ..Vocabulary::default() };
    assert_eq!(bad.bad_defaults(), ["f.within"]);
    let steps = Vocabulary { faults: steps::STEPS.to_vec(), ..Vocabulary::default() };
    assert_eq!(steps.bad_defaults(), Vec::<String>::new());
}

#[test]
fn a_subject_keeps_the_manifests_that_it_was_read_with() {
    let subject = Source::new(
        "subjects/s.yaml",
        "apiVersion: shakedown/v1alpha1\nkind: Subject\nmetadata: {name: s}\nspec:\n  \
         run: {manifests: [deploy, ../pod.yaml]}\n  workload: {apiVersion: v1, kind: A}\n",
    );
    let object =
        |kind| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: '${{{{ x }}}}'}}\n");
    let file = |path: &str, kind| (Utf8PathBuf::from(path), Source::new(path, object(kind)));
    let files = BTreeMap::from([
        file("subjects/deploy/b.yaml", "Secret"),
        file("subjects/deploy/a.yaml", "ServiceAccount"),
        file("pod.yaml", "Pod"),
        file("other.yaml", "Pod"),
    ]);
    let read = parse_subject(&subject, &Inlined(&files)).unwrap_err();
    assert_eq!(read[0].code, Code::BadName, "nothing is replaced in manifests");
    let plain = |(path, source): (&Utf8PathBuf, &Arc<Source>)| {
        (path.clone(), Source::new(path.clone(), source.text.replace("${{ x }}", "x")))
    };
    let files: BTreeMap<_, _> = files.iter().map(plain).collect();
    let read = parse_subject(&subject, &Inlined(&files)).unwrap();
    assert_eq!(read.files.len(), 3, "{:?}", read.files.keys());
    let again = parse_subject(&subject, &Inlined(&read.files)).unwrap();
    assert_eq!(again.run, read.run);
    let ways::Run::Manifests(objects) = again.run else { panic!("{:?}", again.run) };
    let kinds: Vec<&str> = objects.iter().map(|object| object["kind"].str()).collect();
    assert_eq!(kinds, ["ServiceAccount", "Secret", "Pod"]);
}

#[test]
fn a_huge_file_is_one_error() {
    let source = Source::new("x.yaml", "a: b\n".repeat(300_000));
    let found = parse_scenario(&source, &Inlined(&BTreeMap::new()), &vocabulary()).unwrap_err();
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), [Code::TooLarge]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let source = Source::new("x.yaml", String::from_utf8_lossy(&bytes));
        let empty = BTreeMap::new();
        let found = parse_scenario(&source, &Inlined(&empty), &vocabulary()).unwrap_err();
        prop_assert!(!render(&found, Colour::Plain).is_empty());
    }

    #[test]
    fn no_damage_to_a_good_file_panics(
        at in 0..EXAMPLE.len(), cut in 0..60_usize, put in "[-\\[\\]{}:,&*!|>'\"#%@` \t\nax0$]{0,6}",
    ) {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..(at + cut).min(EXAMPLE.len()), &put);
        let source = Source::new("x.yaml", text);
        if let Err(found) = parse_scenario(&source, &Inlined(&files()), &vocabulary()) {
            prop_assert!(!render(&found, Colour::Plain).is_empty());
        }
    }
}
