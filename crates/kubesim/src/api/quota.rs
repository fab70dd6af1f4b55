//! Admission plugin ResourceQuota (v1.36, `plugin/pkg/admission/resourcequota` and
//! `pkg/quota/v1/evaluator/core`): what is made in a namespace is charged to its quotas, and
//! refused when one of them has no room. Only what a quota's status says is enforced, which
//! somebody must have written there; what is deleted is given back by whoever counts anew.

use kubesim_model::quantity;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use super::errors;
use super::limits::{Amounts, all_of, amounts_of};
use super::registry::Type;
use super::router::Call;
use super::server::Api;

/// Core resources that quotas count under their own names, too.
const COUNTED: [&str; 7] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];
/// Amounts that each container must name where a quota has them.
const MUST_NAME: [(&str, &str, &str); 6] = [
    ("cpu", "requests", "cpu"),
    ("limits.cpu", "limits", "cpu"),
    ("limits.memory", "limits", "memory"),
    ("memory", "requests", "memory"),
    ("requests.cpu", "requests", "cpu"),
    ("requests.memory", "requests", "memory"),
];

impl Api {
    /// Charges what a write adds to the quotas of its namespace; `old` is what was before.
    pub(super) fn charge(&mut self, call: &Call<'_>, old: &Tree, new: &Tree) -> Result<(), Status> {
        let resource = Resource::new("resourcequotas");
        let namespace = &call.request.key.namespace;
        if namespace.is_empty() || self.store.range(&resource, namespace).next().is_none() {
            return Ok(());
        }
        let mut added = usage(&call.kind, new);
        for (name, amount) in usage(&call.kind, old) {
            *added.entry(name).or_insert(0) -= amount;
        }
        added.retain(|_, amount| *amount != 0);
        let quotas = self.store.range(&resource, namespace);
        let quotas = quotas.map(|(key, quota)| (key.clone(), quota.clone()));
        let quotas: Vec<_> = quotas.filter(|(_, quota)| covers(quota, &call.kind, new)).collect();
        let mut charged = Vec::new();
        for (key, quota) in quotas {
            let refused =
                |why: String| Err(errors::forbidden(call.resource(), object::name(new), why));
            let name = key.name.clone();
            if let Some(missing) = unnamed(&call.kind, &quota, new).filter(|_| old.is_null()) {
                return refused(format!("failed quota: {name}: must specify {missing}"));
            }
            match charge_one(&quota, &added) {
                Ok(Some(more)) => charged.push((key, more)),
                Ok(None) => {}
                Err(why) => return refused(why),
            }
        }
        let kind = self.types.find(&resource)?;
        for (key, quota) in charged {
            self.commit(&kind, &key, quota);
        }
        Ok(())
    }
}

