//! Whatever a definition or an object holds, nothing panics and nothing hangs; and the parts of
//! schemas that request sequences on the real server say too little of.

use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};
use proptest::prelude::*;

use super::schema::{Old, Schema};
use super::strategy::Findings;
use super::{definition, strategy};
use crate::api::registry::Type;

fn value() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Int),
        (-10_i64..10).prop_map(Tree::Int),
        any::<f64>().prop_map(Tree::Float),
        "[a-z0-9:/.% -]{0,12}".prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Tree::from),
            prop::collection::vec((key(), inner), 0..5).prop_map(object),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("spec".to_owned()),
        Just("metadata".to_owned()),
        Just("kind".to_owned()),
        "[a-z._/-]{0,6}",
    ]
}

fn object(fields: Vec<(String, Tree)>) -> Tree {
    Tree::Map(fields.into_iter().map(|(key, value)| (Text::from(key), value)).collect())
}

fn expression() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "self",
        "oldSelf",
        ".a",
        ".b",
        " + ",
        " - ",
        " / ",
        " % ",
        " == ",
        " < ",
        " in ",
        " && ",
        " || ",
        "!",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "?",
        ":",
        ",",
        "1",
        "-9223372036854775808",
        "1.5",
        "'x'",
        "\"\\u00fc\"",
        "b'z'",
        "null",
        "true",
        "size(",
        ".all(x, x",
        ".map(x, x)",
        ".filter(x, true)",
        "has(self.a)",
        ".?a",
        "[?0]",
        "optional.none()",
        ".orValue(1)",
        "duration('1h')",
        "timestamp('2024-01-01T00:00:00Z')",
        ".matches('(a')",
        "dyn(",
        "type(",
        "quantity('1')",
        "ip('1.1.1.1')",
        "url('/x')",
        ".format(['%s'])",
        "int(",
        "string(",
        ".all(i, v, v)",
        ".transformList(i, v, v)",
        ".sortBy(x, x)",
        "sets.contains([1], [2])",
        "@",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.concat())
}

fn schema() -> impl Strategy<Value = Tree> {
    let kind = prop::sample::select(vec![
        "object", "array", "string", "integer", "number", "boolean", "", "null",
    ]);
    let leaf = (kind, value(), expression()).prop_map(|(kind, other, rule)| {
        let rules = list![map! { "rule" => rule.clone(), "messageExpression" => rule }];
        map! { "type" => kind, "default" => other, "x-kubernetes-validations" => rules }
    });
    leaf.prop_recursive(3, 20, 4, |inner| {
        let name = prop::sample::select(vec![
            "items",
            "additionalProperties",
            "not",
            "allOf",
            "anyOf",
            "oneOf",
            "properties",
            "required",
            "enum",
            "pattern",
            "format",
            "minLength",
            "maxItems",
            "maximum",
            "multipleOf",
            "nullable",
            "x-kubernetes-list-type",
            "x-kubernetes-list-map-keys",
            "x-kubernetes-embedded-resource",
            "x-kubernetes-int-or-string",
            "x-kubernetes-preserve-unknown-fields",
        ]);
        let field = (name, inner, value(), key()).prop_map(|(name, inner, other, key)| {
            let value = match name {
                "items" | "not" => inner,
                "additionalProperties" => inner,
                "allOf" | "anyOf" | "oneOf" => list![inner.clone(), inner],
                "properties" => object(vec![(key, inner.clone()), ("a".to_owned(), inner)]),
                "nullable"
                | "x-kubernetes-embedded-resource"
                | "x-kubernetes-int-or-string"
                | "x-kubernetes-preserve-unknown-fields" => Tree::Bool(true),
                "x-kubernetes-list-type" => "map".into(),
                "x-kubernetes-list-map-keys" => list!["a"],
                "pattern" => Tree::from(key),
                _ => other,
            };
            (name.to_owned(), value)
        });
        prop::collection::vec(field, 0..5).prop_map(|fields| {
            let mut node = object(fields);
            if node["type"].is_null() {
                node.set(&["type"], "object");
            }
            node
        })
    })
}

fn definition_of(schema: &Tree) -> Tree {
    map! {
        "metadata" => map! { "name" => "things.example.com" },
        "spec" => map! {
            "group" => "example.com", "scope" => "Namespaced",
            "names" => map! { "plural" => "things", "kind" => "Thing", "listKind" => "ThingList",
                "singular" => "thing" },
            "versions" => list![map! {
                "name" => "v1", "served" => true, "storage" => true,
                "schema" => map! { "openAPIV3Schema" => schema },
            }],
        },
        "status" => map! { "storedVersions" => list!["v1"],
            "conditions" => list![map! { "type" => "Established", "status" => "True" }] },
    }
}

