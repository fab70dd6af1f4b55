//! The story of a trial, line by line: what each actor saw, asked for and got, what happened on the
//! hosts, and when faults and steps began and ended.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kubesim_model::Text;
use kubesim_model::request::Verb;
use kubesim_model::tree::Tree;

use super::text::{BAD, BOLD, DIM, GOOD, NAME, OPEN, styled, time};
use crate::check::{Observe as _, Observed};
use crate::history::{ActorPhase, Body, Change, Delivery, Event, FaultPhase, History, HostFact};
use crate::history::{RequestEvent, StepPhase};
use crate::suite::Subject;

/// So many things are named of what an actor saw, and of what a write changed.
const NAMED: usize = 4;
/// Columns of the actors' names.
const ACTORS: usize = 28;
/// Columns of a value in a change.
const VALUE: usize = 36;

/// The story. In full, reads, leases and what everybody saw are told too; otherwise what was
/// written, and what the subject saw before it wrote.
pub fn render(history: &History, subject: &Subject, full: bool) -> String {
    let observed = Observed::new(subject);
    let mut story =
        Story { full, observed: &observed, seen: BTreeMap::new(), mine: BTreeMap::new() };
    let mut text = String::new();
    for event in &history.events {
        if let Some(lines) = story.event(event) {
            for (at, line) in lines.lines().enumerate() {
                let t = if at == 0 { time(event.t) } else { String::new() };
                let _ = writeln!(text, "{} {line}", styled(DIM, format!("{t:>12}")));
            }
        }
    }
    text.push('\n');
    text
}

struct Story<'a> {
    full: bool,
    observed: &'a Observed<'a>,
    /// What each actor saw since it wrote last.
    seen: BTreeMap<Text, Vec<Delivery>>,
    /// Whether an actor is the subject.
    mine: BTreeMap<Text, bool>,
}

