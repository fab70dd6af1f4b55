//! The `shakedown` command.

use std::process::ExitCode;

/// A trial is made of small objects that come and go; half of the time of some went into the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The programs of a local control plane end with whoever started them.
    shakedown::cluster::become_guarded();
    // A trial of a kube-rs program runs in a process of this same executable.
    shakedown::run::serve_trial(&shakedown::subject::programs());
    shakedown::cli::main()
}
