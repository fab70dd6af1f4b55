//! The built-in types of Kubernetes v1.36, as its API server serves them by default.

use super::Generation::{
    self, ChangedSpec, Content, ContentAndLabels, First, Never, Spec, SpecAndAnnotations,
};

/// Resource, kind, namespaced, generation, subresources.
pub(super) type Row = (&'static str, &'static str, bool, Generation, &'static [&'static str]);

const NONE: &[&str] = &[];
const STATUS: &[&str] = &["status"];
const SCALED: &[&str] = &["scale", "status"];
const POD: &[&str] = &["binding", "ephemeralcontainers", "eviction", "resize", "status"];
const SIGNED: &[&str] = &["approval", "status"];

/// The types that objects are stored of.
pub(super) const STORED: &[Row] = &[
    ("pods", "Pod", true, Spec, POD),
    ("nodes", "Node", false, Never, STATUS),
    ("namespaces", "Namespace", false, Never, &["finalize", "status"]),
    ("services", "Service", true, Never, STATUS),
    ("endpoints", "Endpoints", true, Never, NONE),
    ("configmaps", "ConfigMap", true, Never, NONE),
    ("secrets", "Secret", true, Never, NONE),
    ("events", "Event", true, Never, NONE),
    ("limitranges", "LimitRange", true, Never, NONE),
    ("resourcequotas", "ResourceQuota", true, Never, STATUS),
    ("podtemplates", "PodTemplate", true, Content, NONE),
    ("replicationcontrollers", "ReplicationController", true, Spec, SCALED),
    ("serviceaccounts", "ServiceAccount", true, Never, &["token"]),
    ("persistentvolumeclaims", "PersistentVolumeClaim", true, Never, STATUS),
    ("persistentvolumes", "PersistentVolume", false, Never, STATUS),
    ("deployments.apps", "Deployment", true, SpecAndAnnotations, SCALED),
    ("replicasets.apps", "ReplicaSet", true, Spec, SCALED),
    ("statefulsets.apps", "StatefulSet", true, Spec, SCALED),
    ("daemonsets.apps", "DaemonSet", true, Spec, STATUS),
    ("controllerrevisions.apps", "ControllerRevision", true, Never, NONE),
    ("jobs.batch", "Job", true, Spec, STATUS),
    ("cronjobs.batch", "CronJob", true, Spec, STATUS),
    ("horizontalpodautoscalers.autoscaling", "HorizontalPodAutoscaler", true, Never, STATUS),
    ("poddisruptionbudgets.policy", "PodDisruptionBudget", true, Spec, STATUS),
    ("endpointslices.discovery.k8s.io", "EndpointSlice", true, ContentAndLabels, NONE),
    ("leases.coordination.k8s.io", "Lease", true, Never, NONE),
    ("priorityclasses.scheduling.k8s.io", "PriorityClass", false, First, NONE),
    ("ingresses.networking.k8s.io", "Ingress", true, Spec, STATUS),
    ("ingressclasses.networking.k8s.io", "IngressClass", false, Spec, NONE),
    ("networkpolicies.networking.k8s.io", "NetworkPolicy", true, Spec, NONE),
    ("ipaddresses.networking.k8s.io", "IPAddress", false, Never, NONE),
    ("servicecidrs.networking.k8s.io", "ServiceCIDR", false, Never, STATUS),
    ("roles.rbac.authorization.k8s.io", "Role", true, Never, NONE),
    ("rolebindings.rbac.authorization.k8s.io", "RoleBinding", true, Never, NONE),
    ("clusterroles.rbac.authorization.k8s.io", "ClusterRole", false, Never, NONE),
    ("clusterrolebindings.rbac.authorization.k8s.io", "ClusterRoleBinding", false, Never, NONE),
    ("storageclasses.storage.k8s.io", "StorageClass", false, Never, NONE),
    ("csidrivers.storage.k8s.io", "CSIDriver", false, ChangedSpec, NONE),
    ("csinodes.storage.k8s.io", "CSINode", false, Never, NONE),
    ("csistoragecapacities.storage.k8s.io", "CSIStorageCapacity", true, Never, NONE),
    ("volumeattachments.storage.k8s.io", "VolumeAttachment", false, Never, STATUS),
    ("volumeattributesclasses.storage.k8s.io", "VolumeAttributesClass", false, Never, NONE),
    ("runtimeclasses.node.k8s.io", "RuntimeClass", false, Never, NONE),
    (
        "certificatesigningrequests.certificates.k8s.io",
        "CertificateSigningRequest",
        false,
        Never,
        SIGNED,
    ),
    (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        false,
        Content,
        NONE,
    ),
    (
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        false,
        Content,
        NONE,
    ),
    (
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        false,
        Spec,
        STATUS,
    ),
    (
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        false,
        Spec,
        NONE,
    ),
    (
        "mutatingadmissionpolicies.admissionregistration.k8s.io",
        "MutatingAdmissionPolicy",
        false,
        Spec,
        NONE,
    ),
    (
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "MutatingAdmissionPolicyBinding",
        false,
        Spec,
        NONE,
    ),
    ("flowschemas.flowcontrol.apiserver.k8s.io", "FlowSchema", false, Spec, STATUS),
    (
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "PriorityLevelConfiguration",
        false,
        Spec,
        STATUS,
    ),
    ("apiservices.apiregistration.k8s.io", "APIService", false, Never, STATUS),
    ("deviceclasses.resource.k8s.io", "DeviceClass", false, Spec, NONE),
    ("resourceclaims.resource.k8s.io", "ResourceClaim", true, Never, STATUS),
    ("resourceclaimtemplates.resource.k8s.io", "ResourceClaimTemplate", true, Never, NONE),
    ("resourceslices.resource.k8s.io", "ResourceSlice", false, Spec, NONE),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "CustomResourceDefinition",
        false,
        Spec,
        STATUS,
    ),
];

/// Types of which nothing is stored: what they show is of other types, or found out when asked.
pub(super) const SHOWN: &[Row] = &[
    ("componentstatuses", "ComponentStatus", false, Never, NONE),
    ("events.events.k8s.io", "Event", true, Never, NONE),
];

/// The types whose objects are questions: they can only be created, and are answered, not stored.
pub(super) const ASKED: &[Row] = &[
    ("bindings", "Binding", true, Never, NONE),
    ("tokenreviews.authentication.k8s.io", "TokenReview", false, Never, NONE),
    ("selfsubjectreviews.authentication.k8s.io", "SelfSubjectReview", false, Never, NONE),
    ("subjectaccessreviews.authorization.k8s.io", "SubjectAccessReview", false, Never, NONE),
    (
        "selfsubjectaccessreviews.authorization.k8s.io",
        "SelfSubjectAccessReview",
        false,
        Never,
        NONE,
    ),
    (
        "localsubjectaccessreviews.authorization.k8s.io",
        "LocalSubjectAccessReview",
        true,
        Never,
        NONE,
    ),
    ("selfsubjectrulesreviews.authorization.k8s.io", "SelfSubjectRulesReview", false, Never, NONE),
];
