//! A set of fields, as managers own them, and its algebra (structured-merge-diff v6,
//! `fieldpath/set.go`).
//!
//! A field in the set and the fields below it are different things: who owns a map owns not all
//! that is in it.

use std::collections::BTreeMap;
use std::fmt;

use kubesim_model::tree::Tree;

use super::schema::Typed;
use super::step::Step;

/// A set of paths. The whole object, which has no path, is never in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in super::super) struct Set {
    nodes: BTreeMap<Step, Node>,
}

/// What a set has at a step: the field itself, or fields below it, or both; never neither.
#[derive(Clone, Debug, Default, PartialEq)]
struct Node {
    is_member: bool,
    below: Set,
}

/// A path, as conflicts tell it: `.spec.replicas`.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct Path(pub(in super::super) Vec<Step>);

impl fmt::Display for Path {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| step.fmt(to))
    }
}

impl Set {
    /// The set of these dotted paths of field names.
    pub(super) fn of_fields(paths: &[&str]) -> Set {
        let mut set = Set::default();
        for path in paths {
            set.insert(&path.split('.').map(Step::field).collect::<Vec<_>>());
        }
        set
    }

    /// Adds a path; the fields on its way are not added.
    pub(super) fn insert(&mut self, path: &[Step]) {
        let Some((last, way)) = path.split_last() else { return };
        let set = way
            .iter()
            .fold(self, |set, step| &mut set.nodes.entry(step.clone()).or_default().below);
        set.nodes.entry(last.clone()).or_default().is_member = true;
    }

    /// Whether nothing is in the set.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Whether the field at a step is in the set.
    pub(super) fn has(&self, step: &Step) -> bool {
        self.nodes.get(step).is_some_and(|node| node.is_member)
    }

    /// Whether the field at a path is in the set.
    pub(super) fn has_path(&self, path: &[Step]) -> bool {
        match path {
            [] => false,
            [last] => self.has(last),
            [step, rest @ ..] => self.below(step).is_some_and(|below| below.has_path(rest)),
        }
    }

