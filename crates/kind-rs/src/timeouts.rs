//! How long the tools may take.

use std::time::Duration;

/// How long the tools may take before they are killed. All of it can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Questions that are answered at once: lists, states, versions. 30 s.
    pub query: Duration,
    /// A program in a node, unless its [`Exec`](crate::Exec) says otherwise. 60 s.
    pub exec: Duration,
    /// Pause, unpause, kill, start, and connecting and disconnecting networks; on top of the grace
    /// period also stop. 60 s.
    pub lifecycle: Duration,
    /// Creating a cluster, without the time to wait for it. 10 min: images may have to be pulled.
    pub create: Duration,
    /// Deleting a cluster. 3 min.
    pub delete: Duration,
    /// Loading images into nodes. 10 min.
    pub load: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            query: Duration::from_secs(30),
            exec: Duration::from_secs(60),
            lifecycle: Duration::from_secs(60),
            create: Duration::from_mins(10),
            delete: Duration::from_mins(3),
            load: Duration::from_mins(10),
        }
    }
}
