//! `image-missing`: an image can't be had.

use kubesim_model::object;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;

use super::definition::{Ends, Fault, Injection, Missed, Scene};
use super::{evidence, image};
use crate::cluster::Capability;
use crate::history::{Body, HostFact};

/// The catalogue's entry.
pub(super) const FAULT: Fault = Fault {
    name: "image-missing",
    doc: "An image can't be had.",
    details: "Pulls fail at once (`ErrImagePull`) and are tried again with growing back-off. Nodes \
              that have the image do not ask for it unless it is pulled always. Proof: a pull \
              failed.",
    params: &[image::IMAGE],
    needs: &[Capability::ImageFaults],
    given: &[],
    ends: Ends::WhenAsked,
    inject,
};

fn inject(scene: &mut Scene<'_>) -> Result<Injection, Missed> {
    let (image, injection) = image::ruled(scene, true, 0);
    Ok(injection.proved_by(move |moment| {
        if let Some(HostFact::ImageFailed { image: have, .. }) = evidence::fact(moment.event)
            && evidence::matches(&image, have)
        {
            return Some(moment.proof(format!("{have} could not be pulled")));
        }
        let Some(Body::Request(request)) = moment.event.map(|event| &event.body) else {
            return None;
        };
        let pods = request.changes.iter().filter(|change| change.resource == Resource::PODS);
        let pod = pods.filter_map(|change| change.after.as_ref()).find(|pod| lacks(pod, &image))?;
        Some(moment.proof(format!("pod {} lacks its image", object::key(pod))))
    }))
}

/// Whether a container of the pod waits for this image after a pull that failed. The spec says for
/// which: after a change in place the status still names the image that ran before.
fn lacks(pod: &Tree, image: &str) -> bool {
    let containers = pod["spec"]["containers"].items();
    pod["status"]["containerStatuses"].items().iter().any(|status| {
        let reason = status["state"]["waiting"]["reason"].str();
        let wanted = containers.iter().find(|container| container["name"] == status["name"]);
        matches!(reason, "ErrImagePull" | "ImagePullBackOff")
            && wanted.is_some_and(|wanted| evidence::matches(image, wanted["image"].str()))
    })
}

#[cfg(test)]
mod tests {
    use kubesim_model::{list, map};

    use super::*;

    #[test]
    fn a_pod_changed_in_place_lacks_the_image_of_its_spec_not_of_its_status() {
        let waiting = map! { "waiting" => map! { "reason" => "ErrImagePull" } };
        let status = map! { "name" => "app", "image" => "app:1", "state" => waiting };
        let pod = map! {
            "spec" => map! { "containers" => list![map! { "name" => "app", "image" => "app:2" }] },
            "status" => map! { "containerStatuses" => list![status] },
        };
        assert!(lacks(&pod, "app:2") && !lacks(&pod, "app:1"));
    }
}
