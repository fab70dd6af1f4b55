//! Checks as a scenario asks for them. What the invariants are is in the catalogue; judging is not
//! done here.

use kubesim_model::Text;

use super::cel::Program;
use super::faults::Args;
use super::located::{Located, Place};
use super::vocabulary::{Entry, Param, ParamKind};

/// The catalogue name of the check that is written `converge`.
pub const CONVERGED: &str = "converged-and-stable";

/// A check of a resolved scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    /// Where it stands.
    pub at: Place,
    /// Its name in the catalogue; for `cel`, the name that the scenario gives it.
    pub name: Located<Text>,
    /// What is checked.
    pub check: Check,
}

/// What a check is.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// An invariant of the catalogue with its arguments, defaults filled in. `converge` arrives
    /// here as [`CONVERGED`] with `within` and `hold`.
    Invariant(Args),
    /// An expression of the scenario's own.
    Cel(CelCheck),
}

/// `cel`: an expression that must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct CelCheck {
    /// Sees `object`, `oldObject`, `event`, `objects`, `params` and `now`.
    pub expr: Program,
    /// The kind of object whose events it is evaluated at; none means every event of a kind that
    /// it reads.
    pub kind: Option<Located<Text>>,
    /// What to say when it does not hold.
    pub message: Option<Text>,
}

/// The variables of check expressions.
pub const CHECK_VARIABLES: [&str; 6] = ["object", "oldObject", "event", "objects", "params", "now"];

/// Checks that are written under another name than the catalogue's, or are not in it.
pub const BUILT_IN: &[Entry] = &[
    Entry {
        name: "cel",
        doc: "An expression over the objects that must hold.",
        params: &[
            Param::new("name", ParamKind::Text, "What to call it in reports.").required(),
            Param::new("expr", ParamKind::Cel, "The expression.").required(),
            Param::new("kind", ParamKind::Text, "Only at events of this kind of object."),
            Param::new("message", ParamKind::Text, "What to say when it does not hold."),
        ],
    },
    Entry {
        name: "converge",
        doc: "The workload reaches its desired state and stays there without a write.",
        params: &[
            Param::new("within", ParamKind::Duration, "How long it may take.").default("15m"),
            Param::new("hold", ParamKind::Duration, "How long it must stay so.").default("60s"),
        ],
    },
];
