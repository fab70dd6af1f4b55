//! Names of resources and objects.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Text;

/// A resource by plural and group, as in `deployments.apps`; the core group has no suffix (`pods`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resource(Text);

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Resource {
            $($(#[$doc])* #[doc = concat!("`", $text, "`")]
            pub const $name: Resource = Resource(Text::new_static($text));)*
        }
    };
}

resources! {
    PODS = "pods";
    NODES = "nodes";
    NAMESPACES = "namespaces";
    SERVICES = "services";
    CONFIG_MAPS = "configmaps";
    EVENTS = "events";
    SERVICE_ACCOUNTS = "serviceaccounts";
    SECRETS = "secrets";
    PERSISTENT_VOLUME_CLAIMS = "persistentvolumeclaims";
    DEPLOYMENTS = "deployments.apps";
    REPLICA_SETS = "replicasets.apps";
    STATEFUL_SETS = "statefulsets.apps";
    DAEMON_SETS = "daemonsets.apps";
    REPLICATION_CONTROLLERS = "replicationcontrollers";
    RESOURCE_QUOTAS = "resourcequotas";
    JOBS = "jobs.batch";
    CRON_JOBS = "cronjobs.batch";
    CONTROLLER_REVISIONS = "controllerrevisions.apps";
    POD_DISRUPTION_BUDGETS = "poddisruptionbudgets.policy";
    ENDPOINT_SLICES = "endpointslices.discovery.k8s.io";
    LEASES = "leases.coordination.k8s.io";
    PRIORITY_CLASSES = "priorityclasses.scheduling.k8s.io";
    CUSTOM_RESOURCE_DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";
    CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io";
    CLONE_SETS = "clonesets.apps.kruise.io";
}

impl Resource {
    /// The resource named `plural.group`, or `plural` of the core group.
    pub fn new(text: impl Into<Text>) -> Self {
        Resource(text.into())
    }

    /// `plural.group`, or `plural`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The plural alone, as in URLs: `deployments`.
    pub fn plural(&self) -> &str {
        self.0.split_once('.').map_or(self.0.as_str(), |(plural, _)| plural)
    }

    /// The API group; empty for the core group.
    pub fn group(&self) -> &str {
        self.0.split_once('.').map_or("", |(_, group)| group)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// An object's name within its resource. Objects without a namespace have the empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The namespace, empty for cluster-scoped objects.
    pub namespace: Text,
    /// The name.
    pub name: Text,
}

impl ObjectKey {
    /// The key `namespace/name`.
    pub fn new(namespace: impl Into<Text>, name: impl Into<Text>) -> Self {
        ObjectKey { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            to.write_str(&self.name)
        } else {
            write!(to, "{}/{}", self.namespace, self.name)
        }
    }
}
