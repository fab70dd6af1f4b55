//! What patches make of objects.

use proptest::prelude::*;

use super::*;
use crate::{list, map};

fn tree(text: &str) -> Tree {
    serde_json::from_str(text).unwrap()
}

#[test]
fn merge_patches_follow_rfc_7386() {
    for (target, patch, merged) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a"]"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(merge(&tree(target), &tree(patch)).to_string(), merged, "{target} {patch}");
    }
}

#[test]
fn json_patches_follow_rfc_6902_as_the_server_takes_it() {
    for (target, patch, patched) in [
        (r#"{"a":1}"#, r#"[{"op":"add","path":"/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
        (r#"{"a":[1,3]}"#, r#"[{"op":"add","path":"/a/1","value":2}]"#, Some(r#"{"a":[1,2,3]}"#)),
        (r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/-","value":2}]"#, Some(r#"{"a":[1,2]}"#)),
        (r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/2","value":2}]"#, None),
        (r#"{"a":[1]}"#, r#"[{"op":"add","path":"/a/00","value":2}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"/b/c","value":2}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"remove","path":"/a"}]"#, Some("{}")),
        (r#"{"a":1}"#, r#"[{"op":"remove","path":"/b"}]"#, None),
        (r#"{"a":[1,2]}"#, r#"[{"op":"remove","path":"/a/0"}]"#, Some(r#"{"a":[2]}"#)),
        (r#"{"a":1}"#, r#"[{"op":"replace","path":"/a","value":2}]"#, Some(r#"{"a":2}"#)),
        (r#"{"a":1}"#, r#"[{"op":"replace","path":"/b","value":2}]"#, Some(r#"{"a":1,"b":2}"#)),
        (r#"{"a":1}"#, r#"[{"op":"replace","path":"","value":2}]"#, Some("2")),
        (r#"{"a":1}"#, r#"[{"op":"move","from":"/a","path":"/b"}]"#, Some(r#"{"b":1}"#)),
        (r#"{"a":{}}"#, r#"[{"op":"move","from":"/a","path":"/a/b"}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"copy","from":"/a","path":"/b"}]"#, Some(r#"{"a":1,"b":1}"#)),
        (r#"{"a/b":{"~":1}}"#, r#"[{"op":"remove","path":"/a~1b/~0"}]"#, Some(r#"{"a/b":{}}"#)),
        (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":1}]"#, Some(r#"{"a":1}"#)),
        (r#"{"a":1}"#, r#"[{"op":"test","path":"/a","value":"1"}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"test","path":"/b","value":null}]"#, Some(r#"{"a":1}"#)),
        (r#"{"a":1}"#, r#"[{"op":"grow","path":"/a"}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"a","value":1}]"#, None),
        (r#"{"a":1}"#, r#"[{"op":"add","path":"/a"}]"#, Some(r#"{"a":null}"#)),
        (r#"{"a":1}"#, r#"[7]"#, None),
    ] {
        let done = json_patch(&tree(target), &tree(patch)).ok().map(|tree| tree.to_string());
        assert_eq!(done.as_deref(), patched, "{target} {patch}");
    }
}

#[test]
fn json_patches_that_explode_are_refused() {
    let double = map! { "op" => "copy", "from" => "", "path" => "/a" };
    let many = Tree::from(vec![double; 200]);
    assert!(matches!(json_patch(&map! {}, &many), Err(PatchError::TooBig(_))));
    let test = map! { "op" => "test", "path" => "", "value" => map! {} };
    let long = Tree::from(vec![test; 10_001]);
    assert!(matches!(json_patch(&map! {}, &long), Err(PatchError::TooBig(_))));
}

#[test]
fn strategic_patches_merge_lists_by_key() {
    let target = r#"{"spec":{"containers":[
        {"name":"a","image":"a:1","env":[{"name":"X","value":"1"}],"args":["x"]},
        {"name":"b","image":"b:1"}],"tolerations":[{"key":"k"}]}}"#;
    for (patch, path, wanted) in [
        (
            r#"{"spec":{"containers":[{"name":"b","image":"b:2"}]}}"#,
            vec!["spec", "containers"],
            r#"[{"args":["x"],"env":[{"name":"X","value":"1"}],"image":"a:1","name":"a"},{"image":"b:2","name":"b"}]"#,
        ),
        (
            r#"{"spec":{"containers":[{"name":"a","$patch":"delete"},{"name":"c","x":null}]}}"#,
            vec!["spec", "containers"],
            r#"[{"name":"c"},{"image":"b:1","name":"b"}]"#,
        ),
        (
            r#"{"spec":{"containers":[{"$patch":"replace"},{"name":"z"}]}}"#,
            vec!["spec", "containers"],
            r#"[{"name":"z"}]"#,
        ),
        (
            // As upstream, the directive's own element is not kept.
            r#"{"spec":{"containers":[{"name":"a","$patch":"replace","image":"a:2"}]}}"#,
            vec!["spec", "containers"],
            "[]",
        ),
        (
            r#"{"spec":{"tolerations":[{"key":"n"}]}}"#,
            vec!["spec", "tolerations"],
            r#"[{"key":"n"}]"#,
        ),
        (r#"{"spec":{"containers":null}}"#, vec!["spec", "containers"], "null"),
        (r#"{"spec":{"$patch":"replace","a":1}}"#, vec!["spec"], r#"{"a":1}"#),
        (r#"{"spec":{"$patch":"delete"}}"#, vec!["spec"], "{}"),
        (r#"{"spec":{"$retainKeys":["a"],"a":1}}"#, vec!["spec"], r#"{"a":1}"#),
    ] {
        let merged = strategic_merge(&tree(target), &tree(patch)).unwrap();
        assert_eq!(merged.at(&path).to_string(), wanted, "{patch}");
    }
}

#[test]
fn the_order_of_elements_can_be_set() {
    let target = tree(r#"{"spec":{"containers":[{"name":"a"},{"name":"x"},{"name":"b"}]}}"#);
    let patch = tree(
        r#"{"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],
            "containers":[{"name":"b","image":"b:2"}]}}"#,
    );
    let merged = strategic_merge(&target, &patch).unwrap();
    let names: Vec<&str> =
        merged["spec"]["containers"].items().iter().map(|item| item["name"].str()).collect();
    assert_eq!(names, ["x", "b", "a"]);
}

#[test]
fn ports_are_told_apart_by_where_they_are() {
    let target = tree(
        r#"{"spec":{"ports":[{"port":80}],
            "containers":[{"name":"a","ports":[{"containerPort":80}]}]}}"#,
    );
    let patch = tree(
        r#"{"spec":{"ports":[{"port":81}],
            "containers":[{"name":"a","ports":[{"containerPort":80,"name":"http"}]}]}}"#,
    );
    let merged = strategic_merge(&target, &patch).unwrap();
    assert_eq!(merged["spec"]["ports"].items().len(), 2);
    assert_eq!(merged["spec"]["containers"][0]["ports"].items().len(), 1);
    assert_eq!(merged["spec"]["containers"][0]["ports"][0]["name"], "http");
}

#[test]
fn sets_of_values_are_united_and_values_deleted() {
    let target = tree(r#"{"metadata":{"finalizers":["a","b"]}}"#);
    let patch = tree(
        r#"{"metadata":{"finalizers":["c","a"],"$deleteFromPrimitiveList/finalizers":["b"]}}"#,
    );
    let merged = strategic_merge(&target, &patch).unwrap();
    assert_eq!(merged["metadata"]["finalizers"], list!["c", "a"]);
}

#[test]
fn new_elements_come_before_those_that_the_patch_leaves_alone() {
    let target = tree(r#"{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}"#);
    for (patch, wanted) in [
        (r#"{"containers":[{"name":"new"}]}"#, "new a b c"),
        (r#"{"containers":[{"name":"z"},{"name":"b"},{"name":"y"}]}"#, "z a b y c"),
        (r#"{"containers":[{"name":"c"},{"name":"a"}]}"#, "b c a"),
        (
            r#"{"$setElementOrder/containers":[{"name":"c"},{"name":"n"},{"name":"a"}],
                "containers":[{"name":"n"}]}"#,
            "b c n a",
        ),
    ] {
        let merged = strategic_merge(&target, &tree(patch)).unwrap();
        let names: Vec<&str> =
            merged["containers"].items().iter().map(|c| c["name"].str()).collect();
        assert_eq!(names.join(" "), wanted, "{patch}");
    }
}

#[test]
fn wrong_directives_and_elements_without_key_are_refused() {
    let target = tree(r#"{"spec":{"containers":[{"name":"a"}]}}"#);
    for patch in [
        r#"[]"#,
        r#"{"$patch":"grow"}"#,
        r#"{"$grow":1}"#,
        r#"{"spec":{"containers":[{"image":"x"}]}}"#,
        r#"{"spec":{"containers":["x"]}}"#,
        r#"{"spec":{"$retainKeys":["a"],"b":1}}"#,
        r#"{"spec":{"$setElementOrder/containers":7}}"#,
    ] {
        let refused = strategic_merge(&target, &tree(patch));
        let named = matches!(refused, Err(PatchError::Malformed(_) | PatchError::Senseless(_)));
        assert!(named, "{patch}");
    }
}

#[test]
fn what_a_patch_leaves_alone_stays_shared() {
    let target = map! { "spec" => map! { "a" => 1 }, "status" => map! { "b" => 1 } };
    let patch = map! { "spec" => map! { "a" => 1 }, "status" => map! { "b" => 2 } };
    for patched in [merge(&target, &patch), strategic_merge(&target, &patch).unwrap()] {
        assert!(patched["spec"].is_same(&target["spec"]));
        assert_eq!(patched["status"]["b"].as_i64(), Some(2));
    }
}

fn any_tree() -> impl Strategy<Value = Tree> {
    let key = prop_oneof![
        Just("containers"),
        Just("name"),
        Just("finalizers"),
        Just("spec"),
        Just("$patch"),
        Just("$retainKeys"),
        Just("$setElementOrder/containers"),
        Just("$deleteFromPrimitiveList/finalizers"),
        Just("op"),
        Just("path"),
        Just("from"),
        Just("value"),
    ];
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<i64>().prop_map(Tree::from),
        any::<bool>().prop_map(Tree::from),
        prop_oneof![Just("add"), Just("copy"), Just("move"), Just("remove"), Just("replace")]
            .prop_map(Tree::from),
        prop_oneof![Just("/spec/0"), Just("/"), Just(""), Just("/name/-"), Just("delete")]
            .prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Tree::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                let fields = fields.into_iter().map(|(key, value)| (key.into(), value));
                Tree::Map(fields.collect())
            }),
        ]
    })
}

fn has_null_fields(tree: &Tree) -> bool {
    tree.fields().any(|(_, value)| value.is_null() || has_null_fields(value))
}

proptest! {
    #[test]
    fn no_patch_panics(target in any_tree(), patch in any_tree()) {
        let _ = merge(&target, &patch);
        let _ = json_patch(&target, &patch);
        let _ = strategic_merge(&target, &patch);
    }

    #[test]
    fn merging_twice_is_merging_once(target in any_tree(), patch in any_tree()) {
        let once = merge(&target, &patch);
        prop_assert_eq!(merge(&once, &patch), once);
    }

    #[test]
    fn merging_into_nothing_leaves_no_null(patch in any_tree()) {
        prop_assume!(patch.as_map().is_some());
        prop_assert!(!has_null_fields(&merge(&Tree::Null, &patch)));
    }
}
