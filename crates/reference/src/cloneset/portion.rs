//! Numbers that a user writes as a count or as a percentage (`IntOrString`), and nothing else.

use kubesim_model::tree::Tree;

/// A count, or a share of the replicas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Portion {
    /// So many.
    Count(usize),
    /// So many of a hundred; fractions are allowed (CS-1).
    Percent(f64),
}

impl Portion {
    /// Reads `3` or `"20%"`. `None` for anything else: `"5"` without a percent sign is refused
    /// (CS-11), as are negative numbers.
    pub(super) fn read(value: &Tree) -> Option<Portion> {
        if let Some(count) = value.as_i64() {
            return usize::try_from(count).ok().map(Portion::Count);
        }
        let percent: f64 = value.as_str()?.strip_suffix('%')?.parse().ok()?;
        (percent.is_finite() && percent >= 0.0).then_some(Portion::Percent(percent))
    }

    /// Of `total`, with fractions rounded up.
    pub(super) fn up(self, total: usize) -> usize {
        match self {
            Portion::Count(count) => count,
            // The subtraction keeps 10 % of 30 at 3 although 0.1 has no exact binary form.
            Portion::Percent(percent) => (percent * total as f64 / 100.0 - 1e-9).ceil() as usize,
        }
    }

    /// Of `total`, with fractions rounded down.
    pub(super) fn down(self, total: usize) -> usize {
        match self {
            Portion::Count(count) => count,
            Portion::Percent(percent) => (percent * total as f64 / 100.0 + 1e-9).floor() as usize,
        }
    }
}
