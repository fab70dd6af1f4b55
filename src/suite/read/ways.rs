//! Reads `run` of subject files: the way to run a subject, and the files that it names.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::manifests::{relative, unreadable};
use super::reader::{Fields, Reader};
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::located::Located;
use crate::suite::node::{Node, Value};
use crate::suite::vocabulary::Entry;
use crate::suite::ways::{Chart, Command, Image, NAMESPACE, Rendering, Run, WAYS};
use crate::suite::yaml;

/// The fields of a rule of RBAC (Kubernetes v1.36).
const RULE: [&str; 5] = ["apiGroups", "resources", "verbs", "resourceNames", "nonResourceURLs"];

/// The kinds of which pods come by themselves.
const RUNNING: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Pod"];

/// What is given for a way: a mapping of its parameters, or the first of them alone.
struct Given<'n> {
    way: &'static Entry,
    node: &'n Node,
    fields: Option<Fields<'n>>,
}

impl<'n> Given<'n> {
    fn get(&self, name: &str) -> Option<&'n Node> {
        let is_first = self.way.params.first().is_some_and(|first| first.name == name);
        match &self.fields {
            Some(fields) => fields.get(name),
            None => Some(self.node).filter(|node| is_first && !matches!(node.value, Value::Null)),
        }
    }
}

