//! Reads checks.

use kubesim_model::Text;

use super::reader::Reader;
use crate::suite::checks::{BUILT_IN, CONVERGED, CelCheck, Check, CheckSpec};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::faults::Args;
use crate::suite::located::Located;
use crate::suite::node::Node;
use crate::suite::vocabulary::Entry;

impl Reader<'_> {
    pub(super) fn checks(&mut self, node: &Node, what: &str) -> Vec<CheckSpec> {
        let items = self.list(node, what);
        let checks: Vec<_> = items.iter().filter_map(|item| self.check(item)).collect();
        for (at, check) in checks.iter().enumerate() {
            if let Some(first) = checks[..at].iter().find(|have| have.name == check.name) {
                let message = format!("`{}` is checked twice in {what}", check.name.value);
                let found = Diagnostic::error(Code::DuplicateEntry, &check.name.at, message);
                let found = found.also(&first.name.at, "the first");
                self.report(found);
            }
        }
        checks
    }

    fn check(&mut self, item: &Node) -> Option<CheckSpec> {
        let (name, node) = self.one_key(item, "a check", &[])?;
        let entry = self.entry(name)?;
        let (args, _) = self.args(node, &entry, &[])?;
        let at = item.at.clone();
        if entry.name == "cel" {
            return self.cel_check(&args, at);
        }
        if let (Some(within), Some(hold)) = (args.duration("within"), args.duration("hold"))
            && hold >= within
        {
            let message = "`hold` must be shorter than `within`, which includes it";
            self.report(Diagnostic::error(Code::Contradiction, &node.at, message));
        }
        let name = if entry.name == "converge" {
            Located::new(Text::new(CONVERGED), name.at.clone())
        } else {
            name.clone()
        };
        Some(CheckSpec { at, name, check: Check::Invariant(args) })
    }

    fn entry(&mut self, name: &Located<Text>) -> Option<Entry> {
        let catalogue = &self.vocabulary.invariants;
        let mut all = BUILT_IN.iter().chain(catalogue);
        if let Some(entry) = all.find(|entry| entry.name == name.as_str()) {
            return Some(*entry);
        }
        let message = format!("unknown invariant `{}`", name.value);
        let found = Diagnostic::error(Code::UnknownInvariant, &name.at, message);
        let known = BUILT_IN.iter().chain(catalogue).map(|entry| entry.name);
        self.report(found.label("not in the catalogue").suggest(name, known));
        None
    }

    fn cel_check(&mut self, args: &Args, at: crate::suite::Place) -> Option<CheckSpec> {
        let located = |name: &str| {
            let text = args.text(name)?.clone();
            Some(Located::new(text, args.0.get(name)?.at.clone()))
        };
        let expr = args.cel("expr")?.clone();
        let message = args.text("message").cloned();
        let check = Check::Cel(CelCheck { expr, kind: located("kind"), message });
        Some(CheckSpec { at, name: located("name")?, check })
    }
}
