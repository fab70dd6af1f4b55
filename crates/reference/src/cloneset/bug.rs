//! The bugs that can be planted into the CloneSet controller.

/// A planted bug.
#[allow(missing_docs, reason = "BUGS says what each does")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    OffByOneUnavailable,
    IgnoresNotReady,
    ExceedsSurge,
    ForgetsExpectations,
    DeletesHealthyFirst,
    MarksInPlaceDoneEarly,
    RestartsBystanders,
    RecreatesInstead,
    IgnoresPartition,
    LosesPodOnCrash,
    EdgeTriggered,
    RevisionFlaps,
    HotLoop,
    OffByOnePartition,
    IgnoresMinReadySeconds,
    CountsTerminating,
    ReportsWishes,
    RewritesStatus,
}

/// Each bug's name and what it does wrong.
pub const BUGS: &[(&str, &str)] = &[
    ("off-by-one-unavailable", "takes down one available pod more than maxUnavailable allows"),
    ("ignores-not-ready", "counts against maxUnavailable only the pods that it updates itself"),
    ("exceeds-surge", "creates one pod more than maxSurge allows while it updates"),
    ("forgets-expectations", "acts again before it has seen the effect of its own writes"),
    ("deletes-healthy-first", "scales in the healthiest and oldest pods first"),
    ("marks-in-place-done-early", "sets InPlaceUpdateReady before the new container runs"),
    ("restarts-bystanders", "rewrites the images of all containers in an in-place update"),
    ("recreates-instead", "deletes the pod when the in-place patch meets a conflict"),
    ("ignores-partition", "updates all pods whatever the partition says"),
    ("loses-pod-on-crash", "knows only from memory which in-place updates it must finish"),
    ("edge-triggered", "looks away from the pods once a spec was carried out"),
    ("revision-flaps", "goes back to the old revision while a pod of the new one is not ready"),
    ("hot-loop", "writes the time into the status each second"),
    ("off-by-one-partition", "updates one pod more than the partition lets"),
    ("ignores-min-ready-seconds", "takes a pod for available as soon as it is ready"),
    ("counts-terminating", "counts pods that terminate as long as they are ready"),
    ("reports-wishes", "reports as many ready pods as are wanted"),
    ("rewrites-status", "writes the status each second, changed or not"),
];

impl Bug {
    const ALL: [Bug; 18] = [
        Bug::OffByOneUnavailable,
        Bug::IgnoresNotReady,
        Bug::ExceedsSurge,
        Bug::ForgetsExpectations,
        Bug::DeletesHealthyFirst,
        Bug::MarksInPlaceDoneEarly,
        Bug::RestartsBystanders,
        Bug::RecreatesInstead,
        Bug::IgnoresPartition,
        Bug::LosesPodOnCrash,
        Bug::EdgeTriggered,
        Bug::RevisionFlaps,
        Bug::HotLoop,
        Bug::OffByOnePartition,
        Bug::IgnoresMinReadySeconds,
        Bug::CountsTerminating,
        Bug::ReportsWishes,
        Bug::RewritesStatus,
    ];

    /// The bug of this name in [`BUGS`].
    pub fn named(name: &str) -> Option<Bug> {
        let at = BUGS.iter().position(|(have, _)| *have == name)?;
        Bug::ALL.get(at).copied()
    }
}
