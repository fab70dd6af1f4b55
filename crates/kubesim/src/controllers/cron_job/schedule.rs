//! Schedules of five fields (`*/5 0-6 * jan mon,tue`) or by name (`@daily`, `@every 1h`), in a
//! time zone (robfig/cron v3.0.1, `parser.go` and `spec.go`).

use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};
use kubesim_model::Millis;
use kubesim_model::object::EPOCH;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
/// Set in a field that is `*`.
const ANY: u64 = 1 << 63;
/// After so many years without a time there is none.
const YEARS: i16 = 5;

/// When something is to be done, again and again.
#[derive(Clone, Debug)]
pub(super) enum Schedule {
    /// At the minutes that all fields allow.
    Fields { minute: u64, hour: u64, day: u64, month: u64, weekday: u64, zone: TimeZone },
    /// After each wait of this length.
    Every(Millis),
}

/// The time zone of this name, of the database that is built in; UTC without a name.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    if name.is_empty() || name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Schedule {
    /// Reads a schedule in this zone; one that names a zone itself is in that.
    pub(super) fn read(text: &str, zone: TimeZone) -> Option<Schedule> {
        let named = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ="));
        if let Some((name, rest)) = named.and_then(|rest| rest.split_once(' ')) {
            return Schedule::read(rest.trim(), self::zone(name)?);
        }
        if let Some(every) = text.strip_prefix("@every ") {
            let wait = duration(every)?.max(1_000);
            return Some(Schedule::Every(wait - wait % 1_000));
        }
        let fields = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            fields => fields,
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        Some(Schedule::Fields {
            minute: field(minute, (0, 59), &[])?,
            hour: field(hour, (0, 23), &[])?,
            day: field(day, (1, 31), &[])?,
            month: field(month, (1, 12), &MONTHS)?,
            weekday: field(weekday, (0, 6), &DAYS)?,
            zone,
        })
    }

    /// The first time after another; `None` if there is none within some years.
    pub(super) fn next(&self, after: Millis) -> Option<Millis> {
        let whole = after - after % 1_000;
        let Schedule::Fields { zone, .. } = self else {
            let Schedule::Every(wait) = self else { return None };
            return Some(whole + wait);
        };
        let at = i64::try_from(whole).ok()?.checked_add(EPOCH + 1_000)?;
        let from = Timestamp::from_millisecond(at).ok()?.to_zoned_datetime(zone.clone());
        let found = self.search(from)?.timestamp().as_millisecond();
        Millis::try_from(found - EPOCH).ok()
    }

    /// The first time from this second on: month, day, hour and minute are raised in turn, and
    /// whenever one wraps around, all are looked at again.
    fn search(&self, from: ZonedDateTime) -> Option<ZonedDateTime> {
        let Schedule::Fields { minute, hour, month, .. } = self else { return None };
        let last = from.year() + YEARS;
        let mut at = next_minute(from)?;
        while at.year() <= last {
            if !has(*month, at.month()) {
                let next = at.date().first_of_month().checked_add(1.month()).ok()?;
                at = midnight(next, &at)?;
            } else if !self.has_day(&at) {
                at = midnight(at.date().tomorrow().ok()?, &at)?;
            } else if !has(*hour, at.hour()) {
                let begun = at.checked_sub(Span::new().minutes(i64::from(at.minute()))).ok()?;
                at = begun.checked_add(1.hour()).ok()?;
            } else if !has(*minute, at.minute()) {
                at = at.checked_add(1.minute()).ok()?;
            } else {
                return Some(at);
            }
        }
        None
    }

    /// A day must be one of the month and of the week, but either is enough if both are limited.
    fn has_day(&self, at: &ZonedDateTime) -> bool {
        let Schedule::Fields { day, weekday, .. } = self else { return false };
        let of_month = has(*day, at.day());
        let of_week = has(*weekday, at.weekday().to_sunday_zero_offset());
        if (day | weekday) & ANY != 0 { of_month && of_week } else { of_month || of_week }
    }
}

fn has(field: u64, value: i8) -> bool {
    field & (1 << value) != 0
}

fn next_minute(at: ZonedDateTime) -> Option<ZonedDateTime> {
    match at.second() {
        0 => Some(at),
        second => at.checked_add(Span::new().seconds(60 - i64::from(second))).ok(),
    }
}

