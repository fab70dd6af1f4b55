//! Arguments of faults, checks and steps: read as the parameters of their catalogue entry say.

use std::collections::BTreeMap;

use kubesim_model::Text;

use super::reader::{Fields, Reader};
use crate::suite::checks::CHECK_VARIABLES;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::duration::{Amount, parse_duration};
use crate::suite::faults::{Arg, Args};
use crate::suite::located::{Located, Place};
use crate::suite::node::{Node, Value};
use crate::suite::vocabulary::{Entry, Param, ParamKind};

impl Reader<'_> {
    /// The arguments of `entry` in `node`, with defaults. `common` fields are allowed beside them
    /// and left to the caller. Nothing at all stands for an empty mapping.
    pub(super) fn args<'n>(
        &mut self,
        node: &'n Node,
        entry: &Entry,
        common: &[&str],
    ) -> Option<(Args, Option<Fields<'n>>)> {
        let mut args = BTreeMap::new();
        let what = format!("`{}`", entry.name);
        let fields = if matches!(node.value, Value::Null) {
            None
        } else {
            let mut known: Vec<&str> = entry.params.iter().map(|param| param.name).collect();
            known.extend(common);
            Some(self.fields(node, &what, &known)?)
        };
        for param in entry.params {
            let given = fields.as_ref().and_then(|fields| fields.get(param.name));
            let arg = match given {
                Some(node) => self.arg(node, param),
                None if param.required => {
                    let message = format!("{what} needs the field `{}`", param.name);
                    self.report(Diagnostic::error(Code::MissingField, &node.at, message));
                    None
                }
                None => param.default.map(|text| default(param, text)),
            };
            if let Some(arg) = arg {
                let at = given.map_or_else(Place::nowhere, |node| node.at.clone());
                args.insert(Text::new(param.name), Located::new(arg, at));
            }
        }
        Some((Args(args), fields))
    }

    fn arg(&mut self, node: &Node, param: &Param) -> Option<Arg> {
        let what = format!("`{}`", param.name);
        Some(match param.kind {
            ParamKind::Duration => Arg::Duration(self.duration(node, &what)?),
            ParamKind::Int => Arg::Int(self.int(node, &what, (0, i64::MAX))?),
            ParamKind::Probability => Arg::Probability(self.probability(node, &what)?),
            ParamKind::Text => Arg::Text(self.word(node, &what)?),
            ParamKind::Word(words) => Arg::Text(self.one_of(node, &what, words)?),
            ParamKind::Texts => Arg::Texts(self.texts(node, &what)),
            ParamKind::Bool => Arg::Bool(self.flag(node, &what)?),
            ParamKind::Amount => Arg::Amount(self.amount(node, &what)?),
            ParamKind::Select => Arg::Select(Box::new(self.select(node)?)),
            ParamKind::Cel => Arg::Cel(self.cel(node, &what, &CHECK_VARIABLES)?),
            ParamKind::Any => Arg::Any(node.tree()),
        })
    }

    fn probability(&mut self, node: &Node, what: &str) -> Option<f64> {
        let number = match node.value {
            Value::Int(number) => number as f64,
            Value::Float(number) => number,
            _ => {
                self.wrong_type(node, &format!("{what} is a number from 0 to 1"));
                return None;
            }
        };
        if (0.0..=1.0).contains(&number) {
            return Some(number);
        }
        let message = format!("{what} is a number from 0 to 1, not {number}");
        self.report(Diagnostic::error(Code::OutOfRange, &node.at, message));
        None
    }
}

/// The default of a parameter; the catalogue's own mistakes are its tests' concern.
fn default(param: &Param, text: &str) -> Arg {
    match param.kind {
        ParamKind::Duration => Arg::Duration(parse_duration(text).unwrap_or_default()),
        ParamKind::Int => Arg::Int(text.parse().unwrap_or_default()),
        ParamKind::Probability => Arg::Probability(text.parse().unwrap_or_default()),
        ParamKind::Texts => {
            Arg::Texts(text.split(',').map(|part| Text::new(part.trim())).collect())
        }
        ParamKind::Bool => Arg::Bool(text == "true"),
        ParamKind::Amount => Arg::Amount(Amount::parse(text).unwrap_or(Amount::Count(0))),
        ParamKind::Text | ParamKind::Word(_) => Arg::Text(Text::new(text)),
        ParamKind::Select | ParamKind::Cel | ParamKind::Any => Arg::Any(text.into()),
    }
}
