//! Keys that stand twice in one object of a body. The last one counts; clients are told of it, or
//! refused, as they want it (apimachinery v0.36, `util/json` and `sigs.k8s.io/yaml`).

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use kubesim_model::Text;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::config;

/// What is said of the keys that a JSON body repeats; nothing if it is no JSON.
pub(crate) fn in_json(body: &[u8]) -> Vec<Text> {
    let mut walk = Walk::default();
    // What is wrong with the body is found where it is read.
    let _ = walk.deserialize(&mut serde_json::Deserializer::from_slice(body));
    walk.found
}

/// What is said of the first key that an applied configuration repeats.
pub(crate) fn in_config(body: &[u8]) -> Vec<Text> {
    let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
    if is_json && in_json(body).is_empty() {
        return Vec::new();
    }
    config::repeated(body).into_iter().collect()
}

/// A walk through a document.
#[derive(Default)]
struct Walk {
    path: Vec<Step>,
    found: Vec<Text>,
}

enum Step {
    Key(String),
    Item(usize),
}

impl Walk {
    /// The place where it is: `spec.containers[0].name`.
    fn place(&self) -> String {
        let mut place = String::new();
        for step in &self.path {
            let dot = if place.is_empty() { "" } else { "." };
            let written = match step {
                Step::Key(key) => write!(place, "{dot}{key}"),
                Step::Item(at) => write!(place, "[{at}]"),
            };
            debug_assert!(written.is_ok(), "a text takes everything");
        }
        place
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk {
    type Value = ();

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for at in 0.. {
            self.path.push(Step::Item(at));
            let is_there = items.next_element_seed(&mut *self)?.is_some();
            self.path.pop();
            if !is_there {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            let is_new = seen.insert(key.clone());
            self.path.push(Step::Key(key));
            if !is_new {
                let told = Text::from(format!("duplicate field \"{}\"", self.place()));
                // Once is enough, however often it stands there.
                if !self.found.contains(&told) {
                    self.found.push(told);
                }
            }
            fields.next_value_seed(&mut *self)?;
            self.path.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{in_config, in_json};

    #[test]
    fn each_key_that_stands_twice_is_told_with_its_place() {
        let found = in_json(br#"{"a": [{"b": 1, "b": {"c": 1, "c": 2}}], "d": null, "d": 2.5}"#);
        let told = ["a[0].b", "a[0].b.c", "d"];
        assert_eq!(found, told.map(|place| format!("duplicate field \"{place}\"")));
        assert!(in_json(br#"{"a": {"b": 1}, "b": 1}"#).is_empty() && in_json(b"{").is_empty());
    }

    #[test]
    fn a_configuration_names_the_line() {
        let found = in_config(b"a:\n  b: 1\n  b: 2\n");
        assert_eq!(found, [r#"line 3: key "b" already set in map"#]);
        let found = in_config(br#"{"a": 1, "a": 2}"#);
        assert_eq!(found, [r#"line 1: key "a" already set in map"#]);
        assert!(in_config(b"a: 1\nb: 2\n").is_empty());
    }
}
