//! Which time of a schedule is due, and when the next one is.

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::schedule::Schedule;

/// How long after a time of the schedule a CronJob is looked at (`nextScheduleDelta`).
const DELTA: Millis = 100;
/// More times than this are many (a warning only).
const MANY: u64 = 100;

/// The times since the last one that was acted on.
struct Missed {
    /// From when on times are looked for.
    from: Millis,
    /// The latest that is past.
    latest: Option<Millis>,
    /// How many are past, about.
    count: u64,
}

/// A time that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Millis,
    /// Whether there were too many others before it to look at them all.
    pub(super) is_one_of_many: bool,
}

/// `None` if the schedule has no further times.
fn missed(cron: &Tree, schedule: &Schedule, now: Millis, within_deadline: bool) -> Option<Missed> {
    let time = |value: &Tree| object::parse_time(value.str());
    let last = time(&cron["status"]["lastScheduleTime"]);
    let mut from = last.or_else(|| time(&cron["metadata"]["creationTimestamp"])).unwrap_or(0);
    let deadline = cron["spec"]["startingDeadlineSeconds"].as_i64();
    if let Some(seconds) = deadline.filter(|_| within_deadline) {
        from = from.max(now.saturating_sub(1000 * Millis::try_from(seconds).unwrap_or(0)));
    }
    let first = schedule.next(from)?;
    if now < first {
        return Some(Missed { from, latest: None, count: 0 });
    }
    let Some(second) = schedule.next(first).filter(|second| now >= *second) else {
        return Some(Missed { from, latest: Some(first), count: 0 });
    };
    // By the first gap, so that not every time is to be looked at.
    let gap = second - first;
    let count = (now - first) / gap + 1;
    let mut at = schedule.next(first + count.saturating_sub(2) * gap);
    let mut latest = None;
    while let Some(past) = at.filter(|at| *at <= now) {
        latest = Some(past);
        at = schedule.next(past);
    }
    Some(Missed { from, latest, count })
}

/// The time that is due, if one is.
pub(super) fn due(cron: &Tree, schedule: &Schedule, now: Millis) -> Option<Due> {
    let missed = missed(cron, schedule, now, true)?;
    Some(Due { at: missed.latest?, is_one_of_many: missed.count > MANY })
}

/// How long it is until the next time.
pub(super) fn until_next(cron: &Tree, schedule: &Schedule, now: Millis) -> Option<Millis> {
    let missed = missed(cron, schedule, now, false)?;
    let from = missed.latest.unwrap_or(if missed.count == 0 { missed.from } else { now });
    Some((schedule.next(from)? + DELTA).saturating_sub(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use kubesim_model::map;

    const MINUTE: Millis = 60_000;

    fn schedule() -> Schedule {
        Schedule::read("*/10 * * * *", TimeZone::UTC).expect("a schedule")
    }

    fn cron(deadline: Option<i64>) -> Tree {
        let spec = map! { "startingDeadlineSeconds" => deadline };
        map! { "spec" => spec, "metadata" => map! { "creationTimestamp" => object::timestamp(MINUTE) } }
    }

    fn at(cron: &Tree, now: Millis) -> Option<Millis> {
        due(cron, &schedule(), now).map(|due| due.at / MINUTE)
    }

    #[test]
    fn the_latest_time_that_is_past_is_due() {
        assert_eq!(at(&cron(None), 9 * MINUTE), None);
        assert_eq!(at(&cron(None), 10 * MINUTE), Some(10));
        assert_eq!(at(&cron(None), 19 * MINUTE), Some(10));
        assert_eq!(at(&cron(None), 45 * MINUTE), Some(40));
        let mut acted = cron(None);
        acted.set(&["status", "lastScheduleTime"], object::timestamp(40 * MINUTE));
        assert_eq!(at(&acted, 45 * MINUTE), None);
        assert_eq!(at(&cron(Some(60)), 45 * MINUTE), None, "it is five minutes late");
        assert_eq!(at(&cron(Some(360)), 45 * MINUTE), Some(40));
    }

    #[test]
    fn too_many_missed_times_are_noticed() {
        let many = |now| due(&cron(None), &schedule(), now).expect("one is due").is_one_of_many;
        assert!(!many(1_000 * MINUTE));
        assert!(many(1_010 * MINUTE));
    }

    #[test]
    fn the_next_time_is_looked_at_just_after_it() {
        assert_eq!(until_next(&cron(None), &schedule(), 4 * MINUTE), Some(6 * MINUTE + DELTA));
        assert_eq!(until_next(&cron(None), &schedule(), 45 * MINUTE), Some(5 * MINUTE + DELTA));
    }
}
