//! Whether a value is what a schema wants (kube-openapi of v1.36, `pkg/validation/validate`).
//!
//! Of alternatives that all fail, the one is told of that came furthest; how far is counted as
//! kube-openapi counts it, so that the same one is told of.

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::formats;
use super::node::{Additional, Checks, Kind, Schema};
use super::numbers::{self, written};
use super::old::Old;
use crate::api::errors::Cause;

/// What validating a value found.
#[derive(Debug, Default)]
struct Outcome {
    faults: Vec<Fault>,
    /// How many checks were passed.
    passed: usize,
}

/// One broken rule: the place as causes have it, and the text that makes it one of a kind.
#[derive(Debug)]
struct Fault {
    text: String,
    cause: Cause,
}

impl Schema {
    /// What is wrong with a value at `path` (empty for whole objects). With `old`, parts that were
    /// as wrong before and are unchanged are let pass.
    pub(in crate::api) fn check(
        &self,
        path: &str,
        value: &Tree,
        old: Option<Old<'_>>,
    ) -> Vec<Cause> {
        let outcome = self.with_old("", value, old);
        let place = |mut cause: Cause| {
            if cause.field != NOWHERE {
                cause.field = joined(path, &cause.field);
            } else if !path.is_empty() {
                cause.field = path.to_owned();
            }
            cause
        };
        outcome.faults.into_iter().map(|fault| place(fault.cause)).collect()
    }

    fn with_old(&self, path: &str, value: &Tree, old: Option<Old<'_>>) -> Outcome {
        let mut outcome = self.validate(path, value, old);
        if !outcome.faults.is_empty() && old.is_some_and(Old::is_equal) {
            outcome.faults.clear();
        }
        outcome
    }

    fn validate(&self, path: &str, value: &Tree, old: Option<Old<'_>>) -> Outcome {
        let mut all = Outcome::default();
        let typed = !self.type_names().is_empty() || !self.format().is_empty();
        if typed || value.is_null() {
            all.merge(self.check_type(path, value), typed);
        }
        if value.is_null() {
            all.merge(self.checks.check_enum(path, value), false);
            return all;
        }
        all.merge(self.check_junctors(path, value, old), true);
        match value {
            Tree::Str(text) => {
                all.merge(self.checks.check_text(path, text), true);
                if !self.format().is_empty() {
                    all.merge(self.check_format(path, text), true);
                }
            }
            Tree::Int(_) | Tree::Float(_) => {
                all.merge(self.check_number(path, value), true);
            }
            Tree::List(items) => all.merge(self.check_list(path, items, old), true),
            _ => {}
        }
        all.merge(self.checks.check_enum(path, value), true);
        if let Tree::Map(map) = value {
            all.merge(self.check_object(path, map, old), true);
        }
        all.passed += 1;
        all
    }

