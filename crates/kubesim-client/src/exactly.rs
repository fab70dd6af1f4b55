//! The four things that make a run of kube-rs controllers repeatable, put together: entropy and
//! clocks of the C library, the back-off jitter's and the hash maps' own generators.

use std::cell::Cell;
use std::sync::OnceLock;

use ahash::random_state::RandomSource;
use exact::Nanoseconds;
use tokio::time::Instant;

thread_local! {
    static SEEDS: Cell<usize> = const { Cell::new(0) };
    static BEGIN: Cell<Option<(Instant, Nanoseconds)>> = const { Cell::new(None) };
}

/// Draws the seeds of ahash's maps: a counter of the thread, reset with each run.
struct Counter;

impl RandomSource for Counter {
    fn gen_hasher_seed(&self) -> usize {
        let next = SEEDS.get().wrapping_add(0x9e37_79b9);
        SEEDS.set(next);
        next
    }
}

/// Runs `body` on a thread of its own so that everything it draws comes from `seed` and its clocks
/// show the time of the world that it runs.
///
/// Two sources stay out of reach: `futures::select!` counts per process, so runs that must be equal
/// need a process each; and threads that `body` starts see real clocks and entropy.
///
/// # Panics
/// If `body` does.
pub fn exactly<T: Send + 'static>(seed: u64, body: impl FnOnce() -> T + Send + 'static) -> T {
    fix_once_per_process();
    exact::run(seed, move || {
        fastrand::seed(seed);
        SEEDS.set(seed as usize);
        exact::follow(virtual_time);
        body()
    })
}

/// ahash takes a source once per process and draws fixed keys once: under a constant seed.
fn fix_once_per_process() {
    static FIXED: OnceLock<()> = OnceLock::new();
    FIXED.get_or_init(|| {
        // Whoever set a source before keeps it; then map orders are theirs to repeat.
        let _ = ahash::random_state::set_random_source(Counter);
        exact::run(0, || {
            ahash::RandomState::new();
        });
    });
}

/// From now on the thread's clocks show `offset` plus what has passed in its tokio runtime.
pub(crate) fn clock_begins(begin: Instant, offset: Nanoseconds) {
    BEGIN.set(Some((begin, offset)));
}

fn virtual_time() -> Option<Nanoseconds> {
    let (begin, offset) = BEGIN.get()?;
    tokio::runtime::Handle::try_current().ok()?;
    let passed = Instant::now().saturating_duration_since(begin).as_nanos();
    Some(offset + u64::try_from(passed).ok()?)
}
