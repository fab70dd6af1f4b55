//! Facts about stored histories.

use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};
use proptest::prelude::*;

use super::*;
use crate::history::{
    Change, Clock, ContainerFact, HostEvent, HostFact, Names, Pace, RequestEvent,
};

fn header() -> Header {
    Header {
        schema: SCHEMA.into(),
        tool: "shakedown 0.1.0".into(),
        trial: "t".into(),
        scenario: Default::default(),
        subject: Default::default(),
        files: Default::default(),
        params: Default::default(),
        provider: "sim".into(),
        capabilities: vec!["actors".into()],
        seed: 7,
        baseline: false,
        clock: Clock::Virtual,
        began: 0,
        pace: Pace::default(),
        names: Names::default(),
    }
}

fn event(n: u64, t: Millis, body: Body) -> Event {
    Event { n, t, uncertainty: 0, cause: None, body }
}

fn write(n: u64, name: &str, before: Option<Tree>, after: Option<Tree>) -> Event {
    let key = ObjectKey::new("default", name);
    let change = Change { rv: n, resource: Resource::PODS, key: key.clone(), before, after };
    let request = RequestEvent {
        actor: "a".into(),
        incarnation: 1,
        verb: Verb::Update,
        resource: Resource::PODS,
        key,
        subresource: Text::default(),
        code: 200,
        reason: Text::default(),
        message: String::new(),
        injected: false,
        changes: vec![change],
    };
    event(n, 10 * n, Body::Request(Box::new(request)))
}

fn text(history: &History) -> String {
    let mut bytes = Vec::new();
    history.write(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn read(text: &str) -> Result<History, ReadError> {
    History::read(text.as_bytes(), &Limits::default())
}

fn sample() -> History {
    let one = map! { "spec" => map! { "a" => 1, "b" => list![1, 2] }, "x" => Tree::Null };
    let mut two = one.clone();
    two.set(&["spec", "a"], 2);
    let fact = ContainerFact {
        container_id: "c".into(),
        pod_uid: "u".into(),
        pod: ObjectKey::new("default", "p"),
        name: "app".into(),
        image: "i".into(),
        image_id: "d".into(),
    };
    let exited =
        HostFact::ContainerExited { container: fact, exit_code: 1, reason: "Error".into() };
    let host = HostEvent { node: "worker-1".into(), fact: exited };
    let events = vec![
        write(0, "p", None, Some(one.clone())),
        write(1, "p", Some(one), Some(two.clone())),
        event(2, 20, Body::Host(host)),
        write(3, "old", Some(two.clone()), Some(map! { "y" => Tree::Null })),
        write(4, "p", Some(two), None),
    ];
    History { header: header(), events }
}

#[test]
fn a_history_goes_round_and_an_update_is_stored_as_what_it_changed() {
    let written = text(&sample());
    let lines: Vec<&str> = written.lines().collect();
    assert!(lines[2].contains(r#""patch":{"spec":{"a":2}}"#), "{}", lines[2]);
    assert!(!lines[2].contains("before"), "{}", lines[2]);
    assert!(lines[4].contains(r#""before":{"#) && lines[4].contains(r#""object":{"y":null}"#));
    assert_eq!(lines[6], r#"{"end":{"events":5}}"#);
    let again = read(&written).unwrap();
    assert_eq!(again, sample());
    assert_eq!(text(&again), written);
}

#[test]
fn a_history_cut_off_anywhere_keeps_what_is_whole_and_gains_a_gap() {
    let written = text(&sample());
    let first = written.find('\n').unwrap() + 1;
    for at in first..written.len() {
        let cut = read(&written[..at]).unwrap();
        let (gap, kept) = cut.events.split_last().unwrap();
        assert!(matches!(&gap.body, Body::Gap(gap) if gap.missing == "objects"), "{at}");
        assert_eq!(kept, &sample().events[..kept.len()]);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let written = text(&sample());
    let lines: Vec<&str> = written.lines().collect();
    let with = |at: usize, line: &str| {
        let mut lines = lines.clone();
        lines[at] = line;
        lines.join("\n") + "\n"
    };
    assert!(matches!(read(""), Err(ReadError::Empty)));
    assert!(matches!(read("\u{0}\u{1}"), Err(ReadError::NotAHistory { .. })));
    assert!(matches!(read(&with(0, "{}")), Err(ReadError::NotAHistory { .. })));
    let other = lines[0].replace("history-v1", "history-v9");
    assert!(matches!(read(&with(0, &other)), Err(ReadError::OtherSchema { .. })));
    assert!(matches!(read(&with(2, "{oops")), Err(ReadError::Damaged { line: 3, .. })));
    assert!(matches!(read(&with(1, lines[3])), Err(ReadError::Damaged { line: 3, .. })));
    assert!(matches!(read(&with(3, lines[1])), Err(ReadError::OutOfOrder { line: 4, .. })));
    let count = r#"{"end":{"events":4}}"#;
    assert!(matches!(read(&with(6, count)), Err(ReadError::WrongCount { line: 7, .. })));
    let more = written.clone() + "{}\n";
    assert!(matches!(read(&more), Err(ReadError::AfterTheEnd { line: 8 })));
}

#[test]
fn limits_are_kept_and_named() {
    let written = text(&sample());
    let read = |limits: Limits| History::read(written.as_bytes(), &limits);
    let all = Limits::default();
    let error = read(Limits { events: 3, ..all }).unwrap_err();
    assert_eq!(error.to_string(), "line 5 goes past the limit of 3 events");
    let error = read(Limits { line: 20, ..all }).unwrap_err();
    assert_eq!(error.to_string(), "line 1 goes past the limit of 20 bytes a line");
    assert!(matches!(read(Limits { bytes: 600, ..all }), Err(ReadError::TooLarge { .. })));
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        any::<i64>().prop_map(Tree::from),
        (-9i32..9).prop_map(|n| Tree::from(f64::from(n) / 2.0)),
        "[a-c\"\\\\\u{e9}\n]{0,4}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Tree::from),
            proptest::collection::vec(("[a-d]", inner), 0..4).prop_map(|fields| {
                let mut object = map! {};
                fields.into_iter().for_each(|(key, value)| object.set(&[key.as_str()], value));
                object
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_history_goes_round(
        states in proptest::collection::vec(("[pq]", proptest::option::of(tree())), 1..12),
    ) {
        let mut last = std::collections::BTreeMap::<String, Tree>::new();
        let mut events = Vec::new();
        for (n, (name, after)) in states.into_iter().enumerate() {
            // A stored `null` means that there was no object, so no object is `null`.
            let after = after.filter(|after| !after.is_null());
            events.push(write(n as u64, &name, last.get(&name).cloned(), after.clone()));
            match after {
                Some(after) => drop(last.insert(name, after)),
                None => drop(last.remove(&name)),
            }
        }
        let history = History { header: header(), events };
        let written = text(&history);
        let again = read(&written).unwrap();
        prop_assert_eq!(&again, &history);
        prop_assert_eq!(text(&again), written);
    }

    #[test]
    fn no_line_panics(line in "\\PC{0,60}") {
        let _ = read(&format!("{}{line}\n", text(&sample())));
        let _ = read(&line);
    }
}
