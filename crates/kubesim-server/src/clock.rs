//! The one clock of this crate: the wall's, and the world's time that follows it.
#![expect(clippy::disallowed_methods, reason = "this is where wall-clock time comes in")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kubesim_model::{Millis, object};

/// The time of the wall clock, in milliseconds since the epoch of virtual time; 0 before it.
pub(crate) fn wall() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Millis::try_from(since.saturating_sub(object::EPOCH)).unwrap_or(0)
}

/// Time that runs at a rate of the wall clock's.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    began: Instant,
    from: Millis,
    speed: f64,
}

impl Clock {
    /// It shows `from` now and goes `speed` times as fast as the wall clock.
    pub(crate) fn starting_at(from: Millis, speed: f64) -> Clock {
        Clock { began: Instant::now(), from, speed }
    }

    /// What it shows.
    pub(crate) fn now(&self) -> Millis {
        let passed = self.began.elapsed().as_secs_f64() * 1_000.0 * self.speed;
        // What does not fit stays at the end of time.
        self.from.saturating_add(passed as Millis)
    }

    /// How long it is, by the wall clock, until it shows `at`.
    pub(crate) fn until(&self, at: Millis) -> Duration {
        let left = at.saturating_sub(self.now()) as f64 / 1_000.0 / self.speed;
        Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX)
    }
}
