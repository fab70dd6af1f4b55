//! A node of a compiled schema.

use std::collections::BTreeMap;

use kubesim_model::Text;
use kubesim_model::tree::Tree;
use regex::Regex;

use super::pattern;
use crate::api::custom::rules::Rules;

/// What a value is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Anything: only together with `x-kubernetes-preserve-unknown-fields`, or below a junctor.
    #[default]
    Any,
    /// An object.
    Object,
    /// A list.
    Array,
    /// A text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A flag.
    Boolean,
}

/// How the elements of a list belong together (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// The list is one value.
    #[default]
    Atomic,
    /// No element is there twice.
    Set,
    /// Elements are objects that are told apart by the fields [`Schema::keys`].
    Map,
}

/// The schema of the fields that an object has beside its properties.
#[derive(Clone, Debug)]
pub enum Additional {
    /// `true` or `false`.
    Any(bool),
    /// Each is such a value.
    Of(Box<Schema>),
}

/// What a value must look like, and what is known of the values in it.
///
/// The root of a custom type is the schema of the whole object. Server-side apply finds its lists
/// and maps by [`Schema::property`], [`Schema::items`], [`Schema::list`], [`Schema::keys`] and
/// [`Schema::is_atomic`].
#[derive(Clone, Debug, Default)]
pub struct Schema {
    /// What the value is.
    pub kind: Kind,
    /// Whether it may be `null`.
    pub nullable: bool,
    /// The value of a field that is left out; `Null` if there is none.
    pub default: Tree,
    /// Whether it is a number or a text (`x-kubernetes-int-or-string`).
    pub int_or_string: bool,
    /// Whether it is an object of the API itself (`x-kubernetes-embedded-resource`).
    pub embedded: bool,
    /// Whether fields without a schema are kept (`x-kubernetes-preserve-unknown-fields`).
    pub open: bool,
    /// How the elements of a list belong together.
    pub list: ListKind,
    /// The fields that tell the elements of a list of the kind [`ListKind::Map`] apart.
    pub keys: Vec<Text>,
    /// Whether an object is one value (`x-kubernetes-map-type: atomic`).
    pub is_atomic: bool,
    /// The elements of a list.
    pub items: Option<Box<Schema>>,
    /// The fields of an object.
    pub properties: BTreeMap<Text, Schema>,
    /// The other fields of an object.
    pub additional: Option<Additional>,
    pub(in super::super) checks: Checks,
    pub(in super::super) rules: Rules,
    /// Whether this or a node below has a default.
    pub(super) has_defaults: bool,
    /// Whether this or a node below is an embedded resource.
    pub(in super::super) has_embedded: bool,
    /// Whether this or a node below has a list whose elements are told apart.
    pub(super) has_keyed_lists: bool,
    /// Whether a node below may not be `null`.
    pub(super) has_nodes: bool,
    /// Whether this or a node below has rules.
    pub(in super::super) has_rules: bool,
}

/// What is checked of a value, as far as it is of the kind that a keyword is for.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Checks {
    pub(in super::super) format: Text,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_maximum: bool,
    pub(super) minimum: Option<f64>,
    pub(super) exclusive_minimum: bool,
    pub(super) multiple_of: Option<f64>,
    pub(in super::super) max_length: Option<i64>,
    pub(super) min_length: Option<i64>,
    pub(super) pattern: Option<(Text, Regex)>,
    pub(in super::super) max_items: Option<i64>,
    pub(super) min_items: Option<i64>,
    pub(in super::super) max_properties: Option<i64>,
    pub(super) min_properties: Option<i64>,
    pub(in super::super) required: Vec<Text>,
    pub(in super::super) allowed: Vec<Tree>,
    pub(in super::super) all_of: Vec<Schema>,
    pub(super) any_of: Vec<Schema>,
    pub(super) one_of: Vec<Schema>,
    pub(super) not: Option<Box<Schema>>,
}

impl Schema {
    /// Compiles `openAPIV3Schema`, which must be valid, as the schema of whole objects. Its rules
    /// are compiled with it; those that don't compile say so when they are evaluated.
    pub fn of_resource(schema: &Tree) -> Schema {
        let mut root = Schema::read(schema);
        root.compile_rules(true);
        root
    }

    /// The schema of a field, by its name; `None` if nothing is known of it.
    pub fn property(&self, name: &str) -> Option<&Schema> {
        self.properties.get(name).or(match &self.additional {
            Some(Additional::Of(schema)) => Some(schema),
            _ => None,
        })
    }

