//! The interface by which a controller, a kubelet or any other participant is stepped.
//!
//! An actor sees no store, no clock and no network: it is given an [`Input`] and writes [`Effect`]s
//! through [`Io`]. Whoever drives it (the simulated world, or an adapter over a Kubernetes client)
//! carries the effects out and brings the answers back as further inputs.

use crate::host::{HostCommand, HostEvent};
use crate::request::{Answer, Request};
use crate::resource::Resource;
use crate::stream::Stream;
use crate::tree::Tree;
use crate::{Millis, Text};

/// Names one request of one incarnation of an actor.
pub type RequestId = u64;

/// A deterministic state machine that takes part in a cluster.
pub trait Actor: Send + Sync {
    /// Takes one input and answers with effects through `io`.
    fn on(&mut self, input: Input, io: &mut Io<'_>);

    /// A copy with all its state, for forked worlds.
    fn boxed_clone(&self) -> Box<dyn Actor>;
}

impl Clone for Box<dyn Actor> {
    fn clone(&self) -> Self {
        self.as_ref().boxed_clone()
    }
}

/// What reaches an actor.
#[derive(Clone, Debug)]
pub enum Input {
    /// The first input of each incarnation. The actor asks for its watches now.
    Start,
    /// What a watch delivered.
    Watch(WatchEvent),
    /// The answer to a request.
    Answer {
        /// The request.
        id: RequestId,
        /// Its answer.
        answer: Answer,
    },
    /// A timer that the actor set has run out.
    Timer(u64),
    /// Something happened on the actor's host.
    Host(HostEvent),
}

/// What a watch delivers. Broken streams, re-lists and bookmarks are the link's business.
#[derive(Clone, Debug)]
pub enum WatchEvent {
    /// The whole content, at first and after each re-list: what is not in it is gone.
    Listed {
        /// Of which resource.
        resource: Resource,
        /// Every object that the watch selects.
        items: Vec<Tree>,
    },
    /// An object was made or changed (or began to match).
    Applied {
        /// Of which resource.
        resource: Resource,
        /// Its new state.
        object: Tree,
    },
    /// An object was deleted (or ceased to match).
    Deleted {
        /// Of which resource.
        resource: Resource,
        /// Its last state.
        object: Tree,
    },
}

impl WatchEvent {
    /// The resource that the event is about.
    pub fn resource(&self) -> &Resource {
        match self {
            WatchEvent::Listed { resource, .. }
            | WatchEvent::Applied { resource, .. }
            | WatchEvent::Deleted { resource, .. } => resource,
        }
    }
}

/// A watch that an actor wants: list, then changes, for as long as the incarnation lives.
#[derive(Clone, Debug, PartialEq)]
pub struct WatchSpec {
    /// Of which resource.
    pub resource: Resource,
    /// In which version of it objects are shown, as in `v1`; empty for the stored one.
    pub version: Text,
    /// In which namespace; all with the empty one.
    pub namespace: Text,
    /// A label selector in its text form.
    pub label_selector: Text,
    /// A field selector in its text form.
    pub field_selector: Text,
}

impl WatchSpec {
    /// All objects of `resource`.
    pub fn all(resource: Resource) -> Self {
        WatchSpec {
            resource,
            version: Text::default(),
            namespace: Text::default(),
            label_selector: Text::default(),
            field_selector: Text::default(),
        }
    }

    /// Those with `selector` only, as in `spec.nodeName=worker-1`.
    pub fn with_fields(mut self, selector: impl Into<Text>) -> Self {
        self.field_selector = selector.into();
        self
    }
}

/// What an actor wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Send this request; the answer comes as [`Input::Answer`].
    Request {
        /// Chosen by [`Io`]; comes back with the answer.
        id: RequestId,
        /// What to send.
        request: Box<Request>,
    },
    /// Give [`Input::Timer`] with `token` at `at`.
    Timer {
        /// Comes back with the timer.
        token: u64,
        /// When.
        at: Millis,
    },
    /// Open this watch.
    Watch(WatchSpec),
    /// Do this on the actor's host.
    Host(HostCommand),
    /// A Kubernetes Event about an object: for people, never for decisions.
    Event {
        /// The object's resource, namespace and name, as in `pods default/web-0`.
        about: Text,
        /// The machine-readable reason, as in `Killing`.
        reason: Text,
        /// The text.
        message: Text,
    },
}

/// What an actor may use while it takes an input.
pub struct Io<'a> {
    /// The time.
    pub now: Millis,
    /// The actor's own stream of random numbers; a new one with each incarnation.
    pub rng: &'a mut Stream,
    next_request: &'a mut RequestId,
    effects: &'a mut Vec<Effect>,
}

impl<'a> Io<'a> {
    /// For drivers: effects are appended to `effects`, requests numbered from `next_request`.
    pub fn new(
        now: Millis,
        rng: &'a mut Stream,
        next_request: &'a mut RequestId,
        effects: &'a mut Vec<Effect>,
    ) -> Self {
        Io { now, rng, next_request, effects }
    }

    /// Sends a request.
    pub fn request(&mut self, request: Request) -> RequestId {
        let id = *self.next_request;
        *self.next_request += 1;
        self.effects.push(Effect::Request { id, request: Box::new(request) });
        id
    }

    /// Sets a timer to run out `after` milliseconds from now.
    pub fn timer(&mut self, token: u64, after: Millis) {
        self.effects.push(Effect::Timer { token, at: self.now + after });
    }

    /// Opens a watch.
    pub fn watch(&mut self, spec: WatchSpec) {
        self.effects.push(Effect::Watch(spec));
    }

    /// Does something on the host.
    pub fn host(&mut self, command: HostCommand) {
        self.effects.push(Effect::Host(command));
    }

    /// Emits a Kubernetes Event about an object.
    pub fn event(
        &mut self,
        about: impl Into<Text>,
        reason: impl Into<Text>,
        message: impl Into<Text>,
    ) {
        let (about, reason, message) = (about.into(), reason.into(), message.into());
        self.effects.push(Effect::Event { about, reason, message });
    }
}
