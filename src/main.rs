//! The `shakedown` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A trial of a kube-rs program runs in a process of this same executable.
    shakedown::run::serve_trial(&shakedown::subject::programs());
    shakedown::cli::main()
}
