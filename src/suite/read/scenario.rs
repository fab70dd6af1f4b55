//! Reads scenarios: the head, which is the same for every row, and the rest of one row.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::reader::{Fields, Reader};
use super::steps::is_nothing;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::{Located, Source};
use crate::suite::model::{
    API_VERSION, Across, Expectation, Params, Requires, ResolvedScenario, Scenario,
};
use crate::suite::node::{Node, Value};
use crate::suite::vocabulary::Vocabulary;

/// The kinds of files, as they are written.
pub(in crate::suite) const KINDS: [&str; 3] = ["Scenario", "Subject", "Requirements"];

/// The fields of a scenario's `spec`.
pub(in crate::suite) const SPEC: [&str; 15] = [
    "description",
    "proves",
    "subjects",
    "cluster",
    "requires",
    "matrix",
    "params",
    "given",
    "when",
    "faults",
    "always",
    "eventually",
    "expect",
    "limits",
    "notes",
];

/// The fields of `spec` that belong to the head and can't hold templates.
pub(in crate::suite) const HEAD: [&str; 8] =
    ["description", "proves", "subjects", "requires", "matrix", "params", "expect", "notes"];

impl Reader<'_> {
    /// The envelope: `metadata` and `spec` of a file of `kind`.
    pub(super) fn envelope<'n>(
        &mut self,
        root: &'n Node,
        kind: &str,
    ) -> Option<(Option<Fields<'n>>, &'n Node)> {
        let fields = self.fields(root, "the file", &["apiVersion", "kind", "metadata", "spec"])?;
        match self.required(&fields, "the file", "apiVersion") {
            Some(node) if node.as_str() != Some(API_VERSION) => {
                let message = format!("this version reads `{API_VERSION}`");
                self.report(Diagnostic::error(Code::ApiVersion, &node.at, message));
            }
            _ => {}
        }
        if let Some(node) = self.required(&fields, "the file", "kind")
            && node.as_str() != Some(kind)
        {
            let message = format!("a file of kind `{kind}` is wanted here");
            let found = Diagnostic::error(Code::Kind, &node.at, message);
            self.report(found.suggest(node.as_str().unwrap_or_default(), KINDS));
        }
        let metadata = fields.get("metadata");
        let metadata = metadata.and_then(|n| self.fields(n, "`metadata`", &["name", "labels"]));
        let spec = self.required(&fields, "the file", "spec");
        if fields.get("metadata").is_none() && kind != "Requirements" {
            let message = "the file needs the field `metadata`";
            self.report(Diagnostic::error(Code::MissingField, &root.at, message));
        }
        Some((metadata, spec?))
    }

    /// The name in `metadata`.
    pub(super) fn own_name(&mut self, metadata: &Fields<'_>) -> Option<Located<Text>> {
        let node = self.required(metadata, "`metadata`", "name")?;
        let name = self.text(node, "`name`")?;
        self.dns_name(node, &name);
        Some(name)
    }

    /// The head of the scenario in `root`.
    pub(in crate::suite) fn head(
        &mut self,
        source: &Arc<Source>,
        root: &Node,
        vocabulary: &Arc<Vocabulary>,
    ) -> Option<Scenario> {
        let (metadata, spec) = self.envelope(root, "Scenario")?;
        let name = metadata.as_ref().and_then(|metadata| self.own_name(metadata));
        let labels = metadata.as_ref().and_then(|metadata| metadata.get("labels"));
        let labels = labels.map(|labels| self.labels(labels)).unwrap_or_default();
        let fields = self.fields(spec, "`spec`", &SPEC)?;
        let description = fields.get("description").and_then(|n| self.text(n, "`description`"));
        let mut names = |name: &str| match self.required(&fields, "`spec`", name) {
            Some(node) => {
                let names = self.names(node, &format!("`{name}`"));
                if matches!(&node.value, Value::List(items) if items.is_empty()) {
                    let message = format!("`{name}` may not be empty");
                    self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
                }
                names
            }
            None => Vec::new(),
        };
        let proves = names("proves");
        let subjects = names("subjects");
        let requires = fields.get("requires").map(|node| self.requires(node)).unwrap_or_default();
        let matrix = fields.get("matrix").map(|node| self.matrix(node)).unwrap_or_default();
        let params = fields.get("params").map(|n| self.constants(n, &matrix)).unwrap_or_default();
        let expect = fields.get("expect").map(|node| self.expectations(node)).unwrap_or_default();
        Some(Scenario {
            source: source.clone(),
            name: name?,
            labels,
            description: description.map(|text| text.value),
            proves,
            subjects,
            requires,
            matrix,
            params,
            expect,
            files: BTreeMap::new(),
            spec: spec.clone(),
            vocabulary: vocabulary.clone(),
        })
    }

    fn requires(&mut self, node: &Node) -> Requires {
        let Some(fields) = self.fields(node, "`requires`", &["subject", "provider"]) else {
            return Requires::default();
        };
        let vocabulary = self.vocabulary;
        let mut read = |name: &str, known: &[&'static str]| {
            let names = fields.get(name).map(|node| self.names(node, &format!("`{name}`")));
            let names = names.unwrap_or_default();
            for name in &names {
                if !known.is_empty() && !known.contains(&name.as_str()) {
                    let message = format!("unknown capability `{}`", name.value);
                    let found = Diagnostic::error(Code::UnknownCapability, &name.at, message);
                    self.report(found.suggest(name, known.iter().copied()));
                }
            }
            names
        };
        Requires {
            subject: read("subject", &vocabulary.subject_capabilities),
            provider: read("provider", &vocabulary.provider_capabilities),
        }
    }

    fn matrix(&mut self, node: &Node) -> Vec<(Located<Text>, Vec<Tree>)> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "`matrix` is a mapping of names to lists");
        }
        let mut matrix = Vec::new();
        for (name, values) in node.entries() {
            self.parameter_name(name);
            let items = self.list(values, "a dimension of the matrix");
            if items.is_empty() && matches!(values.value, Value::List(_)) {
                let message =
                    format!("`{}` has no values, so the scenario has no rows", name.value);
                self.report(Diagnostic::error(Code::EmptyList, &values.at, message));
            }
            let trees: Vec<Tree> = items.iter().map(Node::tree).collect();
            for (at, item) in items.iter().enumerate() {
                if trees[..at].contains(&trees[at]) {
                    let message = format!("`{}` has this value twice", name.value);
                    self.report(Diagnostic::error(Code::DuplicateEntry, &item.at, message));
                }
            }
            matrix.push((name.clone(), trees));
        }
        matrix
    }

    fn constants(
        &mut self,
        node: &Node,
        matrix: &[(Located<Text>, Vec<Tree>)],
    ) -> Vec<(Located<Text>, Tree)> {
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "`params` is a mapping of names to values");
        }
        for (name, _) in node.entries() {
            self.parameter_name(name);
            if let Some((first, _)) = matrix.iter().find(|(have, _)| have.value == name.value) {
                let message = format!("`{}` is a dimension of the matrix already", name.value);
                let found = Diagnostic::error(Code::DuplicateName, &name.at, message);
                let found = found.also(&first.at, "there");
                self.report(found);
            }
        }
        node.entries().iter().map(|(name, value)| (name.clone(), value.tree())).collect()
    }

    /// A parameter must be a name that expressions can select.
    fn parameter_name(&mut self, name: &Located<Text>) {
        let good = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !good {
            let message = format!("`{}` is no name of a parameter", name.value);
            let found = Diagnostic::error(Code::BadName, &name.at, message);
            self.report(found.help("letters, digits and `_`, starting with a letter"));
        }
    }

    fn expectations(&mut self, node: &Node) -> Vec<Expectation> {
        let items = self.list(node, "`expect`");
        items.iter().filter_map(|item| self.expectation(item)).collect()
    }

    fn expectation(&mut self, item: &Node) -> Option<Expectation> {
        let known = ["subject", "fails", "across", "reason"];
        let fields = self.fields(item, "an expectation", &known)?;
        let subject = self.required(&fields, "an expectation", "subject");
        let subject = subject.and_then(|node| self.text(node, "`subject`"));
        let fails = self.required(&fields, "an expectation", "fails");
        let fails = fails.map(|node| self.names(node, "`fails`"));
        let across = fields.get("across");
        let words = ["each", "seeds", "runs"];
        let across = across.and_then(|node| self.one_of(node, "`across`", &words));
        let reason = fields.get("reason").and_then(|node| self.text(node, "`reason`"));
        Some(Expectation {
            subject: subject?,
            fails: fails?,
            across: match across.as_deref() {
                Some("seeds") => Across::Seeds,
                Some("runs") => Across::Runs,
                _ => Across::Each,
            },
            reason: reason.map(|reason| reason.value),
        })
    }

    /// The rest of a scenario: one row, templates replaced.
    pub(in crate::suite) fn row(
        &mut self,
        scenario: &Scenario,
        params: &Params,
        spec: &Node,
    ) -> ResolvedScenario {
        self.params = Some(params.clone());
        let fields = |name: &str| spec.get(name).filter(|node| !is_nothing(node));
        let cluster = fields("cluster").and_then(|node| self.cluster(node));
        let limits = fields("limits").and_then(|node| self.limits(node));
        let mut steps = |name: &str| fields(name).map(|n| self.steps(n, &format!("`{name}`")));
        let (given, when) = (steps("given").unwrap_or_default(), steps("when"));
        if when.as_ref().is_none_or(Vec::is_empty)
            && spec.get("when").is_none_or(|node| node.items().is_empty())
        {
            let message = "a scenario needs at least one step in `when`";
            let at = spec.get("when").map_or(&scenario.name.at, |node| &node.at);
            let found = Diagnostic::error(Code::EmptyList, at, message);
            self.report(found.help("if only time is to pass, say so: `- wait: {for: 5m}`"));
        }
        let faults = fields("faults").map(|node| self.faults(node)).unwrap_or_default();
        let mut checks = |name: &str| fields(name).map(|n| self.checks(n, &format!("`{name}`")));
        let always = checks("always").unwrap_or_default();
        let eventually = checks("eventually").unwrap_or_default();
        ResolvedScenario {
            name: scenario.name.value.clone(),
            params: params.clone(),
            proves: scenario.proves.clone(),
            cluster: cluster.unwrap_or_default(),
            given,
            when: when.unwrap_or_default(),
            faults,
            always,
            eventually,
            expect: scenario.expect.clone(),
            limits: limits.unwrap_or_default(),
        }
    }
}
