//! Lists: selectors, versions, pages.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kubesim_model::request::{Answer, Status};
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

use super::errors::{self, Cause};
use super::registry::Type;
use super::router::Call;
use super::selection::Selection;
use super::server::Api;

/// Where a list goes on: after this object, as things were at this version; as they are by now,
/// without one.
struct Position {
    rv: Option<u64>,
    after: ObjectKey,
}

/// The version of a token that means no version (apiserver v0.36, `storage/continue.go`).
const NEWEST: i64 = -1;

/// One page: its objects, the key of the last one, and how many come after.
#[derive(Default)]
struct Page {
    items: Vec<Tree>,
    last: Option<ObjectKey>,
    left: usize,
}

impl Api {
    /// Answers a list (apiserver v0.36, `storage/etcd3` `GetList` and its validation of options).
    pub(super) fn list_page(&self, call: &Call<'_>) -> Answer {
        let options = &call.request.list;
        let namespace = &call.request.key.namespace;
        let selection = Selection::new(
            &call.kind,
            namespace,
            &options.label_selector,
            &options.field_selector,
        )?;
        let position = Position::read(&options.continue_token)?;
        let asked = self.asked_version(call, position.as_ref())?;
        let rv = asked.unwrap_or(self.version());
        // Who takes any version is served from the watch cache, which does not cut.
        let limit = if options.resource_version == "0" { 0 } else { options.limit };
        let page = if rv == self.version() {
            let objects = self.store.range(call.resource(), namespace);
            self.page(call, objects, (&selection, position.as_ref(), limit))?
        } else {
            let objects = self.store.at(call.resource(), rv).map_err(|error| match &position {
                Some(position) if error.code == 410 => position.expired(),
                _ => error,
            })?;
            self.page(call, objects.iter(), (&selection, position.as_ref(), limit))?
        };
        let mut metadata = map! { "resourceVersion" => Text::from(rv.to_string()) };
        if let Some(last) = page.last.filter(|_| page.left > 0) {
            metadata.set(&["continue"], Position { rv: Some(rv), after: last }.write());
            if selection.is_whole() {
                metadata.set(&["remainingItemCount"], page.left);
            }
        }
        Ok(map! {
            "apiVersion" => call.kind.api_version(),
            "kind" => list_kind(&call.kind),
            "metadata" => metadata, "items" => page.items,
        })
    }

    /// A page of stored objects, as they are shown.
    fn page<'o>(
        &self,
        call: &Call<'_>,
        objects: impl Iterator<Item = (&'o ObjectKey, &'o Tree)>,
        (selection, position, limit): (&Selection, Option<&Position>, usize),
    ) -> Result<Page, Status> {
        // What a webhook makes of an object may be selected where the object is not.
        if call.kind.asks_to_convert() && !selection.is_whole() {
            let (keys, objects): (Vec<&ObjectKey>, Vec<&Tree>) = objects.unzip();
            let shown = self.all_shown(call, objects.into_iter())?;
            return Ok(Page::cut(keys.into_iter().zip(&shown), selection, position, limit));
        }
        let page = Page::cut(objects, selection, position, limit);
        let items = match call.kind.custom {
            true => self.all_shown(call, page.items.iter())?,
            false => page.items.into_iter().map(without_type).collect(),
        };
        Ok(Page { items, ..page })
    }

    /// Stored objects in the version that a request asks for; webhooks are asked about all of them
    /// at once.
    fn all_shown<'o>(
        &self,
        call: &Call<'_>,
        stored: impl Iterator<Item = &'o Tree>,
    ) -> Result<Vec<Tree>, Status> {
        let shown: Vec<Answer> = stored.map(|stored| self.shown_to(call, stored)).collect();
        shown.into_iter().collect()
    }

    /// The version that the answer must be of; `None` for the newest one.
    fn asked_version(
        &self,
        call: &Call<'_>,
        position: Option<&Position>,
    ) -> Result<Option<u64>, Status> {
        let options = &call.request.list;
        let (version, matching) =
            (options.resource_version.as_str(), options.resource_version_match.as_str());
        if let Some(position) = position {
            return match (version, matching) {
                ("" | "0", "") => Ok(position.rv),
                _ => Err(errors::bad_request(
                    "specifying resource version is not allowed when using continue",
                )),
            };
        }
        if version.is_empty() {
            return if matching.is_empty() {
                Ok(None)
            } else {
                Err(errors::forbidden_option(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ))
            };
        }
        let number: u64 = version
            .parse()
            .map_err(|_| errors::bad_request(format!("invalid resource version \"{version}\"")))?;
        match matching {
            "Exact" if number == 0 => Err(errors::forbidden_option(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            )),
            "Exact" => Ok(Some(number)),
            "" if options.limit > 0 && number > 0 => Ok(Some(number)),
            "" | "NotOlderThan" if number > self.version() => {
                Err(errors::too_new(number, self.version()))
            }
            "" | "NotOlderThan" => Ok(None),
            other => {
                let allowed = ["Exact", "NotOlderThan", ""];
                let cause =
                    Cause::not_supported("resourceVersionMatch", &Tree::from(other), &allowed);
                Err(errors::invalid_options("ListOptions", &[cause]))
            }
        }
    }
}

