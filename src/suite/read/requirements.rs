//! Reads the catalogue of requirements.

use std::sync::Arc;

use super::reader::Reader;
use crate::suite::checks::BUILT_IN;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::{Located, Source};
use crate::suite::node::Node;
use crate::suite::requirements::{Requirement, Requirements};
use kubesim_model::Text;

/// The fields of a requirement.
pub(in crate::suite) const REQUIREMENT: [&str; 5] =
    ["id", "statement", "rationale", "invariants", "profiles"];

impl Reader<'_> {
    /// The requirements in `root`.
    pub(in crate::suite) fn requirements(
        &mut self,
        source: &Arc<Source>,
        root: &Node,
    ) -> Option<Requirements> {
        let (_, spec) = self.envelope(root, "Requirements")?;
        let fields = self.fields(spec, "`spec`", &["profiles", "requirements"])?;
        let mut profiles = Vec::new();
        for (name, node) in fields.get("profiles").map(Node::entries).unwrap_or_default() {
            let text = self.text(node, "the meaning of a profile");
            profiles.extend(text.map(|text| (name.clone(), text.value)));
        }
        let list = self.required(&fields, "`spec`", "requirements")?;
        let mut requirements: Vec<Requirement> = Vec::new();
        for item in self.list(list, "`requirements`") {
            let Some(requirement) = self.requirement(item, &profiles) else { continue };
            if let Some(first) = requirements.iter().find(|have| have.id == requirement.id) {
                let message = format!("there are two requirements `{}`", requirement.id.value);
                let found = Diagnostic::error(Code::DuplicateName, &requirement.id.at, message);
                self.report(found.also(&first.id.at, "the first"));
            }
            requirements.push(requirement);
        }
        Some(Requirements { source: source.clone(), requirements, profiles })
    }

    fn requirement(&mut self, item: &Node, known: &[(Located<Text>, Text)]) -> Option<Requirement> {
        let what = "a requirement";
        let fields = self.fields(item, what, &REQUIREMENT)?;
        let id = self.required(&fields, what, "id").and_then(|node| self.text(node, "`id`"));
        if let Some(id) = &id
            && !is_id(id)
        {
            let message = format!("`{}` is no identifier of a requirement", id.value);
            let found = Diagnostic::error(Code::BadName, &id.at, message);
            self.report(found.help("capital letters, `-` and a number: `CONV-3`"));
        }
        let statement = self.required(&fields, what, "statement");
        let statement = statement.and_then(|node| self.word(node, "`statement`"));
        let rationale = fields.get("rationale").and_then(|node| self.word(node, "`rationale`"));
        let invariants = self.required(&fields, what, "invariants");
        let invariants = invariants.map(|node| self.names(node, "`invariants`"));
        for name in invariants.iter().flatten() {
            let catalogue = self.vocabulary.invariants.iter().chain(BUILT_IN);
            let known: Vec<&str> = catalogue.map(|entry| entry.name).collect();
            if !known.contains(&name.as_str()) {
                let message = format!("unknown invariant `{}`", name.value);
                let found = Diagnostic::error(Code::UnknownInvariant, &name.at, message);
                self.report(found.suggest(name, known));
            }
        }
        let profiles = fields.get("profiles").map(|node| self.names(node, "`profiles`"));
        for profile in profiles.iter().flatten() {
            if !known.iter().any(|(name, _)| name.value == profile.value) {
                let message = format!("unknown profile `{}`", profile.value);
                let found = Diagnostic::error(Code::UnknownWord, &profile.at, message);
                self.report(found.suggest(profile, known.iter().map(|(name, _)| name.as_str())));
            }
        }
        Some(Requirement {
            id: id?,
            statement: statement?,
            rationale,
            invariants: invariants?,
            profiles: profiles.unwrap_or_default(),
        })
    }
}

fn is_id(text: &str) -> bool {
    let Some((word, number)) = text.rsplit_once('-') else { return false };
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    !word.is_empty()
        && word.bytes().all(capital)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}