    /// What is in the set below a step, if anything is.
    pub(super) fn below(&self, step: &Step) -> Option<&Set> {
        self.nodes.get(step).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// What is in either.
    pub(super) fn union(mut self, other: &Set) -> Set {
        for (step, node) in &other.nodes {
            let own = self.nodes.entry(step.clone()).or_default();
            own.is_member |= node.is_member;
            own.below = std::mem::take(&mut own.below).union(&node.below);
        }
        self
    }

    /// What is in both.
    pub(super) fn intersection(&self, other: &Set) -> Set {
        self.kept(|step, node| {
            let Some(theirs) = other.nodes.get(step) else { return Node::default() };
            let is_member = node.is_member && theirs.is_member;
            Node { is_member, below: node.below.intersection(&theirs.below) }
        })
    }

    /// What is in this one and not in the other: a field goes, and the fields below it stay.
    pub(super) fn difference(&self, other: &Set) -> Set {
        self.kept(|step, node| match other.nodes.get(step) {
            None => node.clone(),
            Some(theirs) => Node {
                is_member: node.is_member && !theirs.is_member,
                below: node.below.difference(&theirs.below),
            },
        })
    }

    /// What is in this one and neither in the other nor below what is: with a field go all below.
    pub(super) fn without(&self, other: &Set) -> Set {
        self.kept(|step, node| match other.nodes.get(step) {
            None => node.clone(),
            Some(theirs) if theirs.is_member => Node::default(),
            Some(theirs) => {
                Node { is_member: node.is_member, below: node.below.without(&theirs.below) }
            }
        })
    }

    /// The set with the fields of structs added that have something below them in it.
    pub(super) fn with_structs(&self, kind: Option<Typed<'_>>) -> Set {
        self.kept(|step, node| {
            let member = kind.and_then(|kind| kind.member(step));
            let is_struct_field = member.is_some_and(|member| member.is_named);
            let is_member = node.is_member || (is_struct_field && !node.below.is_empty());
            Node { is_member, below: node.below.with_structs(member.map(|member| member.kind)) }
        })
    }

    /// The set as the type has it now: what became one value since is owned as one.
    pub(super) fn as_in(&self, kind: Typed<'_>) -> Set {
        self.kept(|step, node| match kind.member(step) {
            None => node.clone(),
            Some(member) if member.kind.is_one_value() && !node.below.is_empty() => {
                Node { is_member: true, below: Set::default() }
            }
            Some(member) => {
                Node { is_member: node.is_member, below: node.below.as_in(member.kind) }
            }
        })
    }

    /// All paths: the fields at this level, then those below each.
    pub(super) fn paths(&self) -> Vec<Path> {
        let mut paths = Vec::new();
        self.collect(&mut Vec::new(), &mut paths);
        paths
    }

    fn collect(&self, way: &mut Vec<Step>, paths: &mut Vec<Path>) {
        for (step, _) in self.nodes.iter().filter(|(_, node)| node.is_member) {
            paths.push(Path(way.iter().chain([step]).cloned().collect()));
        }
        for (step, node) in &self.nodes {
            way.push(step.clone());
            node.below.collect(way, paths);
            way.pop();
        }
    }

    /// The nodes that `change` leaves something of.
    fn kept(&self, change: impl Fn(&Step, &Node) -> Node) -> Set {
        let nodes = self.nodes.iter().map(|(step, node)| (step.clone(), change(step, node)));
        Set { nodes: nodes.filter(|(_, node)| !node.is_empty()).collect() }
    }

    /// Reads `fieldsV1`. Kinds of steps that nobody knows yet are passed over.
    ///
    /// # Errors
    /// A text about the first step that can't be read.
    pub(super) fn read(fields: &Tree) -> Result<Set, String> {
        let mut set = Set::default();
        for (key, value) in fields.fields().filter(|(key, _)| key.as_str() != ".") {
            let Some(step) = Step::read(key)? else { continue };
            let below = Set::read(value)?;
            let is_member = below.is_empty() || value.get(".").is_some();
            // There may be two spellings of one step.
            let have = set.nodes.entry(step).or_default();
            have.is_member |= is_member;
            have.below = std::mem::take(&mut have.below).union(&below);
        }
        Ok(set)
    }

    /// The form of `fieldsV1`.
    pub(super) fn to_tree(&self) -> Tree {
        let mut tree = Tree::map();
        for (step, node) in &self.nodes {
            let mut below = node.below.to_tree();
            if node.is_member && !node.below.is_empty() {
                below.set(&["."], Tree::map());
            }
            tree.set(&[&step.to_key()], below);
        }
        tree
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        !self.is_member && self.below.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use kubesim_model::Text;
    use proptest::prelude::*;

    use super::super::step::Value;
    use super::*;

    fn value() -> impl Strategy<Value = Tree> {
        let text = "[a-c<\"\\\\é]{0,2}".prop_map(Tree::from);
        prop_oneof![text, (-2i64..3).prop_map(Tree::Int), any::<bool>().prop_map(Tree::Bool)]
    }

    fn step() -> impl Strategy<Value = Step> {
        let field = "[a-c:.]{0,2}".prop_map(|name| Step::field(&name));
        let key = proptest::collection::btree_map("[a-c]", value(), 1..3).prop_map(|keys| {
            let keys = keys.into_iter();
            Step::Key(keys.map(|(key, value)| (Text::from(key), Value(value))).collect())
        });
        let value = value().prop_map(|value| Step::Value(Value(value)));
        prop_oneof![4 => field, 2 => key, 1 => value, 1 => (0i64..3).prop_map(Step::Index)]
    }

    fn paths() -> impl Strategy<Value = Vec<Vec<Step>>> {
        proptest::collection::vec(proptest::collection::vec(step(), 1..4), 0..8)
    }

    fn set(paths: &[Vec<Step>]) -> Set {
        let mut set = Set::default();
        paths.iter().for_each(|path| set.insert(path));
        set
    }

    fn has(set: &Set, path: &Path) -> bool {
        set.has_path(&path.0)
    }

    proptest! {
        #[test]
        fn a_set_has_what_was_put_in_and_tells_it_once(paths in paths()) {
            let set = set(&paths);
            let mut told: Vec<Vec<Step>> = set.paths().into_iter().map(|path| path.0).collect();
            let mut wanted = paths;
            told.sort();
            wanted.sort();
            wanted.dedup();
            prop_assert_eq!(told, wanted);
        }

        #[test]
        fn the_algebra_is_that_of_sets_of_paths(one in paths(), other in paths()) {
            let (one, other) = (set(&one), set(&other));
            let all = one.clone().union(&other);
            let (both, rest) = (one.intersection(&other), one.difference(&other));
            for path in all.paths() {
                let (in_one, in_other) = (has(&one, &path), has(&other, &path));
                prop_assert_eq!(has(&all, &path), in_one || in_other);
                prop_assert_eq!(has(&both, &path), in_one && in_other);
                prop_assert_eq!(has(&rest, &path), in_one && !in_other);
            }
            prop_assert_eq!(rest.union(&both), one);
        }

        #[test]
        fn with_a_field_goes_all_below_it(one in paths(), other in paths()) {
            let (one, other) = (set(&one), set(&other));
            let rest = one.without(&other);
            for path in one.paths() {
                let is_below = (1..=path.0.len()).any(|end| other.has_path(&path.0[..end]));
                prop_assert_eq!(has(&rest, &path), !is_below);
            }
            prop_assert!(rest.paths().iter().all(|path| has(&one, path)));
        }

        #[test]
        fn fields_v1_goes_round(paths in paths()) {
            let set = set(&paths);
            let text = set.to_tree().to_string();
            let read: Tree = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(Set::read(&read), Ok(set));
        }

        #[test]
        fn whatever_comes_as_a_step_is_read_or_refused(text in "[fkvi.]?:?[\\PC]{0,12}") {
            let _ = Step::read(&text);
            let mut tree = Tree::map();
            tree.set(&[&text], Tree::map());
            if let Ok(set) = Set::read(&tree) {
                let again = Set::read(&set.to_tree());
                prop_assert_eq!(again, Ok(set));
            }
        }
    }

    #[test]
    fn steps_of_an_unknown_kind_are_passed_over() {
        let tree: Tree = serde_json::from_str(r#"{"x:1":{},"f:a":{".":{},"f:b":{}}}"#).unwrap();
        let set = Set::read(&tree).unwrap();
        let texts: Vec<String> = set.paths().iter().map(ToString::to_string).collect();
        assert_eq!(texts, [".a", ".a.b"]);
    }
}
