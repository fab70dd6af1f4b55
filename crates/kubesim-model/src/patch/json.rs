//! RFC 6902 JSON patches, with the liberties that the API server's library takes
//! (evanphx/json-patch v4): a field that is not there can be replaced, copied and tested as `null`,
//! and a negative index counts from the end.

use super::PatchError;
use crate::tree::Tree;
use crate::weight::{DEEPEST, weigh};

/// A patch has at most this many operations (apiserver v0.36, `maxJSONPatchOperations`).
const MOST_OPERATIONS: usize = 10_000;
/// What the operations may insert together, in bytes (apiserver v0.36, `jsonpatch` copy limit).
const MOST_INSERTED: usize = 3 * 1024 * 1024;

/// Applies the operations one after another; the first that fails fails the whole patch.
///
/// # Errors
/// [`PatchError`] for an unknown operation, a path that leads nowhere, a `test` that does not hold,
/// too many operations, or a result that is too big.
pub fn json_patch(target: &Tree, patch: &Tree) -> Result<Tree, PatchError> {
    let Tree::List(operations) = patch else {
        return Err(malformed("a JSON patch is a list of operations"));
    };
    if operations.len() > MOST_OPERATIONS {
        return Err(PatchError::TooBig(format!(
            "the allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    let mut editor = Editor { root: target.clone(), left: MOST_INSERTED };
    for operation in operations.iter() {
        editor.apply(operation)?;
    }
    Ok(editor.root)
}

struct Editor {
    root: Tree,
    left: usize,
}

impl Editor {
    fn apply(&mut self, operation: &Tree) -> Result<(), PatchError> {
        let path = pointer(operation, "path")?;
        let value = || {
            // As in Go, what is not there is `null`.
            operation["value"].clone()
        };
        match operation["op"].str() {
            "add" => self.add(&path, value()),
            "remove" => self.take(&path).map(drop),
            "replace" => {
                let value = value();
                self.charge(&value, path.len())?;
                self.replace(&path, value)
            }
            "test" => {
                let want = value();
                match self.read(&path)? {
                    have if *have == want => Ok(()),
                    _ => Err(PatchError::Untrue(format!(
                        "JSON patch at /{}: the tested value is another one",
                        path.join("/")
                    ))),
                }
            }
            "copy" => {
                let value = self.read(&pointer(operation, "from")?)?.clone();
                self.add(&path, value)
            }
            "move" => {
                let from = pointer(operation, "from")?;
                if path.len() > from.len() && path.starts_with(&from) {
                    return Err(misfit(&path, "a value can't be moved into itself"));
                }
                let value = self.take(&from)?;
                self.add(&path, value)
            }
            other => Err(misfit(&path, &format!("unknown operation `{other}`"))),
        }
    }

    /// The value at a path whose parent is there; `null` for a field that is not.
    fn read(&self, path: &[String]) -> Result<&Tree, PatchError> {
        if let Some((last, parents)) = path.split_last()
            && let Tree::Map(map) = find(&self.root, parents)?
        {
            return Ok(map.get(last).unwrap_or(&Tree::Null));
        }
        find(&self.root, path)
    }

    fn replace(&mut self, path: &[String], value: Tree) -> Result<(), PatchError> {
        if let Some((last, parents)) = path.split_last()
            && let Tree::Map(map) = find_mut(&mut self.root, parents)?
        {
            map.insert(last, value);
            return Ok(());
        }
        *find_mut(&mut self.root, path)? = value;
        Ok(())
    }

    /// Inserted values are paid for, so that copies of copies can't explode.
    fn charge(&mut self, value: &Tree, depth: usize) -> Result<(), PatchError> {
        let too_big = || PatchError::TooBig("the JSON patch makes the object too big".to_owned());
        self.left -= weigh(value, self.left).ok_or_else(too_big)?;
        // A value may be as deep as a whole object, so only shallow ones go deep into one.
        let room = DEEPEST.saturating_sub(depth);
        if deeper_than(value, room) { Err(too_big()) } else { Ok(()) }
    }

    fn add(&mut self, path: &[String], value: Tree) -> Result<(), PatchError> {
        self.charge(&value, path.len())?;
        let Some((last, parents)) = path.split_last() else {
            self.root = value;
            return Ok(());
        };
        match find_mut(&mut self.root, parents)? {
            Tree::Map(map) => map.insert(last, value),
            list @ Tree::List(_) => {
                let items = list.items_mut();
                let at = match last.as_str() {
                    "-" => Some(items.len()),
                    // The place after the element that the negative index names.
                    _ => index(last, items.len() + 1),
                };
                let at = at.filter(|at| *at <= items.len());
                items.insert(at.ok_or_else(|| misfit(path, "no such index"))?, value);
            }
            _ => return Err(misfit(path, "its parent is neither object nor list")),
        }
        Ok(())
    }

    fn take(&mut self, path: &[String]) -> Result<Tree, PatchError> {
        let Some((last, parents)) = path.split_last() else {
            return Ok(std::mem::take(&mut self.root));
        };
        find(&self.root, path)?;
        let taken = match find_mut(&mut self.root, parents)? {
            Tree::Map(map) => map.remove(last),
            list => {
                let at = index(last, list.items().len());
                at.map(|at| list.items_mut().remove(at))
            }
        };
        taken.ok_or_else(|| misfit(path, "there is no such value"))
    }
}

fn deeper_than(tree: &Tree, depth: usize) -> bool {
    let below = |inner: &Tree| depth == 0 || deeper_than(inner, depth - 1);
    tree.items().iter().any(below) || tree.fields().any(|(_, value)| below(value))
}

fn malformed(why: &str) -> PatchError {
    PatchError::Malformed(why.to_owned())
}

fn misfit(path: &[String], why: &str) -> PatchError {
    PatchError::Misfit(format!("JSON patch at /{}: {why}", path.join("/")))
}

fn pointer(operation: &Tree, field: &str) -> Result<Vec<String>, PatchError> {
    let text = operation[field]
        .as_str()
        .ok_or_else(|| malformed(&format!("a JSON patch operation has no `{field}`")))?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(text) = text.strip_prefix('/') else {
        return Err(malformed(&format!("the JSON pointer `{text}` does not begin with `/`")));
    };
    Ok(text.split('/').map(|token| token.replace("~1", "/").replace("~0", "~")).collect())
}

/// An index as RFC 6901 writes it, digits without leading zeros, or as many places before `end`.
fn index(token: &str, end: usize) -> Option<usize> {
    let digits = token.strip_prefix('-').unwrap_or(token);
    let plain = digits == "0" || !digits.starts_with('0');
    let whole = plain && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: usize = if whole { digits.parse().ok()? } else { return None };
    if digits.len() == token.len() { Some(number) } else { end.checked_sub(number) }
}

fn find<'t>(root: &'t Tree, path: &[String]) -> Result<&'t Tree, PatchError> {
    path.iter()
        .try_fold(root, |node, token| match node {
            Tree::Map(map) => map.get(token),
            Tree::List(items) => index(token, items.len()).and_then(|at| items.get(at)),
            _ => None,
        })
        .ok_or_else(|| misfit(path, "there is no such value"))
}

fn find_mut<'t>(root: &'t mut Tree, path: &[String]) -> Result<&'t mut Tree, PatchError> {
    find(root, path)?;
    let missing = || misfit(path, "there is no such value");
    path.iter().try_fold(root, |node, token| match node {
        Tree::Map(map) => Ok(map.entry(token)),
        list => {
            let at = index(token, list.items().len()).ok_or_else(missing)?;
            list.items_mut().get_mut(at).ok_or_else(missing)
        }
    })
}
