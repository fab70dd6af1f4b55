//! Admission plugin ResourceQuota (v1.36, `plugin/pkg/admission/resourcequota`): what is made in a
//! namespace is charged to its quotas, and refused when one of them has no room. Only what a
//! quota's status says is enforced, which its controller wrote there; what is deleted is given back
//! when that counts anew.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::errors;
use super::router::Call;
use super::server::Api;
use crate::quota::{Amount, Amounts, counted_by, covers, unnamed, usage};

impl Api {
    /// Charges what a write adds to the quotas of its namespace; `old` is what was before.
    pub(super) fn charge(&mut self, call: &Call<'_>, old: &Tree, new: &Tree) -> Result<(), Status> {
        let namespace = &call.request.key.namespace;
        let quotas = Resource::RESOURCE_QUOTAS;
        if namespace.is_empty() || self.store.range(&quotas, namespace).next().is_none() {
            return Ok(());
        }
        let resource = &call.kind.resource;
        if !old.is_null() && *resource == Resource::PODS && !concerns_quotas(call, old, new) {
            return Ok(());
        }
        let whole = usage(resource, new, call.now);
        let before = usage(resource, old, call.now);
        let mut added = whole.clone();
        for (name, amount) in &mut added {
            *amount = amount.beyond(before.get(name).copied().unwrap_or_default());
        }
        let mut charged = Vec::new();
        for (key, quota) in self.store.range(&quotas, namespace) {
            if !covers(quota, resource, new) {
                continue;
            }
            let covered = !old.is_null() && covers(quota, resource, old);
            let added = if covered { &added } else { &whole };
            match charge_one(quota, resource, (old, new), added) {
                Ok(Some(more)) => charged.push((key.clone(), more)),
                Ok(None) => {}
                Err(why) => {
                    return Err(errors::forbidden(call.resource(), object::name(new), why));
                }
            }
        }
        let kind = self.types.find(&quotas)?;
        for (key, quota) in charged {
            self.commit(&kind, &key, quota);
        }
        Ok(())
    }
}

/// Whether an update of a pod may use more, or bring it under other quotas.
fn concerns_quotas(call: &Call<'_>, old: &Tree, new: &Tree) -> bool {
    let ends = |pod: &Tree| !pod["spec"]["activeDeadlineSeconds"].is_null();
    call.request.subresource == "resize" || ends(old) != ends(new)
}

/// The quota with more used; `None` if it has nothing to do with what is added.
fn charge_one(
    quota: &Tree,
    resource: &Resource,
    (old, new): (&Tree, &Tree),
    added: &Amounts,
) -> Result<Option<Tree>, String> {
    let (hard, used) = (&quota["status"]["hard"], &quota["status"]["used"]);
    let name = object::name(quota);
    let mine = hard.fields().map(|(resource, _)| resource);
    let mine = mine.filter(|name| counted_by(name).as_ref() == Some(resource));
    let unknown: Vec<&str> =
        mine.clone().map(|name| name.as_str()).filter(|name| used[*name].is_null()).collect();
    if mine.clone().next().is_none() {
        return Ok(None);
    }
    if *resource == Resource::PODS
        && old.is_null()
        && let Some(missing) = unnamed(quota, new)
    {
        return Err(format!("failed quota: {name}: must specify {missing}"));
    }
    if !unknown.is_empty() {
        return Err(format!("status unknown for quota: {name}, resources: {}", unknown.join(",")));
    }
    let mut more = quota.clone();
    let (mut requested, mut before, mut limited) = (Vec::new(), Vec::new(), Vec::new());
    for name in mine {
        let Some(amount) = added.get(name).filter(|amount| amount.milli > 0) else { continue };
        let (have, most) = (&used[name.as_str()], &hard[name.as_str()]);
        let total = Amount::read(have).unwrap_or_default().plus(*amount);
        if Amount::read(most).is_none_or(|most| total > most) {
            requested.push(format!("{name}={}", amount.text()));
            before.push(format!("{name}={}", have.str()));
            limited.push(format!("{name}={}", most.str()));
        }
        more.set(&["status", "used", name], total.text());
    }
    if requested.is_empty() {
        return Ok((more != *quota).then_some(more));
    }
    let [requested, before, limited] = [requested, before, limited].map(|parts| parts.join(","));
    Err(format!(
        "exceeded quota: {name}, requested: {requested}, used: {before}, limited: {limited}"
    ))
}
