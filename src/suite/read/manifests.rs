//! Reads manifests: the files that `apply` names, and objects that stand in the scenario itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::reader::Reader;
use super::select::is_dns_name;
use crate::suite::diagnostic::{Code, Diagnostic};
use crate::suite::load::ReadError;
use crate::suite::located::{Located, Source};
use crate::suite::model::Params;
use crate::suite::node::{Node, Value};
use crate::suite::resolve::{Substitution, without_echoes};
use crate::suite::yaml;

/// The objects of `source`, in its order, with its templates replaced by what `with` says.
///
/// # Errors
/// Everything that is wrong with the file.
pub(in crate::suite) fn manifests_of(
    reader: &mut Reader<'_>,
    source: &Arc<Source>,
    with: &Params,
) -> (Vec<Tree>, BTreeSet<Text>) {
    let documents = match yaml::parse(source) {
        Ok(documents) => documents,
        Err(found) => {
            reader.diagnostics.extend(found);
            return (Vec::new(), BTreeSet::new());
        }
    };
    let mut substitution = Substitution::new(with);
    let documents: Vec<Node> = documents.iter().map(|node| substitution.node(node)).collect();
    let objects = reader.manifests(&documents);
    without_echoes(&mut reader.diagnostics, &substitution.diagnostics);
    reader.diagnostics.append(&mut substitution.diagnostics);
    (objects, substitution.used)
}

impl Reader<'_> {
    /// The objects of the file `file`, which stands relative to the file that names it.
    pub(super) fn manifest_file(
        &mut self,
        file: &Located<Text>,
        with: &Params,
        given: Option<&Node>,
    ) -> Option<Vec<Tree>> {
        let path = relative(file, file.at.source());
        let source = match self.files.read(&path) {
            Ok(source) => source,
            Err(error) => {
                self.report(unreadable(&error, &path, file));
                return None;
            }
        };
        let before = self.diagnostics.len();
        let (manifests, used) = manifests_of(self, &source, with);
        if self.diagnostics.len() > before {
            return Some(manifests);
        }
        for (key, _) in given.map(Node::entries).unwrap_or_default() {
            if !used.contains(&key.value) {
                let message = format!("`{path}` does not use the parameter `{}`", key.value);
                let found = Diagnostic::error(Code::UnusedParameter, &key.at, message);
                self.report(found.suggest(key, used.iter().map(Text::as_str)));
            }
        }
        Some(manifests)
    }

    /// The objects in `nodes`; lists, `kind: List` among them, are opened.
    pub(in crate::suite) fn manifests(&mut self, nodes: &[Node]) -> Vec<Tree> {
        let mut objects = Vec::new();
        for node in nodes {
            match &node.value {
                Value::List(items) => objects.extend(self.manifests(items)),
                Value::Map(_) if node.get("kind").and_then(Node::as_str) == Some("List") => {
                    let items = node.get("items").map(Node::items).unwrap_or_default();
                    objects.extend(self.manifests(items));
                }
                _ => objects.extend(self.manifest(node)),
            }
        }
        objects
    }

    fn manifest(&mut self, node: &Node) -> Option<Tree> {
        let bad = |message: String| Diagnostic::error(Code::BadManifest, &node.at, message);
        if !matches!(node.value, Value::Map(_)) {
            self.report(bad(format!("a manifest is a mapping, this is {}", node.kind())));
            return None;
        }
        let object = node.tree();
        for field in ["apiVersion", "kind"] {
            if object[field].str().is_empty() {
                self.report(bad(format!("the manifest has no `{field}`")));
                return None;
            }
        }
        let name = object.at(&["metadata", "name"]);
        if name.str().is_empty() && object.at(&["metadata", "generateName"]).str().is_empty() {
            self.report(bad("the manifest has no `metadata.name`".to_owned()));
            return None;
        }
        if !name.str().is_empty() && !is_dns_name(name.str(), 253) && !has_path_name(&object) {
            let at = node.get("metadata").and_then(|node| node.get("name")).unwrap_or(node);
            let message = format!("`{}` is no valid name", name.str());
            self.report(Diagnostic::error(Code::BadName, &at.at, message));
        }
        Some(object)
    }
}

/// Kinds whose names may hold any character that a path segment can (`system:node`).
fn has_path_name(object: &Tree) -> bool {
    object["apiVersion"].str().starts_with("rbac.authorization.k8s.io/")
}

pub(super) fn unreadable(error: &ReadError, path: &Utf8Path, file: &Located<Text>) -> Diagnostic {
    let code = match error {
        ReadError::Missing => Code::MissingFile,
        ReadError::NotText => Code::NotText,
        ReadError::TooLarge(_) => Code::TooLarge,
        ReadError::Io(_) => Code::Unreadable,
    };
    let found = Diagnostic::error(code, &file.at, format!("`{path}` can't be read: {error}"));
    match error {
        ReadError::Missing => found.help("paths are relative to the file in which they stand"),
        _ => found,
    }
}

/// `path` as seen from the folder of `source`, without `.` and `..` where that is possible.
pub(super) fn relative(path: &str, source: Option<&Arc<Source>>) -> Utf8PathBuf {
    let folder = source.map_or(Utf8Path::new(""), |source| source.folder());
    let mut plain = Utf8PathBuf::new();
    for component in folder.join(path).components() {
        let last = plain.components().next_back();
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if matches!(last, Some(Utf8Component::Normal(_))) => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
