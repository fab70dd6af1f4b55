//! How much of a processor programs get on this machine. Where that is next to nothing, whoever is
//! late is so through no fault of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use kubesim_model::{Millis, Text};
use rustix::time::{ClockId, clock_gettime};

use crate::history::{Body, Gap, TIME};

/// How often it is felt.
const REST: Duration = Duration::from_secs(2);

/// How much work is done then, in processor time: several time slices of a busy machine (about 3 ms
/// in Linux 6), so that a program that has just slept has no advantage; a hundredth of a processor.
const WORK: Duration = Duration::from_millis(20);

/// A machine is starved whose programs get less than one part in so many of a processor...
const STARVED: u64 = 10;

/// ...so many times in a row.
const BEATS: u64 = 3;

/// One for all trials that run now.
static SHARED: Mutex<Weak<Beats>> = Mutex::new(Weak::new());

/// What was felt. As long as somebody holds it, it is felt on.
#[derive(Debug, Default)]
struct Beats {
    /// How many times in a row it was too weak.
    weak: AtomicU64,
    /// How many times as long as on an idle machine the last work took.
    slowness: AtomicU64,
}

/// The pulse of this machine during a trial.
#[derive(Debug)]
pub(super) struct Pulse {
    beats: Arc<Beats>,
    was_told: bool,
}

impl Pulse {
    pub(super) fn feel() -> Pulse {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let beats = shared.upgrade().unwrap_or_else(|| {
            let beats = Arc::<Beats>::default();
            *shared = Arc::downgrade(&beats);
            let felt = Arc::downgrade(&beats);
            thread::spawn(move || go_on(&felt));
            beats
        });
        Pulse { beats, was_told: false }
    }

    /// What is to be recorded at `now` if it has become too weak; once a trial.
    pub(super) fn failing(&mut self, now: Millis) -> Option<Body> {
        if self.was_told || self.beats.weak.load(Ordering::Relaxed) < BEATS {
            return None;
        }
        self.was_told = true;
        let slowness = self.beats.slowness.load(Ordering::Relaxed);
        let reason =
            format!("programs on this machine took {slowness} times as long as on an idle one");
        Some(Body::Gap(Gap { from: now, missing: Text::new_static(TIME), reason }))
    }
}

fn go_on(felt: &Weak<Beats>) {
    loop {
        thread::sleep(REST);
        let slowness = slowness();
        let Some(beats) = felt.upgrade() else { return };
        beats.slowness.store(slowness, Ordering::Relaxed);
        match slowness >= STARVED {
            true => drop(beats.weak.fetch_add(1, Ordering::Relaxed)),
            false => beats.weak.store(0, Ordering::Relaxed),
        }
    }
}

/// How many times as long as it would alone some work takes now.
fn slowness() -> u64 {
    let (began, worked) = (read(ClockId::Monotonic), read(ClockId::ThreadCPUTime));
    while read(ClockId::ThreadCPUTime).saturating_sub(worked) < WORK {
        std::hint::spin_loop();
    }
    let took = read(ClockId::Monotonic).saturating_sub(began);
    u64::try_from(took.as_nanos() / WORK.as_nanos()).unwrap_or(u64::MAX)
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(weak: u64) -> Pulse {
        let beats = Beats { weak: weak.into(), slowness: 42.into() };
        Pulse { beats: Arc::new(beats), was_told: false }
    }

    #[test]
    fn a_machine_that_is_slow_for_a_moment_is_not_starved() {
        assert_eq!(with(BEATS - 1).failing(7), None);
    }

    #[test]
    fn it_is_told_once_how_slow_a_starved_machine_is() {
        let mut pulse = with(BEATS);
        let Some(Body::Gap(gap)) = pulse.failing(7) else { panic!("nothing is told") };
        assert_eq!((gap.from, gap.missing.as_str()), (7, TIME));
        assert!(gap.reason.contains("42 times"), "{}", gap.reason);
        assert_eq!(pulse.failing(8), None);
    }

    #[test]
    fn work_takes_at_least_as_long_as_it_is() {
        assert!(slowness() >= 1);
    }
}
