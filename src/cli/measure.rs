//! `shakedown bench`: how many fault scenarios run in a second. Also the one clock of the command
//! line; what is measured never decides anything.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use super::args::BenchArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::measure_api;
use super::terminal::Terminal;
use crate::cluster::Sim;
use crate::explore::bench::{Bench, BenchOptions, bench};
use crate::plan::{Selection, Workspace};

/// Time since it was first asked for.
#[expect(clippy::disallowed_methods, reason = "measuring is about the real clock")]
pub(super) fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// So many threads as were asked for, or as there are cores.
pub(super) fn jobs(asked: Option<usize>) -> usize {
    asked.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1)
}

/// Measures and prints.
pub(super) fn command(args: &BenchArgs) -> Exit {
    if args.api {
        return measure_api::command(args);
    }
    let options = BenchOptions {
        jobs: jobs(args.jobs),
        span: Duration::from_secs(args.seconds),
        clock: &since_start,
    };
    let opened = Workspace::of_the_benchmark();
    let trials = opened.and_then(|workspace| workspace.trials(&Selection::default()));
    let trials = match trials {
        Ok(trials) => trials,
        Err(found) => return catalogue::invalid(&found),
    };
    let Some(trial) = trials.first() else { return Exit::Nothing };
    match bench(trial, &Sim, options) {
        Ok(result) => {
            Terminal.print(&shown(&result));
            Exit::Met
        }
        Err(why) => {
            Terminal.error(why, "");
            Exit::Environment
        }
    }
}

fn shown(bench: &Bench) -> String {
    let whole = bench.wall.as_secs_f64().max(f64::MIN_POSITIVE);
    let busy = (bench.recording + bench.judging).as_secs_f64().max(f64::MIN_POSITIVE);
    let share = |part: Duration| 100.0 * part.as_secs_f64() / busy;
    let judging = bench.judging.as_secs_f64().max(f64::MIN_POSITIVE);
    format!(
        "release with node loss, 5 nodes, 30 pods, {} threads, {:.1} s\n\
         {:>10.1} trials per second ({} trials, {} of them passed)\n\
         {:>10.0} virtual seconds per second\n\
         {:>10.0} events per second through the checks, on one thread\n\
         {:>10.0} events per trial\n\
         {:>10} bytes per pod that the store holds, beyond what it shares with others\n\
         {:>9.1}% of the time simulates and records, {:.1} % judges\n",
        bench.jobs,
        whole,
        bench.trials_per_second(),
        bench.trials,
        bench.passed,
        bench.virtual_time.as_secs_f64() * bench.trials_per_second() / bench.trials.max(1) as f64,
        bench.events as f64 / judging,
        bench.events as f64 / bench.trials.max(1) as f64,
        bench.pod_bytes,
        share(bench.recording),
        share(bench.judging),
    )
}
