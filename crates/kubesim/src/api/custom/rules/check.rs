//! The check of an expression before it is ever evaluated: every name is declared, every field is
//! there, every function takes what it is given (cel-go, `checker`).

use kube_cel::cel::common::ast::operators as op;
use kube_cel::cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, SelectExpr, StructExpr,
};

use kubesim_model::Text;

use super::super::schema::{compile_pattern, go_duration};
use super::functions::{LIBRARIES, qualified_type, type_named};
use super::macros::Macro;
use super::made;
use super::signatures::{self, Signature};
use super::types::Type;

/// The type of an expression in which these variables may be read.
///
/// # Errors
/// What is wrong with it, in the form of cel-go: places, and the line with a mark below.
pub(super) fn check<'s>(
    text: &str,
    expression: &IdedExpr,
    variables: &[(&str, Type<'s>)],
    makes_objects: bool,
) -> Result<Type<'s>, String> {
    let scope = variables.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())).collect();
    let mut checker = Checker { text, scope, makes_objects, faults: Vec::new() };
    let kind = checker.of(expression);
    if checker.faults.is_empty() { Ok(kind) } else { Err(checker.faults.join("\n")) }
}

struct Checker<'t, 's> {
    text: &'t str,
    scope: Vec<(String, Type<'s>)>,
    /// Whether it may make objects and patches.
    makes_objects: bool,
    faults: Vec<String>,
}

/// What parameters of a signature stand for.
type Bindings<'s> = Vec<(char, Type<'s>)>;