impl Story<'_> {
    fn event(&mut self, event: &Event) -> Option<String> {
        match &event.body {
            Body::Request(request) => self.request(request),
            Body::Deliver(delivery) => {
                if !delivery.answer && (self.full || self.is_mine(&delivery.actor)) {
                    self.seen.entry(delivery.actor.clone()).or_default().push(delivery.clone());
                }
                None
            }
            Body::Host(host) => host_fact(&host.fact).map(|what| row(&host.node, &what)),
            Body::Actor(actor) => {
                let mine = self.observed.is_subject(actor);
                self.mine.insert(actor.actor.clone(), mine);
                let what = match actor.phase {
                    ActorPhase::Started if actor.incarnation <= 1 && !self.full => return None,
                    ActorPhase::Started => format!("starts (incarnation {})", actor.incarnation),
                    ActorPhase::Crashed => styled(BAD, "crashes"),
                    ActorPhase::Paused => styled(BAD, "stands still"),
                    ActorPhase::Resumed => "goes on".to_owned(),
                };
                Some(row(&actor.actor, &what))
            }
            Body::Fault(fault) => {
                let (style, what) = match fault.phase {
                    FaultPhase::Armed if !self.full => return None,
                    FaultPhase::Armed => (DIM, "armed"),
                    FaultPhase::Injected => (BAD, "injected"),
                    FaultPhase::Bit => (BAD, "bit"),
                    FaultPhase::Healed => (GOOD, "healed"),
                    FaultPhase::Missed => (OPEN, "missed"),
                };
                let on = fault.targets.iter().map(Text::as_str).collect::<Vec<_>>().join(", ");
                let on = if on.is_empty() { on } else { format!(" on {on}") };
                let why = because(&fault.evidence);
                let head = styled(style, format!("FAULT {} {what}", fault.name));
                Some(format!("{head}{on}{why}"))
            }
            Body::Step(step) => {
                let what = match step.phase {
                    StepPhase::Started => styled(BOLD, format!("STEP {}", step.name)),
                    StepPhase::Finished => styled(DIM, format!("step {} done", step.name)),
                    StepPhase::Failed => styled(BAD, format!("STEP {} failed", step.name)),
                };
                let target = if step.target.is_empty() { "" } else { " " };
                let place = styled(DIM, format!("({})", step.step));
                let why = because(&step.message);
                Some(format!("{what}{target}{} {place}{why}", step.target))
            }
            Body::Note(note) if self.full => {
                let what = format!("notes {}: {} {}", note.about, note.reason, note.message);
                Some(row(&note.actor, &styled(DIM, what)))
            }
            Body::Note(_) => None,
            Body::Gap(gap) => {
                let what =
                    format!("GAP since {}: {} ({})", time(gap.from), gap.missing, gap.reason);
                Some(styled(OPEN, what))
            }
        }
    }

    fn is_mine(&self, actor: &str) -> bool {
        self.mine.get(actor).copied().unwrap_or(false)
    }

    fn request(&mut self, request: &RequestEvent) -> Option<String> {
        let reads = matches!(request.verb, Verb::Get | Verb::List);
        let failed = request.code >= 400;
        let routine = request.resource.as_str().starts_with("leases.")
            || (request.changes.is_empty() && !failed);
        if !self.full && (routine || (reads && !failed)) {
            return None;
        }
        let mut lines = String::new();
        if let Some(seen) = self.seen.remove(&request.actor).filter(|seen| !seen.is_empty()) {
            let what = styled(DIM, format!("saw  {}", saw(&seen)));
            let _ = writeln!(lines, "{}", row(&request.actor, &what));
        }
        let verb = match request.verb {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "delete all",
            Verb::Apply => "apply",
            _ => "patch",
        };
        let sub = match request.subresource.is_empty() {
            true => String::new(),
            false => format!("/{}", request.subresource),
        };
        let object = format!("{} {}{sub}", request.resource, request.key);
        let answer = match (failed, request.injected) {
            (true, injected) => {
                let by = if injected { " by a fault" } else { "" };
                let why = because(&request.message);
                styled(BAD, format!("{} {}{by}", request.code, request.reason)) + &why
            }
            (false, _) => match request.changes.first() {
                Some(change) => styled(DIM, format!("{} rv {}", request.code, change.rv)),
                None => styled(DIM, request.code),
            },
        };
        let what = format!("asks {verb} {} → {answer}", styled(NAME, object.trim_end()));
        let _ = writeln!(lines, "{}", row(&request.actor, &what));
        for change in &request.changes {
            if let Some(what) = changed(change) {
                let _ = writeln!(lines, "{}", row("", &format!("     {what}")));
            }
        }
        Some(lines)
    }
}

fn row(actor: &str, what: &str) -> String {
    format!("{actor:ACTORS$} {what}")
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// The objects of deliveries, the newest of each, in the order of their arrival.
fn saw(seen: &[Delivery]) -> String {
    let mut objects: Vec<&Delivery> = Vec::new();
    for delivery in seen.iter().rev() {
        let same =
            |have: &&Delivery| have.resource == delivery.resource && have.key == delivery.key;
        if !objects.iter().any(same) {
            objects.push(delivery);
        }
    }
    let named =
        objects.iter().take(NAMED).rev().map(|delivery| match delivery.key.name.is_empty() {
            true => format!("all {}", delivery.resource),
            false => format!("{} {} rv {}", delivery.resource, delivery.key, delivery.rv),
        });
    let named = named.collect::<Vec<_>>().join(", ");
    match objects.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{more} more, {named}"),
    }
}