impl Reader<'_> {
    /// The way to run the subject `name`.
    pub(super) fn run(&mut self, node: &Node, name: Option<&Text>) -> Option<Run> {
        let (word, node) = self.one_key(node, "`run`", &[])?;
        let Some(way) = WAYS.iter().find(|way| way.name == word.as_str()) else {
            let message = format!("there is no way `{}` to run a subject", word.value);
            let found = Diagnostic::error(Code::UnknownWord, &word.at, message);
            self.report(found.suggest(word, WAYS.iter().map(|way| way.name)));
            return None;
        };
        let given = self.given(way, node)?;
        Some(match way.name {
            "builtin" => Run::Builtin { bug: self.optional(&given, "bug") },
            "reference" => Run::Reference {
                actor: self.optional(&given, "actor")?,
                bug: self.optional(&given, "bug"),
            },
            "inProcess" => Run::InProcess(self.optional(&given, "name")?),
            "command" => Run::Command(self.command(&given)?),
            "image" => Run::Image(self.image(&given)?),
            "manifests" => Run::Manifests(self.manifest_files(given.get("files")?)),
            "kustomize" => {
                let folder = self.optional(&given, "folder")?;
                Run::Rendered(Rendering::Kustomize(self.folder(&folder)))
            }
            _ => Run::Rendered(Rendering::Chart(self.chart(&given, name)?)),
        })
    }

    /// The parameters of a way, those that it needs among them.
    fn given<'n>(&mut self, way: &'static Entry, node: &'n Node) -> Option<Given<'n>> {
        let what = format!("`{}`", way.name);
        let mut needed = way.params.iter().filter(|param| param.required);
        let fields = match &node.value {
            Value::Map(_) => {
                let known: Vec<&str> = way.params.iter().map(|param| param.name).collect();
                let fields = self.fields(node, &what, &known)?;
                for param in needed {
                    self.required(&fields, &what, param.name)?;
                }
                Some(fields)
            }
            Value::Null => {
                if let Some(param) = needed.next() {
                    let message = format!("{what} needs the field `{}`", param.name);
                    self.report(Diagnostic::error(Code::MissingField, &node.at, message));
                    return None;
                }
                None
            }
            _ => None,
        };
        Some(Given { way, node, fields })
    }

    fn optional(&mut self, given: &Given<'_>, name: &str) -> Option<Located<Text>> {
        let node = given.get(name)?;
        let text = self.text(node, &format!("`{name}`"))?;
        if text.is_empty() {
            let message = format!("`{name}` may not be empty");
            self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
            return None;
        }
        Some(text)
    }

    fn command(&mut self, given: &Given<'_>) -> Option<Command> {
        let node = given.get("command")?;
        let command = self.texts(node, "`command`");
        if command.first().is_none_or(|program| program.is_empty()) {
            let message = "the command is empty";
            self.report(Diagnostic::error(Code::EmptyList, &node.at, message));
        }
        let folder = node.at.source().map(|source| source.folder().to_owned());
        Some(Command {
            command,
            env: self.environment(given),
            permissions: self.permissions(given),
            folder: folder.unwrap_or_default(),
        })
    }

    fn image(&mut self, given: &Given<'_>) -> Option<Image> {
        let image = self.optional(given, "image")?;
        if image.contains(char::is_whitespace) {
            let message = format!("`{}` is no image", image.value);
            self.report(Diagnostic::error(Code::BadName, &image.at, message));
        }
        let args = given.get("args").map(|node| self.texts(node, "`args`"));
        let (env, permissions) = (self.environment(given), self.permissions(given));
        Some(Image { image, args: args.unwrap_or_default(), env, permissions })
    }

    fn environment(&mut self, given: &Given<'_>) -> BTreeMap<Text, Text> {
        let mut environment = BTreeMap::new();
        let Some(node) = given.get("env") else { return environment };
        if !matches!(node.value, Value::Map(_)) {
            self.wrong_type(node, "`env` is a mapping of names to texts");
        }
        for (name, value) in node.entries() {
            if name.is_empty() || name.contains(['=', '\0']) {
                let message = format!("`{}` is no name of an environment variable", name.value);
                self.report(Diagnostic::error(Code::BadName, &name.at, message));
            }
            if let Some(text) = self.text(value, "an environment variable") {
                environment.insert(name.value.clone(), text.value);
            }
        }
        environment
    }

    fn permissions(&mut self, given: &Given<'_>) -> Option<Vec<Tree>> {
        let node = given.get("permissions")?;
        let mut rules = Vec::new();
        for rule in self.list(node, "`permissions`") {
            let what = "a rule of `permissions`";
            let Some(fields) = self.fields(rule, what, &RULE) else { continue };
            self.required(&fields, what, "verbs");
            for name in RULE {
                if let Some(node) = fields.get(name) {
                    self.texts_only(node, &format!("`{name}`"));
                }
            }
            if ["resources", "nonResourceURLs"].iter().all(|name| fields.get(name).is_none()) {
                let message = format!("{what} needs `resources` or `nonResourceURLs`");
                self.report(Diagnostic::error(Code::MissingField, &rule.at, message));
            }
            rules.push(rule.tree());
        }
        Some(rules)
    }

    /// A list of texts, as the API takes it.
    fn texts_only(&mut self, node: &Node, what: &str) {
        for item in self.list(node, what) {
            self.text(item, "an entry");
        }
    }

    /// The objects of files, and of the files in folders.
    fn manifest_files(&mut self, node: &Node) -> Vec<Tree> {
        let before = self.diagnostics.len();
        let named = match &node.value {
            Value::Str(_) => self.text(node, "`files`").into_iter().collect(),
            _ => self.names(node, "`manifests`"),
        };
        let mut objects = Vec::new();
        for name in &named {
            let path = relative(name, name.at.source());
            let files = match self.files.list(&path) {
                Ok(files) => files,
                Err(_) => vec![path.clone()],
            };
            if files.is_empty() {
                let message = format!("there is no YAML file in the folder `{path}`");
                self.report(Diagnostic::error(Code::MissingFile, &name.at, message));
            }
            for file in files {
                objects.extend(self.plain_manifests(&file, name));
            }
        }
        let runs = objects.iter().any(|object: &Tree| RUNNING.contains(&object["kind"].str()));
        if !runs && self.diagnostics.len() == before {
            let message = "nothing runs of these manifests";
            let found = Diagnostic::error(Code::BadManifest, &node.at, message);
            self.report(
                found.help("there is no Deployment, StatefulSet, DaemonSet or Pod among them"),
            );
        }
        objects
    }

    /// The objects of a file in which nothing is replaced.
    fn plain_manifests(&mut self, path: &Utf8Path, name: &Located<Text>) -> Vec<Tree> {
        let source = match self.files.read(path) {
            Ok(source) => source,
            Err(error) => {
                self.report(unreadable(&error, path, name));
                return Vec::new();
            }
        };
        match yaml::parse(&source) {
            Ok(documents) => self.manifests(&documents),
            Err(found) => {
                self.diagnostics.extend(found);
                Vec::new()
            }
        }
    }

    /// A folder that is there.
    fn folder(&mut self, name: &Located<Text>) -> Located<Utf8PathBuf> {
        let path = relative(name, name.at.source());
        if self.files.list(&path).is_err() {
            let message = format!("there is no folder `{path}`");
            let found = Diagnostic::error(Code::MissingFile, &name.at, message);
            self.report(found.help("paths are relative to the file in which they stand"));
        }
        Located::new(path, name.at.clone())
    }

    fn chart(&mut self, given: &Given<'_>, name: Option<&Text>) -> Option<Chart> {
        let named = self.optional(given, "chart")?;
        let path = relative(&named, named.at.source());
        let is_package = path.extension() == Some("tgz");
        let chart = match is_package {
            true => Located::new(path, named.at.clone()),
            false => self.folder(&named),
        };
        let values = self.optional(given, "values").map(|named| {
            let path = relative(&named, named.at.source());
            if let Err(error) = self.files.read(&path) {
                self.report(unreadable(&error, &path, &named));
            }
            path
        });
        let release = self.optional(given, "release").map(|text| text.value);
        let namespace = self.optional(given, "namespace").map(|text| text.value);
        Some(Chart {
            chart,
            values,
            release: release.or_else(|| name.cloned())?,
            namespace: namespace.unwrap_or(Text::new_static(NAMESPACE)),
        })
    }
}
