//! How much of a cluster a trial sees and may touch, and under which names: in one that was not
//! made for it, the namespaces and nodes that its owner has marked. A request that goes further is
//! refused before it is sent; what is told of the rest is passed over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use kubesim::api::Type;
use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::request::{Request, Status, Verb};
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;

use super::api::object_path;
use super::audit::Entry;
use super::undo::Undo;
use super::undoable::SharedJournal;

/// The label of objects without a namespace that a trial makes in a cluster that is not its own.
pub(in crate::cluster) const MADE_BY: &str = "shakedown.dev/made-by";

/// The keys under which objects name a node.
const NODE_KEYS: [&str; 5] = [
    "nodeName",
    "kubernetes.io/hostname",
    "volume.kubernetes.io/selected-node",
    // Of a node's own addresses, and of affinities.
    "address",
    "values",
];

/// How much a trial may touch; by default everything, under its own name.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Scope(Option<Arc<Limits>>);

/// What bounds a trial.
#[derive(Debug)]
struct Limits {
    namespaces: Names,
    nodes: Names,
    /// The nodes by their real names, as they were before the trial.
    before: BTreeMap<Text, Tree>,
    /// What objects are marked with that this trial makes.
    mark: String,
    journal: SharedJournal,
    made: Mutex<BTreeSet<(Resource, Text)>>,
}

/// Names that the cluster has, and what the trial calls them.
#[derive(Clone, Debug, Default)]
pub(in crate::cluster) struct Names {
    told: BTreeMap<Text, Text>,
    real: BTreeMap<Text, Text>,
}

impl Names {
    /// Of pairs of a real name and what it is called.
    pub(in crate::cluster) fn new(pairs: impl IntoIterator<Item = (Text, Text)>) -> Self {
        let told: BTreeMap<Text, Text> = pairs.into_iter().collect();
        let real = told.iter().map(|(real, told)| (told.clone(), real.clone())).collect();
        Names { told, real }
    }

    /// What the trial calls it; `None` if that is nothing of the trial's.
    pub(in crate::cluster) fn told(&self, real: &str) -> Option<&Text> {
        self.told.get(real)
    }

    /// What the cluster calls it.
    pub(in crate::cluster) fn real(&self, told: &str) -> Option<&Text> {
        self.real.get(told)
    }

    /// The real names, and what they are called.
    pub(in crate::cluster) fn iter(&self) -> impl Iterator<Item = (&Text, &Text)> {
        self.told.iter()
    }
}

/// One of the two ways from a name to the other.
type Naming = for<'a> fn(&'a Names, &str) -> Option<&'a Text>;

impl Scope {
    /// Of these namespaces, and of these nodes, which are so now. What is made outside of
    /// namespaces is marked with `mark`.
    pub(in crate::cluster) fn of(
        namespaces: Names,
        (nodes, before): (Names, Vec<Tree>),
        mark: String,
        journal: SharedJournal,
    ) -> Self {
        let made = Mutex::default();
        let before = before.into_iter().map(|node| (Text::new(object::name(&node)), node));
        let before = before.collect();
        Scope(Some(Arc::new(Limits { namespaces, nodes, before, mark, journal, made })))
    }

    /// Whether anything is outside of it.
    pub(super) fn is_bounded(&self) -> bool {
        self.0.is_some()
    }

    /// The one namespace that there is, if there is no other.
    pub(super) fn only_namespace(&self) -> &str {
        let limits = self.0.as_ref().filter(|limits| limits.namespaces.told.len() == 1);
        limits.and_then(|limits| limits.namespaces.told.keys().next()).map_or("", Text::as_str)
    }

    /// A request of the trial as the cluster is to get it.
    ///
    /// # Errors
    /// It goes too far.
    pub(super) fn asked(&self, kind: &Type, request: &Request) -> Result<Request, Status> {
        match &self.0 {
            None => Ok(request.clone()),
            Some(limits) => limits.asked(kind, request.clone()),
        }
    }

    /// An object of the cluster as the trial sees it, if it does.
    pub(super) fn told(&self, kind: &Type, object: Tree) -> Option<Tree> {
        match &self.0 {
            None => Some(object),
            Some(limits) => limits.told(kind, object),
        }
    }

    /// An answer as the trial sees it.
    pub(super) fn answered(&self, kind: &Type, mut answer: Tree) -> Tree {
        let Some(limits) = &self.0 else { return answer };
        limits.note_own(kind, &answer);
        if answer["kind"].str().ends_with("List") {
            let items = answer["items"].items().iter().cloned();
            let told: Vec<Tree> = items.filter_map(|item| limits.told(kind, item)).collect();
            answer.set(&["items"], told);
            return answer;
        }
        limits.renamed(kind, answer, Names::told)
    }

    /// An entry of the audit log as the trial sees it, if it does.
    pub(super) fn entry(&self, mut entry: Entry) -> Option<Entry> {
        let Some(limits) = &self.0 else { return Some(entry) };
        if let Some(node) = entry.user.strip_prefix("system:node:") {
            let told = limits.nodes.told(node);
            entry.user =
                told.map_or(entry.user.clone(), |node| format!("system:node:{node}").into());
        }
        let name = match entry.resource == Resource::NODES {
            true => limits.nodes.told(&entry.key.name)?.clone(),
            false => entry.key.name,
        };
        let namespace = match entry.key.namespace.is_empty() {
            true => entry.key.namespace,
            false => limits.namespaces.told(&entry.key.namespace)?.clone(),
        };
        entry.key = ObjectKey { namespace, name };
        Some(entry)
    }
}

