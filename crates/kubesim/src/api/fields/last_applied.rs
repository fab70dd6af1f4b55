//! What `kubectl apply` remembers in an annotation, and how server-side apply takes it up
//! (apimachinery v0.36, `util/managedfields/internal/lastapplied*.go`): only of the manager
//! `kubectl`, which other names opt out of.

use kubesim_model::tree::Tree;

use super::change::Change;
use super::check::problems;
use super::compare::changes;
use super::members::members;
use super::owners::Conflict;
use super::step::json;

/// The name of kubectl as a manager.
pub(super) const KUBECTL: &str = "kubectl";
const ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// The annotations of an object have at most so many bytes together.
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// The conflicts that are left when kubectl, which applied on the client's side before, may take
/// what it had set then and nobody changed since.
pub(super) fn unexplained(
    change: &Change<'_>,
    live: &Tree,
    conflicts: Vec<Conflict>,
) -> Vec<Conflict> {
    let text = live["metadata"]["annotations"][ANNOTATION].str();
    let Ok(last) = serde_json::from_str::<Tree>(text) else { return conflicts };
    if last["apiVersion"] != change.version || !problems(&last, change.kind).is_empty() {
        return conflicts;
    }
    let changed = changes(&last, live, change.kind);
    let own = members(&last, change.kind).difference(&changed.set).difference(&changed.removed);
    conflicts.into_iter().filter(|conflict| !own.has_path(&conflict.path.0)).collect()
}

/// Keeps the annotation up to date: an object that has it gets what is applied now.
pub(super) fn remember(object: &mut Tree, config: &Tree) {
    let annotations = &object["metadata"]["annotations"];
    if annotations[ANNOTATION].str().is_empty() {
        return;
    }
    let mut config = config.clone();
    config.remove(&["metadata", "annotations", ANNOTATION]);
    let text = json(&config) + "\n";
    let others = annotations.fields().filter(|(key, _)| key.as_str() != ANNOTATION);
    let bytes: usize = others.map(|(key, value)| key.len() + value.str().len()).sum();
    if bytes + ANNOTATION.len() + text.len() > MOST_ANNOTATIONS {
        object.remove(&["metadata", "annotations", ANNOTATION]);
    } else {
        object.set(&["metadata", "annotations", ANNOTATION], text);
    }
}