    /// The types that the value may have.
    fn type_names(&self) -> &'static [&'static str] {
        match (self.int_or_string, self.kind) {
            (true, _) => &["integer", "string"],
            (_, Kind::Any) => &[],
            (_, Kind::Object) => &["object"],
            (_, Kind::Array) => &["array"],
            (_, Kind::String) => &["string"],
            (_, Kind::Integer) => &["integer"],
            (_, Kind::Number) => &["number"],
            (_, Kind::Boolean) => &["boolean"],
        }
    }

    /// The format, if there is such a one for the type.
    fn format(&self) -> &str {
        let format = self.checks.format.as_str();
        // Who may be of two types has no single one.
        let kind = if self.int_or_string { Kind::Any } else { self.kind };
        if formats::is_known(kind, format) { format } else { "" }
    }

    fn check_type(&self, path: &str, value: &Tree) -> Outcome {
        let (names, format) = (self.type_names(), self.format());
        let fine = Outcome { passed: 1, ..Outcome::default() };
        let (found, found_format) = match value {
            Tree::Null => {
                if names.is_empty() || self.nullable {
                    return fine;
                }
                return wrong_type(path, &names.join(","), &Tree::from("null"));
            }
            Tree::Bool(_) => ("boolean", ""),
            Tree::Int(_) => ("integer", "int64"),
            Tree::Float(_) => ("number", "float64"),
            Tree::Str(_) => ("string", ""),
            Tree::List(_) => ("array", ""),
            Tree::Map(_) => ("object", ""),
        };
        let float_as_int = matches!(value, Tree::Float(number) if numbers::is_whole(*number))
            && names.contains(&"integer");
        let int_as_float = found == "integer" && names.contains(&"number");
        let fits = names.contains(&found) || float_as_int || int_as_float;
        let sequence = matches!(value, Tree::Str(_) | Tree::List(_));
        if !sequence && !format.is_empty() && !fits && found_format != format {
            return wrong_type(path, format, &Tree::from(found_format));
        }
        let numeric = names.contains(&"number") || names.contains(&"integer");
        if (!numeric && !format.is_empty() && sequence) || fits {
            return fine;
        }
        wrong_type(path, &names.join(","), &Tree::from(found))
    }

    fn check_format(&self, path: &str, text: &Text) -> Outcome {
        if formats::fits(self.format(), text) {
            return Outcome::default();
        }
        wrong_type(path, self.format(), &Tree::Str(text.clone()))
    }

    fn check_list(&self, path: &str, items: &[Tree], old: Option<Old<'_>>) -> Outcome {
        let mut all = Outcome::default();
        if let Some(of) = self.items.as_deref() {
            for (at, item) in items.iter().enumerate() {
                let old = old.and_then(|old| old.element(at));
                all.merge(of.with_old(&format!("{path}[{at}]"), item, old), false);
            }
        }
        let count = items.len() as i64;
        if let Some(least) = self.checks.min_items.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} items");
            all.add(path, Cause::invalid(path, &Tree::Int(count), &detail), detail.clone());
        }
        if let Some(most) = self.checks.max_items.filter(|most| count > *most) {
            let text = format!("{path} in body should have at most {most} items");
            all.add(path, Cause::too_many(path, count, most), text);
        }
        all.passed += 1;
        all
    }

    fn check_object(&self, path: &str, map: &Map, old: Option<Old<'_>>) -> Outcome {
        let mut all = Outcome::default();
        let count = map.len() as i64;
        if let Some(least) = self.checks.min_properties.filter(|least| count < *least) {
            let detail = format!("{path} in body should have at least {least} properties");
            all.add(path, Cause::invalid(path, &Tree::Int(count), &detail), detail.clone());
        }
        if let Some(most) = self.checks.max_properties.filter(|most| count > *most) {
            let text = format!("{path} in body should have at most {most} properties");
            all.add(path, Cause::too_many(path, count, most), text);
        }
        let older = |key: &str| {
            // What an object says it is does not count as unchanged: the last state is always of
            // the same kind and version.
            let meta = path.is_empty() && matches!(key, "kind" | "apiVersion");
            old.filter(|_| !meta).and_then(|old| old.field(key))
        };
        let others = map.iter().filter(|(key, _)| !self.properties.contains_key(key.as_str()));
        for (key, value) in others {
            match &self.additional {
                Some(Additional::Any(false)) => {
                    let detail = format!("{path}.{key} in body is a forbidden property");
                    let cause = Cause::invalid(path, &Tree::Str(key.clone()), &detail);
                    all.add(path, cause, detail);
                }
                Some(Additional::Of(of)) => {
                    all.merge(of.with_old(&format!("{path}.{key}"), value, older(key)), false);
                }
                _ => {}
            }
        }
        for (key, of) in &self.properties {
            if let Some(value) = map.get(key) {
                all.merge(of.with_old(&joined(path, key), value, older(key)), false);
            }
        }
        for key in self.checks.required.iter().filter(|key| map.get(key).is_none()) {
            let field = format!("{path}.{key}");
            let cause = Cause::required(field.trim_start_matches('.'), "");
            all.add(&field, cause, format!("{field} in body is required"));
        }
        all
    }

    fn check_junctors(&self, path: &str, value: &Tree, old: Option<Old<'_>>) -> Outcome {
        let mut all = Outcome { passed: 1, ..Outcome::default() };
        let checks = &self.checks;
        if !checks.any_of.is_empty() {
            let (fits, told) = best(&checks.any_of, path, value, old, true);
            if fits == 0 {
                all.plain(format!("\"{path}\" must validate at least one schema (anyOf)"));
            }
            all.merge(told, false);
        }
        if !checks.one_of.is_empty() {
            let (fits, told) = best(&checks.one_of, path, value, old, false);
            if fits != 1 {
                let how = match fits {
                    0 => "Found none valid".to_owned(),
                    many => format!("Found {many} valid alternatives"),
                };
                all.plain(format!(
                    "\"{path}\" must validate one and only one schema (oneOf). {how}"
                ));
            }
            if fits <= 1 {
                all.merge(told, false);
            }
        }
        let mut fits = 0;
        for of in &checks.all_of {
            let outcome = of.validate(path, value, old);
            fits += usize::from(outcome.faults.is_empty());
            all.merge(outcome, false);
        }
        if fits != checks.all_of.len() {
            let none = if fits == 0 { ". None validated" } else { "" };
            all.plain(format!("\"{path}\" must validate all the schemas (allOf){none}"));
        }
        if let Some(not) = &checks.not
            && not.validate(path, value, old).faults.is_empty()
        {
            all.plain(format!("\"{path}\" must not validate the schema (not)"));
        }
        all
    }

    fn check_number(&self, path: &str, value: &Tree) -> Outcome {
        let checks = &self.checks;
        let number = number_of(value);
        let mut all = Outcome { passed: 1, ..Outcome::default() };
        let kind = match (self.int_or_string, self.kind) {
            (false, Kind::Integer) => "integer",
            (false, Kind::Number) => "number",
            _ => "",
        };
        let format = if kind.is_empty() { "" } else { self.format() };
        let fits = |number: f64, what: &str| {
            (!numbers::fits(number, kind, format)).then(|| match format {
                "" => format!("{what} value must be of type {kind} (default format) in {path}"),
                _ => format!("{what} value must be of type {kind} with format {format} in {path}"),
            })
        };
        all.plain_if(fits(number, "Checked"));
        if let Some(factor) = checks.multiple_of {
            all.plain_if(fits(factor, "MultipleOf"));
            if factor <= 0.0 {
                let factor_text = written(factor);
                let detail = format!(
                    "factor MultipleOf declared for {path} must be positive: {factor_text}"
                );
                all.add(path, Cause::invalid(path, &Tree::Float(factor), &detail), detail.clone());
            } else if !is_multiple(value, number, factor) {
                let factor = written(factor);
                all.number(path, value, format!("{path} in body should be a multiple of {factor}"));
            }
        }
        if let Some(least) = checks.minimum {
            all.plain_if(fits(least, "Minimum boundary"));
            if number < least || (checks.exclusive_minimum && number <= least) {
                let than = if checks.exclusive_minimum { "than" } else { "than or equal to" };
                let text = format!("{path} in body should be greater {than} {}", written(least));
                all.number(path, value, text);
            }
        }
        if let Some(most) = checks.maximum {
            all.plain_if(fits(most, "Maximum boundary"));
            if number > most || (checks.exclusive_maximum && number >= most) {
                let than = if checks.exclusive_maximum { "than" } else { "than or equal to" };
                let text = format!("{path} in body should be less {than} {}", written(most));
                all.number(path, value, text);
            }
        }
        all
    }
}

