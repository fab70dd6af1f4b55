//! Which resources are served: in the form of old (a list for each group and version), and all at
//! once (`apidiscovery.k8s.io`). Clients of `kubectl drain` and controller-runtime need the old one
//! too.

use std::collections::BTreeMap;

use kubesim::api::{Api, Type};
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};

use crate::names::{self, Names};

/// The versions of the aggregated form, as `Accept` names them.
const VERSIONS: [&str; 2] = ["v2", "v2beta1"];

/// The version of the aggregated form that an `Accept` header asks for before any other form.
pub(crate) fn aggregated_version(accept: &str) -> Option<&'static str> {
    accept.split(',').find_map(|kind| {
        let mut parts = kind.split(';').map(str::trim);
        let json = matches!(parts.next(), Some("application/json" | "application/*" | "*/*"));
        let parameters: BTreeMap<&str, &str> =
            parts.filter_map(|part| part.split_once('=')).collect();
        match parameters.get("as") {
            // The first that can be served counts.
            None if json => Some(None),
            Some(&"APIGroupDiscoveryList")
                if json && parameters.get("g") == Some(&"apidiscovery.k8s.io") =>
            {
                let wanted = parameters.get("v").copied().unwrap_or_default();
                VERSIONS.iter().find(|version| **version == wanted).map(|version| Some(*version))
            }
            _ => None,
        }
    })?
}

/// All resources of the core group, or all of the others.
pub(crate) fn aggregated(api: &Api, core: bool, version: &str) -> Tree {
    let groups = groups(api).into_iter().filter(|(group, _)| group.is_empty() == core);
    let items = groups.map(|(group, versions)| {
        let versions = versions.iter().map(|version| {
            let kinds = served(api, group, version);
            let resources: Vec<Tree> = kinds.map(|kind| aggregated_resource(api, kind)).collect();
            map! { "version" => version, "freshness" => "Current", "resources" => resources }
        });
        let versions: Vec<Tree> = versions.collect();
        let metadata = if core {
            Tree::map()
        } else {
            map! { "name" => group }
        };
        map! { "metadata" => metadata, "versions" => versions }
    });
    let items: Vec<Tree> = items.collect();
    map! {
        "kind" => "APIGroupDiscoveryList", "metadata" => Tree::map(), "items" => items,
        "apiVersion" => format!("apidiscovery.k8s.io/{version}"),
    }
}

fn aggregated_resource(api: &Api, kind: &Type) -> Tree {
    let names = Names::of(api, kind);
    let shown = |[group, version, kind]: [&str; 3]| {
        map! { "group" => group, "version" => version, "kind" => kind }
    };
    let own = ["", "", kind.kind.as_str()];
    let subresources = names::subresources(kind).into_iter().map(|(name, other, verbs)| {
        map! {
            "subresource" => name, "responseKind" => shown(other.unwrap_or(own)), "verbs" => verbs,
        }
    });
    let subresources: Vec<Tree> = subresources.collect();
    let mut resource = map! {
        "resource" => kind.resource.plural(), "responseKind" => shown(own),
        "scope" => if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource" => names.singular, "verbs" => names::verbs(kind),
    };
    add_names(&mut resource, names.short, names.categories);
    if !subresources.is_empty() {
        resource.set(&["subresources"], subresources);
    }
    resource
}

fn add_names(resource: &mut Tree, short: Tree, categories: Tree) {
    for (field, names) in [("shortNames", short), ("categories", categories)] {
        if !names.is_null() {
            resource.set(&[field], names);
        }
    }
}

/// The groups but the core group.
pub(crate) fn group_list(api: &Api) -> Tree {
    let groups = groups(api).into_iter().filter(|(group, _)| !group.is_empty());
    let groups: Vec<Tree> = groups.map(|(group, versions)| api_group(group, &versions)).collect();
    map! { "kind" => "APIGroupList", "apiVersion" => "v1", "groups" => groups }
}

/// One group, if it is served.
pub(crate) fn group(api: &Api, group: &str) -> Option<Tree> {
    let (_, versions) = groups(api).into_iter().find(|(have, _)| *have == group)?;
    let mut found = api_group(group, &versions);
    found.set(&["kind"], "APIGroup");
    found.set(&["apiVersion"], "v1");
    Some(found)
}

/// The resources of a group in a version, if there are any.
pub(crate) fn resources(api: &Api, group: &str, version: &str) -> Option<Tree> {
    let rows: Vec<Tree> = served(api, group, version).flat_map(|kind| rows(api, kind)).collect();
    if rows.is_empty() {
        return None;
    }
    Some(map! {
        "kind" => "APIResourceList", "apiVersion" => "v1",
        "groupVersion" => qualified(group, version), "resources" => rows,
    })
}

/// Every group with its versions, in the order of discovery.
pub(crate) fn groups(api: &Api) -> Vec<(&str, Vec<Text>)> {
    let mut found: BTreeMap<&str, Vec<Text>> = BTreeMap::new();
    for kind in api.resources() {
        let known = found.entry(kind.resource.group()).or_default();
        known.extend(kind.versions.iter().cloned());
    }
    let mut groups: Vec<(&str, Vec<Text>)> = found.into_iter().collect();
    groups.sort_by_key(|(group, _)| names::rank(group));
    for (_, versions) in &mut groups {
        versions.sort_by(|a, b| {
            names::version_rank(a).cmp(&names::version_rank(b)).then_with(|| a.cmp(b))
        });
        versions.dedup();
    }
    groups
}

/// `group/version`; the version alone in the core group.
pub(crate) fn qualified(group: &str, version: &str) -> Text {
    match group {
        "" => Text::new(version),
        group => Text::from(format!("{group}/{version}")),
    }
}

/// The types of a group that are served in a version.
pub(crate) fn served<'a>(
    api: &'a Api,
    group: &str,
    version: &str,
) -> impl Iterator<Item = &'a Type> {
    let (group, name) = (group.to_owned(), qualified(group, version));
    api.resources().filter(move |kind| kind.resource.group() == group && kind.serves(&name))
}

fn api_group(group: &str, versions: &[Text]) -> Tree {
    let versions = versions.iter().map(|version| {
        map! { "groupVersion" => qualified(group, version), "version" => version }
    });
    let versions: Vec<Tree> = versions.collect();
    map! {
        "name" => group, "preferredVersion" => versions.first().cloned(), "versions" => versions,
    }
}

/// A resource and its subresources.
fn rows(api: &Api, kind: &Type) -> Vec<Tree> {
    let names = Names::of(api, kind);
    let row = |name: &str, singular: &str, shown: &str, verbs: Tree| {
        map! {
            "name" => name, "singularName" => singular, "namespaced" => kind.namespaced,
            "kind" => shown, "verbs" => verbs,
        }
    };
    let plural = kind.resource.plural();
    let mut own = row(plural, &names.singular, &kind.kind, names::verbs(kind));
    add_names(&mut own, names.short, names.categories);
    let mut rows = vec![own];
    for (subresource, other, verbs) in names::subresources(kind) {
        let [group, version, shown] = other.unwrap_or(["", "", kind.kind.as_str()]);
        let mut below = row(&format!("{plural}/{subresource}"), "", shown, verbs);
        for (field, value) in [("group", group), ("version", version)] {
            if !value.is_empty() {
                below.set(&[field], value);
            }
        }
        rows.push(below);
    }
    rows
}

/// The versions of the core group.
pub(crate) fn core_versions() -> Tree {
    map! {
        "kind" => "APIVersions", "versions" => list!["v1"],
        "serverAddressByClientCIDRs" => list![],
    }
}
