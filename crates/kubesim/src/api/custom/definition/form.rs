//! The form of schemas in definitions, as Kubernetes' Go type `JSONSchemaProps` has it: unknown
//! keywords are dropped, and so are those that say nothing (apiextensions-apiserver v0.36,
//! `apiextensions/v1/types_jsonschema.go`).

use kubesim_model::tree::{Map, Tree};

/// What a keyword holds.
#[derive(Clone, Copy)]
enum Shape {
    Text,
    /// A text that is kept even if it is empty.
    MaybeText,
    /// A flag that is only kept if it is set.
    Flag,
    /// A flag that is kept as it is.
    MaybeFlag,
    Int,
    Number,
    Texts,
    Any,
    Values,
    Node,
    Nodes,
    Fields,
    NodeOrNodes,
    NodeOrFlag,
    Dependencies,
    Docs,
    Rules,
}

const KEYWORDS: &[(&str, Shape)] = &[
    ("$ref", Shape::MaybeText),
    ("$schema", Shape::Text),
    ("additionalItems", Shape::NodeOrFlag),
    ("additionalProperties", Shape::NodeOrFlag),
    ("allOf", Shape::Nodes),
    ("anyOf", Shape::Nodes),
    ("default", Shape::Any),
    ("definitions", Shape::Fields),
    ("dependencies", Shape::Dependencies),
    ("description", Shape::Text),
    ("enum", Shape::Values),
    ("example", Shape::Any),
    ("exclusiveMaximum", Shape::Flag),
    ("exclusiveMinimum", Shape::Flag),
    ("externalDocs", Shape::Docs),
    ("format", Shape::Text),
    ("id", Shape::Text),
    ("items", Shape::NodeOrNodes),
    ("maxItems", Shape::Int),
    ("maxLength", Shape::Int),
    ("maxProperties", Shape::Int),
    ("maximum", Shape::Number),
    ("minItems", Shape::Int),
    ("minLength", Shape::Int),
    ("minProperties", Shape::Int),
    ("minimum", Shape::Number),
    ("multipleOf", Shape::Number),
    ("not", Shape::Node),
    ("nullable", Shape::Flag),
    ("oneOf", Shape::Nodes),
    ("pattern", Shape::Text),
    ("patternProperties", Shape::Fields),
    ("properties", Shape::Fields),
    ("required", Shape::Texts),
    ("title", Shape::Text),
    ("type", Shape::Text),
    ("uniqueItems", Shape::Flag),
    ("x-kubernetes-embedded-resource", Shape::Flag),
    ("x-kubernetes-int-or-string", Shape::Flag),
    ("x-kubernetes-list-map-keys", Shape::Texts),
    ("x-kubernetes-list-type", Shape::MaybeText),
    ("x-kubernetes-map-type", Shape::MaybeText),
    ("x-kubernetes-preserve-unknown-fields", Shape::MaybeFlag),
    ("x-kubernetes-validations", Shape::Rules),
];

const RULE: &[(&str, Shape)] = &[
    ("fieldPath", Shape::Text),
    ("message", Shape::Text),
    ("messageExpression", Shape::Text),
    ("optionalOldSelf", Shape::MaybeFlag),
    ("reason", Shape::MaybeText),
    ("rule", Shape::MaybeText),
];

const DOCS: &[(&str, Shape)] = &[("description", Shape::Text), ("url", Shape::Text)];

/// How deep a schema may be nested.
const DEEPEST: usize = 200;

/// Gives the schemas in a definition their form. What it shares with `old` has it already. Answers
/// the fields that were dropped.
///
/// # Errors
/// A text about the first value of the wrong shape.
pub(in crate::api) fn give(definition: &mut Tree, old: &Tree) -> Result<Vec<String>, String> {
    let mut unknown = Vec::new();
    let count = definition["spec"]["versions"].items().len();
    for at in 0..count {
        let schema = &definition["spec"]["versions"][at]["schema"]["openAPIV3Schema"];
        let before = &old["spec"]["versions"][at]["schema"]["openAPIV3Schema"];
        if schema.is_null() || schema.is_same(before) {
            continue;
        }
        let path = format!("spec.versions[{at}].schema.openAPIV3Schema");
        let mut form = Form { unknown: Some(&mut unknown), fields: Vec::new() };
        let given = form.node(schema, KEYWORDS, &path)?;
        let version = &mut definition.at_mut(&["spec", "versions"]).items_mut()[at];
        version.set(&["schema", "openAPIV3Schema"], given);
    }
    Ok(unknown)
}

struct Form<'a> {
    /// Where unknown fields are told; `None` where they are dropped in silence.
    unknown: Option<&'a mut Vec<String>>,
    /// The keywords on the way to the node, as Go tells them.
    fields: Vec<String>,
}

