//! What an expression mentions: variables, their fields, functions.

use std::collections::BTreeSet;

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use kubesim_model::Text;

/// What an expression mentions.
#[derive(Default)]
pub(super) struct Mentions<'e> {
    bound: Vec<&'e str>,
    /// The variables that it reads and does not bind itself.
    pub(super) free: BTreeSet<Text>,
    /// The functions and operators that it calls.
    pub(super) functions: BTreeSet<Text>,
    /// Fields selected of free variables; `None` for a variable that is used as a whole.
    pub(super) fields: BTreeSet<(Text, Option<Text>)>,
}

impl<'e> Mentions<'e> {
    fn name(&self, expression: &'e IdedExpr) -> Option<&'e str> {
        let Expr::Ident(name) = &expression.expr else { return None };
        let name = name.trim_start_matches('.');
        let free = !name.starts_with('@') && !self.bound.contains(&name);
        (free && !NAMESPACES.contains(&name)).then_some(name)
    }

    /// Collects what `expression` mentions.
    pub(super) fn read(&mut self, expression: &'e IdedExpr) {
        match &expression.expr {
            Expr::Ident(_) => {
                if let Some(name) = self.name(expression) {
                    self.free.insert(Text::new(name));
                    self.fields.insert((Text::new(name), None));
                }
            }
            Expr::Select(select) => match self.name(&select.operand) {
                Some(name) => {
                    self.free.insert(Text::new(name));
                    self.fields.insert((Text::new(name), Some(Text::new(&select.field))));
                }
                None => self.read(&select.operand),
            },
            Expr::Call(call) => {
                let space = call.target.as_deref().and_then(|target| match &target.expr {
                    Expr::Ident(name) if NAMESPACES.contains(&name.as_str()) => Some(name),
                    _ => None,
                });
                let function = match space {
                    Some(space) => Text::from(format!("{space}.{}", call.func_name)),
                    None => Text::new(&call.func_name),
                };
                self.functions.insert(function);
                call.target.as_deref().into_iter().chain(&call.args).for_each(|e| self.read(e));
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.read(element)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Struct(made) => made.entries.iter().for_each(|entry| self.entry(&entry.expr)),
            Expr::Comprehension(each) => {
                self.read(&each.iter_range);
                self.read(&each.accu_init);
                let outer = self.bound.len();
                self.bound.push(&each.iter_var);
                self.bound.extend(each.iter_var2.as_deref());
                self.bound.push(&each.accu_var);
                for part in [&each.loop_cond, &each.loop_step, &each.result] {
                    self.read(part);
                }
                self.bound.truncate(outer);
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn entry(&mut self, entry: &'e EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.read(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.read(&entry.key);
                self.read(&entry.value);
            }
        }
    }
}

/// Names in front of function names (`math.greatest`) that the parser shows as variables.
const NAMESPACES: [&str; 7] =
    ["math", "sets", "base64", "optional", "jsonpatch", "format", "strings"];
