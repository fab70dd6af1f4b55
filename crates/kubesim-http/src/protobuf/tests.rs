//! Bodies that Go's own serializer made (`samples.txt`), and bodies that nobody made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kubesim_model::tree::Tree;
use proptest::prelude::*;

use super::read;

/// Lines in pairs: a body in base64, and the JSON of the same object. `schema/samples.go` makes
/// them: of every kind an object in which every field is set.
const SAMPLES: &str = include_str!("samples.txt");

fn samples() -> Vec<(Vec<u8>, Tree)> {
    let lines: Vec<&str> = SAMPLES.lines().collect();
    let sample = |pair: &[&str]| {
        let body = STANDARD.decode(pair[0]).expect("samples are base64");
        (body, serde_json::from_str(pair[1]).expect("samples are JSON"))
    };
    lines.chunks(2).map(sample).collect()
}

/// What is the same in every form: an encoder leaves out what is zero, or does not.
fn without_zeros(tree: &Tree) -> Tree {
    let says = |tree: &Tree| match tree {
        Tree::Null | Tree::Bool(false) | Tree::Int(0) => false,
        Tree::Str(text) => !text.is_empty(),
        Tree::Map(map) => !map.is_empty(),
        Tree::List(items) => !items.is_empty(),
        _ => true,
    };
    match tree {
        Tree::Map(map) => {
            let fields = map.iter().map(|(key, value)| (key.clone(), without_zeros(value)));
            Tree::Map(fields.filter(|(_, value)| says(value)).collect())
        }
        Tree::List(items) => items.iter().map(without_zeros).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

fn difference(place: &str, one: &Tree, other: &Tree) -> Option<String> {
    match (one, other) {
        _ if one == other => None,
        (Tree::Map(a), Tree::Map(b)) => a.iter().chain(b.iter()).find_map(|(key, _)| {
            difference(&format!("{place}.{key}"), &one[key.as_str()], &other[key.as_str()])
        }),
        (Tree::List(a), Tree::List(b)) => (0..a.len().max(b.len()))
            .find_map(|at| difference(&format!("{place}[{at}]"), &one[at], &other[at])),
        _ => Some(format!("{place}: {one} is not {other}")),
    }
}

#[test]
fn bodies_of_go_clients_say_what_their_json_says() {
    let samples = samples();
    assert!(samples.len() > 60);
    for (body, wanted) in samples {
        let read = read(&body).unwrap_or_else(|why| panic!("{}: {}", wanted["kind"], why.message));
        let (read, wanted) = (without_zeros(&read), without_zeros(&wanted));
        assert_eq!(difference(wanted["kind"].str(), &read, &wanted), None);
    }
}

#[test]
fn what_is_no_body_is_refused() {
    let (body, _) = &samples()[0];
    let mut foreign = b"k8s\0\x0a\x09\x0a\x02v9\x12\x03Pod".to_vec();
    for wrong in [&b"{}"[..], b"k8s", b"k8s\0", b"k8s\0\x0a", b"k8s\0\x07\x00", &body[..200]] {
        assert_eq!(read(wrong).expect_err("it is wrong").code, 400, "{wrong:?}");
    }
    assert!(read(&foreign).expect_err("no such version").message.contains("no kind"));
    foreign.truncate(6);
    assert_eq!(read(&foreign).expect_err("cut off").code, 400);
}

/// A pod's message around these bytes, as often as asked.
fn nested(depth: usize) -> Vec<u8> {
    // The schema of a schema, and so on: `not` is the field 28 of each.
    let mut inner = Vec::new();
    for _ in 0..depth {
        let mut outer = vec![0xe2, 0x01];
        let mut length = inner.len();
        while length > 0x7f {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(&inner);
        inner = outer;
    }
    inner
}

#[test]
fn messages_that_lie_too_deeply_within_each_other_are_refused() {
    let mut decoder = super::message::Decoder::new();
    let at = decoder.table.named("JSONSchemaProps").expect("schemas have messages");
    let mut into = Tree::Null;
    assert_eq!(decoder.message(&nested(100), at, &mut into), Ok(()));
    let refused = decoder.message(&nested(10_000), at, &mut into);
    assert_eq!(refused, Err(super::wire::Malformed::Deep));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_panics_on_any_bytes(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = read(&[b"k8s\0".to_vec(), bytes].concat());
    }

    #[test]
    fn nothing_panics_on_bodies_with_some_bytes_changed(
        which in 0usize..60, changes: Vec<(usize, u8)>, cut in 0usize..4_000,
    ) {
        let (mut body, _) = samples().swap_remove(which);
        for (at, byte) in changes {
            let at = 4 + at % (body.len() - 4);
            body[at] = byte;
        }
        let _ = read(&body);
        body.truncate(cut.max(4));
        let _ = read(&body);
    }
}
