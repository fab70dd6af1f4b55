//! What controllers complain of: the error lines of klog, without what varies from run to run.

use std::collections::BTreeSet;
use std::path::Path;

/// The kinds of errors in a log.
pub(crate) fn errors(path: &Path) -> BTreeSet<String> {
    let log = std::fs::read_to_string(path).unwrap();
    let is_error = |line: &&str| {
        let mut letters = line.chars();
        matches!(letters.next(), Some('E' | 'F'))
            && letters.next().is_some_and(|c| c.is_ascii_digit())
    };
    let kinds = log.lines().filter(is_error).map(kind);
    kinds.filter(|kind| !is_race(kind) && !is_accepted(kind)).collect()
}

/// Whether `docs/fidelity.md` says that it is so: a pod of a namespace that was just made is refused
/// at once while its service account is not there, and not after ten looks.
fn is_accepted(kind: &str) -> bool {
    kind.contains("error looking up service account")
}

/// Whether somebody else was faster, which happens anywhere.
fn is_race(kind: &str) -> bool {
    kind.contains("the object has been modified") || kind.contains("StorageError: invalid object")
}

/// A line without its time, and without numbers, uids and generated names.
fn kind(line: &str) -> String {
    let text = line.split_once("] ").map_or(line, |(_, text)| text);
    let words = text.split_inclusive(|c: char| !(c.is_alphanumeric() || "-.".contains(c)));
    words.map(|word| if word.chars().any(|c| c.is_ascii_digit()) { "# " } else { word }).collect()
}
