//! The catalogue of faults.

use super::definition::Fault;
use super::{
    api_conflict, api_error, api_latency, container_kill, container_oom, container_stuck,
    controller_crash, controller_pause, crash_loop, image_missing, image_slow, kubelet_hang,
    kubelet_stop, never_ready, node_crash, node_freeze, node_partition, node_reboot, packet_loss,
    response_lost, runtime_stop, slow_start, watch_delay, watch_drop,
};

/// Every fault, by family: host, process, image, controller, API.
pub const FAULTS: &[Fault] = &[
    node_crash::FAULT,
    node_freeze::FAULT,
    kubelet_stop::FAULT,
    kubelet_hang::FAULT,
    runtime_stop::FAULT,
    node_partition::FAULT,
    packet_loss::FAULT,
    node_reboot::FAULT,
    container_kill::FAULT,
    container_oom::FAULT,
    container_stuck::FAULT,
    never_ready::FAULT,
    slow_start::FAULT,
    crash_loop::FAULT,
    image_missing::FAULT,
    image_slow::FAULT,
    controller_crash::FAULT,
    controller_pause::FAULT,
    api_error::FAULT,
    api_conflict::FAULT,
    api_latency::FAULT,
    response_lost::FAULT,
    watch_delay::FAULT,
    watch_drop::FAULT,
];

/// The fault of this name.
pub fn fault(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_kebab_case() {
        for (at, fault) in FAULTS.iter().enumerate() {
            assert!(fault.name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
            assert!(FAULTS[..at].iter().all(|other| other.name != fault.name));
        }
        assert_eq!(FAULTS.len(), 24);
    }

    #[test]
    fn every_fault_needs_something_of_its_provider() {
        assert!(FAULTS.iter().all(|fault| !fault.needs.is_empty() && fault.doc.ends_with('.')));
    }
}
