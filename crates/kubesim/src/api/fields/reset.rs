//! What a way of writing can't change, so that nobody comes to own it that way
//! (`GetResetFields` of the strategies, v1.36).

use super::set::Set;
use crate::api::registry::Type;

/// The fields that a write through a subresource (empty: to the object itself) leaves as they are.
pub(super) fn kept(kind: &Type, subresource: &str) -> Set {
    let fields: &[&str] = match (subresource, kind.resource.as_str()) {
        ("" | "finalize", _) if kind.has_status() => &["status"],
        ("status", "deployments.apps") => &["spec", "metadata.labels"],
        ("status", "pods") => &["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"],
        ("status", "servicecidrs.networking.k8s.io")
        | ("status", "resourceclaims.resource.k8s.io")
        | ("status", "volumeattachments.storage.k8s.io")
        | ("status", "flowschemas.flowcontrol.apiserver.k8s.io")
        | ("status", "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io")
        | ("status", "validatingadmissionpolicies.admissionregistration.k8s.io") => {
            &["spec", "metadata"]
        }
        ("status", "certificatesigningrequests.certificates.k8s.io") => {
            &["spec", "status.conditions"]
        }
        ("approval", _) => &["spec", "status.certificate"],
        ("status", _) if kind.custom => &["spec", "metadata"],
        ("status", _) => &["spec"],
        _ => &[],
    };
    Set::of_fields(fields)
}
