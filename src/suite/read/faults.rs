//! Reads faults.

use super::reader::Reader;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::faults::{FaultSpec, Lasts};
use crate::suite::located::Located;
use crate::suite::node::{Node, Value};
use kubesim_model::Text;

/// The fields of every fault.
pub(in crate::suite) const COMMON: [&str; 2] = ["for", "trigger"];

impl Reader<'_> {
    pub(super) fn faults(&mut self, node: &Node) -> Vec<FaultSpec> {
        let items = self.list(node, "`faults`");
        items.iter().filter_map(|item| self.fault(item)).collect()
    }

    fn fault(&mut self, item: &Node) -> Option<FaultSpec> {
        let (name, node) = self.one_key(item, "a fault", &[])?;
        let Some(entry) = self.vocabulary.fault(name) else {
            let message = format!("unknown fault `{}`", name.value);
            let found = Diagnostic::error(Code::UnknownFault, &name.at, message);
            let known = self.vocabulary.faults.iter().map(|entry| entry.name);
            self.report(found.label("not in the catalogue").suggest(name, known));
            return None;
        };
        let (args, fields) = self.args(node, entry, &COMMON)?;
        let given = |name: &str| fields.as_ref().and_then(|fields| fields.get(name));
        Some(FaultSpec {
            at: item.at.clone(),
            name: name.clone(),
            args,
            lasts: given("for").and_then(|node| self.lasts(node)).unwrap_or_default(),
            trigger: given("trigger").and_then(|node| self.trigger(node)),
        })
    }

    fn lasts(&mut self, node: &Node) -> Option<Lasts> {
        if node.as_str() == Some("lasting") {
            return Some(Lasts::Lasting);
        }
        let millis = self.duration(node, "`for` (or `lasting`)")?;
        if millis == 0 {
            let message = "a fault of no duration does nothing";
            self.report(Diagnostic::error(Code::OutOfRange, &node.at, message));
        }
        Some(Lasts::For(millis))
    }

    /// The name and value of a mapping with one key, `beside` not counted. A bare text stands for
    /// the name with nothing.
    pub(super) fn one_key<'n>(
        &mut self,
        item: &'n Node,
        what: &str,
        beside: &[&str],
    ) -> Option<(&'n Located<Text>, &'n Node)> {
        if !matches!(item.value, Value::Map(_)) {
            self.wrong_type(item, &format!("{what} is a mapping with one key"));
            return None;
        }
        let mut actions = item.entries().iter().filter(|(key, _)| !beside.contains(&key.as_str()));
        let Some((name, node)) = actions.next() else {
            let message = format!("{what} is missing its name");
            self.report(Diagnostic::error(Code::NotOneKey, &item.at, message));
            return None;
        };
        if let Some((second, _)) = actions.next() {
            let message =
                format!("{what} has one key, this has `{}` and `{}`", name.value, second.value);
            let found = Diagnostic::error(Code::NotOneKey, &second.at, message);
            let found = found.also(&name.at, "the first");
            self.report(
                found.help("make two list entries of it, or indent the second under the first"),
            );
        }
        Some((name, node))
    }
}