impl Checks {
    fn check_text(&self, path: &str, text: &str) -> Outcome {
        let mut all = Outcome::default();
        let length = || text.chars().count() as i64;
        let value = || Tree::from(text);
        if let Some(most) = self.max_length.filter(|most| length() > *most) {
            let told = format!("{path} in body should be at most {most} chars long");
            all.add(path, Cause::too_long(path, most), told);
        } else if let Some(least) = self.min_length.filter(|least| length() < *least) {
            let detail = format!("{path} in body should be at least {least} chars long");
            all.add(path, Cause::invalid(path, &value(), &detail), detail.clone());
        } else if let Some((pattern, compiled)) = &self.pattern
            && !compiled.is_match(text)
        {
            let detail = format!("{path} in body should match '{pattern}'");
            all.add(path, Cause::invalid(path, &value(), &detail), detail.clone());
        }
        all
    }

    fn check_enum(&self, path: &str, value: &Tree) -> Outcome {
        let mut all = Outcome::default();
        if !self.allowed.is_empty() && !self.allowed.contains(value) {
            let allowed: Vec<String> = self
                .allowed
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect();
            let texts: Vec<&str> = allowed.iter().map(String::as_str).collect();
            let text = format!("{path} in body should be one of {texts:?}");
            all.add(path, Cause::not_supported(path, value, &texts), text);
        }
        all
    }
}

