//! Facts about expressions.

use kubesim_model::tree::Map;
use kubesim_model::{list, map};
use proptest::prelude::*;

use super::*;

fn eval(text: &str, bindings: &Bindings) -> Result<Tree, CelError> {
    Program::compile(text).and_then(|program| program.eval(bindings))
}

#[test]
fn answers_keep_their_types() {
    let params = Bindings::new().with("params", map! { "replicas" => 6, "name" => "web" });
    assert_eq!(eval("params.replicas * 2", &params), Ok(Tree::Int(12)));
    assert_eq!(eval("params.name + '-0'", &params), Ok("web-0".into()));
    assert_eq!(eval("[1, 'a', {'b': true}]", &params), Ok(list![1, "a", map! { "b" => true }]));
}

#[test]
fn only_free_variables_are_references() {
    let program = Program::compile("objects.pods.exists(p, p.status.phase == want)").unwrap();
    assert_eq!(program.references(), ["objects", "want"]);
    let program = Program::compile("math.greatest(object.a, 2) > 1 && has(object.b)").unwrap();
    assert_eq!(program.references(), ["object"]);
}

#[test]
fn the_functions_of_kubernetes_are_there() {
    let none = Bindings::new();
    assert_eq!(eval("quantity('1Gi').isGreaterThan(quantity('500Mi'))", &none), Ok(true.into()));
    assert_eq!(eval("['a', 'b'].indexOf('b')", &none), Ok(Tree::Int(1)));
    assert_eq!(eval("'ABC'.lowerAscii()", &none), Ok("abc".into()));
}

#[test]
fn mistakes_are_found_when_compiling() {
    assert!(matches!(Program::compile("1 +"), Err(CelError::Syntax { .. })));
    assert_eq!(
        Program::compile("sise([1])").unwrap_err(),
        CelError::UnknownFunction("sise".into())
    );
    assert!(matches!(Program::compile(&"(".repeat(9000)), Err(CelError::TooLarge(_))));
    assert!(matches!(Program::compile(&"!".repeat(900)), Err(CelError::TooLarge(_))));
}

#[test]
fn a_missing_field_is_an_error_and_not_false() {
    let bindings = Bindings::new().with("object", map! {});
    assert!(matches!(eval("object.spec.replicas == 3", &bindings), Err(CelError::Failed(_))));
    assert_eq!(eval("has(object.spec)", &bindings), Ok(false.into()));
    assert_eq!(eval("x", &bindings), Err(CelError::UnknownVariable("x".into())));
}

#[test]
fn only_what_an_expression_looks_at_is_visible() {
    let pod = |phase: &str| {
        map! {
            "status" => map! { "phase" => phase, "conditions" => list![map! { "type" => "Ready" }] },
            "spec" => map! { "nodeName" => "n" },
        }
    };
    let objects =
        map! { "pods" => list![pod("Running"), pod("Pending")], "n" => map! { "a" => 1 } };
    let bindings = Bindings::new().with("objects", objects);
    for (text, answer) in [
        ("objects.pods.exists(p, p.status.phase == 'Pending')", Tree::Bool(true)),
        ("objects.pods.filter(p, p.status.phase == 'Pending').size()", Tree::Int(1)),
        ("objects.pods.map(p, p['spec']['nodeName'])", list!["n", "n"]),
        ("objects.pods.all(p, size(p) == 2)", Tree::Bool(true)),
        ("objects.pods.all(p, has(p.status.phase) && !has(p.status.reason))", Tree::Bool(true)),
        ("objects.pods.all(p, p.status.conditions.exists(c, c.type == 'Ready'))", true.into()),
        ("objects.pods[1].status.phase", "Pending".into()),
        ("objects.n.exists(key, key == 'a')", Tree::Bool(true)),
        ("objects.pods.size() + size(objects.n)", Tree::Int(3)),
        ("objects.pods.all(p, p == p) && objects.n == {'a': 1}", Tree::Bool(true)),
        ("size(objects) == 2 && objects.pods.exists(p, true)", Tree::Bool(true)),
    ] {
        assert_eq!(eval(text, &bindings), Ok(answer), "{text}");
    }
}

