//! JSON Schemas of the files, for editors. Made of the same lists that the readers use and of the
//! vocabulary, so that they can't fall behind.

use kubesim_model::tree::{Map, Tree};
use kubesim_model::{Text, list, map};

use super::checks::BUILT_IN;
use super::model::API_VERSION;
use super::read::fields;
use super::steps::STEPS;
use super::subject::OBSERVATIONS;
use super::vocabulary::{Entry, Param, ParamKind, Vocabulary};
use super::ways::WAYS;

/// The dialect of the schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of scenario files.
pub fn scenario(vocabulary: &Vocabulary) -> Tree {
    let mut spec = Map::default();
    for name in fields::SPEC {
        spec.insert(name, map! {});
    }
    let ids = vocabulary.requirements.iter().map(|known| known.id.as_str());
    let subjects = vocabulary.subjects.iter().map(|known| known.name.as_str());
    let (ids, subjects) = (words(ids), words(subjects));
    spec.insert("description", text());
    spec.insert("notes", text());
    spec.insert("proves", list_of(&ids));
    spec.insert("subjects", list_of(&subjects));
    spec.insert("cluster", cluster());
    let capabilities = |known: &[&'static str]| list_of(&words(known.iter().copied()));
    spec.insert(
        "requires",
        object(vec![
            ("subject", capabilities(&vocabulary.subject_capabilities)),
            ("provider", capabilities(&vocabulary.provider_capabilities)),
        ]),
    );
    let any_list = map! { "type" => "array", "minItems" => 1 };
    spec.insert("matrix", map! { "type" => "object", "additionalProperties" => any_list });
    spec.insert("params", map! { "type" => "object" });
    for steps in ["given", "when"] {
        spec.insert(steps, list_of(&reference("step")));
    }
    spec.insert("faults", list_of(&one_of(&vocabulary.faults, &fault_fields())));
    let checks: Vec<Entry> = BUILT_IN.iter().chain(&vocabulary.invariants).copied().collect();
    for list in ["always", "eventually"] {
        spec.insert(list, list_of(&reference("check")));
    }
    let expectation = object(vec![
        ("subject", subjects),
        ("fails", list_of(&ids)),
        ("across", words(["each", "seeds", "runs"])),
        ("reason", text()),
    ]);
    spec.insert("expect", list_of(&expectation));
    let count = || map! { "type" => "integer", "minimum" => 1 };
    let limits = fields::LIMITS.map(|name| match name {
        "time" => (name, duration()),
        _ => (name, count()),
    });
    spec.insert("limits", object(limits.to_vec()));
    let definitions = map! { "step" => step(), "check" => one_of(&checks, &[]) };
    envelope("Scenario", spec, &["proves", "subjects", "when"], definitions)
}

/// The schema of subject files.
pub fn subject() -> Tree {
    let mut spec = Map::default();
    for name in fields::SUBJECT {
        spec.insert(name, map! {});
    }
    let run = ways();
    let patch = object(vec![
        ("patch", map! {}),
        ("type", words(["merge", "json", "strategic"])),
        ("subresource", text()),
        ("target", map! { "type" => "object" }),
    ]);
    let texts = list_of(&text());
    let operation = map! { "anyOf" => list![patch.clone(), list_of(&patch)] };
    let observed = |doc: &str| {
        map! {
            "type" => list!["string", "integer", "boolean"], "description" => doc,
        }
    };
    let observe = OBSERVATIONS.iter().map(|known| (known.name, observed(known.doc))).collect();
    spec.insert("description", text());
    spec.insert("run", run);
    spec.insert(
        "identities",
        object(vec![("users", texts.clone()), ("userAgents", texts.clone())]),
    );
    let workload = ["apiVersion", "kind", "resource"].map(|name| (name, text()));
    spec.insert("workload", object(workload.to_vec()));
    spec.insert("from", object(fields::FROM.map(|name| (name, map! {})).to_vec()));
    spec.insert("operations", map! { "type" => "object", "additionalProperties" => operation });
    spec.insert("observe", object(observe));
    spec.insert("capabilities", texts);
    envelope("Subject", spec, &["run", "workload"], map! {})
}

/// A way with its parameters, or with the first of them alone.
fn ways() -> Tree {
    let mut run = one_of(WAYS, &[]);
    for way in WAYS {
        let long = run.at(&["properties", way.name]).clone();
        let short = way.params.first().map(of_param).unwrap_or_default();
        run.set(&["properties", way.name], map! { "anyOf" => list![long, short] });
    }
    run
}

fn envelope(kind: &str, spec: Map, required: &[&str], definitions: Tree) -> Tree {
    let required: Vec<Tree> = required.iter().map(|name| Tree::from(*name)).collect();
    let labels = map! { "type" => "object", "additionalProperties" => text() };
    let mut metadata = object(vec![("name", text()), ("labels", labels)]);
    metadata.set(&["required"], list!["name"]);
    let spec = map! {
        "type" => "object",
        "additionalProperties" => false,
        "properties" => spec,
        "required" => required,
    };
    map! {
        "$schema" => DIALECT,
        "title" => format!("Shakedown {kind}"),
        "type" => "object",
        "additionalProperties" => false,
        "required" => list!["apiVersion", "kind", "metadata", "spec"],
        "properties" => map! {
            "apiVersion" => map! { "const" => API_VERSION },
            "kind" => map! { "const" => kind },
            "metadata" => metadata,
            "spec" => spec,
        },
        "$defs" => definitions,
    }
}

fn step() -> Tree {
    let mut step = one_of(STEPS, &[]);
    let branches = list_of(&list_of(&reference("step")));
    step.set(&["properties", "parallel"], branches);
    step.set(&["properties", "name"], text());
    step.set(&["properties", "trigger"], trigger());
    step.set(&["maxProperties"], 3);
    step
}

/// A mapping with one key, which is the name of an entry; its value has the entry's parameters.
fn one_of(entries: &[Entry], common: &[(&'static str, Tree)]) -> Tree {
    let mut properties = Map::default();
    for entry in entries {
        let fields = entry.params.iter().map(|param| (param.name, of_param(param)));
        let mut value = object(fields.chain(common.iter().cloned()).collect());
        let required = entry.params.iter().filter(|param| param.required);
        let required: Vec<Tree> = required.map(|param| Tree::from(param.name)).collect();
        if required.is_empty() {
            value.set(&["type"], list!["object", "null"]);
        } else {
            value.set(&["required"], required);
        }
        value.set(&["description"], entry.doc);
        properties.insert(entry.name, value);
    }
    map! {
        "type" => "object",
        "additionalProperties" => false,
        "minProperties" => 1,
        "maxProperties" => 1,
        "properties" => properties,
    }
}

fn of_param(param: &Param) -> Tree {
    let mut schema = match param.kind {
        ParamKind::Duration => duration(),
        ParamKind::Int => or_template(map! { "type" => "integer", "minimum" => 0 }),
        ParamKind::Probability => {
            or_template(map! { "type" => "number", "minimum" => 0, "maximum" => 1 })
        }
        ParamKind::Text | ParamKind::Cel => text(),
        ParamKind::Word(known) => or_template(words(known.iter().copied())),
        ParamKind::Texts => map! { "anyOf" => list![text(), list_of(&text())] },
        ParamKind::Bool => or_template(map! { "type" => "boolean" }),
        ParamKind::Amount => or_template(map! {
            "anyOf" => list![
                map! { "type" => "integer", "minimum" => 0 },
                map! { "type" => "string", "pattern" => "^[0-9]+%?$" }
            ],
        }),
        ParamKind::Select => select(),
        ParamKind::Any if param.name == "event" => event(),
        ParamKind::Any => map! {},
    };
    schema.set(&["description"], param.doc);
    if let Some(default) = param.default {
        schema.set(&["default"], default);
    }
    schema
}

fn fault_fields() -> [(&'static str, Tree); 2] {
    let lasts = map! { "anyOf" => list![map! { "const" => "lasting" }, duration()] };
    [("for", lasts), ("trigger", trigger())]
}

fn trigger() -> Tree {
    let fields = fields::TRIGGER.map(|name| match name {
        "event" => (name, event()),
        "step" => (name, text()),
        _ => (name, duration()),
    });
    object(fields.to_vec())
}

fn event() -> Tree {
    let fields = fields::EVENT.map(|name| match name {
        "on" => (name, words(["any", "create", "update", "delete"])),
        "nth" => (name, or_template(map! { "type" => "integer", "minimum" => 1 })),
        _ => (name, text()),
    });
    let mut event = object(fields.to_vec());
    event.set(&["required"], list!["kind"]);
    event
}

fn select() -> Tree {
    let fields = fields::SELECT.map(|name| match name {
        "mode" => (name, map! { "type" => list!["string", "integer"] }),
        "role" => (name, or_template(words(["worker", "control-plane"]))),
        "labels" => (name, map! { "type" => "object", "additionalProperties" => text() }),
        _ => (name, text()),
    });
    object(fields.to_vec())
}

fn cluster() -> Tree {
    let node = fields::NODE.map(|name| match name {
        "count" => (name, map! { "type" => "integer", "minimum" => 1 }),
        "labels" | "capacity" => (name, map! { "type" => "object" }),
        "taints" => (name, map! { "type" => "array" }),
        _ => (name, text()),
    });
    let count = or_template(map! { "type" => "integer", "minimum" => 1 });
    let nodes = map! { "anyOf" => list![count, list_of(&object(node.to_vec()))] };
    object(vec![("nodes", nodes), ("version", text())])
}

fn text() -> Tree {
    map! { "type" => "string" }
}

fn duration() -> Tree {
    let template = "^([0-9]+(ms|s|m|h|d))+$|^0$|\\$\\{\\{";
    map! { "type" => list!["string", "integer"], "pattern" => template, "maximum" => 0 }
}

fn or_template(schema: Tree) -> Tree {
    let template = map! { "type" => "string", "pattern" => "\\$\\{\\{" };
    map! { "anyOf" => list![schema, template] }
}

fn list_of(item: &Tree) -> Tree {
    map! { "type" => "array", "items" => item }
}

fn reference(name: &str) -> Tree {
    map! { "$ref" => format!("#/$defs/{name}") }
}

/// One of `known`; any text if there is none.
fn words<'w>(known: impl IntoIterator<Item = &'w str>) -> Tree {
    let known: Vec<Tree> = known.into_iter().map(Tree::from).collect();
    if known.is_empty() {
        text()
    } else {
        map! { "enum" => known }
    }
}

fn object(fields: Vec<(&'static str, Tree)>) -> Tree {
    let properties: Map = fields.into_iter().map(|(key, value)| (Text::new(key), value)).collect();
    map! { "type" => "object", "additionalProperties" => false, "properties" => properties }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_step_is_in_the_schema() {
        let schema = scenario(&Vocabulary::default());
        let spec = schema.at(&["properties", "spec", "properties"]);
        for name in fields::SPEC {
            assert!(spec[name].as_map().is_some_and(|map| !map.is_empty()), "{name}");
        }
        let steps = schema.at(&["$defs", "step", "properties"]);
        for step in STEPS {
            let required = step.params.iter().filter(|param| param.required).count();
            assert_eq!(steps[step.name]["required"].items().len(), required, "{}", step.name);
        }
        let spec = subject();
        let spec = spec.at(&["properties", "spec", "properties"]);
        for name in fields::SUBJECT {
            assert!(spec[name].as_map().is_some_and(|map| !map.is_empty()), "{name}");
        }
    }
}
