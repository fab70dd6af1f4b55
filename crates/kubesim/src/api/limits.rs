//! Admission plugin LimitRanger (v1.36, `plugin/pkg/admission/limitranger`): what the LimitRanges
//! of a namespace say of its pods and claims. Containers get what they leave out, and nothing is
//! made that is too small or too large.

use kubesim_model::object;
use kubesim_model::request::Status;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::router::Call;
use super::server::Api;
use super::{defaults, errors};
use crate::quota::{Amounts, all_of, amounts_of};

/// The annotation that says what was filled in.
const FILLED: &str = "kubernetes.io/limit-ranger";

impl Api {
    /// Fills in what the containers of a new pod leave out.
    pub(super) fn fill_limits(&self, call: &Call<'_>, pod: &mut Tree) {
        if *call.resource() != Resource::PODS {
            return;
        }
        let mut filled = Vec::new();
        for range in self.limit_ranges(call) {
            let items = range["spec"]["limits"].items().iter();
            for item in items.filter(|item| item["type"] == "Container") {
                for (list, kind) in
                    [("containers", "container"), ("initContainers", "init container")]
                {
                    if pod["spec"][list].items().is_empty() {
                        continue;
                    }
                    for container in pod.at_mut(&["spec", list]).items_mut() {
                        fill(container, item, kind, &mut filled);
                    }
                }
            }
        }
        if filled.is_empty() {
            return;
        }
        let text = format!("LimitRanger plugin set: {}", filled.join("; "));
        pod.set(&["metadata", "annotations", FILLED], text);
        let class = defaults::qos_class(&pod["spec"]);
        pod.set(&["status", "qosClass"], class);
    }

    /// Refuses a pod or a claim that breaks a limit.
    pub(super) fn check_limits(&self, call: &Call<'_>, object: &Tree) -> Result<(), Status> {
        let check = match call.resource() {
            resource if *resource == Resource::PODS => check_pod,
            resource if *resource == Resource::PERSISTENT_VOLUME_CLAIMS => check_claim,
            _ => return Ok(()),
        };
        for range in self.limit_ranges(call) {
            let mut broken = Vec::new();
            for item in range["spec"]["limits"].items() {
                check(object, item, &mut broken);
            }
            if !broken.is_empty() {
                let why = match broken.as_slice() {
                    [one] => one.clone(),
                    many => format!("[{}]", many.join(", ")),
                };
                return Err(errors::forbidden(call.resource(), object::name(object), why));
            }
        }
        Ok(())
    }

    fn limit_ranges(&self, call: &Call<'_>) -> Vec<Tree> {
        let resource = Resource::new("limitranges");
        let ranges = self.store.range(&resource, &call.request.key.namespace);
        ranges.map(|(_, range)| range.clone()).collect()
    }
}

fn fill(container: &mut Tree, item: &Tree, kind: &str, filled: &mut Vec<String>) {
    let name = container["name"].text();
    for (amounts, from, what) in
        [("requests", "defaultRequest", "request"), ("limits", "default", "limit")]
    {
        let mut set = Vec::new();
        for (resource, amount) in item[from].fields() {
            if container["resources"][amounts][resource.as_str()].is_null() {
                container.set(&["resources", amounts, resource], amount);
                set.push(resource.as_str());
            }
        }
        if !set.is_empty() {
            filled.push(format!("{} {what} for {kind} {name}", set.join(", ")));
        }
    }
}

fn check_pod(pod: &Tree, item: &Tree, broken: &mut Vec<String>) {
    let spec = &pod["spec"];
    match item["type"].str() {
        "Container" => {
            for container in spec["containers"].items().iter().chain(spec["initContainers"].items())
            {
                let amounts = |list: &str| amounts_of(&container["resources"][list]);
                check("Container", item, &amounts("requests"), Some(&amounts("limits")), broken);
            }
        }
        "Pod" => {
            let (requests, limits) = (all_of(spec, "requests"), all_of(spec, "limits"));
            check("Pod", item, &requests, Some(&limits), broken);
        }
        _ => {}
    }
}

fn check_claim(claim: &Tree, item: &Tree, broken: &mut Vec<String>) {
    if item["type"] == "PersistentVolumeClaim" {
        let requests = amounts_of(&claim["spec"]["resources"]["requests"]);
        check("PersistentVolumeClaim", item, &requests, None, broken);
    }
}

/// Looks at what is asked for, and at the limits of what has limits.
fn check(
    kind: &str,
    item: &Tree,
    requests: &Amounts,
    limits: Option<&Amounts>,
    broken: &mut Vec<String>,
) {
    let nothing = Amounts::new();
    for (resource, least) in amounts_of(&item["min"]) {
        let asked = requests.get(&resource);
        let limit = limits.unwrap_or(&nothing).get(&resource);
        if asked.is_none_or(|asked| *asked < least) || limit.is_some_and(|limit| *limit < least) {
            let least = &item["min"][resource.as_str()];
            broken.push(format!("minimum {resource} usage per {kind} is {}", least.str()));
        }
    }
    for (resource, most) in amounts_of(&item["max"]) {
        let asked = requests.get(&resource);
        let bound = limits.map_or(asked, |limits| limits.get(&resource));
        if bound.is_none_or(|bound| *bound > most) || asked.is_some_and(|asked| *asked > most) {
            let most = &item["max"][resource.as_str()];
            broken.push(format!("maximum {resource} usage per {kind} is {}", most.str()));
        }
    }
    let Some(limits) = limits else { return };
    for (resource, ratio) in amounts_of(&item["maxLimitRequestRatio"]) {
        let some =
            |amounts: &Amounts| amounts.get(&resource).map(|one| one.milli).filter(|one| *one != 0);
        // A ratio in thousandths: the limit may be so much of a thousandth of the request.
        let kept = match (some(requests), some(limits)) {
            (Some(asked), Some(limit)) => {
                i128::from(limit) * 1000 <= i128::from(ratio.milli) * i128::from(asked)
            }
            _ => false,
        };
        if !kept {
            let ratio = &item["maxLimitRequestRatio"][resource.as_str()];
            let ratio = ratio.str();
            broken.push(format!("{resource} max limit to request ratio per {kind} is {ratio}"));
        }
    }
}
