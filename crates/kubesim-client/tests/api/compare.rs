//! What two servers answer differently, and which of it is accepted.

use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::case::Theme;

/// A place where two answers differ.
pub(crate) struct Difference {
    /// `theme/case/step path`.
    pub(crate) place: String,
    real: Option<Value>,
    ours: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| match value {
            Some(value) => value.to_string(),
            None => "nothing".to_owned(),
        };
        write!(to, "{}\n  - {}\n  + {}", self.place, text(&self.real), text(&self.ours))
    }
}

/// Differences that are accepted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// The places, in which `*` stands for anything.
    places: Vec<String>,
    /// How many differences there are in these places.
    count: usize,
    /// What users have to know.
    because: String,
}

impl Rule {
    fn covers(&self, difference: &Difference) -> bool {
        self.places.iter().any(|place| fits(place, &difference.place))
    }
}

/// Finds the differences between the answers to a case.
pub(crate) fn answers(
    case: &str,
    texts: bool,
    (real, ours): (&[Value], &[Value]),
    found: &mut Vec<Difference>,
) {
    for step in 0..real.len().max(ours.len()) {
        let place = format!("{case}/{} ", step + 1);
        let (real, ours) = (real.get(step), ours.get(step));
        let code = |answer: Option<&Value>| answer.map(|answer| answer["code"].clone());
        if code(real) == code(ours) {
            let spoken = |answer| spoken(answer, texts);
            trees(&place, real.map(spoken).as_ref(), ours.map(spoken).as_ref(), found);
        } else {
            // Whatever else differs follows from this.
            let place = format!("{place}answer");
            found.push(Difference { place, real: real.cloned(), ours: ours.cloned() });
        }
    }
}

/// An answer without the texts that are for humans. Clients read those of refused evictions and
/// applies, and themes may ask for them. Causes have no order: Kubernetes walks through maps to
/// find them.
fn spoken(answer: &Value, texts: bool) -> Value {
    let mut answer = answer.clone();
    let body = &mut answer["body"];
    if let Some(causes) = body.pointer_mut("/details/causes").and_then(Value::as_array_mut)
        && causes.iter().all(|cause| cause["reason"] == "FieldManagerConflict")
    {
        // The real server tells them in any order.
        causes.sort_by_key(ToString::to_string);
        return answer;
    }
    if body["kind"] != "Status" || body["reason"] == "TooManyRequests" {
        if body.is_null() {
            answer.as_object_mut().map(|answer| answer.remove("body"));
        }
        return answer;
    }
    if !texts || body["details"]["causes"].is_array() {
        body.as_object_mut().map(|body| body.remove("message"));
    }
    for cause in body["details"]["causes"].as_array_mut().into_iter().flatten().filter(|_| !texts) {
        cause.as_object_mut().map(|cause| cause.remove("message"));
    }
    // The real server checks some rules twice and says so twice.
    if let Some(causes) = body["details"]["causes"].as_array_mut() {
        let mut seen = Vec::new();
        if texts {
            causes.sort_by_key(Value::to_string);
        }
        causes.retain(|cause| {
            let new = !seen.contains(cause);
            seen.push(cause.clone());
            new
        });
    }
    if body["details"]["causes"].is_null()
        && let Some(details) = body["details"].as_object_mut()
    {
        details.remove("causes");
    }
    if body["details"].is_null() {
        body.as_object_mut().map(|body| body.remove("details"));
    }
    answer
}

fn trees(place: &str, real: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (real, ours) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let missing = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(missing) {
                let dot = if place.ends_with(' ') { "" } else { "." };
                let place = format!("{place}{dot}{key}");
                trees(&place, one.get(key), other.get(key), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for at in 0..one.len().max(other.len()) {
                trees(&format!("{place}[{at}]"), one.get(at), other.get(at), found);
            }
        }
        (real, ours) if real == ours => {}
        (real, ours) => found.push(Difference {
            place: place.to_owned(),
            real: real.cloned(),
            ours: ours.cloned(),
        }),
    }
}

/// What is wrong: differences that no rule accepts, and rules that accept another number.
pub(crate) fn judge(rules: &[Rule], found: &[Difference]) -> Vec<String> {
    let accepted = |one: &&Difference| !rules.iter().any(|rule| rule.covers(one));
    let mut complaints: Vec<String> =
        found.iter().filter(accepted).map(ToString::to_string).collect();
    for rule in rules {
        let covered = found.iter().filter(|one| rule.covers(one)).count();
        if covered != rule.count {
            let places = rule.places.join(", ");
            let text = format!("{places}: {covered} differences, not {}", rule.count);
            complaints.push(text);
        }
    }
    complaints
}

fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| fits(after, &rest[at..]))
        }),
    }
}

/// The page for users.
pub(crate) fn page<'t>(rules: &[Rule], themes: impl Iterator<Item = &'t Theme>) -> String {
    let mut text = String::from(HEAD);
    for theme in themes {
        text += &format!("* {} ({} cases)\n", theme.about, theme.cases.len());
    }
    text += "\n## What differs\n\n";
    for rule in rules {
        text += &format!("* {}\n", rule.because.trim());
    }
    text
}

const HEAD: &str = "\
<!-- Made of fixtures/api by `BLESS=1 cargo test -p kubesim-client --test api`. -->

# How close the simulated API server is to the real one

The request sequences in `fixtures/api/cases` were sent to kube-apiserver v1.36.3, and what it
answered stands in `fixtures/api/recorded`: codes, whole bodies, causes, warnings and watch events.
A test sends the same requests to the simulated server, through the HTTP edge that kube-rs
controllers use, and compares all but the texts of failures (those of refused evictions and of
conflicts of applies are compared) and causes that the real server gives twice. Who owns which field
is compared where the sequences are about that. What differs and is accepted is listed here; any
other difference, and one of these that goes away, fails the test.

The sequences are about:

";
