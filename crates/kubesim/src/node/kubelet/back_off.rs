//! The back-off of restarts and image pulls (client-go v1.36, `util/flowcontrol/backoff.go`).

use kubesim_model::Millis;

const FIRST: Millis = 10_000;
const LONGEST: Millis = 300_000;

/// Waits that double from 10 s to 300 s, and are forgotten after 600 s without a failure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff(Option<(Millis, Millis)>);

impl BackOff {
    /// How long is left of the wait that counts from `since`; 0 if nothing holds it back.
    pub(super) fn left(&self, since: Millis, now: Millis) -> Millis {
        match self.0 {
            Some((wait, updated)) if since.saturating_sub(updated) <= 2 * LONGEST => {
                (since + wait).saturating_sub(now)
            }
            _ => 0,
        }
    }

    /// How long is left of the wait that counts from when it was last booked.
    pub(super) fn waits(&self, now: Millis) -> Millis {
        self.0.map_or(0, |(wait, updated)| (updated + wait).saturating_sub(now))
    }

    /// Books another try after the failure at `since`.
    pub(super) fn next(&mut self, since: Millis, now: Millis) {
        let wait = match self.0 {
            Some((wait, updated)) if since.saturating_sub(updated) <= 2 * LONGEST => {
                (2 * wait).min(LONGEST)
            }
            _ => FIRST,
        };
        self.0 = Some((wait, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_10_to_300_seconds_and_are_forgotten_after_600() {
        let (mut back_off, mut now, mut waits) = (BackOff::default(), 0, Vec::new());
        for _ in 0..8 {
            let left = back_off.left(now, now);
            waits.push(left / 1000);
            now += left;
            back_off.next(now, now);
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(back_off.left(now + 600_001, now + 600_001), 0);
    }
}