impl Form<'_> {
    fn node(
        &mut self,
        node: &Tree,
        keywords: &[(&str, Shape)],
        path: &str,
    ) -> Result<Tree, String> {
        let Tree::Map(map) = node else {
            return Err(self.wrong(node, "v1.JSONSchemaProps"));
        };
        if self.fields.len() > DEEPEST {
            return Err("exceeded max depth".to_owned());
        }
        let mut kept = Map::default();
        for (key, value) in map.iter() {
            let path = format!("{path}.{key}");
            let Some((_, shape)) = keywords.iter().find(|(name, _)| *name == key.as_str()) else {
                if let Some(unknown) = &mut self.unknown {
                    unknown.push(path);
                }
                continue;
            };
            if value.is_null() {
                continue;
            }
            self.fields.push(key.to_string());
            let value = self.value(value, *shape, &path)?;
            self.fields.pop();
            let empty = match &value {
                Tree::List(items) => items.is_empty(),
                Tree::Map(map) => map.is_empty() && matches!(shape, Shape::Fields),
                Tree::Str(text) => text.is_empty() && matches!(shape, Shape::Text),
                Tree::Bool(set) => !set && matches!(shape, Shape::Flag),
                _ => false,
            };
            if !empty {
                kept.insert(key, value);
            }
        }
        Ok(Tree::Map(kept))
    }

    fn value(&mut self, value: &Tree, shape: Shape, path: &str) -> Result<Tree, String> {
        let wrong = |form: &Self, kind: &str| Err(form.wrong(value, kind));
        match (shape, value) {
            (Shape::Text | Shape::MaybeText, Tree::Str(_))
            | (Shape::Flag | Shape::MaybeFlag, Tree::Bool(_))
            | (Shape::Int, Tree::Int(_))
            | (Shape::Number, Tree::Int(_) | Tree::Float(_))
            | (Shape::NodeOrFlag, Tree::Bool(_))
            | (Shape::Any, _)
            | (Shape::Values, Tree::List(_)) => Ok(value.clone()),
            (Shape::Texts, Tree::List(items)) => {
                if items.iter().any(|item| item.as_str().is_none()) {
                    return wrong(self, "[]string");
                }
                Ok(value.clone())
            }
            (Shape::Node, Tree::Map(_)) => self.node(value, KEYWORDS, path),
            (Shape::Docs, Tree::Map(_)) => self.node(value, DOCS, path),
            (Shape::Nodes, Tree::List(items)) => self.nodes(items, KEYWORDS, path),
            (Shape::Rules, Tree::List(items)) => self.nodes(items, RULE, path),
            (Shape::Fields, Tree::Map(map)) => {
                let mut kept = Map::default();
                for (key, value) in map.iter() {
                    let empty = Tree::map();
                    let value = if value.is_null() { &empty } else { value };
                    kept.insert(key, self.node(value, KEYWORDS, &format!("{path}.{key}"))?);
                }
                Ok(Tree::Map(kept))
            }
            // These are read by decoders of their own, which say nothing of unknown fields.
            (Shape::NodeOrFlag | Shape::NodeOrNodes, Tree::Map(_)) => {
                self.silent().node(value, KEYWORDS, path)
            }
            (Shape::NodeOrNodes, Tree::List(items)) => self.silent().nodes(items, KEYWORDS, path),
            (Shape::Dependencies, Tree::Map(_)) => Ok(value.clone()),
            (Shape::NodeOrFlag, _) => Err("boolean or JSON schema expected".to_owned()),
            (Shape::Text | Shape::MaybeText, _) => wrong(self, "string"),
            (Shape::Flag | Shape::MaybeFlag, _) => wrong(self, "bool"),
            (Shape::Int, _) => wrong(self, "int64"),
            (Shape::Number, _) => wrong(self, "float64"),
            (Shape::Texts, _) => wrong(self, "[]string"),
            (Shape::Fields, _) => wrong(self, "map[string]v1.JSONSchemaProps"),
            (Shape::Values, _) => wrong(self, "[]v1.JSON"),
            (Shape::Nodes, _) => wrong(self, "[]v1.JSONSchemaProps"),
            (Shape::Rules, _) => wrong(self, "[]v1.ValidationRule"),
            _ => wrong(self, "v1.JSONSchemaProps"),
        }
    }

    fn nodes(
        &mut self,
        items: &[Tree],
        keywords: &[(&str, Shape)],
        path: &str,
    ) -> Result<Tree, String> {
        let nodes = items.iter().enumerate();
        let nodes = nodes.map(|(at, item)| self.node(item, keywords, &format!("{path}[{at}]")));
        Ok(Tree::from(nodes.collect::<Result<Vec<Tree>, String>>()?))
    }

    fn silent(&self) -> Form<'static> {
        Form { unknown: None, fields: self.fields.clone() }
    }

    fn wrong(&self, value: &Tree, kind: &str) -> String {
        let found = match value {
            Tree::Null => "null",
            Tree::Bool(_) => "bool",
            Tree::Int(_) | Tree::Float(_) => "number",
            Tree::Str(_) => "string",
            Tree::List(_) => "array",
            Tree::Map(_) => "object",
        };
        let field = ["spec.versions.schema.openAPIV3Schema"]
            .into_iter()
            .chain(self.fields.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(".");
        format!(
            "json: cannot unmarshal {found} into Go struct field JSONSchemaProps.{field} of type \
             {kind}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    #[test]
    fn keywords_are_sorted_and_what_says_nothing_is_dropped() {
        assert!(KEYWORDS.is_sorted_by_key(|(name, _)| *name));
        let schema = map! {
            "type" => "object", "nullable" => false, "required" => list![], "other" => 1,
            "properties" => map! { "a" => map! { "type" => "string", "minLength" => 0, "x" => 1 } },
            "additionalProperties" => map! { "y" => 1 },
        };
        let mut definition = map! { "spec" => map! { "versions" => list![
            map! { "schema" => map! { "openAPIV3Schema" => schema } },
        ] } };
        let unknown = give(&mut definition, &Tree::Null).expect("it has the shape");
        let root = "spec.versions[0].schema.openAPIV3Schema";
        assert_eq!(unknown, [format!("{root}.other"), format!("{root}.properties.a.x")]);
        let given = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        let expected = map! {
            "type" => "object", "additionalProperties" => map! {},
            "properties" => map! { "a" => map! { "type" => "string", "minLength" => 0 } },
        };
        assert_eq!(*given, expected);
    }
}
