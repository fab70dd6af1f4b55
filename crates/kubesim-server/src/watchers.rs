//! The watches of outsiders: each write is shown to those that select it, encoded once for all who
//! see it alike. Whoever does not take what he is told loses his watch, and may come again
//! (apiserver v0.36, `storage/cacher`).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use kubesim::api::{Selection, Write};
use kubesim::world::World;
use kubesim_http::{View, Watching, line};
use kubesim_model::actor::WatchEvent;
use kubesim_model::request::Status;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::translation::{Change, Stored};

/// How many events a watcher may be behind.
const BEHIND: usize = 1_000;

/// Something for one watch.
pub(crate) enum Told {
    /// What there was when it began, at this version.
    Initial(Vec<Tree>, u64),
    /// What changed since the version that its client knew.
    Missed(Vec<Line>),
    /// One change.
    Change(Arc<Line>),
    /// Everything up to this version was told.
    UpTo(u64),
    /// It failed. Nothing follows.
    Failed(Status),
}

/// What comes to a watch.
pub(crate) enum News {
    /// What its client is told.
    Told(Told),
    /// What is to be shown in another version than the stored one first.
    Stored(Stored),
}

impl From<Told> for News {
    fn from(told: Told) -> News {
        News::Told(told)
    }
}

impl From<Stored> for News {
    fn from(stored: Stored) -> News {
        News::Stored(stored)
    }
}

/// A line of a watch's answer, made when the first who sees it needs it.
pub(crate) struct Line {
    event: &'static str,
    object: Tree,
    view: View,
    bytes: OnceLock<Bytes>,
}

impl Line {
    pub(crate) fn new((event, object): (&'static str, Tree), view: &View, now: Millis) -> Line {
        Line { event, object, view: view.at(now), bytes: OnceLock::new() }
    }

    /// The line; that of a watch's first event may say more.
    pub(crate) fn bytes(&self, first: bool) -> Bytes {
        if first && self.view.has_heads() {
            return line(self.event, &self.view.event(&self.object, true));
        }
        self.bytes.get_or_init(|| line(self.event, &self.view.event(&self.object, false))).clone()
    }
}

struct Watcher {
    client: Text,
    selection: Selection,
    /// The version of the resource that it asks for.
    version: Text,
    view: View,
    /// Up to here it knows everything.
    knows: u64,
    to: Sender<News>,
}

/// All of them.
pub(crate) struct Watchers {
    by_resource: BTreeMap<Resource, BTreeMap<u64, Watcher>>,
    next: u64,
    /// Up to which version everybody was told.
    told: u64,
}

impl Watchers {
    /// Nobody yet; what comes after this version is followed.
    pub(crate) fn following(version: u64) -> Watchers {
        Watchers { by_resource: BTreeMap::new(), next: 0, told: version }
    }

    /// Opens a watch: its number, where its events come, and what it selects.
    ///
    /// # Errors
    /// The selectors are wrong, or there is no such resource.
    pub(crate) fn open(
        &mut self,
        world: &mut World,
        client: Text,
        watching: &Watching,
        view: View,
    ) -> Result<(u64, Receiver<News>, Selection), Status> {
        let spec = &watching.spec;
        let selection = world.api().select(spec)?;
        self.follow(world);
        let (to, events) = channel(BEHIND);
        let newest = world.api().version();
        let id = self.next;
        self.next += 1;
        let knows = match watching.from {
            0 => {
                let initial: News = if selection.asks_to_convert() {
                    let (items, rv) = world.api().stored(&spec.resource, &spec.namespace);
                    Stored::Initial(items, rv).into()
                } else {
                    let (items, rv) = world.api().list(spec)?;
                    Told::Initial(items, rv).into()
                };
                world.told(&client, &spec.resource, &ObjectKey::default(), newest);
                // There is room in a channel that is new.
                let _ = to.try_send(initial);
                newest
            }
            // What has not come yet is waited for.
            from if from > newest => from,
            from => {
                let now = world.now();
                let missed = world.api().changes_since(from, &spec.resource).map(|writes| {
                    if selection.asks_to_convert() {
                        let writes = writes.filter(|write| selection.reaches(&write.key));
                        let changes = writes.map(|write| Arc::new(Change::new(write.clone())));
                        return News::from(Stored::Changes(changes.collect()));
                    }
                    let seen = writes.filter_map(|write| seen(&selection, write));
                    Told::Missed(seen.map(|seen| Line::new(seen, &view, now)).collect()).into()
                });
                match missed {
                    Ok(missed) => drop(to.try_send(missed)),
                    Err(status) => {
                        let _ = to.try_send(Told::Failed(status).into());
                        return Ok((id, events, selection));
                    }
                }
                world.told(&client, &spec.resource, &ObjectKey::default(), newest);
                newest
            }
        };
        let (told, version) = (selection.clone(), spec.version.clone());
        let watcher = Watcher { client, selection, version, view, knows, to };
        self.by_resource.entry(spec.resource.clone()).or_default().insert(id, watcher);
        Ok((id, events, told))
    }

