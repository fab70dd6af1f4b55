//! `image-slow`: pulling an image takes longer.

use super::definition::{Ends, Fault, Injection, Missed, Moment, Scene};
use super::{evidence, image};
use crate::cluster::Capability;
use crate::history::HostFact;
use crate::suite::{Param, ParamKind};
use kubesim_model::resource::Resource;

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "image-slow",
    doc: "Pulling an image takes longer.",
    details: "Nodes that have the image do not ask for it unless it is pulled always. Proof: a pod \
              waited for the image for most of the time that was added.",
    params: &[
        image::IMAGE,
        Param::new("by", ParamKind::Duration, "How much longer it takes.").default("60s"),
    ],
    needs: &[Capability::SlowImages],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let by = scene.args.duration("by").unwrap_or(60_000);
    let (image, injection) = image::ruled(scene, false, by);
    let mut waiting_since = None;
    Ok(injection.proved_by(move |moment| {
        if let Some(HostFact::ImagePulled { image: have, .. }) = evidence::fact(moment.event) {
            let late = moment.now.saturating_sub(moment.since) >= by;
            if late && evidence::matches(&image, have) {
                return Some(moment.proof(format!("{have} came late")));
            }
        }
        let Some(pod) = waiting(moment, &image) else {
            waiting_since = None;
            return None;
        };
        let waited = moment.now - *waiting_since.get_or_insert(moment.now);
        (waited >= by / 4 * 3).then(|| moment.proof(format!("pod {pod} waited {waited} ms")))
    }))
}

/// A scheduled pod with a container of this image that does not run.
fn waiting(moment: &Moment<'_>, image: &str) -> Option<String> {
    let mut pods = moment.view.objects.all(&Resource::PODS);
    let found = pods.find(|(_, pod)| {
        let statuses = pod["status"]["containerStatuses"].items();
        pod["spec"]["containers"].items().iter().any(|container| {
            let status = statuses.iter().find(|status| status["name"] == container["name"]);
            evidence::matches(image, container["image"].str())
                && !pod["spec"]["nodeName"].is_null()
                && status.is_some_and(|status| status["state"]["running"].is_null())
        })
    });
    found.map(|(key, _)| key.to_string())
}