fn host_fact(fact: &HostFact) -> Option<String> {
    Some(match fact {
        HostFact::ContainerStarted(it) => {
            format!("container {} of {} runs {}", it.name, it.pod, it.image)
        }
        HostFact::ContainerExited { container, exit_code, reason } => {
            format!("container {} of {} ended: {reason} {exit_code}", container.name, container.pod)
        }
        HostFact::ContainerStuck { container, stuck: true } => {
            styled(BAD, format!("container {} of {} hangs", container.name, container.pod))
        }
        HostFact::ContainerStuck { container, stuck: false } => {
            format!("container {} of {} goes on", container.name, container.pod)
        }
        HostFact::SandboxStarted { pod, ip, .. } => format!("sandbox of {pod} has {ip}"),
        HostFact::SandboxStopped { pod, .. } => format!("sandbox of {pod} is gone"),
        HostFact::ImagePulled { image, .. } => format!("pulled {image}"),
        HostFact::ImageFailed { image, message } => format!("no image {image}: {message}"),
        HostFact::PoweredOff => styled(BAD, "power off"),
        HostFact::PoweredOn => styled(GOOD, "power on"),
        HostFact::Frozen => styled(BAD, "frozen"),
        HostFact::Thawed => styled(GOOD, "thawed"),
        HostFact::RuntimeStopped => styled(BAD, "the container runtime ended"),
        HostFact::RuntimeStarted => styled(GOOD, "the container runtime runs"),
        HostFact::PacketsLost { packets } => format!("{packets} packets lost"),
    })
}

/// What a write changed; `None` if nothing that anybody looks at.
fn changed(change: &Change) -> Option<String> {
    let (before, after) = match (&change.before, &change.after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) | (_, None) => return None,
    };
    let mut found = Vec::new();
    compare("", before, after, &mut found);
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    if more > 0 {
        found.push(format!("and {more} more"));
    }
    (!found.is_empty()).then(|| styled(DIM, found.join("; ")))
}

fn compare(path: &str, before: &Tree, after: &Tree, found: &mut Vec<String>) {
    if before.is_same(after) || before == after || path.starts_with("metadata.managedFields") {
        return;
    }
    let dull = ["resourceVersion", "generation", "lastTransitionTime", "lastHeartbeatTime"];
    if dull.iter().any(|dull| path.ends_with(dull)) || path.ends_with("lastProbeTime") {
        return;
    }
    // What came or went with a name of its own is told by its status or not at all.
    if path.ends_with(']') && (before.is_null() || after.is_null()) {
        let of = |item: &Tree| match &item["status"] {
            Tree::Null if item.is_null() => "nothing".to_owned(),
            Tree::Null => "there".to_owned(),
            status => short(status),
        };
        found.push(format!("{path} {} → {}", of(before), of(after)));
        return;
    }
    let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if before.as_map().is_some() && after.as_map().is_some() {
        for (key, old) in before.fields() {
            compare(&under(key), old, &after[key.as_str()], found);
        }
        for (key, new) in after.fields().filter(|(key, _)| before.get(key).is_none()) {
            compare(&under(key), &Tree::Null, new, found);
        }
        return;
    }
    if let (Some(old), Some(new)) = (by_name(before), by_name(after)) {
        for (name, item) in &old {
            let then = new.iter().find(|(have, _)| have == name).map(|(_, item)| *item);
            compare(&format!("{path}[{name}]"), item, then.unwrap_or(&Tree::Null), found);
        }
        for (name, item) in new.iter().filter(|(name, _)| old.iter().all(|(have, _)| have != name))
        {
            compare(&format!("{path}[{name}]"), &Tree::Null, item, found);
        }
        return;
    }
    found.push(format!("{path} {} → {}", short(before), short(after)));
}

/// The items of a list by their names or types; `None` if they have none. Nothing is an empty list.
fn by_name(list: &Tree) -> Option<Vec<(&str, &Tree)>> {
    if !matches!(list, Tree::Null | Tree::List(_)) {
        return None;
    }
    let key = |item: &Tree| ["name", "type"].into_iter().find(|key| item[*key].as_str().is_some());
    list.items().iter().map(|item| key(item).map(|key| (item[key].str(), item))).collect()
}

fn short(value: &Tree) -> String {
    let text = match value {
        Tree::Null => return "nothing".to_owned(),
        Tree::Str(text) => text.to_string(),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE {
        return text;
    }
    text.chars().take(VALUE - 1).chain(['…']).collect()
}
