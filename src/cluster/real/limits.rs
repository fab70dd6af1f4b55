//! What no real cluster can do, and what in it no trial is about.

use crate::cluster::{Capabilities, Capability, ClusterError, ClusterSpec};

/// What real clusters can do, but for `also`.
pub(in crate::cluster) fn capabilities(also: &[Capability]) -> Capabilities {
    let lacking = [Capability::VirtualTime, Capability::Repeatable, Capability::Forkable];
    Capabilities::all_but(&[&lacking, also].concat())
}

/// Bugs can be planted in simulated components only.
pub(in crate::cluster) fn refuse_bugs(
    provider: &'static str,
    spec: &ClusterSpec,
) -> Result<(), ClusterError> {
    match spec.bugs.first() {
        None => Ok(()),
        Some((component, bug)) => {
            let what = format!("plant the bug `{component}/{bug}`");
            Err(ClusterError::Unsupported { provider, what })
        }
    }
}

/// Whether a namespace is of the cluster's own parts, which no trial is about.
pub(in crate::cluster) fn is_of_the_system(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == "local-path-storage"
}