    /// A watch is over.
    pub(crate) fn close(&mut self, resource: &Resource, id: u64) {
        if let Some(watchers) = self.by_resource.get_mut(resource) {
            watchers.remove(&id);
        }
    }

    /// Tells a watch up to where it was told everything.
    pub(crate) fn mark(&mut self, world: &mut World, resource: &Resource, id: u64) {
        self.follow(world);
        let watcher = self.by_resource.get(resource).and_then(|watchers| watchers.get(&id));
        if let Some(watcher) = watcher {
            let told = Told::UpTo(self.told.max(watcher.knows));
            let _ = watcher.to.try_send(told.into());
        }
    }

    /// Tells everybody what was written since the last time.
    pub(crate) fn follow(&mut self, world: &mut World) {
        let newest = world.api().version();
        if newest == self.told {
            return;
        }
        let Ok(writes) = world.api().writes_since(self.told) else {
            // More was written at once than the history holds: all come again.
            self.by_resource.clear();
            self.told = newest;
            return;
        };
        let watched = writes.filter(|write| self.by_resource.contains_key(&write.resource));
        let writes: Vec<Write> = watched.cloned().collect();
        for write in &writes {
            self.tell(world, write);
        }
        self.told = newest;
    }

    fn tell(&mut self, world: &mut World, write: &Write) {
        let Some(watchers) = self.by_resource.get_mut(&write.resource) else { return };
        let now = world.now();
        // Of one write, those who are told of the same event in the same way are told the same.
        let mut lines: Vec<(View, Arc<Line>)> = Vec::new();
        let mut changes: BTreeMap<Text, Arc<Change>> = BTreeMap::new();
        watchers.retain(|_, watcher| {
            if write.rv <= watcher.knows {
                return !watcher.to.is_closed();
            }
            if watcher.selection.asks_to_convert() {
                if !watcher.selection.reaches(&write.key) {
                    return !watcher.to.is_closed();
                }
                let change = changes.entry(watcher.version.clone());
                let change = change.or_insert_with(|| Arc::new(Change::new(write.clone())));
                let stored = Stored::Changes(vec![change.clone()]);
                return watcher.to.try_send(stored.into()).is_ok();
            }
            let Some(seen) = seen(&watcher.selection, write) else {
                return !watcher.to.is_closed();
            };
            let alike =
                lines.iter().find(|(v, line)| line.event == seen.0 && v.looks_like(&watcher.view));
            let line = alike.map(|(_, line)| line.clone()).unwrap_or_else(|| {
                let line = Arc::new(Line::new(seen, &watcher.view, now));
                lines.push((watcher.view.clone(), line.clone()));
                line
            });
            world.told(&watcher.client, &write.resource, &write.key, write.rv);
            watcher.to.try_send(Told::Change(line).into()).is_ok()
        });
    }
}

/// How a watch sees a write.
pub(crate) fn seen(selection: &Selection, write: &Write) -> Option<(&'static str, Tree)> {
    Some(match selection.translate(write)? {
        WatchEvent::Deleted { object, .. } => ("DELETED", object),
        WatchEvent::Applied { object, .. } if selection.begins(write) => ("ADDED", object),
        WatchEvent::Applied { object, .. } => ("MODIFIED", object),
        WatchEvent::Listed { .. } => return None,
    })
}
