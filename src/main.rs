//! The `shakedown` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    shakedown::cli::main()
}
