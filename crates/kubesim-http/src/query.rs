//! Query parameters (apimachinery v0.36, `internalversion` and `meta/v1` options): known ones are
//! read, and checked where they apply; unknown ones are nobody's.

use http::Method;
use kubesim_model::request::{ListOptions, Status};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

/// What a query says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Query {
    pub(crate) list: ListOptions,
    pub(crate) watch: bool,
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: bool,
    /// Whether `sendInitialEvents` is there at all.
    pub(crate) sends_initial_events: bool,
    pub(crate) timeout_seconds: Option<u64>,
    dry_run: Vec<String>,
    validation: String,
    /// Who owns the fields that are written.
    pub(crate) field_manager: Text,
    /// Whether an apply takes what others own.
    pub(crate) force: Option<bool>,
    /// `includeObject`, which says how much of objects goes with the rows of a table.
    pub(crate) include: String,
    /// Delete options that came in the URL.
    pub(crate) delete: Tree,
}

/// Reads a query.
///
/// # Errors
/// 400 for a number that is none.
pub(crate) fn read(text: &str) -> Result<Query, Status> {
    let mut query = Query::default();
    for (key, value) in form_urlencoded::parse(text.as_bytes()) {
        query.take(&key, &value)?;
    }
    Ok(query)
}

impl Query {
    fn take(&mut self, key: &str, value: &str) -> Result<(), Status> {
        match key {
            "labelSelector" => self.list.label_selector = Text::new(value),
            "fieldSelector" => self.list.field_selector = Text::new(value),
            "limit" => self.list.limit = usize::try_from(number(value)?).unwrap_or(0),
            "continue" => self.list.continue_token = Text::new(value),
            "resourceVersion" => self.list.resource_version = Text::new(value),
            "resourceVersionMatch" => self.list.resource_version_match = Text::new(value),
            "watch" => self.watch = flag(value),
            "allowWatchBookmarks" => self.bookmarks = flag(value),
            "sendInitialEvents" => {
                self.initial_events = flag(value);
                self.sends_initial_events = true;
            }
            "timeoutSeconds" => self.timeout_seconds = u64::try_from(number(value)?).ok(),
            "dryRun" => self.dry_run.push(value.to_owned()),
            "gracePeriodSeconds" => self.delete.set(&["gracePeriodSeconds"], number(value)?),
            "propagationPolicy" => self.delete.set(&["propagationPolicy"], value),
            "orphanDependents" => self.delete.set(&["orphanDependents"], flag(value)),
            "fieldManager" => self.field_manager = Text::new(value),
            "fieldValidation" => value.clone_into(&mut self.validation),
            "includeObject" => value.clone_into(&mut self.include),
            "force" => self.force = Some(flag(value)),
            _ => {}
        }
        Ok(())
    }

    /// Whether nothing is to be stored.
    pub(crate) fn is_dry_run(&self) -> bool {
        !self.dry_run.is_empty()
    }

    /// Whether fields that nobody knows are refused.
    pub(crate) fn is_strict(&self) -> bool {
        self.validation == "Strict"
    }

    /// Whether fields that nobody knows are dropped without a word.
    pub(crate) fn is_lenient(&self) -> bool {
        self.validation == "Ignore"
    }

    /// Checks what goes with a method, but for who writes and whether he takes what others own.
    ///
    /// # Errors
    /// 422 for values that there are not, 400 for what does not go together.
    pub(crate) fn check(&self, method: &Method) -> Result<(), Status> {
        match *method {
            Method::GET if self.sends_initial_events && !self.watch => {
                let why = "Forbidden: sendInitialEvents is forbidden for list";
                Err(invalid("ListOptions", "sendInitialEvents", "FieldValueForbidden", why))
            }
            Method::POST => self.check_write("CreateOptions"),
            Method::PUT => self.check_write("UpdateOptions"),
            Method::PATCH => self.check_write("PatchOptions"),
            Method::DELETE => self.check_delete(),
            _ => Ok(()),
        }
    }

    fn check_write(&self, kind: &str) -> Result<(), Status> {
        self.check_dry_run(kind)?;
        let known = ["", "Ignore", "Strict", "Warn"];
        if !known.contains(&self.validation.as_str()) {
            let value = Tree::from(self.validation.as_str());
            return Err(not_supported(kind, "fieldValidation", &value, &known));
        }
        Ok(())
    }

    fn check_dry_run(&self, kind: &str) -> Result<(), Status> {
        if self.dry_run.iter().all(|value| value == "All") {
            return Ok(());
        }
        let given: Vec<Tree> = self.dry_run.iter().map(|value| value.as_str().into()).collect();
        Err(not_supported(kind, "dryRun", &given.into(), &["All"]))
    }

    fn check_delete(&self) -> Result<(), Status> {
        let kind = "DeleteOptions";
        let policy = &self.delete["propagationPolicy"];
        if !policy.is_null() && !self.delete["orphanDependents"].is_null() {
            let why = format!(
                "Invalid value: {policy}: orphanDependents and deletionPropagation cannot be both \
                 set"
            );
            return Err(invalid(kind, "propagationPolicy", "FieldValueInvalid", &why));
        }
        let known = ["Foreground", "Background", "Orphan", "nil"];
        if !policy.is_null() && !known[..3].contains(&policy.str()) {
            return Err(not_supported(kind, "propagationPolicy", policy, &known));
        }
        self.check_dry_run(kind)
    }
}

/// The options of a connection into a pod, of which all but the words of a command are flags and
/// single texts.
pub(crate) fn connection(text: &str) -> Tree {
    let mut options = Tree::map();
    for (key, value) in form_urlencoded::parse(text.as_bytes()) {
        match &*key {
            "stdin" | "stdout" | "stderr" | "tty" => options.set(&[&key], flag(&value)),
            "command" => options.field_mut("command").items_mut().push((&*value).into()),
            "container" | "path" => options.set(&[&key], &*value),
            _ => {}
        }
    }
    options
}

/// `dryRun` as it may also stand in delete options.
pub(crate) fn dry_run_in(options: &Tree) -> bool {
    options["dryRun"] == list!["All"]
}

/// A whole number, as Go reads it.
fn number(value: &str) -> Result<i64, Status> {
    value.parse::<i64>().map_err(|error| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        let text = format!("strconv.ParseInt: parsing {}: {why}", Tree::from(value));
        Status::new(400, "BadRequest", text)
    })
}

/// A flag: whatever does not say no says yes.
pub(crate) fn flag(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

fn not_supported(kind: &str, field: &str, value: &Tree, known: &[&str]) -> Status {
    let known: Vec<String> = known.iter().map(|one| format!("\"{one}\"")).collect();
    let why = format!("Unsupported value: {value}: supported values: {}", known.join(", "));
    invalid(kind, field, "FieldValueNotSupported", &why)
}

/// 422: an option of a request is not allowed as it is.
fn invalid(kind: &str, field: &str, reason: &'static str, why: &str) -> Status {
    let text = format!("{kind}.meta.k8s.io \"\" is invalid: {field}: {why}");
    let mut status = Status::new(422, "Invalid", text);
    status.details = map! {
        "group" => "meta.k8s.io", "kind" => kind,
        "causes" => list![map! { "reason" => reason, "message" => why, "field" => field }],
    };
    status
}
