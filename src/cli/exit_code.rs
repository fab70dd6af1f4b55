//! How a command ends, as scripts and CI gates see it.

use std::process::ExitCode;

/// The exit codes. They are part of the interface: a gate branches on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Every outcome was as expected.
    Met = 0,
    /// At least one outcome was not as expected.
    Unexpected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A file is wrong.
    Invalid = 3,
    /// Something could not be decided.
    Unknown = 4,
    /// Something could not be decided because the environment failed.
    Environment = 5,
    /// Nothing was run.
    Nothing = 6,
    /// The harness itself is broken.
    Internal = 70,
}

impl Exit {
    /// Every code with what it means, for `--help` and the documentation.
    pub(crate) const ALL: [(Exit, &'static str); 8] = [
        (Exit::Met, "every outcome was as expected"),
        (Exit::Unexpected, "at least one outcome was not as expected"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::Invalid, "a file is wrong"),
        (Exit::Unknown, "something could not be decided"),
        (Exit::Environment, "something could not be decided because the environment failed"),
        (Exit::Nothing, "nothing was run"),
        (Exit::Internal, "the harness itself is broken"),
    ];

    /// The worse of two: 70, 1, 5, 4, 3 win in this order.
    pub(crate) fn worst(self, other: Exit) -> Exit {
        let rank = |exit: Exit| match exit {
            Exit::Internal => 7,
            Exit::Unexpected => 6,
            Exit::Environment => 5,
            Exit::Unknown => 4,
            Exit::Invalid => 3,
            Exit::Usage => 2,
            Exit::Nothing => 1,
            Exit::Met => 0,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins_whatever_the_order() {
        for (a, b, worst) in [
            (Exit::Met, Exit::Unknown, Exit::Unknown),
            (Exit::Unexpected, Exit::Environment, Exit::Unexpected),
            (Exit::Internal, Exit::Unexpected, Exit::Internal),
            (Exit::Invalid, Exit::Unknown, Exit::Unknown),
        ] {
            assert_eq!((a.worst(b), b.worst(a)), (worst, worst));
        }
    }
}