fn type_of(schema: &Tree) -> Type {
    let definition = definition_of(schema);
    let mut types = super::declared::declare(&definition, None, 1);
    types.pop().expect("it is established")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn definitions_never_panic(schema in schema(), other in value()) {
        let mut definition = definition_of(&schema);
        let _ = definition::give_form(&mut definition, &Tree::Null);
        definition::complete(&mut definition);
        let _ = definition::problems(&definition, &Tree::Null);
        let _ = definition::problems(&definition_of(&other), &definition);
    }

    #[test]
    fn objects_never_panic(schema in schema(), old in value(), new in value()) {
        let kind = type_of(&schema);
        let (mut old, mut new) = (old, new);
        if old.as_map().is_some() && new.as_map().is_some() {
            for object in [&mut old, &mut new] {
                object.field_mut("metadata");
                let _ = strategy::decode(&kind, object, &Tree::Null);
            }
            let _ = strategy::created(&kind, &new);
            let _ = strategy::updated(&kind, &old, &new, "");
            let _ = strategy::updated(&kind, &old, &new, "status");
        }
    }

    #[test]
    fn what_is_pruned_and_filled_stays_so(schema in schema(), object in value()) {
        let schema = Schema::read(&schema);
        let mut once = object;
        schema.prune(&mut once, &Tree::Null);
        let mut twice = once.clone();
        prop_assert!(schema.prune(&mut twice, &Tree::Null).unknown.is_empty());
        prop_assert_eq!(&once, &twice);
    }

    #[test]
    fn expressions_never_panic(rule in expression(), value in value()) {
        let schema = map! {
            "type" => "object", "x-kubernetes-validations" => list![map! { "rule" => rule }],
            "properties" => map! {
                "a" => map! { "x-kubernetes-int-or-string" => true },
                "b" => map! { "type" => "array", "items" => map! { "type" => "string" } },
            },
        };
        let schema = Schema::of_resource(&schema);
        let mut findings = Findings::default();
        schema.check_rules(&value, Some(Old::new(&value, &value, &schema)), &mut findings);
    }
}

/// What a rule on an object answers; empty if it holds.
fn asked(properties: Tree, rule: &str, object: &Tree) -> Vec<String> {
    let schema = map! {
        "type" => "object", "properties" => properties,
        "x-kubernetes-validations" => list![map! { "rule" => rule }],
    };
    let mut findings = Findings::default();
    Schema::of_resource(&schema).check_rules(object, None, &mut findings);
    findings.causes.into_iter().map(|cause| cause.message).collect()
}

#[test]
fn rules_that_would_go_on_for_ever_are_ended() {
    let items: Vec<Tree> = (0..2000).map(Tree::Int).collect();
    let numbers = map! { "type" => "array", "items" => map! { "type" => "integer" } };
    let rule = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))";
    let told = asked(map! { "l" => numbers }, rule, &map! { "l" => items });
    assert!(told.len() == 1 && told[0].contains("cost exceeds limit"), "{told:?}");
    let text = map! { "type" => "string" };
    let doubling = "[1,2,3,4,5,6,7,8,9].map(i, self.s + self.s + self.s + self.s).size() > 0 && \
                    [self.s + self.s].all(a, [a + a + a + a].all(b, [b + b + b + b + b + b].all(c, \
                    [c + c + c + c + c + c].all(d, (d + d + d + d + d + d).size() > 0))))";
    let told = asked(map! { "s" => text }, doubling, &map! { "s" => "x".repeat(100_000) });
    assert!(told.len() == 1 && told[0].contains("cost exceeds limit"), "{told:?}");
}

#[test]
fn endless_expressions_are_refused() {
    for rule in ["(".repeat(10_000), "1+".repeat(5000) + "1", "!".repeat(5000) + "true"] {
        let told = asked(map! {}, &rule, &map! {});
        assert!(told.len() == 1 && told[0].contains("compile error"), "{}", told[0]);
    }
}

#[test]
fn sets_and_keyed_lists_are_equal_in_any_order_and_join_as_such() {
    let set = map! { "type" => "array", "x-kubernetes-list-type" => "set",
    "items" => map! { "type" => "string" } };
    let properties = map! { "a" => &set, "b" => &set };
    let object = map! { "a" => list!["x", "y"], "b" => list!["y", "x"] };
    assert!(asked(properties.clone(), "self.a == self.b", &object).is_empty());
    assert!(asked(properties, "(self.a + self.b).size() == 2", &object).is_empty());
}

#[test]
fn an_element_that_decides_outweighs_one_that_fails() {
    let numbers = map! { "type" => "array", "items" => map! { "type" => "integer" } };
    let object = map! { "l" => list![0, 1] };
    let asked = |rule: &str| asked(map! { "l" => &numbers }, rule, &object);
    assert!(asked("self.l.exists(x, 1 / x == 1)").is_empty());
    assert!(asked("!self.l.all(x, 1 / x == 2)").is_empty());
    assert!(asked("self.l.all(x, 1 / x == 1)")[0].contains("division by zero"));
}