/// Where a fault is that names no field.
const NOWHERE: &str = "<nil>";

impl Outcome {
    fn merge(&mut self, other: Outcome, counts: bool) {
        self.passed += other.passed + usize::from(counts);
        for fault in other.faults {
            if !self.faults.iter().any(|have| have.text == fault.text) {
                self.faults.push(fault);
            }
        }
    }

    fn add(&mut self, path: &str, cause: Cause, text: String) {
        let mut cause = cause;
        if path.is_empty() {
            NOWHERE.clone_into(&mut cause.field);
        }
        // The first dot of `.field` is none of a path.
        if let Some(field) = cause.field.strip_prefix('.') {
            cause.field = field.to_owned();
        }
        if !self.faults.iter().any(|have| have.text == text) {
            self.faults.push(Fault { text, cause });
        }
    }

    fn number(&mut self, path: &str, value: &Tree, text: String) {
        let cause = Cause::invalid_as(path, &go_number(value), &text);
        self.add(path, cause, text);
    }

    /// A fault that is told of the whole object.
    fn plain(&mut self, text: String) {
        let cause = Cause::invalid(NOWHERE, &Tree::from(""), &text);
        self.add(NOWHERE, cause, text);
    }

    fn plain_if(&mut self, text: Option<String>) {
        if let Some(text) = text {
            self.plain(text);
        }
    }
}

/// How many of the alternatives fit, and what is told of: the first that does, or the one that came
/// furthest. With `first`, the others are not looked at once one fits.
fn best(
    schemas: &[Schema],
    path: &str,
    value: &Tree,
    old: Option<Old<'_>>,
    first: bool,
) -> (usize, Outcome) {
    let mut fits = 0;
    let mut told: Option<Outcome> = None;
    for of in schemas {
        let outcome = of.validate(path, value, old);
        if outcome.faults.is_empty() {
            fits += 1;
            if fits == 1 {
                told = Some(outcome);
            }
            if first {
                break;
            }
        } else if fits == 0 && told.as_ref().is_none_or(|told| outcome.passed > told.passed) {
            told = Some(outcome);
        }
    }
    (fits, told.unwrap_or_default())
}

fn wrong_type(path: &str, wanted: &str, found: &Tree) -> Outcome {
    let detail = format!("{path} in body must be of type {wanted}: {found}");
    let mut all = Outcome::default();
    all.add(path, Cause::type_invalid(path, found, &detail), detail.clone());
    all
}

fn joined(path: &str, key: &str) -> String {
    match (path.is_empty(), key.is_empty()) {
        (true, _) => key.to_owned(),
        (false, true) => path.to_owned(),
        (false, false) if key.starts_with('[') => format!("{path}{key}"),
        (false, false) => format!("{path}.{key}"),
    }
}

fn number_of(value: &Tree) -> f64 {
    match value {
        Tree::Int(number) => *number as f64,
        Tree::Float(number) => *number,
        _ => 0.0,
    }
}

/// A number as it is told in a cause.
fn go_number(value: &Tree) -> String {
    match value {
        Tree::Float(number) => written(*number),
        value => value.to_string(),
    }
}

fn is_multiple(value: &Tree, number: f64, factor: f64) -> bool {
    match value {
        Tree::Int(number) if factor.fract() == 0.0 => *number % (factor as i64).max(1) == 0,
        _ if factor < 1.0 => numbers::is_whole(1.0 / factor * number),
        _ => numbers::is_whole(number / factor),
    }
}
