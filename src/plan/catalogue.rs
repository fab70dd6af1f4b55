//! The vocabulary of scenario files, gathered from the catalogues that define it.

use crate::check;
use crate::cluster::Capability;
use crate::fault::FAULTS;
use crate::suite::requirements::Requirement;
use crate::suite::vocabulary::{KnownRequirement, KnownSubject};
use crate::suite::{Subject, Vocabulary};

/// What scenarios may name, given the requirements and subjects that there are.
pub fn vocabulary(requirements: &[Requirement], subjects: &[Subject]) -> Vocabulary {
    Vocabulary {
        faults: FAULTS.iter().map(|fault| fault.entry()).collect(),
        invariants: check::registry().iter().map(|definition| definition.entry).collect(),
        requirements: requirements.iter().map(known_requirement).collect(),
        subjects: subjects.iter().map(known_subject).collect(),
        subject_capabilities: Vec::new(),
        provider_capabilities: Capability::ALL.iter().map(|have| have.as_str()).collect(),
    }
}

/// A requirement as scenarios and the judge know it.
pub fn known_requirement(requirement: &Requirement) -> KnownRequirement {
    KnownRequirement {
        id: requirement.id.to_string(),
        invariants: requirement.invariants.iter().map(|name| name.to_string()).collect(),
    }
}

fn known_subject(subject: &Subject) -> KnownSubject {
    KnownSubject {
        name: subject.name.to_string(),
        operations: subject.operations.keys().map(ToString::to_string).collect(),
    }
}
