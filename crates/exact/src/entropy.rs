//! What a thread that opted in draws and what time it sees.

use std::cell::Cell;

/// Nanoseconds since the start of the run.
pub type Nanoseconds = u64;

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static STATE: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<Nanoseconds> = const { Cell::new(0) };
    static CLOCK: Cell<Option<Clock>> = const { Cell::new(None) };
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Tells the time, or `None` where it has none to tell (outside of a runtime, say).
pub type Clock = fn() -> Option<Nanoseconds>;

/// Whether entropy and clocks can be replaced on this system.
pub fn is_supported() -> bool {
    cfg!(target_os = "linux")
}

/// Runs `body` on a fresh thread whose entropy comes from `seed` and whose clocks stand still but
/// for [`set_time`]. A fresh thread, since hash maps draw their keys once per thread.
///
/// # Panics
/// If `body` panics, with the same payload; or if no thread can be started.
pub fn run<T: Send + 'static>(seed: u64, body: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().name("exact".into()).spawn(move || {
        STATE.set(seed);
        NOW.set(0);
        ACTIVE.set(true);
        // Ends the replacement even if `body` panics: the panic machinery may draw, too.
        let _guard = Deactivate;
        body()
    });
    match thread.expect("a thread can be started").join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Sets the time that this thread's clocks show. Does nothing outside of [`run`].
pub fn set_time(now: Nanoseconds) {
    if ACTIVE.get() {
        NOW.set(now);
    }
}

/// Lets this thread's clocks follow `clock` instead, which may itself read a clock: it then sees
/// the time that was told last. Does nothing outside of [`run`].
pub fn follow(clock: Clock) {
    if ACTIVE.get() {
        CLOCK.set(Some(clock));
    }
}

struct Deactivate;

impl Drop for Deactivate {
    fn drop(&mut self) {
        ACTIVE.set(false);
    }
}

/// The time of this thread, if it opted in.
#[cfg(target_os = "linux")]
pub(crate) fn time() -> Option<Nanoseconds> {
    if !ACTIVE.try_with(Cell::get).unwrap_or(false) {
        return None;
    }
    if let (Some(clock), false) = (CLOCK.get(), READING.get()) {
        READING.set(true);
        let told = clock();
        READING.set(false);
        NOW.set(told.unwrap_or_else(|| NOW.get()));
    }
    Some(NOW.get())
}

/// Fills `bytes` from this thread's seed, if it opted in. SplitMix64: this feeds hash keys and
/// identifiers of a test, nothing secret.
#[cfg(target_os = "linux")]
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    if !ACTIVE.try_with(Cell::get).unwrap_or(false) {
        return false;
    }
    for chunk in bytes.chunks_mut(8) {
        let state = STATE.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        STATE.set(state);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
    }
    true
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "they are what is replaced")]
mod tests {
    use std::collections::HashMap;
    use std::time::{Instant, SystemTime};

    use super::*;

    fn order(seed: u64) -> Vec<u32> {
        run(seed, || {
            let map: HashMap<u32, ()> = (0..32).map(|key| (key, ())).collect();
            map.into_keys().collect()
        })
    }

    #[test]
    fn hash_maps_iterate_in_the_order_of_the_seed() {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }

    #[test]
    fn clocks_move_only_when_told() {
        let (wall, steady) = run(1, || {
            let (wall, steady) = (SystemTime::now(), Instant::now());
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert_eq!(wall, SystemTime::now());
            set_time(2_000_000_000);
            (wall.elapsed().expect("later"), steady.elapsed())
        });
        assert_eq!((wall.as_secs(), steady.as_secs()), (2, 2));
    }

    #[test]
    fn other_threads_keep_real_time() {
        let real = SystemTime::now();
        let drift = run(1, move || {
            std::thread::spawn(SystemTime::now).join().expect("no panic").duration_since(real)
        });
        assert!(drift.expect("real time goes forward").as_secs() < 60);
    }

    #[test]
    fn a_panic_comes_through_and_ends_the_replacement() {
        let caught = std::panic::catch_unwind(|| run(1, || panic!("as planned")));
        assert!(caught.is_err());
        assert!(time().is_none());
    }
}