    /// Reads a node and all below it, without rules.
    pub(in super::super) fn read(schema: &Tree) -> Schema {
        let mut node = Schema {
            kind: Kind::named(schema["type"].str()),
            nullable: schema["nullable"].is_true(),
            default: schema["default"].clone(),
            int_or_string: schema["x-kubernetes-int-or-string"].is_true(),
            embedded: schema["x-kubernetes-embedded-resource"].is_true(),
            open: schema["x-kubernetes-preserve-unknown-fields"].is_true(),
            list: match schema["x-kubernetes-list-type"].str() {
                "set" => ListKind::Set,
                "map" => ListKind::Map,
                _ => ListKind::Atomic,
            },
            keys: schema["x-kubernetes-list-map-keys"].items().iter().map(Tree::text).collect(),
            is_atomic: schema["x-kubernetes-map-type"] == "atomic",
            checks: Checks::read(schema),
            rules: Rules::read(&schema["x-kubernetes-validations"]),
            ..Schema::default()
        };
        if schema["items"].as_map().is_some() {
            node.items = Some(Box::new(Schema::read(&schema["items"])));
        }
        for (name, property) in schema["properties"].fields() {
            node.properties.insert(name.clone(), Schema::read(property));
        }
        node.additional = match &schema["additionalProperties"] {
            Tree::Bool(allowed) => Some(Additional::Any(*allowed)),
            Tree::Map(_) => {
                Some(Additional::Of(Box::new(Schema::read(&schema["additionalProperties"]))))
            }
            _ => None,
        };
        node.sum_up();
        node
    }

    /// The nodes right below this one, but for those below junctors.
    pub(in super::super) fn below(&self) -> impl Iterator<Item = &Schema> {
        let additional = match &self.additional {
            Some(Additional::Of(schema)) => Some(schema.as_ref()),
            _ => None,
        };
        self.items.as_deref().into_iter().chain(self.properties.values()).chain(additional)
    }

    fn sum_up(&mut self) {
        let any = |of: fn(&Schema) -> bool| self.below().any(of);
        let sums = [
            any(|node| node.has_defaults || !node.default.is_null()),
            self.embedded || any(|node| node.has_embedded),
            self.list != ListKind::Atomic || any(|node| node.has_keyed_lists),
            any(|_| true),
            !self.rules.is_empty()
                || self.checks.all_of.iter().any(|node| node.has_rules)
                || any(|node| node.has_rules),
        ];
        [
            self.has_defaults,
            self.has_embedded,
            self.has_keyed_lists,
            self.has_nodes,
            self.has_rules,
        ] = sums;
    }
}

impl Kind {
    pub(in super::super) fn named(name: &str) -> Kind {
        match name {
            "object" => Kind::Object,
            "array" => Kind::Array,
            "string" => Kind::String,
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            _ => Kind::Any,
        }
    }

    /// The name of the kind, as schemas have it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Any => "",
            Kind::Object => "object",
            Kind::Array => "array",
            Kind::String => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
        }
    }
}

impl Checks {
    fn read(schema: &Tree) -> Checks {
        let number = |field: &str| match &schema[field] {
            Tree::Int(number) => Some(*number as f64),
            Tree::Float(number) => Some(*number),
            _ => None,
        };
        let nodes = |field: &str| schema[field].items().iter().map(Schema::read).collect();
        let pattern = schema["pattern"].str();
        Checks {
            format: schema["format"].text(),
            maximum: number("maximum"),
            exclusive_maximum: schema["exclusiveMaximum"].is_true(),
            minimum: number("minimum"),
            exclusive_minimum: schema["exclusiveMinimum"].is_true(),
            multiple_of: number("multipleOf"),
            max_length: schema["maxLength"].as_i64(),
            min_length: schema["minLength"].as_i64(),
            pattern: pattern::compile(pattern)
                .ok()
                .filter(|_| !pattern.is_empty())
                .map(|compiled| (Text::new(pattern), compiled)),
            max_items: schema["maxItems"].as_i64(),
            min_items: schema["minItems"].as_i64(),
            max_properties: schema["maxProperties"].as_i64(),
            min_properties: schema["minProperties"].as_i64(),
            required: schema["required"].items().iter().map(Tree::text).collect(),
            allowed: schema["enum"].items().to_vec(),
            all_of: nodes("allOf"),
            any_of: nodes("anyOf"),
            one_of: nodes("oneOf"),
            not: schema["not"].as_map().map(|_| Box::new(Schema::read(&schema["not"]))),
        }
    }
}
