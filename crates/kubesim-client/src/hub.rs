//! The counter between programs and the world: what programs ask for lies here until the driver
//! takes it, in the order in which it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use kubesim::world::RawEvent;
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::{Answer, Remarks, Request};
use tokio::sync::{Notify, mpsc, oneshot};

use kubesim_http::{Form, Meta, Reply, View};

/// Which life of which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    /// The program, by its place in the list.
    pub(crate) program: usize,
    /// Its incarnation in the world.
    pub(crate) incarnation: u32,
}

/// A watch that is on its way.
pub(crate) struct Opened {
    /// Its number in the world.
    pub(crate) watch: usize,
    /// How its objects are shown.
    pub(crate) view: View,
    /// For how many seconds the server keeps it if the client names no time.
    pub(crate) timeout: u64,
}

/// Something that a program asks for. Whoever drops it answers that the connection was lost.
pub(crate) enum Ask {
    /// A request. The type's version is checked against what the API serves.
    Request {
        life: Life,
        version: Version,
        form: Form,
        request: Box<Request>,
        /// Where the answer goes, with how it is shown and what was remarked.
        answer: oneshot::Sender<(Answer, Remarks, View)>,
    },
    /// A watch from a version on.
    Watch {
        life: Life,
        version: Version,
        form: Form,
        spec: WatchSpec,
        from: u64,
        opened: oneshot::Sender<Opened>,
        events: mpsc::UnboundedSender<RawEvent>,
    },
    /// What the server says of itself.
    Meta { life: Life, meta: Meta, answer: oneshot::Sender<Reply> },
    /// The version for a bookmark, if there can be one now.
    Bookmark { life: Life, watch: usize, answer: oneshot::Sender<u64> },
    /// A watch is not needed any more.
    Close { life: Life, watch: usize },
}

/// The version of a type in a URL, as in `apps/v1`.
pub(crate) type Version = String;

impl Ask {
    pub(crate) fn life(&self) -> Life {
        match self {
            Ask::Request { life, .. }
            | Ask::Watch { life, .. }
            | Ask::Meta { life, .. }
            | Ask::Bookmark { life, .. }
            | Ask::Close { life, .. } => *life,
        }
    }
}

/// The counter itself; copies are the same counter.
#[derive(Clone, Default)]
pub(crate) struct Hub {
    asks: Arc<Mutex<VecDeque<Ask>>>,
    bell: Arc<Notify>,
}

impl Hub {
    /// Lays something down and rings.
    pub(crate) fn ask(&self, ask: Ask) {
        self.lock().push_back(ask);
        self.bell.notify_one();
    }

    /// Takes everything that was laid down.
    pub(crate) fn take(&self) -> VecDeque<Ask> {
        std::mem::take(&mut *self.lock())
    }

    /// Rings without laying anything down.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until something is laid down.
    pub(crate) async fn rung(&self) {
        self.bell.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Ask>> {
        // All users are on one thread and none panics while it holds the lock.
        self.asks.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
