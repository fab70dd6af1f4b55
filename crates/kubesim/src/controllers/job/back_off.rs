//! How long a Job waits before it replaces pods that failed.

use kubesim_model::Millis;
use kubesim_model::tree::Tree;

use super::pods::{ended_at, failures};

/// `DefaultJobPodFailureBackOff` and `MaxJobPodFailureBackOff`.
const FIRST: Millis = 10_000;
const LONGEST: Millis = 600_000;

/// The failures since the last success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BackOff {
    failures: i64,
    last: Option<Millis>,
}

impl BackOff {
    /// With pods that ended since.
    #[must_use]
    pub(super) fn after(self, succeeded: &[&Tree], failed: &[&Tree]) -> BackOff {
        let last_success = succeeded.iter().map(|pod| ended_at(pod)).max();
        let ends = failed.iter().map(|pod| ended_at(pod));
        let since: Vec<Millis> =
            ends.filter(|end| last_success.is_none_or(|success| *end > success)).collect();
        let before = if last_success.is_some() { BackOff::default() } else { self };
        let count = i64::try_from(since.len()).unwrap_or(i64::MAX);
        BackOff {
            failures: before.failures.saturating_add(count),
            last: since.into_iter().max().or(before.last),
        }
    }

    /// How long it is until the next pod may be made.
    pub(super) fn left(self, now: Millis) -> Millis {
        self.last.map_or(0, |last| left(self.failures, last, now))
    }
}

/// How long it is until this pod of an index may be replaced.
pub(super) fn left_for_index(last_failed: Option<&Tree>, now: Millis) -> Millis {
    last_failed.map_or(0, |pod| left(failures(pod).1 + 1, ended_at(pod), now))
}

fn left(failures: i64, last: Millis, now: Millis) -> Millis {
    if failures == 0 {
        return 0;
    }
    let doublings = u32::try_from(failures - 1).unwrap_or(u32::MAX).min(16);
    let wait = (FIRST << doublings).min(LONGEST);
    (last + wait).saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map, object};

    fn pod(end: Millis) -> Tree {
        let ended = map! { "terminated" => map! { "finishedAt" => object::timestamp(end) } };
        let status = map! { "containerStatuses" => list![map! { "state" => ended }] };
        map! { "status" => status }
    }

    #[test]
    fn the_wait_doubles_with_each_failure_since_the_last_success() {
        let (first, second, third) = (pod(1_000), pod(2_000), pod(3_000));
        let one = BackOff::default().after(&[], &[&first]);
        assert_eq!((one.left(1_000), one.left(6_000), one.left(60_000)), (10_000, 5_000, 0));
        assert_eq!(one.after(&[], &[&second]).left(2_000), 20_000);
        assert_eq!(one.after(&[], &[&second, &third]).left(3_000), 40_000);
        assert_eq!(one.after(&[&second], &[]).left(2_000), 0);
        assert_eq!(one.after(&[&second], &[&third]).left(3_000), 10_000);
        assert_eq!(one.after(&[&third], &[&second]).left(3_000), 0);
        let many = (0..20).fold(one, |so_far, _| so_far.after(&[], &[&third]));
        assert_eq!(many.left(3_000), 600_000);
    }
}
