//! The benchmark: a release of 30 pods on 5 nodes of which one dies, through the whole pipeline.

use std::sync::Mutex;
use std::time::Duration;

use kubesim_model::resource::Resource;
use kubesim_model::weight::Memory;

use super::mutants::Clock;
use crate::check::{Observed, Verdict, judge};
use crate::cluster::Provider;
use crate::history::{History, View};
use crate::plan::Trial;
use crate::run::{TrialError, record_trial};

/// How to measure.
#[derive(Clone, Copy)]
pub struct BenchOptions<'a> {
    /// Threads.
    pub jobs: usize,
    /// For how long.
    pub span: Duration,
    /// The time.
    pub clock: Clock<'a>,
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Bench {
    /// Threads.
    pub jobs: usize,
    /// Trials that were run.
    pub trials: u64,
    /// Those that passed.
    pub passed: u64,
    /// How long it all took.
    pub wall: Duration,
    /// Time that all threads spent on simulating and recording.
    pub recording: Duration,
    /// Time that all threads would spend on judging once; trials are judged once.
    pub judging: Duration,
    /// Virtual time that passed.
    pub virtual_time: Duration,
    /// Events that were recorded.
    pub events: u64,
    /// What a pod takes in memory at the end of a trial, as [`bytes_per_pod`] says; the most of all
    /// trials.
    pub pod_bytes: usize,
}

/// Runs `trial` with one seed after the other until the time is over.
///
/// # Errors
/// The environment failed.
pub fn bench(
    trial: &Trial,
    provider: &dyn Provider,
    options: BenchOptions<'_>,
) -> Result<Bench, TrialError> {
    let began = (options.clock)();
    let seeds = Mutex::new(0..u64::MAX);
    let next = || seeds.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
    let is_over = || (options.clock)().saturating_sub(began) >= options.span;
    let work = || -> Result<Bench, TrialError> {
        let mut sum = Bench::default();
        while let (false, Some(seed)) = (is_over(), next()) {
            sum.add(&measured(trial, seed, provider, options.clock)?);
        }
        Ok(sum)
    };
    let jobs = options.jobs.max(1);
    let mut whole = Bench { jobs, ..Bench::default() };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    });
    for part in parts {
        whole.add(&part?);
    }
    whole.wall = (options.clock)().saturating_sub(began);
    Ok(whole)
}

/// One trial, judged once more to tell the times apart.
fn measured(
    trial: &Trial,
    seed: u64,
    provider: &dyn Provider,
    clock: Clock<'_>,
) -> Result<Bench, TrialError> {
    let mut trial = trial.clone();
    trial.seed = seed;
    let began = clock();
    let result = record_trial(&trial, false, provider)?;
    let recorded = clock();
    let observed = Observed::new(&trial.subject);
    let judgement = judge(&result.history, &trial.judge_plan(&observed));
    let judging = clock().saturating_sub(recorded);
    Ok(Bench {
        jobs: 0,
        trials: 1,
        passed: u64::from(judgement.verdict == Verdict::Pass),
        wall: Duration::ZERO,
        recording: recorded.saturating_sub(began).saturating_sub(judging),
        judging,
        virtual_time: Duration::from_millis(judgement.ended),
        events: judgement.events,
        pod_bytes: bytes_per_pod(&result.history),
    })
}

/// What each of half of the pods at the end of a history takes in memory beyond what it shares with
/// the other half: what one more pod costs a store with many. Store and history hold the same
/// objects.
pub fn bytes_per_pod(history: &History) -> usize {
    let mut view = View::for_conducting(&history.header);
    history.events.iter().for_each(|event| view.take(event));
    let mut pods = view.objects.all(&Resource::PODS).map(|(_, pod)| pod);
    let half = view.objects.all(&Resource::PODS).count() / 2;
    let mut memory = Memory::default();
    pods.by_ref().take(half).for_each(|pod| memory.add(pod));
    let shared = memory.bytes();
    let more = pods.map(|pod| memory.add(pod)).count();
    (memory.bytes() - shared) / more.max(1)
}

impl Bench {
    fn add(&mut self, other: &Bench) {
        self.trials += other.trials;
        self.passed += other.passed;
        self.recording += other.recording;
        self.judging += other.judging;
        self.virtual_time += other.virtual_time;
        self.events += other.events;
        self.pod_bytes = self.pod_bytes.max(other.pod_bytes);
    }

    /// Trials per second: without the second judging, which only measuring needs.
    pub fn trials_per_second(&self) -> f64 {
        let busy = (self.recording + self.judging).as_secs_f64() / self.jobs.max(1) as f64;
        self.trials as f64 / busy.max(f64::MIN_POSITIVE)
    }
}
