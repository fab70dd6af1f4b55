//! Facts about expressions.

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
