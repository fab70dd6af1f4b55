//! Sets of completion indexes, as the status of a Job writes them: `1,3-5,7`.

use std::fmt;

/// Indexes as ranges that are in order and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(Vec<(i64, i64)>);

impl Indexes {
    /// Reads the indexes below `completions`; what is none is left out.
    pub(super) fn read(text: &str, completions: i64) -> Indexes {
        let mut ranges = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) else {
                continue;
            };
            if first >= completions {
                break;
            }
            ranges.push((first, last.min(completions - 1)));
        }
        Indexes(join(ranges))
    }

    /// These indexes, in any order.
    pub(super) fn of(indexes: impl IntoIterator<Item = i64>) -> Indexes {
        let mut ranges: Vec<(i64, i64)> = indexes.into_iter().map(|one| (one, one)).collect();
        ranges.sort_unstable();
        Indexes(join(ranges))
    }

    /// With the indexes of another set.
    #[must_use]
    pub(super) fn and(&self, more: &Indexes) -> Indexes {
        let mut ranges: Vec<(i64, i64)> = self.0.iter().chain(&more.0).copied().collect();
        ranges.sort_unstable();
        Indexes(join(ranges))
    }

    /// How many there are.
    pub(super) fn total(&self) -> i64 {
        self.0.iter().map(|(first, last)| last - first + 1).sum()
    }

    pub(super) fn has(&self, index: i64) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&index))
    }

    /// How many are in both sets.
    pub(super) fn in_common(&self, other: &Indexes) -> i64 {
        let pairs = self.0.iter().flat_map(|a| other.0.iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| (a.1.min(b.1) - a.0.max(b.0) + 1).max(0)).sum()
    }

    /// The first `count` indexes below `completions` that are not in the set.
    pub(super) fn first_missing(&self, count: usize, completions: i64) -> Vec<i64> {
        let (mut missing, mut next) = (Vec::new(), 0);
        let end = (completions, completions);
        for (first, last) in self.0.iter().chain([&end]) {
            let room = count - missing.len();
            missing.extend((next..(*first).min(completions)).take(room));
            next = next.max(last + 1);
        }
        missing
    }
}

/// Makes one range of those that touch or overlap.
fn join(sorted: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (first, last) in sorted {
        match joined.last_mut() {
            Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
            _ => joined.push((first, last)),
        }
    }
    joined
}

impl fmt::Display for Indexes {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match last - first {
                0 => write!(to, "{comma}{first}")?,
                1 => write!(to, "{comma}{first},{last}")?,
                _ => write!(to, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_joined_and_written_as_kubernetes_does() {
        let indexes = Indexes::of([7, 1, 4, 3, 5, 10, 11]);
        assert_eq!(indexes.to_string(), "1,3-5,7,10,11");
        assert_eq!(Indexes::read("1,3-5,7,10,11", 20), indexes);
        assert_eq!(Indexes::read("1,3-5,7,10,11", 5).to_string(), "1,3,4");
        assert_eq!(Indexes::read("1,2,x,3", 20).to_string(), "1-3");
        assert_eq!((indexes.total(), indexes.has(4), indexes.has(6)), (7, true, false));
        assert_eq!(indexes.and(&Indexes::of([2, 6])).to_string(), "1-7,10,11");
        assert_eq!(indexes.in_common(&Indexes::read("4-10", 20)), 4);
    }

    #[test]
    fn the_first_that_are_missing_fill_the_gaps() {
        let indexes = Indexes::of([0, 2, 3, 6]);
        assert_eq!(indexes.first_missing(3, 10), [1, 4, 5]);
        assert_eq!(indexes.first_missing(9, 8), [1, 4, 5, 7]);
        assert_eq!(indexes.first_missing(0, 8), Vec::<i64>::new());
        assert_eq!(Indexes::default().first_missing(2, 1), [0]);
    }
}