/// The beginning of a day, which is not midnight where clocks are put forward then.
fn midnight(date: Date, like: &ZonedDateTime) -> Option<ZonedDateTime> {
    date.to_zoned_datetime(like.time_zone().clone()).ok()
}

/// The values of a field as bits.
fn field(text: &str, bounds: (u32, u32), names: &[&str]) -> Option<u64> {
    text.split(',')
        .filter(|range| !range.is_empty())
        .try_fold(0, |bits, text| Some(bits | range(text, bounds, names)?))
}

/// `*`, `5`, `mon-fri`, `1-10/2` within the bounds.
fn range(text: &str, (first, last): (u32, u32), names: &[&str]) -> Option<u64> {
    let (range, step) = match text.split_once('/') {
        Some((range, step)) => (range, Some(step.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
        named.map(|at| first + at as u32).or_else(|| text.parse().ok())
    };
    let (from, to, mut any) = match range.split_once('-') {
        _ if range == "*" || range == "?" => (first, last, ANY),
        Some((from, to)) => (value(from)?, value(to)?, 0),
        // `5/10` goes on to the end.
        None => (value(range)?, if step.is_some() { last } else { value(range)? }, 0),
    };
    let step = step.unwrap_or(1);
    if step > 1 {
        any = 0;
    }
    if from < first || to > last || from > to || step == 0 {
        return None;
    }
    let values = (from..=to).step_by(usize::try_from(step).ok()?);
    Some(values.fold(any, |bits, value| bits | 1 << value))
}

/// A length of time as Go writes it: `1h30m`, `1.5h`, `90s`.
fn duration(text: &str) -> Option<Millis> {
    let (mut total, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = rest.split_at(end);
        let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let (unit, left) = unit.split_at(end);
        let millis = match unit {
            "h" => 3_600_000.0,
            "m" => 60_000.0,
            "s" => 1_000.0,
            "ms" => 1.0,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * millis;
        rest = left;
    }
    (total > 0.0 && total < 1e15).then_some(total as Millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::object::{parse_time, timestamp};

    fn next(text: &str, name: &str, after: &str) -> String {
        let schedule = Schedule::read(text, zone(name).expect("a zone")).expect("a schedule");
        let next = schedule.next(parse_time(after).expect("a time"));
        next.map_or("never".into(), |at| timestamp(at).to_string())
    }

    #[test]
    fn the_next_time_is_the_first_that_all_fields_allow() {
        for (text, after, wanted) in [
            ("*/5 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
            ("*/5 * * * *", "2026-01-01T00:04:59Z", "2026-01-01T00:05:00Z"),
            ("0 0 * * *", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("30 4 1 * *", "2026-01-01T05:00:00Z", "2026-02-01T04:30:00Z"),
            ("0 12 * * mon-fri", "2026-01-02T12:00:00Z", "2026-01-05T12:00:00Z"),
            ("0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 0 29 feb *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 31 2 *", "2026-01-01T00:00:00Z", "never"),
            ("10/20 * * * *", "2026-01-01T00:10:00Z", "2026-01-01T00:30:00Z"),
            ("@hourly", "2026-01-01T00:59:59Z", "2026-01-01T01:00:00Z"),
            ("@every 1h30m", "2026-01-01T00:00:10Z", "2026-01-01T01:30:10Z"),
        ] {
            assert_eq!(next(text, "UTC", after), wanted, "{text} after {after}");
        }
    }

    #[test]
    fn times_are_those_of_the_zone() {
        let noon = "0 12 * * *";
        assert_eq!(next(noon, "Europe/Berlin", "2026-01-01T00:00:00Z"), "2026-01-01T11:00:00Z");
        assert_eq!(next(noon, "Europe/Berlin", "2026-07-01T00:00:00Z"), "2026-07-01T10:00:00Z");
        assert_eq!(next(noon, "Etc/GMT+5", "2026-01-01T00:00:00Z"), "2026-01-01T17:00:00Z");
        // Clocks go from 2:00 to 3:00: 2:30 is left out.
        let early = "30 2 * * *";
        assert_eq!(next(early, "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-30T00:30:00Z");
        assert!(zone("Mars/Olympus").is_none());
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in
            ["", "* * * *", "60 * * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "@once"]
        {
            assert!(Schedule::read(text, TimeZone::UTC).is_none(), "{text}");
        }
    }
}