impl Limits {
    fn asked(&self, kind: &Type, mut request: Request) -> Result<Request, Status> {
        let key = request.key.clone();
        if kind.namespaced {
            let named = self.namespace(&key.namespace, request.verb);
            request.key.namespace = named.ok_or_else(|| {
                refused(&format!("the namespace `{}` is not marked", key.namespace))
            })?;
        } else if kind.resource == Resource::NODES && !key.name.is_empty() {
            request.key.name = self.node(&request)?;
        } else if request.verb.is_write() {
            self.admit(kind, &mut request)?;
        }
        request.body = self.renamed(kind, request.body, Names::real);
        request.list.field_selector = self.selector(&request.list.field_selector);
        Ok(request)
    }

    fn namespace(&self, told: &str, verb: Verb) -> Option<Text> {
        let mut all = self.namespaces.told.keys();
        match (told, all.next(), all.next()) {
            ("", Some(only), None) => Some(only.clone()),
            // What an answer says of the others is passed over.
            ("", _, _) => (!verb.is_write()).then(Text::default),
            _ => self.namespaces.real(told).cloned(),
        }
    }

    fn node(&self, request: &Request) -> Result<Text, Status> {
        let name = &request.key.name;
        let real = self.nodes.real(name);
        let real = real.ok_or_else(|| refused(&format!("the node `{name}` is not marked")))?;
        match request.verb {
            Verb::Create | Verb::Delete | Verb::DeleteCollection => {
                Err(refused("nodes are neither made nor deleted in a cluster that lives on"))
            }
            verb => {
                let before = self.before.get(real).filter(|_| verb.is_write());
                for undo in before.iter().flat_map(|before| node::undoing(before, request)) {
                    self.write_down(undo)?;
                }
                Ok(real.clone())
            }
        }
    }

    fn write_down(&self, undo: Undo) -> Result<(), Status> {
        self.journal.open(undo).map_err(|why| Status::new(507, "InsufficientStorage", why))
    }

    /// Notes what this trial has made outside of namespaces.
    fn note_own(&self, kind: &Type, object: &Tree) {
        if !kind.namespaced && object["metadata"]["labels"][MADE_BY] == self.mark.as_str() {
            let place = (kind.resource.clone(), Text::new(object::name(object)));
            self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
        }
    }

    /// Writes outside of namespaces: only to what the trial has made, and what it makes is written
    /// down first.
    fn admit(&self, kind: &Type, request: &mut Request) -> Result<(), Status> {
        let (resource, name) = (&kind.resource, request.key.name.clone());
        if [Resource::NODES, Resource::NAMESPACES].contains(resource) {
            return Err(refused(&format!("{resource} are neither made nor deleted")));
        }
        let place = (resource.clone(), name.clone());
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.contains(&place) {
            return Ok(());
        }
        if request.verb != Verb::Create || name.is_empty() {
            return Err(refused(&format!("{resource} `{name}` was not made by this trial")));
        }
        let path = object_path(kind, &ObjectKey::new("", name));
        self.write_down(Undo::Delete { path, mark: self.mark.clone() })?;
        request.body.set(&["metadata", "labels", MADE_BY], self.mark.as_str());
        Ok(())
    }

    fn told(&self, kind: &Type, object: Tree) -> Option<Tree> {
        let name = object::name(&object);
        let is_seen = match &kind.resource {
            resource if *resource == Resource::NODES => self.nodes.told(name).is_some(),
            resource if *resource == Resource::NAMESPACES => self.namespaces.told(name).is_some(),
            _ if kind.namespaced => self.namespaces.told(object::namespace(&object)).is_some(),
            _ => true,
        };
        is_seen.then(|| self.renamed(kind, object, Names::told))
    }

    /// With the other names of namespaces and nodes.
    fn renamed(&self, kind: &Type, mut tree: Tree, name: Naming) -> Tree {
        let own = match &kind.resource {
            resource if *resource == Resource::NODES => Some(&self.nodes),
            resource if *resource == Resource::NAMESPACES => Some(&self.namespaces),
            _ => None,
        };
        let called = own.and_then(|names| name(names, object::name(&tree)).cloned());
        if let Some(called) = called {
            tree.set(&["metadata", "name"], called);
        }
        self.rename(&mut tree, "", name);
        tree
    }

    fn rename(&self, tree: &mut Tree, key: &str, name: Naming) {
        let names = match key {
            "namespace" => &self.namespaces,
            key if NODE_KEYS.contains(&key) => &self.nodes,
            _ => &Names::default(),
        };
        if let Some(called) = tree.as_str().and_then(|text| name(names, text)) {
            *tree = Tree::from(called);
        } else if tree.as_map().is_some() {
            let keys: Vec<Text> = tree.fields().map(|(key, _)| key.clone()).collect();
            for key in keys {
                let mut field = tree[key.as_str()].clone();
                self.rename(&mut field, &key, name);
                tree.set(&[key.as_str()], field);
            }
        } else if !tree.items().is_empty() {
            tree.items_mut().iter_mut().for_each(|item| self.rename(item, key, name));
        }
    }

    /// A field selector with the cluster's names.
    fn selector(&self, selector: &Text) -> Text {
        let terms = selector.split(',').map(|term| match term.split_once('=') {
            Some((field @ "spec.nodeName", node)) => {
                format!("{field}={}", self.nodes.real(node).map_or(node, Text::as_str))
            }
            _ => term.to_owned(),
        });
        Text::from(terms.collect::<Vec<_>>().join(","))
    }
}

fn refused(why: &str) -> Status {
    let why = format!("not sent, for {why}: see the ConfigMap that marks this cluster");
    Status::new(403, "OutOfScope", why)
}

mod node;
#[cfg(test)]
mod tests;