/// The quota with more used; `None` if it has nothing to do with what is added.
fn charge_one(quota: &Tree, added: &Amounts) -> Result<Option<Tree>, String> {
    let (hard, used) = (&quota["status"]["hard"], &quota["status"]["used"]);
    let name = object::name(quota);
    let mine = added.iter().filter(|(resource, _)| !hard[resource.as_str()].is_null());
    let mine: Vec<(&Text, &i64)> = mine.collect();
    if mine.is_empty() {
        return Ok(None);
    }
    let mut more = quota.clone();
    let (mut requested, mut before, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    for (resource, amount) in mine {
        let have = &used[resource.as_str()];
        let Some(counted) = quantity::milli(have) else {
            return Err(format!("status unknown for quota: {name}, resources: {resource}"));
        };
        let total = counted.saturating_add(*amount);
        let most = &hard[resource.as_str()];
        if *amount > 0 && quantity::milli(most).is_none_or(|most| total > most) {
            requested.push(format!("{resource}={}", amount_text(*amount, most)));
            before.push(format!("{resource}={}", have.str()));
            limited.push(format!("{resource}={}", most.str()));
        }
        let like = if counted == 0 { most } else { have };
        more.set(&["status", "used", resource], amount_text(total, like));
    }
    if requested.is_empty() {
        return Ok(Some(more));
    }
    let [requested, before, limited] = [requested, before, limited].map(|parts| parts.join(","));
    Err(format!(
        "exceeded quota: {name}, requested: {requested}, used: {before}, limited: {limited}"
    ))
}

/// An amount of thousandths in the form of another: binary, if that is.
fn amount_text(amount: i64, like: &Tree) -> Text {
    let whole = amount / 1000;
    let text = if amount % 1000 != 0 {
        format!("{amount}m")
    } else if like.str().ends_with('i') && whole % 1024 == 0 {
        format!("{}Ki", whole / 1024)
    } else {
        whole.to_string()
    };
    quantity::canonical(&Tree::from(text.as_str())).unwrap_or_else(|| Text::from(text))
}

/// What an object uses of what quotas count, in thousandths.
fn usage(kind: &Type, object: &Tree) -> Amounts {
    let mut used = Amounts::new();
    if object.is_null() || object::is_terminal(object) && kind.resource == Resource::PODS {
        return used;
    }
    let name = kind.resource.as_str();
    used.insert(Text::from(format!("count/{name}")), 1000);
    if COUNTED.contains(&name) {
        used.insert(Text::new(name), 1000);
    }
    let spec = &object["spec"];
    match name {
        "pods" => {
            for (resource, amount) in all_of(spec, "requests") {
                used.insert(Text::from(format!("requests.{resource}")), amount);
                if !resource.contains('/') {
                    used.insert(resource, amount);
                }
            }
            for (resource, amount) in all_of(spec, "limits") {
                used.insert(Text::from(format!("limits.{resource}")), amount);
            }
        }
        "services" => {
            let ports = 1000 * spec["ports"].items().len() as i64;
            let balanced = spec["type"] == "LoadBalancer";
            let outside = balanced && spec["allocateLoadBalancerNodePorts"].is_true();
            if spec["type"] == "NodePort" || outside {
                used.insert(Text::new("services.nodeports"), ports);
            }
            if balanced {
                used.insert(Text::new("services.loadbalancers"), 1000);
            }
        }
        "persistentvolumeclaims" => {
            let storage = amounts_of(&spec["resources"]["requests"]).remove("storage").unwrap_or(0);
            used.insert(Text::new("requests.storage"), storage);
            let class = spec["storageClassName"].str();
            if !class.is_empty() {
                let of =
                    |what: &str| Text::from(format!("{class}.storageclass.storage.k8s.io/{what}"));
                used.insert(of("requests.storage"), storage);
                used.insert(of("persistentvolumeclaims"), 1000);
            }
        }
        _ => {}
    }
    used
}

/// Whether a quota is about such objects: those with scopes are about some pods only.
fn covers(quota: &Tree, kind: &Type, object: &Tree) -> bool {
    let spec = &quota["spec"];
    let selected = spec["scopeSelector"]["matchExpressions"].items();
    if spec["scopes"].items().is_empty() && selected.is_empty() {
        return true;
    }
    kind.resource == Resource::PODS
        && spec["scopes"].items().iter().all(|scope| has_scope(object, scope.str()))
        && selected.iter().all(|wanted| {
            let class = object["spec"]["priorityClassName"].str();
            let named = wanted["values"].items().iter().any(|value| *value == class);
            match (wanted["scopeName"].str(), wanted["operator"].str()) {
                ("PriorityClass", "In") => named,
                ("PriorityClass", "NotIn") => !named,
                ("PriorityClass", "Exists") => !class.is_empty(),
                ("PriorityClass", _) => class.is_empty(),
                (scope, _) => has_scope(object, scope),
            }
        })
}

fn has_scope(pod: &Tree, scope: &str) -> bool {
    let ends = !pod["spec"]["activeDeadlineSeconds"].is_null();
    let best_effort = pod["status"]["qosClass"] == "BestEffort";
    match scope {
        "Terminating" => ends,
        "NotTerminating" => !ends,
        "BestEffort" => best_effort,
        "NotBestEffort" => !best_effort,
        "PriorityClass" => !pod["spec"]["priorityClassName"].str().is_empty(),
        _ => false,
    }
}

/// What a quota has and a container of a pod does not name.
fn unnamed(kind: &Type, quota: &Tree, pod: &Tree) -> Option<String> {
    if kind.resource != Resource::PODS {
        return None;
    }
    let hard = &quota["status"]["hard"];
    let spec = &pod["spec"];
    let containers = || spec["containers"].items().iter().chain(spec["initContainers"].items());
    let wanted = MUST_NAME.iter().filter(|(name, ..)| !hard[*name].is_null());
    let missing = wanted.filter(|(_, list, resource)| {
        containers().any(|container| container["resources"][*list][*resource].is_null())
    });
    let missing: Vec<&str> = missing.map(|(name, ..)| *name).collect();
    (!missing.is_empty()).then(|| missing.join(","))
}
