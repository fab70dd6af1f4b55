//! The history of a trial: everything that was observed, in one order.
//!
//! A verdict is a pure function of it, so it holds all that a judgement needs: who asked the API
//! for what and how that changed the objects, what reached whom, what really ran on the hosts,
//! which faults and steps were open when. This module knows no suite, no cluster and no invariant.

mod diff;
mod event;
mod file;
mod hosts;
mod known;
mod objects;
mod stored;
mod view;

pub use event::{
    ActorEvent, ActorPhase, Body, Change, Clock, ContainerFact, Delivery, Event, FaultEvent,
    FaultPhase, Gap, Header, History, HostEvent, HostFact, Names, NoteEvent, Pace, RequestEvent,
    SCHEMA, Source, StepEvent, StepPhase, TIME,
};
pub use file::{Limits, ReadError, Writer};
pub use hosts::{Hosts, Running};
pub use known::{Known, REACTION, REAL_REACTION};
pub use objects::Objects;
pub use view::{FaultState, View};
