//! The controller against the scenarios beside this file: `cargo test`.

use shakedown::harness::{main as test, program};

fn main() -> std::process::ExitCode {
    test("tests/shakedown", [program("cache", my_controller::run)])
}