impl<'s> Checker<'_, 's> {
    fn of(&mut self, node: &IdedExpr) -> Type<'s> {
        match &node.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => {
                let mut of = None;
                for (at, element) in list.elements.iter().enumerate() {
                    let mut kind = self.of(element);
                    if list.optional_indices.contains(&at)
                        && let Type::Optional(inner) = kind
                    {
                        kind = *inner;
                    }
                    of = Some(self.same(of, kind, element));
                }
                Type::list(of.unwrap_or(Type::Dyn))
            }
            Expr::Map(map) => {
                let (mut keys, mut values) = (None, None);
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    let (key, mut value) = (self.of(&entry.key), self.of(&entry.value));
                    if entry.optional
                        && let Type::Optional(inner) = value
                    {
                        value = *inner;
                    }
                    keys = Some(self.same(keys, key, &entry.key));
                    values = Some(self.same(values, value, &entry.value));
                }
                let or_any = |kind: Option<Type<'s>>| Box::new(kind.unwrap_or(Type::Dyn));
                Type::Map(or_any(keys), or_any(values))
            }
            Expr::Comprehension(all) => self.comprehension(all),
            Expr::Struct(of) => self.made(of),
            Expr::Unspecified => Type::Dyn,
        }
    }

    /// An object that is made, or a step of a patch.
    fn made(&mut self, of: &StructExpr) -> Type<'s> {
        let name = of.type_name.as_str();
        if !self.makes_objects || !made::is_type(name) {
            let why = format!("undeclared reference to '{name}' (in container '')");
            return self.fault(&format!("{name}{{"), name.len(), why);
        }
        for entry in &of.entries {
            let EntryExpr::StructField(field) = &entry.expr else { continue };
            let kind = match self.of(&field.value) {
                Type::Optional(inner) if field.optional => *inner,
                kind => kind,
            };
            let wanted = match (name, field.field.as_str()) {
                (made::PATCH, "op" | "path" | "from") => Some(Type::Text),
                (made::PATCH, "value") => Some(Type::Dyn),
                (made::PATCH, _) => None,
                _ => Some(Type::Dyn),
            };
            if !wanted.as_ref().is_some_and(|wanted| wanted.takes(&kind)) {
                let wanted = wanted.map(|wanted| wanted.to_string()).unwrap_or_default();
                let field = &field.field;
                let why = format!(
                    "expected type of field '{field}' is '{wanted}' but provided type is '{kind}'"
                );
                self.fault(&format!("{field}:"), field.len(), why);
            }
        }
        Type::Made(Text::new(name))
    }

    /// All elements of a literal are of one type.
    fn same(&mut self, one: Option<Type<'s>>, other: Type<'s>, element: &IdedExpr) -> Type<'s> {
        match one {
            None => other,
            Some(one) if one.takes(&other) => one,
            Some(one) => {
                let at = match &element.expr {
                    Expr::Literal(LiteralValue::String(text)) => quoted(self.text, text.inner()),
                    Expr::Literal(LiteralValue::Int(number)) => number.inner().to_string(),
                    Expr::Ident(name) => name.clone(),
                    _ => String::new(),
                };
                self.fault(&at, 0, format!("expected type '{one}' but found '{other}'"));
                one
            }
        }
    }

    /// Notes a fault at the first place where `at` stands.
    fn fault(&mut self, at: &str, skip: usize, why: String) -> Type<'s> {
        let found = self.text.find(at).unwrap_or(0) + skip;
        let before = &self.text[..found.min(self.text.len())];
        let line = before.matches('\n').count();
        let column = before.rsplit('\n').next().unwrap_or("").chars().count();
        let shown = self.text.lines().nth(line).unwrap_or("");
        let dots = ".".repeat(column);
        let (line, place) = (line + 1, column + 1);
        let fault = format!("ERROR: <input>:{line}:{place}: {why}\n | {shown}\n | {dots}^");
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        Type::Dyn
    }

    fn variable(&mut self, name: &str) -> Type<'s> {
        let found = self.scope.iter().rev().find(|(have, _)| have == name);
        match found {
            Some((_, kind)) => kind.clone(),
            None if type_named(name).is_some() => Type::Kind,
            None => {
                let why = format!("undeclared reference to '{name}' (in container '')");
                self.fault(name, 0, why)
            }
        }
    }

    fn select(&mut self, select: &SelectExpr) -> Type<'s> {
        if qualified_type(select).is_some() {
            return Type::Kind;
        }
        let operand = self.of(&select.operand);
        let (optional, of) = match operand {
            Type::Optional(inner) => (true, *inner),
            of => (false, of),
        };
        let field = &select.field;
        let Some(kind) = of.field(field) else {
            let (place, skip) = match select.test {
                true => ("has(".to_owned(), 3),
                false => (format!(".{field}"), 0),
            };
            let why = if of.has_fields() {
                format!("undefined field '{field}'")
            } else {
                format!("type '{of}' does not support field selection")
            };
            return self.fault(&place, skip, why);
        };
        match (select.test, optional) {
            (true, _) => Type::Bool,
            (_, true) => Type::Optional(Box::new(kind)),
            _ => kind,
        }
    }

    fn call(&mut self, call: &CallExpr) -> Type<'s> {
        if let Some(found) = Macro::read(call) {
            return self.of_macro(&found);
        }
        let name = call.func_name.as_str();
        if let (op::OPT_SELECT, [of, field]) = (name, call.args.as_slice()) {
            let field = match &field.expr {
                Expr::Literal(LiteralValue::String(field)) => field.inner().to_owned(),
                _ => String::new(),
            };
            let of = match self.of(of) {
                Type::Optional(inner) => *inner,
                of => of,
            };
            return match of.field(&field) {
                Some(kind) => Type::Optional(Box::new(kind)),
                None => self.fault(&field, 0, format!("undefined field '{field}'")),
            };
        }
        let (mut full, mut arguments) = (name.to_owned(), Vec::new());
        let mut is_method = false;
        if let Some(target) = call.target.as_deref() {
            match &target.expr {
                Expr::Ident(library)
                    if LIBRARIES.contains(&library.as_str())
                        && !self.scope.iter().any(|(have, _)| have == library) =>
                {
                    full = format!("{library}.{name}");
                }
                _ => {
                    is_method = true;
                    arguments.push(self.of(target));
                }
            }
        }
        for argument in &call.args {
            let kind = self.of(argument);
            arguments.push(kind);
        }
        self.check_literals(name, call);
        let Some(forms) = signatures::of(&full) else {
            if let Some((library, _)) = full.split_once('.') {
                self.variable(library);
            }
            let why = format!("undeclared reference to '{name}' (in container '')");
            return self.fault(&format!("{name}("), name.len(), why);
        };
        self.overload(&full, forms, is_method, &arguments)
    }

    /// What the form of a function gives that takes these arguments.
    fn overload(
        &mut self,
        name: &str,
        forms: &[Signature],
        is_method: bool,
        arguments: &[Type<'s>],
    ) -> Type<'s> {
        let mut gives: Option<Type<'s>> = None;
        for form in forms.iter().filter(|form| form.is_method == is_method) {
            let mut bindings = Bindings::new();
            let fits = form.takes.len() == arguments.len()
                && form
                    .takes
                    .iter()
                    .zip(arguments)
                    .all(|(wanted, have)| fits(wanted, have, &mut bindings));
            if fits {
                let kind = bound(&form.gives, &bindings);
                gives = Some(match gives {
                    None => kind,
                    Some(other) if other.takes(&kind) && kind.takes(&other) => other,
                    Some(_) => Type::Dyn,
                });
            }
        }
        gives.unwrap_or_else(|| {
            let texts: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            let applied = match (is_method, texts.split_first()) {
                (true, Some((target, rest))) => format!("{target}.({})", rest.join(", ")),
                _ => format!("({})", texts.join(", ")),
            };
            let why = format!("found no matching overload for '{name}' applied to '{applied}'");
            let sign = name.trim_start_matches('@').trim_matches('_');
            let (place, skip) = match name.starts_with(['_', '@', '!', '-']) {
                true => (sign.to_owned(), 0),
                false => {
                    let last = name.rsplit('.').next().unwrap_or(name);
                    (format!("{last}("), last.len())
                }
            };
            self.fault(&place, skip, why)
        })
    }

    /// Literals of durations, times and patterns must be some.
    fn check_literals(&mut self, name: &str, call: &CallExpr) {
        let Some(Expr::Literal(LiteralValue::String(text))) =
            call.args.last().map(|argument| &argument.expr)
        else {
            return;
        };
        let text = text.inner();
        let wrong = match name {
            "duration" => go_duration(text).is_none(),
            "timestamp" => text.parse::<jiff::Timestamp>().is_err(),
            "matches" => compile_pattern(text).is_err(),
            _ => false,
        };
        if wrong {
            self.fault(&quoted(self.text, text), 0, format!("invalid {name} argument"));
        }
    }

    fn of_macro(&mut self, found: &Macro<'_>) -> Type<'s> {
        let target = self.of(found.target);
        let (first, second) = match (&target, found.variables.len()) {
            (Type::Optional(of), _) => ((**of).clone(), None),
            (Type::List(of), 1) => ((**of).clone(), None),
            (Type::List(of), _) => (Type::Int, Some((**of).clone())),
            (Type::Map(key, value), _) => ((**key).clone(), Some((**value).clone())),
            (Type::Dyn, _) => (Type::Dyn, Some(Type::Dyn)),
            (other, _) => {
                let why = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be \
                     list, map, or dynamic)"
                );
                return self.fault("", 0, why);
            }
        };
        let before = self.scope.len();
        let kinds = [Some(first.clone()), second];
        for (name, kind) in found.variables.iter().zip(kinds) {
            self.scope.push(((*name).to_owned(), kind.unwrap_or(Type::Dyn)));
        }
        let mut kinds: Vec<Type<'s>> = found.inner.iter().map(|inner| self.of(inner)).collect();
        self.scope.truncate(before);
        let result = kinds.pop().unwrap_or(Type::Dyn);
        for filter in kinds {
            self.must_be_bool(&filter);
        }
        match found.name {
            "optMap" => Type::Optional(Box::new(result)),
            "optFlatMap" => result,
            "sortBy" => target,
            "transformList" => Type::list(result),
            "transformMap" => Type::Map(Box::new(first), Box::new(result)),
            "transformMapEntry" => result,
            _ => {
                self.must_be_bool(&result);
                Type::Bool
            }
        }
    }

    fn must_be_bool(&mut self, kind: &Type<'s>) {
        if !Type::Bool.takes(kind) {
            self.fault("", 0, format!("expected type 'bool' but found '{kind}'"));
        }
    }

    fn comprehension(&mut self, all: &ComprehensionExpr) -> Type<'s> {
        let range = self.of(&all.iter_range);
        let item = match range {
            Type::List(of) => *of,
            Type::Map(key, _) => *key,
            Type::Dyn => Type::Dyn,
            other => {
                let why = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be \
                     list, map, or dynamic)"
                );
                return self.fault("", 0, why);
            }
        };
        let mut accumulator = self.of(&all.accu_init);
        let before = self.scope.len();
        self.scope.push((all.accu_var.clone(), accumulator.clone()));
        self.scope.push((all.iter_var.clone(), item));
        self.of(&all.loop_cond);
        let step = self.of(&all.loop_step);
        // What is collected shows only in the steps.
        if matches!(&accumulator, Type::List(of) if matches!(**of, Type::Dyn)) {
            accumulator = step;
        }
        self.scope.truncate(before);
        self.scope.push((all.accu_var.clone(), accumulator));
        let result = self.of(&all.result);
        self.scope.truncate(before);
        result
    }
}

