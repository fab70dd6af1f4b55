//! The driver: programs as tasks of a paused tokio runtime, stepped together with their world.
//!
//! Virtual time is one: tokio's clock stands at the world's. Tasks run until none can go on; then
//! tokio's clock jumps to the world's next event or to the next timer of a task, whichever is
//! first. What tasks ask for is given to the world at the time at which they asked.

use std::time::Duration;

use kubesim::world::{Lever, World};
use kubesim_http::View;
use kubesim_model::request::Remarks;
use kubesim_model::stream::Stream;
use kubesim_model::{Millis, Text};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant, sleep_until};

use crate::exactly::clock_begins;
use crate::hub::{Ask, Hub, Opened};
use crate::life::{Program, Start};

/// A program to run.
#[derive(Clone)]
pub struct ProgramSpec {
    /// Its name in the world, unique.
    pub name: Text,
    /// The user that the API sees.
    pub user: Text,
    /// The user agent that the API sees.
    pub user_agent: Text,
    /// Starts an incarnation of it.
    pub start: Start,
}

/// Programs that take part in a world.
pub struct Programs {
    runtime: Runtime,
    stage: Stage,
}

struct Stage {
    hub: Hub,
    programs: Vec<Program>,
    begin: Instant,
    offset: Millis,
    timeouts: Stream,
}

impl Programs {
    /// No programs yet, for a world whose time is `now`. Must be used on one thread only, for
    /// repeatable runs that of [`crate::exactly`].
    ///
    /// # Errors
    /// The system can't give what a tokio runtime needs.
    pub fn new(seed: u64, now: Millis) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let begin = runtime.block_on(async { Instant::now() });
        clock_begins(begin, now * 1_000_000);
        let timeouts = Stream::new(seed, "watch-timeouts");
        let stage =
            Stage { hub: Hub::default(), programs: Vec::new(), begin, offset: now, timeouts };
        Ok(Programs { runtime, stage })
    }

    /// Adds a program to the world; its first incarnation starts when the world goes on.
    pub fn add(&mut self, world: &mut World, spec: ProgramSpec) {
        world.add_client(&spec.name, &spec.user, &spec.user_agent);
        self.stage.programs.push(Program::new(spec.name, spec.start));
    }

    /// Lets programs and world go on until `stop` says so (asked before and after every step of
    /// the world), at most to `until`.
    pub fn advance(
        &mut self,
        world: &mut World,
        until: Millis,
        stop: &mut dyn FnMut(&mut World) -> bool,
    ) {
        self.runtime.block_on(self.stage.advance(world, until, stop));
    }
}

impl Stage {
    async fn advance(
        &mut self,
        world: &mut World,
        until: Millis,
        stop: &mut dyn FnMut(&mut World) -> bool,
    ) {
        loop {
            world.advance_to(self.now());
            self.carry_out_asks(world);
            self.attend(world);
            if stop(world) {
                return;
            }
            let now = self.now();
            if world.next_event().is_some_and(|at| at <= now.min(until)) {
                world.step();
                continue;
            }
            if now >= until {
                return;
            }
            let restarts = self.programs.iter().filter_map(|program| program.restart);
            let next = restarts.chain(world.next_event()).min().unwrap_or(until).min(until);
            tokio::select! {
                biased;
                () = self.hub.rung() => {}
                () = sleep_until(self.begin + Duration::from_millis(next - self.offset)) => {}
            }
        }
    }

    fn now(&self) -> Millis {
        self.offset + (Instant::now() - self.begin).as_millis() as Millis
    }

    /// Gives the world what programs asked for since the last time.
    fn carry_out_asks(&mut self, world: &mut World) {
        for ask in self.hub.take() {
            let life = ask.life();
            let name = &self.programs[life.program].name;
            // An end fences the client: dropping the rest answers that the connection is lost.
            if world.incarnation(name) == Some((life.incarnation, true)) {
                self.carry_out(life.program, ask, world);
            }
        }
    }

    fn carry_out(&mut self, at: usize, ask: Ask, world: &mut World) {
        let program = &mut self.programs[at];
        match ask {
            Ask::Request { version, form, request, answer, .. } => {
                let (api, now) = (world.api(), world.now());
                let view = View::of(api, &request.resource, &version, form, now);
                if let Err(status) = kubesim_http::serves(api, &request.resource, &version) {
                    let _ = answer.send((Err(status), Remarks::default(), view));
                } else if let Some(id) = world.submit(&program.name, *request) {
                    program.answers.insert(id, (answer, view));
                }
            }
            Ask::Watch { version, form, spec, from, opened, events, .. } => {
                let view = View::of(world.api(), &spec.resource, &version, form, world.now());
                if let Some(watch) = world.watch_from(&program.name, spec, from) {
                    // The API server's minimum is 1800 s, and up to twice that is drawn.
                    let timeout = self.timeouts.between(1_800, 3_599);
                    program.events.insert(watch, events);
                    let _ = opened.send(Opened { watch, view, timeout });
                }
            }
            Ask::Meta { meta, answer, .. } => {
                let _ = answer.send(meta.answer(world.api()));
            }
            Ask::Bookmark { watch, answer, .. } => {
                if let Some(rv) = world.bookmark(&program.name, watch) {
                    let _ = answer.send(rv);
                }
            }
            Ask::Close { watch, .. } => {
                program.events.remove(&watch);
                world.close_watch(&program.name, watch);
            }
        }
    }

    /// Starts and ends tasks as the world has it, and hands over what came.
    fn attend(&mut self, world: &mut World) {
        let now = world.now();
        for (at, program) in self.programs.iter_mut().enumerate() {
            if program.has_ended() {
                let lever = Lever::CrashActor { actor: program.name.clone() };
                world.pull(&lever).expect("the client was added with its program");
                program.book_restart(now);
            }
            if program.restart.is_some_and(|due| due <= now) {
                program.restart = None;
                let lever = Lever::StartActor { actor: program.name.clone() };
                world.pull(&lever).expect("the client was added with its program");
            }
            program.follow(at, world, &self.hub);
            program.hand_over(world);
        }
    }
}
