//! Reads subject files.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;

use super::reader::Reader;
use crate::suite::cel::Program;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::{Located, Source};
use crate::suite::node::{Node, Value};
use crate::suite::steps::PatchType;
use crate::suite::subject::{
    Conversion, Identities, OBSERVATIONS, OPERATION_VARIABLES, Operation, OperationPatch,
    OperationTarget, Subject, WorkloadKind,
};
use crate::suite::template::{Part, Template, TextTemplate};

/// The fields of a subject's `spec`.
pub(in crate::suite) const SUBJECT: [&str; 8] = [
    "description",
    "run",
    "identities",
    "workload",
    "from",
    "operations",
    "observe",
    "capabilities",
];
/// The fields of a patch of an operation.
pub(in crate::suite) const PATCH: [&str; 4] = ["patch", "type", "subresource", "target"];
/// The fields of `from`.
pub(in crate::suite) const FROM: [&str; 4] = ["rename", "drop", "set", "also"];

impl Reader<'_> {
    /// The subject in `root`.
    pub(in crate::suite) fn subject(
        &mut self,
        source: &Arc<Source>,
        root: &Node,
    ) -> Option<Subject> {
        let (metadata, spec) = self.envelope(root, "Subject")?;
        let name = metadata.as_ref().and_then(|metadata| self.own_name(metadata));
        let fields = self.fields(spec, "`spec`", &SUBJECT)?;
        let description = fields.get("description").and_then(|n| self.text(n, "`description`"));
        let run = self.required(&fields, "`spec`", "run").and_then(|node| {
            let name = name.as_ref().map(|name| &name.value);
            self.run(node, name)
        });
        let workload = self.required(&fields, "`spec`", "workload");
        let workload = workload.and_then(|node| self.workload(node));
        let identities = fields.get("identities").and_then(|node| self.identities(node));
        let from = fields.get("from").and_then(|node| self.conversion(node));
        let operations = fields.get("operations").map(|node| self.operations(node));
        let observe = fields.get("observe").map(|node| self.observe(node));
        let capabilities = fields.get("capabilities");
        let capabilities = capabilities.map(|node| self.names(node, "`capabilities`"));
        Some(Subject {
            source: source.clone(),
            name: name?,
            description: description.map(|text| text.value),
            run: run?,
            identities: identities.unwrap_or_default(),
            workload: workload?,
            from: from.unwrap_or_default(),
            operations: operations.unwrap_or_default(),
            observe: observe.unwrap_or_default(),
            capabilities: capabilities.unwrap_or_default(),
            files: BTreeMap::new(),
        })
    }

    fn identities(&mut self, node: &Node) -> Option<Identities> {
        let fields = self.fields(node, "`identities`", &["users", "userAgents"])?;
        let users = fields.get("users").map(|node| self.texts(node, "`users`"));
        let agents = fields.get("userAgents").map(|node| self.texts(node, "`userAgents`"));
        let identities = Identities {
            users: users.unwrap_or_default(),
            user_agents: agents.unwrap_or_default(),
        };
        if identities == Identities::default() {
            let message = "`identities` without `users` and `userAgents` matches nobody";
            self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
        }
        Some(identities)
    }

    fn workload(&mut self, node: &Node) -> Option<WorkloadKind> {
        let what = "`workload`";
        let fields = self.fields(node, what, &["apiVersion", "kind", "resource"])?;
        let version = self.required(&fields, what, "apiVersion");
        let version = version.and_then(|node| self.text(node, "`apiVersion`"));
        let kind = self.required(&fields, what, "kind").and_then(|node| self.kind(node));
        let resource = match fields.get("resource") {
            Some(node) => self.text(node, "`resource`"),
            None => kind.as_ref().map(|kind| {
                Located::new(Text::from(format!("{}s", kind.to_lowercase())), kind.at.clone())
            }),
        };
        Some(WorkloadKind { api_version: version?, kind: kind?, resource: resource? })
    }

    fn conversion(&mut self, node: &Node) -> Option<Conversion> {
        let fields = self.fields(node, "`from`", &FROM)?;
        let mut conversion = Conversion::default();
        for (from, to) in fields.get("rename").map(Node::entries).unwrap_or_default() {
            conversion.rename.extend(self.text(to, "a path").map(|to| (from.clone(), to)));
        }
        conversion.drop =
            fields.get("drop").map(|node| self.names(node, "`drop`")).unwrap_or_default();
        for (path, value) in fields.get("set").map(Node::entries).unwrap_or_default() {
            conversion.set.push((path.clone(), self.template(value, &["object"])));
        }
        for value in fields.get("also").map(|node| self.list(node, "`also`")).unwrap_or(&[]) {
            conversion.also.push(self.template(value, &["object"]));
        }
        let paths = conversion.rename.iter().flat_map(|(from, to)| [from, to]);
        let paths = paths.chain(&conversion.drop).chain(conversion.set.iter().map(|(p, _)| p));
        for path in paths {
            if path.split('.').any(str::is_empty) {
                let message = format!("`{}` is no path: write it like `spec.strategy`", path.value);
                self.diagnostics.push(Diagnostic::error(Code::BadName, &path.at, message));
            }
        }
        Some(conversion)
    }

    fn operations(&mut self, node: &Node) -> BTreeMap<Text, Operation> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "`operations` is a mapping of names to patches");
        }
        let mut operations = BTreeMap::new();
        for (name, node) in node.entries() {
            let patches: Vec<OperationPatch> = match &node.value {
                Value::List(items) => {
                    items.iter().filter_map(|item| self.operation_patch(item)).collect()
                }
                _ => self.operation_patch(node).into_iter().collect(),
            };
            operations.insert(name.value.clone(), Operation { patches });
        }
        operations
    }

    fn operation_patch(&mut self, node: &Node) -> Option<OperationPatch> {
        let fields = self.fields(node, "an operation", &PATCH)?;
        let types = ["merge", "json", "strategic"];
        let kind = fields.get("type").and_then(|node| self.one_of(node, "`type`", &types));
        let kind = match kind.as_deref() {
            Some("json") => PatchType::Json,
            Some("strategic") => PatchType::Strategic,
            _ => PatchType::Merge,
        };
        let subresource = fields.get("subresource");
        let subresource = subresource.and_then(|node| self.word(node, "`subresource`"));
        let target = fields.get("target").and_then(|node| self.operation_target(node));
        let patch = self.required(&fields, "an operation", "patch")?;
        let patch = self.template(patch, &OPERATION_VARIABLES);
        Some(OperationPatch { kind, patch, subresource, target })
    }

    fn operation_target(&mut self, node: &Node) -> Option<OperationTarget> {
        let fields = self.fields(node, "`target`", &["apiVersion", "kind", "name"])?;
        let version = self.required(&fields, "`target`", "apiVersion");
        let version = version.and_then(|node| self.word(node, "`apiVersion`"));
        let kind = self.required(&fields, "`target`", "kind").and_then(|node| self.kind(node));
        let name = self.required(&fields, "`target`", "name")?;
        let name = self.template(name, &OPERATION_VARIABLES);
        Some(OperationTarget { api_version: version?, kind: kind?.value, name })
    }

    fn observe(&mut self, node: &Node) -> BTreeMap<Text, Located<Program>> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "`observe` is a mapping of names to expressions");
        }
        let mut observe = BTreeMap::new();
        for (name, node) in node.entries() {
            let Some(known) = OBSERVATIONS.iter().find(|known| known.name == name.as_str()) else {
                let message = format!("unknown observation `{}`", name.value);
                let found = Diagnostic::error(Code::UnknownField, &name.at, message);
                self.report(found.suggest(name, OBSERVATIONS.iter().map(|known| known.name)));
                continue;
            };
            if let Some(program) = self.cel(node, &format!("`{}`", name.value), known.sees) {
                observe.insert(name.value.clone(), Located::new(program, node.at.clone()));
            }
        }
        observe
    }

    /// A tree in which texts may hold `${{ … }}` over `variables`.
    fn template(&mut self, node: &Node, variables: &[&str]) -> Template {
        match &node.value {
            Value::Str(text) if TextTemplate::is_in(text) => {
                self.text_template(node, text, variables)
            }
            Value::List(items) => {
                Template::List(items.iter().map(|item| self.template(item, variables)).collect())
            }
            Value::Map(entries) => Template::Map(
                entries
                    .iter()
                    .map(|(key, node)| (key.value.clone(), self.template(node, variables)))
                    .collect(),
            ),
            _ => Template::Fixed(node.tree()),
        }
    }

    fn text_template(&mut self, node: &Node, text: &Text, variables: &[&str]) -> Template {
        let template = match TextTemplate::compile(text) {
            Ok(template) => template,
            Err(error) => {
                self.report(crate::suite::resolve::not_a_template(node, text, error));
                return Template::Fixed(node.tree());
            }
        };
        for part in template.parts() {
            if let Part::Computed(program, bytes) = part {
                let text = &text[bytes.clone()];
                if self.scoped(program.clone(), node, text, variables).is_none() {
                    return Template::Fixed(node.tree());
                }
            }
        }
        Template::Text(template)
    }
}
