//! Passing on a watch: event by event, late if a fault says so, and broken off if one does.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::poll_fn;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use kube::client::Body;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{Instant, sleep_until};

use super::super::cluster::now;
use super::asked::Asked;
use super::gate::{Gate, Happened, Who};
use super::pass::{Answer, Lost};
use super::told;

/// The longest event that is passed on, in bytes: etcd's limit on objects is far below it.
const LONGEST: usize = 64 << 20;

/// What an API server says in a stream when the version that it goes on from is gone.
const EXPIRED: &str = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version: injected by a fault","reason":"Expired","code":410}}"#;

/// A watch that is passed on.
pub(super) struct Watch {
    gate: Gate,
    who: Who,
    asked: Asked,
    /// The events that were not passed on yet, and when they may be.
    waiting: VecDeque<(Instant, Bytes)>,
    line: Vec<u8>,
    /// How many times watches were broken before it was asked for.
    breaks: usize,
}

impl Watch {
    pub(super) fn new(gate: Gate, who: Who, asked: Asked, breaks: usize) -> Watch {
        gate.opens(who.name(), asked.request.resource.clone());
        Watch { gate, who, asked, waiting: VecDeque::new(), line: Vec::new(), breaks }
    }

    /// The body that a client gets for the one that the API server sends.
    pub(super) fn body(self, from: Body) -> Answer {
        let (to, mut passed) = channel(1);
        tokio::spawn(self.pass_on(from, to));
        let frames = poll_fn(move |context| passed.poll_recv(context));
        StreamBody::new(frames).boxed_unsync()
    }

    async fn pass_on(mut self, mut from: Body, to: Sender<Result<Frame<Bytes>, Lost>>) {
        let mut changes = self.gate.changes();
        let mut is_open = true;
        while is_open || !self.waiting.is_empty() {
            if let Some(expired) = self.is_broken() {
                if expired {
                    let _ = to.send(Ok(frame(EXPIRED.as_bytes()))).await;
                }
                return;
            }
            let lag = self.gate.lag(&self.who.name(), &self.asked.request.resource);
            let due = self.waiting.front().map(|(due, _)| *due).filter(|_| lag.is_some());
            tokio::select! {
                () = to.closed() => return,
                _ = changes.changed() => {}
                () = at(due), if due.is_some() => {
                    let Some((_, line)) = self.waiting.pop_front() else { continue };
                    self.tell(&line);
                    if to.send(Ok(frame(&line))).await.is_err() {
                        return;
                    }
                }
                next = from.frame(), if is_open => match next {
                    Some(Ok(next)) => is_open = self.take(next, lag.unwrap_or(0)),
                    _ => is_open = false,
                },
            }
        }
    }

    fn is_broken(&self) -> Option<bool> {
        self.gate.is_broken(&self.who.name(), &self.asked.request.resource, self.breaks)
    }

    /// Takes in what the server sent; whether it is to be read further.
    fn take(&mut self, frame: Frame<Bytes>, lag: u64) -> bool {
        let Ok(data) = frame.into_data() else { return true };
        for byte in data {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let due = Instant::now() + Duration::from_millis(lag);
            let due = self.waiting.back().map_or(due, |(last, _)| due.max(*last));
            self.waiting.push_back((due, std::mem::take(&mut self.line).into()));
        }
        self.line.len() <= LONGEST
    }

    fn tell(&self, line: &[u8]) {
        let Asked { request, is_partial, .. } = &self.asked;
        // Metadata says little of what an object is.
        if *is_partial {
            return;
        }
        if let Some((key, rv)) = told::in_event(line, &request.key.namespace) {
            // Of some objects all may have been told, but not of all.
            if key.name.is_empty() && self.asked.is_selective {
                return;
            }
            let (who, resource) = (self.who.clone(), request.resource.clone());
            let at = now();
            self.gate.happens(Happened::Told { who, resource, key, rv, answer: false, at });
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.gate.closes(&self.who.name(), &self.asked.request.resource);
    }
}

async fn at(due: Option<Instant>) {
    if let Some(due) = due {
        sleep_until(due).await;
    }
}

fn frame(line: &[u8]) -> Frame<Bytes> {
    let mut whole = Vec::with_capacity(line.len() + 1);
    whole.extend_from_slice(line);
    whole.push(b'\n');
    Frame::data(whole.into())
}
