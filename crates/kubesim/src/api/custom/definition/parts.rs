//! The parts of a definition that each version has, as Kubernetes' internal type keeps them: what
//! all versions have in common stands once, at the top, and that is where mistakes in it are told
//! (v0.36, `apiextensions/v1/conversion.go`).

use kubesim_model::tree::Tree;

/// A part of a version, and where it is told.
pub(super) struct Part<'a> {
    /// The path: `spec.validation`, or `spec.versions[1].schema`.
    pub(super) path: String,
    /// What stands there.
    pub(super) value: &'a Tree,
    /// The versions that have it, by their places.
    pub(super) versions: Vec<usize>,
}

/// The parts of a name (`schema`) of all versions; `shared` is the path of one that they share.
pub(super) fn parts<'a>(spec: &'a Tree, name: &str, shared: &str) -> Vec<Part<'a>> {
    let versions = spec["versions"].items();
    let same = |version: &Tree| version[name] == versions[0][name];
    if !versions.is_empty() && versions.iter().all(same) {
        let value = &versions[0][name];
        let part = Part { path: shared.to_owned(), value, versions: (0..versions.len()).collect() };
        return Vec::from_iter((!value.is_null()).then_some(part));
    }
    let part = |(at, version): (usize, &'a Tree)| {
        let path = format!("spec.versions[{at}].{name}");
        (!version[name].is_null()).then_some(Part {
            path,
            value: &version[name],
            versions: vec![at],
        })
    };
    versions.iter().enumerate().filter_map(part).collect()
}
