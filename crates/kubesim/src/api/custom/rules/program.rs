//! A parsed expression, and the limits that parsing and evaluating it have.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use kube_cel::cel::parser::Parser;

use super::eval::{Evaluation, Variables};
use super::value::{Answer, Value};

/// The longest expression, in bytes (cel-go takes 100,000 letters; nobody writes so much).
const LONGEST: usize = 16 << 10;
/// How deep an expression may be nested: deeper ones could not be walked through.
const DEEPEST: usize = 160;
/// How many operators may follow each other; they nest without brackets.
const LONGEST_CHAIN: usize = 120;

/// What a single evaluation may cost (apiserver v0.36, `pkg/apis/cel` `PerCallLimit`).
pub(in crate::api) const CALL_LIMIT: u64 = 1_000_000;

/// A parsed expression.
#[derive(Clone, Debug)]
pub(in crate::api) struct Program {
    expression: IdedExpr,
}

impl Program {
    /// Parses an expression.
    ///
    /// # Errors
    /// What cel-go says of it.
    pub(in crate::api) fn parse(text: &str) -> Result<Program, String> {
        if text.len() > LONGEST {
            let (size, limit) = (text.len(), LONGEST);
            return Err(format!(
                "ERROR: <input>:1:1: expression code point size exceeds limit: size: {size}, limit \
                 {limit}"
            ));
        }
        let too_deep =
            || format!("ERROR: <input>:1:1: expression recursion limit exceeded: {DEEPEST}");
        if nesting(text) > DEEPEST / 2 || chain(text) > LONGEST_CHAIN {
            return Err(too_deep());
        }
        let parser = Parser::new().enable_optional_syntax(true);
        let expression = parser.parse(text).map_err(|errors| errors.to_string())?;
        if depth(&expression) > DEEPEST {
            return Err(too_deep());
        }
        Ok(Program { expression })
    }

    /// The expression.
    pub(super) fn expression(&self) -> &IdedExpr {
        &self.expression
    }

    /// Evaluates it; `left` is what may be spent, and is what is left afterwards.
    ///
    /// # Errors
    /// Why it has no value.
    pub(super) fn evaluate<'a>(&'a self, variables: &Variables<'a>, left: &mut u64) -> Answer<'a> {
        let mut evaluation = Evaluation::new(variables, (*left).min(CALL_LIMIT));
        let answer: Answer<'a> = evaluation.of(&self.expression);
        *left = left.saturating_sub(evaluation.spent());
        answer
    }

    /// Whether it reads a variable.
    pub(super) fn reads(&self, name: &str) -> bool {
        let mut found = false;
        walk(&self.expression, &mut |node| {
            found |= matches!(&node.expr, Expr::Ident(have) if have == name);
        });
        found
    }
}

/// Visits all nodes.
pub(super) fn walk<'e>(root: &'e IdedExpr, visit: &mut dyn FnMut(&'e IdedExpr)) {
    let mut open = vec![root];
    while let Some(node) = open.pop() {
        visit(node);
        open.extend(below(node));
    }
}

fn below(node: &IdedExpr) -> Vec<&IdedExpr> {
    match &node.expr {
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).collect(),
        Expr::Comprehension(all) => {
            vec![&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result]
        }
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Select(select) => vec![&select.operand],
        Expr::Map(map) => map.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Struct(of) => of.entries.iter().flat_map(|entry| entry_parts(&entry.expr)).collect(),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => Vec::new(),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::StructField(field) => vec![&field.value],
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
    }
}

fn depth(root: &IdedExpr) -> usize {
    let mut deepest = 0;
    let mut open = vec![(root, 1)];
    while let Some((node, depth)) = open.pop() {
        deepest = deepest.max(depth);
        open.extend(below(node).into_iter().map(|below| (below, depth + 1)));
    }
    deepest
}

/// How deep brackets, signs and choices are nested; texts in quotes count as if they were none.
fn nesting(text: &str) -> usize {
    let (mut open, mut signs, mut choices, mut deepest) = (0_usize, 0_usize, 0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            b'?' => choices += 1,
            _ => {}
        }
        signs = match byte {
            b'!' | b'-' => signs + 1,
            b' ' | b'\t' | b'\n' | b'\r' => signs,
            _ => 0,
        };
        deepest = deepest.max(open + signs + choices);
    }
    deepest
}

/// How many operators and selections follow each other between brackets and commas at most.
fn chain(text: &str) -> usize {
    let mut longest = 0;
    let mut counts = vec![0_usize];
    let mut before = b' ';
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => counts.push(0),
            b')' | b']' | b'}' if counts.len() > 1 => {
                counts.pop();
            }
            b',' => *counts.last_mut().expect("one is always left") = 0,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'.' | b'<' | b'>' | b'=' | b'&' | b'|'
                if byte != before =>
            {
                let count = counts.last_mut().expect("one is always left");
                *count += 1;
                longest = longest.max(*count);
            }
            _ => {}
        }
        before = byte;
    }
    longest
}

/// The variables of an expression.
pub(super) fn variables<'a>(all: impl IntoIterator<Item = (&'a str, Value<'a>)>) -> Variables<'a> {
    Variables::new(all.into_iter().collect())
}
