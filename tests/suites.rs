//! The project's own suites, one test a scenario.

fn main() -> std::process::ExitCode {
    shakedown::harness::main("suites", [])
}
