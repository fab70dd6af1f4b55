//! Label selectors in text form: `app=web,tier in (a, b),!canary` (apimachinery v0.36, `labels`).

use kubesim_model::Text;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;

use super::super::{errors, validate};

/// One requirement on the labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Requirement {
    key: Text,
    operator: Operator,
}

#[derive(Clone, Debug, PartialEq)]
enum Operator {
    In(Vec<Text>),
    NotIn(Vec<Text>),
    Exists,
    Absent,
    Above(i64),
    Below(i64),
}

impl Requirement {
    /// Whether these labels meet it.
    pub(super) fn holds(&self, labels: &Tree) -> bool {
        let have = labels.get(&self.key).and_then(Tree::as_str);
        let number = || have.and_then(|have| have.parse::<i64>().ok());
        match &self.operator {
            Operator::In(values) => have.is_some_and(|have| values.iter().any(|v| v == have)),
            Operator::NotIn(values) => !have.is_some_and(|have| values.iter().any(|v| v == have)),
            Operator::Exists => have.is_some(),
            Operator::Absent => have.is_none(),
            Operator::Above(limit) => number().is_some_and(|have| have > *limit),
            Operator::Below(limit) => number().is_some_and(|have| have < *limit),
        }
    }
}

/// Reads the text form.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, Status> {
    terms(text)
        .into_iter()
        .map(|term| {
            parse_term(term.trim()).ok_or_else(|| {
                errors::bad_request(format!("unable to parse requirement: '{term}' in '{text}'"))
            })
        })
        .collect()
}

/// The parts between commas that are not in parentheses.
fn terms(text: &str) -> Vec<&str> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut open = false;
    text.split(|letter: char| {
        match letter {
            '(' => open = true,
            ')' => open = false,
            _ => {}
        }
        letter == ',' && !open
    })
    .collect()
}

fn parse_term(term: &str) -> Option<Requirement> {
    if let Some(key) = term.strip_prefix('!') {
        return requirement(key, Operator::Absent);
    }
    if let Some(at) = term.find(['=', '!', '>', '<']) {
        let (key, rest) = term.split_at(at);
        let one = |value: &str| parse_value(value).map(|value| vec![value]);
        let operator = if let Some(value) = rest.strip_prefix("!=") {
            Operator::NotIn(one(value)?)
        } else if let Some(value) = rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')) {
            Operator::In(one(value)?)
        } else if let Some(value) = rest.strip_prefix('>') {
            Operator::Above(value.trim().parse().ok()?)
        } else {
            Operator::Below(rest.strip_prefix('<')?.trim().parse().ok()?)
        };
        return requirement(key, operator);
    }
    let Some((key, rest)) = term.split_once(char::is_whitespace) else {
        return requirement(term, Operator::Exists);
    };
    let rest = rest.trim_start();
    if let Some(values) = rest.strip_prefix("notin") {
        return requirement(key, Operator::NotIn(parse_set(values)?));
    }
    requirement(key, Operator::In(parse_set(rest.strip_prefix("in")?)?))
}

fn requirement(key: &str, operator: Operator) -> Option<Requirement> {
    let key = key.trim();
    validate::is_qualified_name(key).then(|| Requirement { key: Text::new(key), operator })
}

fn parse_set(text: &str) -> Option<Vec<Text>> {
    let values = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    values.split(',').map(parse_value).collect()
}

fn parse_value(text: &str) -> Option<Text> {
    let value = text.trim();
    validate::is_label_value(value).then(|| Text::new(value))
}
