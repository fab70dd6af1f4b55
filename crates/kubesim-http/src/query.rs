//! Query parameters: read all, and refuse those that are not simulated.

use kubesim_model::request::{ListOptions, Status};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list};

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
    pub(crate) dry_run: bool,
    /// `fieldValidation=Strict`.
    pub(crate) strict: bool,
    /// `fieldValidation=Ignore`.
    pub(crate) lenient: bool,
    /// Who owns the fields that are written.
    pub(crate) field_manager: Text,
    /// Whether an apply takes what others own.
    pub(crate) force: Option<bool>,
    /// Delete options that came in the URL.
    pub(crate) delete: Tree,
}

/// Reads a query.
///
/// # Errors
/// 400 for a parameter that is unknown or has a wrong value.
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
            "limit" => {
                let limit: i64 = value.parse().map_err(|_| refused(key, value))?;
                self.list.limit = usize::try_from(limit).unwrap_or(0);
            }
            "continue" => self.list.continue_token = Text::new(value),
            "resourceVersion" => self.list.resource_version = Text::new(value),
            "resourceVersionMatch" => self.list.resource_version_match = Text::new(value),
            "watch" => self.watch = flag(key, value)?,
            "allowWatchBookmarks" => self.bookmarks = flag(key, value)?,
            "sendInitialEvents" => {
                self.initial_events = flag(key, value)?;
                self.sends_initial_events = true;
            }
            "timeoutSeconds" => self.timeout_seconds = Some(number(key, value)?),
            "dryRun" if value == "All" => self.dry_run = true,
            "gracePeriodSeconds" => {
                self.delete.set(&["gracePeriodSeconds"], number(key, value)?);
            }
            "propagationPolicy" => self.delete.set(&["propagationPolicy"], value),
            "fieldManager" => self.field_manager = Text::new(value),
            "pretty" => {}
            "fieldValidation" if matches!(value, "" | "Warn") => {}
            "fieldValidation" if value == "Ignore" => self.lenient = true,
            "fieldValidation" if value == "Strict" => self.strict = true,
            "force" => self.force = Some(flag(key, value)?),
            _ => return Err(refused(key, value)),
        }
        Ok(())
    }
}

/// `dryRun` as it may also stand in delete options.
pub(crate) fn dry_run_in(options: &Tree) -> bool {
    options["dryRun"] == list!["All"]
}

fn number(key: &str, value: &str) -> Result<u64, Status> {
    value.parse().map_err(|_| refused(key, value))
}

fn flag(key: &str, value: &str) -> Result<bool, Status> {
    match value {
        "true" | "1" | "" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(refused(key, value)),
    }
}

fn refused(key: &str, value: &str) -> Status {
    let text = format!("the query parameter {key}={value} is not simulated");
    Status::new(400, "BadRequest", text)
}
