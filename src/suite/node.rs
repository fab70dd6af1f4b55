//! A YAML document as a tree in which every key and value knows its place. What readers read;
//! it has no opinion about what the document means.

use kubesim_model::Text;
use kubesim_model::tree::{Map, Tree};

use super::located::{Located, Place};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where.
    pub at: Place,
    /// What.
    pub value: Value,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text.
    Str(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file; keys are unique.
    Map(Vec<(Located<Text>, Node)>),
}

impl Node {
    /// The value of `key`, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(have, _)| have.as_str() == key).map(|(_, node)| node)
    }

    /// The entries; none if this is no mapping.
    pub fn entries(&self) -> &[(Located<Text>, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The elements; none if this is no list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The same without places.
    pub fn tree(&self) -> Tree {
        match &self.value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(*value),
            Value::Int(value) => Tree::Int(*value),
            Value::Float(value) => Tree::Float(*value),
            Value::Str(text) => Tree::Str(text.clone()),
            Value::List(items) => items.iter().map(Node::tree).collect::<Vec<_>>().into(),
            Value::Map(entries) => entries
                .iter()
                .map(|(key, node)| (key.value.clone(), node.tree()))
                .collect::<Map>()
                .into(),
        }
    }

    /// `tree` as a node that stands at `at`: what a template became.
    pub fn from_tree(tree: &Tree, at: &Place) -> Node {
        let value = match tree {
            Tree::Null => Value::Null,
            Tree::Bool(value) => Value::Bool(*value),
            Tree::Int(value) => Value::Int(*value),
            Tree::Float(value) => Value::Float(*value),
            Tree::Str(text) => Value::Str(text.clone()),
            Tree::List(items) => {
                Value::List(items.iter().map(|item| Node::from_tree(item, at)).collect())
            }
            Tree::Map(map) => {
                let entry = |(key, item): (&Text, &Tree)| {
                    (Located::new(key.clone(), at.clone()), Node::from_tree(item, at))
                };
                Value::Map(map.iter().map(entry).collect())
            }
        };
        Node { at: at.clone(), value }
    }

    /// What this is, in words: "a list".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}
