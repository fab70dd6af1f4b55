//! What a rule of a role allows, and which rules allow all that others do (v1.36,
//! `pkg/apis/rbac/v1` and `component-helpers/auth/rbac/validation`).

use std::collections::BTreeSet;

use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::access::Access;

/// What stands for everything.
const ALL: &str = "*";

/// Whether a rule allows an access.
pub(super) fn allows(rule: &Tree, access: &Access) -> bool {
    if !has(&rule["verbs"], &access.verb) {
        return false;
    }
    if let Some(path) = &access.path {
        return rule["nonResourceURLs"].items().iter().any(|url| fits_path(url.str(), path));
    }
    let (resource, part) = (access.whole_resource(), &access.subresource);
    let everywhere = format!("{ALL}/{part}");
    let names = rule["resourceNames"].items();
    let mut resources = rule["resources"].items().iter();
    has(&rule["apiGroups"], &access.group)
        && resources.any(|have| {
            *have == ALL || *have == resource.as_str() || !part.is_empty() && *have == *everywhere
        })
        && (names.is_empty() || names.iter().any(|name| *name == access.name.as_str()))
}

/// Whether a list names this, or everything.
fn has(list: &Tree, wanted: &str) -> bool {
    list.items().iter().any(|have| *have == ALL || *have == wanted)
}

fn fits_path(pattern: &str, path: &str) -> bool {
    let begins = || path.starts_with(pattern.trim_end_matches('*'));
    pattern == path || pattern.ends_with('*') && begins()
}

/// A rule that allows one verb on one thing.
#[derive(Clone, Debug)]
pub(super) struct Single<'a> {
    verb: &'a Tree,
    thing: Thing<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Thing<'a> {
    /// A group, a resource, and the name of an object; all objects without.
    Resource(&'a Tree, &'a Tree, Option<&'a Tree>),
    Url(&'a Tree),
}

impl<'a> Single<'a> {
    /// What a rule consists of.
    fn parts(rule: &'a Tree) -> Vec<Single<'a>> {
        let items = |field: &str| rule[field].items();
        let names: Vec<Option<&Tree>> = match items("resourceNames") {
            [] => vec![None],
            names => names.iter().map(Some).collect(),
        };
        let mut parts = Vec::new();
        for group in items("apiGroups") {
            for resource in items("resources") {
                for verb in items("verbs") {
                    let things = names.iter().map(|name| Thing::Resource(group, resource, *name));
                    parts.extend(things.map(|thing| Single { verb, thing }));
                }
            }
        }
        for url in items("nonResourceURLs") {
            let thing = Thing::Url(url);
            parts.extend(items("verbs").iter().map(|verb| Single { verb, thing }));
        }
        parts
    }

    fn is_covered_by(&self, rule: &Tree) -> bool {
        if !has(&rule["verbs"], self.verb.str()) {
            return false;
        }
        match self.thing {
            Thing::Url(url) => {
                rule["nonResourceURLs"].items().iter().any(|have| fits_path(have.str(), url.str()))
            }
            Thing::Resource(group, resource, name) => {
                let part = resource.str().split_once('/').map(|(_, part)| format!("{ALL}/{part}"));
                let names = rule["resourceNames"].items();
                has(&rule["apiGroups"], group.str())
                    && (has(&rule["resources"], resource.str())
                        || part.is_some_and(|part| has(&rule["resources"], &part)))
                    && (names.is_empty() || name.is_some_and(|name| names.contains(name)))
            }
        }
    }
}

/// What of the rules that are `wanted` none of those that somebody has allows.
pub(super) fn uncovered<'a>(have: &[&Tree], wanted: &'a [Tree]) -> Vec<Single<'a>> {
    let parts = wanted.iter().flat_map(Single::parts);
    parts.filter(|part| !have.iter().any(|rule| part.is_covered_by(rule))).collect()
}

/// Rules as failures name them: one line for each resource, in the order of the lines.
pub(super) fn described(singles: &[Single<'_>]) -> String {
    let mut lines = BTreeSet::new();
    let mut whole: Vec<((&Tree, &Tree), Vec<&Tree>)> = Vec::new();
    for single in singles {
        let verb = quoted(&[single.verb]);
        match single.thing {
            Thing::Url(url) => {
                lines.insert(format!("{{NonResourceURLs:{}, Verbs:{verb}}}", quoted(&[url])));
            }
            Thing::Resource(group, resource, Some(name)) => {
                let place = resources(group, resource);
                let names = quoted(&[name]);
                lines.insert(format!("{{{place}, ResourceNames:{names}, Verbs:{verb}}}"));
            }
            Thing::Resource(group, resource, None) => {
                let known = whole.iter_mut().find(|(have, _)| *have == (group, resource));
                match known {
                    Some((_, verbs)) => verbs.push(single.verb),
                    None => whole.push(((group, resource), vec![single.verb])),
                }
            }
        }
    }
    let whole = whole.into_iter().map(|((group, resource), verbs)| {
        format!("{{{}, Verbs:{}}}", resources(group, resource), quoted(&verbs))
    });
    lines.extend(whole);
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

fn resources(group: &Tree, resource: &Tree) -> String {
    format!("APIGroups:{}, Resources:{}", quoted(&[group]), quoted(&[resource]))
}

fn quoted(texts: &[&Tree]) -> String {
    let texts: Vec<Text> = texts.iter().map(|text| text.text()).collect();
    super::grants::quoted(&texts)
}