fn literal_type<'s>(literal: &LiteralValue) -> Type<'s> {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

/// Whether an argument is of the wanted type, with what parameters stand for noted.
fn fits<'s>(wanted: &Type<'static>, have: &Type<'s>, bindings: &mut Bindings<'s>) -> bool {
    match (wanted, have) {
        (Type::Parameter(name), have) => {
            let known = bindings.iter_mut().find(|(known, _)| known == name);
            match known {
                None => {
                    bindings.push((*name, have.clone()));
                    true
                }
                // The more is known of a type, the better.
                Some((_, known)) if matches!(known, Type::Dyn) => {
                    *known = have.clone();
                    true
                }
                Some((_, known)) => known.takes(have),
            }
        }
        (_, Type::Dyn) => true,
        (Type::List(wanted), Type::List(have)) | (Type::Optional(wanted), Type::Optional(have)) => {
            fits(wanted, have, bindings)
        }
        (Type::Map(key, value), Type::Map(have_key, have_value)) => {
            fits(key, have_key, bindings) && fits(value, have_value, bindings)
        }
        (wanted, have) => wanted.takes(have),
    }
}

fn bound<'s>(kind: &Type<'static>, bindings: &Bindings<'s>) -> Type<'s> {
    match kind {
        Type::Parameter(name) => bindings
            .iter()
            .find(|(known, _)| known == name)
            .map_or(Type::Dyn, |(_, kind)| kind.clone()),
        Type::List(of) => Type::list(bound(of, bindings)),
        Type::Optional(of) => Type::Optional(Box::new(bound(of, bindings))),
        Type::Map(key, value) => {
            Type::Map(Box::new(bound(key, bindings)), Box::new(bound(value, bindings)))
        }
        other => other.clone(),
    }
}

/// A literal as it stands in an expression, without its end.
fn quoted(expression: &str, text: &str) -> String {
    let double = format!("\"{text}");
    if expression.contains(&double) { double } else { format!("'{text}") }
}
