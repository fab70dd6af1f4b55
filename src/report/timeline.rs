//! Nodes, pods and faults of a trial on one line of time each.

use std::collections::BTreeMap;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, object};

use super::text::{BAD, BOLD, DIM, GOOD, OPEN, count, span, styled, time};
use crate::history::{Body, Event, FaultPhase, History, HostFact, StepPhase};

/// Columns of the time.
const WIDTH: usize = 64;
/// So many pods are shown, the first ones.
const PODS: usize = 40;
/// Columns of the names.
const NAMES: usize = 30;

/// What something was like; where a column holds several, the greatest is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Absent,
    Good,
    Pending,
    Ending,
    Bad,
}

impl State {
    fn drawn(self) -> String {
        match self {
            State::Absent => " ".to_owned(),
            State::Good => styled(GOOD, "━"),
            State::Pending => styled(OPEN, "┄"),
            State::Ending => styled(OPEN, "▿"),
            State::Bad => styled(BAD, "╳"),
        }
    }
}

#[derive(Default)]
struct Rows {
    rows: BTreeMap<(u8, String), Vec<(Millis, State)>>,
    order: Vec<(u8, String)>,
}

const STEP: u8 = 0;
const FAULT: u8 = 1;
const NODE: u8 = 2;
const POD: u8 = 3;

impl Rows {
    fn now(&mut self, kind: u8, name: String, t: Millis, state: State) {
        let key = (kind, name);
        if !self.rows.contains_key(&key) {
            self.order.push(key.clone());
        }
        let row = self.rows.entry(key).or_default();
        if row.last().is_none_or(|(_, last)| *last != state) {
            row.push((t, state));
        }
    }

    fn event(&mut self, event: &Event) {
        let t = event.t;
        match &event.body {
            Body::Fault(fault) => {
                let name = format!("{} {}", fault.name, fault.fault);
                match fault.phase {
                    FaultPhase::Armed => {}
                    FaultPhase::Injected => self.now(FAULT, name, t, State::Pending),
                    FaultPhase::Bit => self.now(FAULT, name, t, State::Bad),
                    FaultPhase::Healed | FaultPhase::Missed => {
                        self.now(FAULT, name, t, State::Absent);
                    }
                }
            }
            Body::Step(step) => {
                let state = match step.phase {
                    StepPhase::Started => State::Good,
                    StepPhase::Finished => State::Absent,
                    StepPhase::Failed => State::Bad,
                };
                self.now(STEP, format!("{} {}", step.name, step.step), t, state);
            }
            Body::Host(host) => {
                let state = match host.fact {
                    HostFact::PoweredOff | HostFact::Frozen => State::Bad,
                    HostFact::PoweredOn | HostFact::Thawed => State::Pending,
                    _ => return,
                };
                self.now(NODE, host.node.to_string(), t, state);
            }
            Body::Request(request) => {
                for change in &request.changes {
                    let name = change.key.name.to_string();
                    if change.resource == Resource::PODS {
                        self.now(POD, name, t, change.after.as_ref().map_or(State::Absent, pod));
                    } else if change.resource == Resource::NODES {
                        let node = change.after.as_ref().map_or(State::Absent, node);
                        self.now(NODE, name, t, node);
                    }
                }
            }
            _ => {}
        }
    }
}

fn pod(pod: &Tree) -> State {
    match () {
        () if object::is_terminating(pod) => State::Ending,
        () if object::is_terminal(pod) => State::Bad,
        () if object::is_ready(pod) => State::Good,
        () => State::Pending,
    }
}

fn node(node: &Tree) -> State {
    match object::condition(node, "Ready").map(|ready| ready["status"].str()) {
        Some("True") => State::Good,
        Some("False" | "Unknown") => State::Bad,
        _ => State::Pending,
    }
}

/// The timeline of a trial.
pub fn render(history: &History) -> String {
    let mut rows = Rows::default();
    history.events.iter().for_each(|event| rows.event(event));
    let end = history.events.last().map_or(0, |event| event.t).max(1);
    let mut text = scale(end);
    for (kind, head) in [(STEP, "steps"), (FAULT, "faults"), (NODE, "nodes"), (POD, "pods")] {
        let mut names: Vec<&(u8, String)> =
            rows.order.iter().filter(|(have, _)| *have == kind).collect();
        if kind == NODE {
            names.sort();
        }
        if names.is_empty() {
            continue;
        }
        text.push_str(&format!("{}\n", styled(BOLD, head)));
        let most = if kind == POD { PODS } else { usize::MAX };
        for key in names.iter().take(most) {
            let line = line(&rows.rows[*key], end);
            text.push_str(&format!("  {} {line}\n", name(&key.1)));
        }
        if names.len() > most {
            let rest = count(names.len() - most, "more pod");
            text.push_str(&format!("  {}\n", styled(DIM, rest)));
        }
    }
    let legend = "━ as it should be  ┄ pending or not ready  ▿ terminating  ╳ broken or gone bad";
    text.push_str(&format!("{}\n\n", styled(DIM, legend)));
    text
}

fn name(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAMES {
        return format!("{name:NAMES$}");
    }
    // The end tells pods apart.
    let end: String = name.chars().skip(length - (NAMES - 1)).collect();
    format!("…{end}")
}

fn scale(end: Millis) -> String {
    const MARKS: u64 = 4;
    let mut line = " ".repeat(NAMES + 3);
    for mark in 0..MARKS {
        let label = span(end * mark / MARKS);
        let room = WIDTH / 4;
        line.push_str(&format!("{label:room$}"));
    }
    format!("{}\n", styled(DIM, format!("{line}{}", time(end))))
}

fn line(states: &[(Millis, State)], end: Millis) -> String {
    let column = |t: Millis| {
        let column = u128::from(t) * (WIDTH as u128 - 1) / u128::from(end);
        usize::try_from(column).unwrap_or(WIDTH - 1).min(WIDTH - 1)
    };
    let mut columns = [State::Absent; WIDTH];
    for (at, (t, state)) in states.iter().enumerate() {
        let from = column(*t);
        let to = states.get(at + 1).map_or(WIDTH - 1, |(next, _)| column(*next));
        for (n, cell) in columns.iter_mut().enumerate().take(to + 1).skip(from) {
            // What began in this column is shown over what was there before, unless it is nothing.
            let shown = n == from && (*state).max(*cell) == *cell;
            *cell = if shown { *cell } else { *state };
        }
    }
    let drawn: String = columns.iter().map(|state| state.drawn()).collect();
    drawn.trim_end().to_owned()
}