/// Trees with few names and values, so that expressions find something in them.
fn trees() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::from),
        (-1i64..3).prop_map(Tree::from),
        prop::sample::select(vec![1.0, 0.5]).prop_map(Tree::from),
        prop::sample::select(vec!["", "a", "b"]).prop_map(Tree::from),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let fields = prop::collection::btree_map("[ab]", inner.clone(), 0..3);
        let object = fields.prop_map(|fields| {
            Tree::from(fields.into_iter().map(|(k, v)| (k.into(), v)).collect::<Map>())
        });
        prop_oneof![object, prop::collection::vec(inner, 0..3).prop_map(Tree::from)]
    })
}

/// Expressions over the variables `x` and `y`, most of them plain.
fn expressions() -> impl Strategy<Value = String> {
    let words = ["x", "y", "true", "false", "null", "0", "1", "0.5", "'a'", "'b'", "{}", "p"];
    let leaf = prop::sample::select(words.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(5, 32, 3, |inner| {
        let operators = vec!["&&", "||", "==", "!=", "<", "<=", ">", ">=", "+", "in"];
        let operators = prop::sample::select(operators);
        let suffixes = vec![".a", ".b", "['a']", "[0]", "[1]", ".size()"];
        let suffixes = prop::sample::select(suffixes);
        prop_oneof![
            (inner.clone(), suffixes).prop_map(|(a, suffix)| format!("{a}{suffix}")),
            (inner.clone(), operators, inner.clone())
                .prop_map(|(a, o, b)| format!("({a} {o} {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            inner.clone().prop_map(|a| format!("has({a}.a)")),
            inner.clone().prop_map(|a| format!("size({a})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            (
                inner.clone(),
                prop::sample::select(vec!["all", "exists", "map", "exists_one"]),
                inner
            )
                .prop_map(|(a, each, b)| format!("{a}.{each}(p, {b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_evaluated_without_the_crate_is_what_it_answers(
        text in expressions(), x in trees(), y in trees(), p in trees(),
    ) {
        let Ok(program) = Program::compile(&text) else { return Ok(()) };
        let bindings = Bindings::new().with("x", x).with("y", y).with("p", p);
        let plain = program.0.plain.as_ref().and_then(|plain| plain.eval(&bindings));
        if let Some(answer) = plain {
            let told = program.eval_with_the_crate(&bindings).map(|told| told.to_string());
            prop_assert_eq!(told, Ok(answer.to_string()), "{}", text);
        }
    }
}

#[test]
fn what_subjects_say_most_is_evaluated_without_the_crate() {
    let bindings = Bindings::new()
        .with("object", map! { "spec" => map! { "replicas" => 1, "paused" => true } })
        .with(
            "pods",
            list![map! { "spec" => map! { "containers" => list![map! { "n" => "a" }] } }],
        );
    for (text, answer) in [
        ("object.spec.replicas", Tree::Int(1)),
        ("has(object.spec.paused) && object.spec.paused", true.into()),
        ("has(object.status) ? object.status : {}", Tree::map()),
        (
            "size(pods) == object.spec.replicas && pods.all(p, p.spec.containers.exists(c, c.n == 'a'))",
            true.into(),
        ),
    ] {
        let program = Program::compile(text).unwrap();
        let plain = program.0.plain.as_ref().and_then(|plain| plain.eval(&bindings));
        assert_eq!(plain, Some(answer), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let _ = eval(&text, &Bindings::new());
    }

    #[test]
    fn no_soup_of_operators_panics(parts in proptest::collection::vec(
        prop::sample::select(vec!["a", ".", "(", ")", "[", "]", "{", "}", "?", ":", "!", "-", "1",
            "'x'", "&&", "||", "==", ",", "exists", "map", "has", " ", "\"", "\\"]), 0..40)) {
        let _ = eval(&parts.concat(), &Bindings::new().with("a", map! { "b" => 1 }));
    }
}
