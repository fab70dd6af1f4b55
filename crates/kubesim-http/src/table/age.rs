//! Spans of time as people read them (apimachinery v0.36, `util/duration`).

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

/// How long ago a time is; `<unknown>` for none.
pub(super) fn since(time: &Tree, now: Millis) -> Tree {
    match object::parse_time(time.str()) {
        Some(then) => span(now as i64 - then as i64).into(),
        None => "<unknown>".into(),
    }
}

/// A span in milliseconds, as in `3m20s` or `5d`: exact as long as it is short.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.div_euclid(1_000);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let two = |whole: i64, unit: &str, rest: i64, part: &str| match rest {
        0 => format!("{whole}{unit}"),
        _ => format!("{whole}{unit}{rest}{part}"),
    };
    match () {
        () if seconds < -1 => "<invalid>".to_owned(),
        () if seconds < 0 => "0s".to_owned(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, "m", seconds % 60, "s"),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, "h", minutes % 60, "m"),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, "d", hours % 24, "h"),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => two(years, "y", days % 365, "d"),
        () => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_get_coarser_as_they_get_longer() {
        let (minute, hour, day) = (60, 3_600, 86_400);
        for (seconds, text) in [
            (-5, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (9 * minute + 59, "9m59s"),
            (10 * minute + 59, "10m"),
            (179 * minute, "179m"),
            (3 * hour + minute, "3h1m"),
            (8 * hour + minute, "8h"),
            (47 * hour, "47h"),
            (48 * hour, "2d"),
            (7 * day + 5 * hour, "7d5h"),
            (8 * day + 5 * hour, "8d"),
            (400 * day, "400d"),
            (800 * day, "2y70d"),
            (3_000 * day, "8y"),
        ] {
            assert_eq!(span(seconds * 1_000), text, "{seconds}");
        }
    }
}
