//! `cel`: an expression of the scenario's own, which must hold after every event that it reads,
//! once the steps of `given` are over.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::{Map, Tree};

use crate::history::{Body, Change, Event, View};
use crate::suite::cel::{Bindings, Program};
use crate::suite::checks::CelCheck;

use super::finding::{Findings, Violation};
use super::invariant::Invariant;
use super::observe::Scene;
use super::verdict::Blame;

/// Namespaces of the cluster's own, whose objects expressions do not see.
const SYSTEM: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

pub(super) struct CelInvariant {
    check: CelCheck,
    reads_objects: bool,
    reads_object: bool,
    /// Plurals after `objects.`; none if they can't be told from the text.
    plurals: Vec<Text>,
}

impl CelInvariant {
    pub(super) fn new(check: CelCheck) -> Self {
        let reads = |name: &str| check.expr.references().iter().any(|have| have == name);
        let (reads_objects, reads_object) =
            (reads("objects"), reads("object") || reads("oldObject") || reads("event"));
        let plurals = plurals(&check.expr);
        CelInvariant { check, reads_objects, reads_object, plurals }
    }

    fn is_read(&self, change: &Change) -> bool {
        if let Some(kind) = &self.check.kind {
            let object = change.after.as_ref().or(change.before.as_ref());
            return object.is_some_and(|object| object["kind"] == kind.value.as_str());
        }
        self.plurals.is_empty()
            || self.reads_object
            || self.plurals.iter().any(|plural| plural == change.resource.plural())
    }

    fn evaluate(&self, event: &Event, change: &Change, scene: &Scene<'_>, findings: &mut Findings) {
        let view = scene.view;
        let params: Map =
            view.params.iter().map(|(name, value)| (Text::new(name), value.clone())).collect();
        let mut bindings = Bindings::new()
            .with("object", change.after.clone().unwrap_or_default())
            .with("oldObject", change.before.clone().unwrap_or_default())
            .with("event", event_tree(event, change))
            .with("params", params)
            .with("now", view.now);
        if self.reads_objects {
            bindings.set("objects", objects(view, &self.plurals));
        }
        let message = || match &self.check.message {
            Some(message) => message.to_string(),
            None => format!("`{}` does not hold", self.check.expr.text()),
        };
        match self.check.expr.holds(&bindings) {
            Ok(true) => {}
            Ok(false) => findings.fail(
                scene,
                Violation {
                    object: format!("{} {}", change.resource, change.key),
                    rv: change.rv,
                    value: "false".into(),
                    limit: "true".into(),
                    message: message(),
                    ..Violation::default()
                },
            ),
            Err(error) => {
                findings.undecided(Blame::Suite, format!("`{}`: {error}", self.check.expr.text()));
            }
        }
    }
}

impl Invariant for CelInvariant {
    fn event(&mut self, event: &Event, scene: &Scene<'_>, findings: &mut Findings) {
        let Body::Request(request) = &event.body else { return };
        if scene.view.is_preparing {
            return;
        }
        for change in &request.changes {
            if !SYSTEM.contains(&change.key.namespace.as_str()) && self.is_read(change) {
                self.evaluate(event, change, scene, findings);
            }
        }
    }
}

fn event_tree(event: &Event, change: &Change) -> Tree {
    let (verb, actor) = match &event.body {
        Body::Request(request) => (
            match (&change.before, &change.after) {
                (None, _) => "create",
                (_, None) => "delete",
                _ => "update",
            },
            request.actor.clone(),
        ),
        _ => ("", Text::default()),
    };
    let kind = change.after.as_ref().or(change.before.as_ref()).map(|object| object["kind"].text());
    kubesim_model::map! {
        "n" => event.n, "t" => event.t, "on" => verb, "actor" => actor,
        "kind" => kind.unwrap_or_default(), "rv" => change.rv,
    }
}

/// The objects of the trial by plural; those named are there even if empty.
pub(super) fn objects(view: &View, plurals: &[Text]) -> Tree {
    let mut by_plural: BTreeMap<Text, Vec<Tree>> =
        plurals.iter().map(|plural| (plural.clone(), Vec::new())).collect();
    for resource in view.objects.resources() {
        let plural = Text::new(resource.plural());
        let is_read = plurals.is_empty() || plurals.contains(&plural);
        if !is_read || *resource == Resource::EVENTS {
            continue;
        }
        let shown = |object: &Tree| !SYSTEM.contains(&object::namespace(object));
        let list = view.objects.all(resource).map(|(_, object)| object.clone()).filter(shown);
        by_plural.entry(plural).or_default().extend(list);
    }
    Tree::Map(by_plural.into_iter().map(|(plural, list)| (plural, Tree::from(list))).collect())
}

/// The plurals that an expression reads of `objects`; none if it reads it otherwise too.
pub(super) fn plurals(program: &Program) -> Vec<Text> {
    let fields: Option<Vec<Text>> = program.fields_of("objects").map(|f| f.cloned()).collect();
    fields.unwrap_or_default()
}
