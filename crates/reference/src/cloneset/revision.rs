//! Revisions: which templates a CloneSet had, and which of them its pods shall have (CS-32).
//!
//! A revision is a ControllerRevision named after a digest of the template. Kubernetes and
//! OpenKruise hash a Go dump of the template, which has no meaning elsewhere; the names here
//! differ.

use std::collections::BTreeSet;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, map, object};

use super::decide::{Action, View};

/// The revisions of a CloneSet that decisions need.
pub(super) struct Revisions<'a> {
    /// The name of the revision of `spec.template`.
    pub(super) update: Text,
    /// The name of the revision that pods keep under a partition.
    pub(super) current: Text,
    /// The template of the current revision.
    pub(super) current_template: &'a Tree,
    update_template: &'a Tree,
    known: Vec<&'a Tree>,
}

impl<'a> Revisions<'a> {
    /// Finds the revisions of `view`; or answers what must be written first.
    pub(super) fn find(view: &View<'a>) -> Result<Revisions<'a>, Action> {
        let template = &view.set["spec"]["template"];
        let newest = view.revisions.iter().map(|revision| number(revision)).max().unwrap_or(0);
        // A rollback finds the equal revision and makes it the newest again.
        let Some(equal) = view.revisions.iter().find(|have| same_template(have, template)) else {
            return Err(Action::CreateRevision(make(view.set, template, newest + 1)));
        };
        if number(equal) < newest {
            let body = map! { "revision" => newest + 1 };
            return Err(Action::BumpRevision { key: object::key(equal), patch: body });
        }
        let update = Text::new(object::name(equal));
        let recorded = view.set["status"]["currentRevision"].str();
        let current = view.revisions.iter().find(|have| object::name(have) == recorded);
        let current = current.unwrap_or(equal);
        Ok(Revisions {
            update,
            current: Text::new(object::name(current)),
            current_template: &current["data"]["spec"]["template"],
            update_template: template,
            known: view.revisions.clone(),
        })
    }

    /// The template of the revision of `spec.template`.
    pub(super) fn update_template(&self) -> &'a Tree {
        self.update_template
    }

    /// The template of the revision of this name, if it is known.
    pub(super) fn template(&self, name: &str) -> Option<&'a Tree> {
        let found = self.known.iter().find(|revision| object::name(revision) == name)?;
        Some(&found["data"]["spec"]["template"])
    }

    /// For the bug `revision-flaps`: takes the current revision for the one to update to.
    pub(super) fn fall_back(&mut self) {
        self.update = self.current.clone();
        self.update_template = self.current_template;
    }

    /// The oldest revisions past `limit` that are neither wanted nor in use.
    pub(super) fn surplus(&self, in_use: &BTreeSet<&str>, limit: usize) -> Vec<Action> {
        let mut idle: Vec<&Tree> = self.known.clone();
        idle.retain(|revision| {
            let name = object::name(revision);
            name != self.update && name != self.current && !in_use.contains(name)
        });
        idle.sort_by_key(|revision| (number(revision), object::key(revision)));
        let many = idle.len().saturating_sub(limit);
        idle.into_iter()
            .take(many)
            .map(|revision| Action::DeleteRevision { key: object::key(revision) })
            .collect()
    }
}

fn number(revision: &Tree) -> i64 {
    revision["revision"].as_i64().unwrap_or(0)
}

fn same_template(revision: &Tree, template: &Tree) -> bool {
    revision["data"]["spec"]["template"] == *template
}

fn make(set: &Tree, template: &Tree, number: i64) -> Tree {
    let hash = format!("{:016x}", template.digest());
    map! {
        "apiVersion" => "apps/v1", "kind" => "ControllerRevision",
        "metadata" => map! {
            "name" => format!("{}-{}", object::name(set), &hash[..10]),
            "namespace" => object::namespace(set),
            "labels" => &set["spec"]["selector"]["matchLabels"],
            "ownerReferences" => vec![object::controller_reference(set)],
        },
        "data" => map! { "spec" => map! { "template" => template } },
        "revision" => number,
    }
}

/// The resource of revisions.
pub(super) const RESOURCE: Resource = Resource::CONTROLLER_REVISIONS;
