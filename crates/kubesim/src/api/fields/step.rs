//! One step of a path into an object, in the order and the forms that `fieldsV1` gives it
//! (structured-merge-diff v6, `fieldpath`).

use std::cmp::Ordering;
use std::fmt;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

/// How an element is found in what holds it. Names come before keys, values and places.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Step {
    /// The field of this name: `f:spec`.
    Field(Text),
    /// The element of a list with these values in these fields, by name: `k:{"name":"app"}`.
    Key(Vec<(Text, Value)>),
    /// The element of a set with this value: `v:"example.com/mine"`.
    Value(Value),
    /// The element of a list at this place: `i:3`.
    Index(i64),
}

/// A JSON value with an order: numbers, texts, booleans, lists, objects, null.
#[derive(Clone, Debug)]
pub(in super::super) struct Value(pub(in super::super) Tree);

impl Step {
    /// The step to a field.
    pub(in super::super) fn field(name: &str) -> Step {
        Step::Field(Text::new(name))
    }

    /// Reads the form that `fieldsV1` has; `None` for a kind of step that nobody knows yet, which
    /// is passed over.
    ///
    /// # Errors
    /// A text about what can't be read.
    pub(super) fn read(text: &str) -> Result<Option<Step>, String> {
        let Some((kind, rest)) = text.split_once(':').filter(|(kind, _)| kind.len() == 1) else {
            return Err(format!("missing colon: {text}"));
        };
        let parse = || -> Result<Tree, String> {
            serde_json::from_str(rest).map_err(|error| format!("{text}: {error}"))
        };
        Ok(Some(match kind {
            "f" => Step::field(rest),
            "v" => Step::Value(Value(parse()?)),
            "k" => {
                let keys = parse()?;
                if keys.as_map().is_none() {
                    return Err(format!("{text}: a key is an object"));
                }
                let keys = keys.fields().map(|(key, value)| (key.clone(), Value(value.clone())));
                Step::Key(keys.collect())
            }
            "i" => Step::Index(rest.parse().map_err(|error| format!("{text}: {error}"))?),
            _ => return Ok(None),
        }))
    }

    /// The form that `fieldsV1` has.
    pub(super) fn to_key(&self) -> String {
        match self {
            Step::Field(name) => format!("f:{name}"),
            Step::Key(keys) => {
                let keys: Vec<String> = keys
                    .iter()
                    .map(|(key, value)| format!("{}:{}", json(&key.into()), json(&value.0)))
                    .collect();
                format!("k:{{{}}}", keys.join(","))
            }
            Step::Value(value) => format!("v:{}", json(&value.0)),
            Step::Index(at) => format!("i:{at}"),
        }
    }
}

/// JSON as Go writes it where it may stand in HTML.
pub(super) fn json(value: &Tree) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

impl fmt::Display for Step {
    /// As conflicts name it: `.spec`, `[name="app"]`, `[="a"]`.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Field(name) => write!(to, ".{name}"),
            Step::Key(keys) => {
                let keys: Vec<String> =
                    keys.iter().map(|(key, value)| format!("{key}={}", value.0)).collect();
                write!(to, "[{}]", keys.join(","))
            }
            Step::Value(value) => write!(to, "[={}]", value.0),
            Step::Index(at) => write!(to, "[{at}]"),
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> Ordering {
        let rank = |tree: &Tree| match tree {
            Tree::Int(_) | Tree::Float(_) => 0,
            Tree::Str(_) => 1,
            Tree::Bool(_) => 2,
            Tree::List(_) => 3,
            Tree::Map(_) => 4,
            Tree::Null => 5,
        };
        let order = rank(&self.0).cmp(&rank(&other.0));
        order.then_with(|| match (&self.0, &other.0) {
            (Tree::Int(one), Tree::Int(other)) => one.cmp(other),
            (Tree::Str(one), Tree::Str(other)) => one.cmp(other),
            (Tree::Bool(one), Tree::Bool(other)) => one.cmp(other),
            (Tree::List(one), Tree::List(other)) => {
                let values = |items: &[Tree]| items.iter().cloned().map(Value).collect::<Vec<_>>();
                values(one).cmp(&values(other))
            }
            (Tree::Map(one), Tree::Map(other)) => {
                let one = one.iter().map(|(key, value)| (key, Value(value.clone())));
                one.cmp(other.iter().map(|(key, value)| (key, Value(value.clone()))))
            }
            (one, other) => number(one).total_cmp(&number(other)),
        })
    }
}

fn number(tree: &Tree) -> f64 {
    match tree {
        Tree::Int(number) => *number as f64,
        // Of the two zeros there is only one.
        Tree::Float(number) => *number + 0.0,
        _ => 0.0,
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}