impl Page {
    fn cut<'a>(
        objects: impl Iterator<Item = (&'a ObjectKey, &'a Tree)>,
        selection: &Selection,
        position: Option<&Position>,
        limit: usize,
    ) -> Page {
        let start = position.map_or(Bound::Unbounded, |position| Bound::Excluded(&position.after));
        let mut page = Page::default();
        for (key, object) in objects {
            let behind = match start {
                Bound::Excluded(after) => key <= after,
                _ => false,
            };
            if behind || !selection.matches(object) {
                continue;
            }
            if limit > 0 && page.items.len() == limit {
                page.left += 1;
            } else {
                page.items.push(object.clone());
                page.last = Some(key.clone());
            }
        }
        page
    }
}

impl Position {
    fn read(token: &str) -> Result<Option<Position>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let wrong = || errors::bad_request("continue key is not valid");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
        let content: Tree = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        let rv = match content["rv"].as_i64().ok_or_else(wrong)? {
            NEWEST => None,
            rv => Some(u64::try_from(rv).map_err(|_| wrong())?),
        };
        let (namespace, name) = content["start"].str().split_once('/').ok_or_else(wrong)?;
        if content["v"] != "meta.k8s.io/v1" || rv == Some(0) {
            return Err(wrong());
        }
        Ok(Some(Position { rv, after: ObjectKey::new(namespace, name) }))
    }

    fn write(&self) -> Text {
        let start = format!("{}/{}", self.after.namespace, self.after.name);
        let rv = self.rv.map_or(NEWEST.into(), Tree::from);
        let content = map! { "v" => "meta.k8s.io/v1", "rv" => rv, "start" => start };
        Text::from(URL_SAFE_NO_PAD.encode(content.to_string()))
    }

    /// 410: nobody knows any more how things were. The list may go on as they are by now.
    fn expired(&self) -> Status {
        let text = "The provided continue parameter is too old to display a consistent list \
                    result: start a new list without it, or go on with the token of this answer, \
                    which mixes what was then and what is now.";
        let newest = Position { rv: None, after: self.after.clone() };
        Status { continue_token: newest.write(), ..Status::new(410, "Expired", text) }
    }
}

/// The kind of a list of such objects.
fn list_kind(kind: &Type) -> Text {
    match &kind.definition {
        Some(definition) => definition.list_kind.clone(),
        None => Text::from(format!("{}List", kind.kind)),
    }
}

/// Elements of lists of built-in types do not say what they are.
fn without_type(object: Tree) -> Tree {
    let mut object = object;
    object.remove(&["apiVersion"]);
    object.remove(&["kind"]);
    object
}
