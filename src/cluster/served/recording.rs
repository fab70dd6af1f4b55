//! What happens in a served cluster as a history: not of a scenario, but one that can be judged by
//! one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};

use camino::Utf8Path;
use kubesim::world::Record;
use kubesim_model::Millis;

use crate::cluster::Capability;
use crate::cluster::sim_record::observation;
use crate::history::{Clock, Event, Header, Names, Pace, SCHEMA, Source, Writer};

/// How many events are remembered as causes of others.
const CAUSES: usize = 100_000;

/// A history that is being written.
pub(crate) struct Recording {
    writer: Writer<BufWriter<File>>,
    began: Millis,
    events: u64,
    /// The number in the history of what happened last, by its number in the world.
    numbers: BTreeMap<u64, u64>,
    failed: Option<io::Error>,
}

impl Recording {
    /// Begins a history in `path`.
    ///
    /// # Errors
    /// It can't be written.
    pub(crate) fn create(path: &Utf8Path, seed: u64, began: Millis) -> io::Result<Recording> {
        let recorded =
            [Capability::Actors, Capability::Host, Capability::Deliveries, Capability::Evictions];
        let header = Header {
            schema: SCHEMA.to_owned(),
            tool: concat!("shakedown ", env!("CARGO_PKG_VERSION")).to_owned(),
            trial: format!("serve/seed-{seed}"),
            scenario: Source::default(),
            subject: Source::default(),
            files: BTreeMap::new(),
            params: BTreeMap::new(),
            provider: "serve".to_owned(),
            capabilities: recorded.map(|one| one.as_str().to_owned()).to_vec(),
            seed,
            baseline: false,
            clock: Clock::Wall,
            began,
            pace: Pace::default(),
            names: Names::default(),
        };
        let writer = Writer::new(BufWriter::new(File::create(path)?), &header)?;
        Ok(Recording { writer, began, events: 0, numbers: BTreeMap::new(), failed: None })
    }

    /// Writes what happened. After a failure nothing more is written.
    pub(crate) fn take(&mut self, records: Vec<Record>) {
        for seen in records.into_iter().filter_map(observation) {
            if self.failed.is_some() {
                return;
            }
            let n = self.events;
            self.events += 1;
            self.numbers.insert(seen.id, n);
            if self.numbers.len() > CAUSES {
                self.numbers.pop_first();
            }
            let cause = seen.cause.and_then(|cause| self.numbers.get(&cause).copied());
            let t = seen.at.saturating_sub(self.began);
            let event = Event { n, t, uncertainty: seen.uncertainty, cause, body: seen.body };
            self.failed = self.writer.event(&event).err();
        }
    }

    /// Ends the history; answers how many events it has.
    ///
    /// # Errors
    /// Something of it could not be written.
    pub(crate) fn finish(self) -> io::Result<u64> {
        match self.failed {
            Some(error) => Err(error),
            None => self.writer.finish().map(|_| self.events),
        }
    }
}
