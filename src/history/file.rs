//! Histories as files: JSON lines. What a line of an event looks like is `stored.rs`'s business.
//!
//! The first line is the header, then one event a line, and last an end line,
//! `{"end":{"events":N}}`, so that a file that was cut off anywhere is told from a whole one. Of
//! such a file everything before the cut is kept, and a [`Gap`] says that more may have happened:
//! what needs it is undecided, and what was found stays found. The writer is byte-deterministic:
//! the same history gives the same file.

use std::io::{BufRead, Write};

use kubesim_model::{Millis, Text};
use serde::{Deserialize, Serialize};

use super::event::{Body, Event, Gap, Header, History, SCHEMA};
use super::stored::{LastStates, StoredEvent};

/// How much is read at most. What is larger is refused, with the limit named.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the whole file.
    pub bytes: u64,
    /// Bytes of one line.
    pub line: usize,
    /// Events.
    pub events: u64,
}

impl Default for Limits {
    /// 4 GiB, 64 MiB a line, 10 million events.
    fn default() -> Self {
        Limits { bytes: 4 << 30, line: 64 << 20, events: 10_000_000 }
    }
}

/// Why a history could not be read. Lines are counted from 1.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read.
    #[error("reading line {line} of the history")]
    Io {
        /// The line that was being read.
        line: u64,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The first line is no header of a history.
    #[error("not a history: the first line is no header ({reason})")]
    NotAHistory {
        /// What is wrong with it.
        reason: String,
    },
    /// The history is of another version.
    #[error("the history is of schema `{found}`; this version reads `{SCHEMA}`")]
    OtherSchema {
        /// What the header says.
        found: String,
    },
    /// A line that is no event stands among the events.
    #[error("line {line} is damaged: {reason}")]
    Damaged {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// `n` does not rise, or `t` falls.
    #[error("line {line} is out of order: n {n} at {t} ms follows n {before_n} at {before_t} ms")]
    OutOfOrder {
        /// Which line.
        line: u64,
        /// Its number.
        n: u64,
        /// Its time.
        t: Millis,
        /// The number of the event before.
        before_n: u64,
        /// The time of the event before.
        before_t: Millis,
    },
    /// The end line counts other than there are.
    #[error("line {line} says that there are {said} events, but there are {found}")]
    WrongCount {
        /// The end line.
        line: u64,
        /// What it says.
        said: u64,
        /// What was read.
        found: u64,
    },
    /// Something follows the end line.
    #[error("line {line} follows the end of the history")]
    AfterTheEnd {
        /// Which line.
        line: u64,
    },
    /// The history is larger than the limit.
    #[error("line {line} goes past the limit of {limit} {what}")]
    TooLarge {
        /// The line that goes past it.
        line: u64,
        /// The limit.
        limit: u64,
        /// Of what.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct EndLine {
    end: End,
}

#[derive(Serialize, Deserialize)]
struct End {
    events: u64,
}

/// Writes a history event by event. Without [`Writer::finish`] the file counts as cut off.
pub struct Writer<W: Write> {
    to: W,
    states: LastStates,
    events: u64,
    /// The line that is being made: JSON is written in many small parts.
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a history with its header.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn new(to: W, header: &Header) -> std::io::Result<Self> {
        let (states, line) = (LastStates::default(), Vec::new());
        let mut writer = Writer { to, states, events: 0, line };
        writer.line(header)?;
        Ok(writer)
    }

    /// Writes the next event.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn event(&mut self, event: &Event) -> std::io::Result<()> {
        self.events += 1;
        let stored = StoredEvent::pack(event, &mut self.states);
        self.line(&stored)
    }

    /// Writes the end line and hands back what was written to.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn finish(mut self) -> std::io::Result<W> {
        self.line(&EndLine { end: End { events: self.events } })?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn line(&mut self, value: &impl Serialize) -> std::io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)?;
        self.line.push(b'\n');
        self.to.write_all(&self.line)
    }
}

impl History {
    /// Writes the whole history.
    ///
    /// # Errors
    /// What writing fails with.
    pub fn write(&self, to: impl Write) -> std::io::Result<()> {
        let mut writer = Writer::new(to, &self.header)?;
        self.events.iter().try_for_each(|event| writer.event(event))?;
        writer.finish().map(drop)
    }

    /// Reads a history. One that was cut off is answered with a [`Gap`] at its end.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(from: impl BufRead, limits: &Limits) -> Result<History, ReadError> {
        let mut lines = Lines { from, limits, line: 0, bytes: 0 };
        let header = match lines.next()? {
            None => return Err(ReadError::Empty),
            Some(line) => header(&line.bytes)?,
        };
        let mut reader = Reader { history: History { header, events: Vec::new() }, limits };
        let mut states = LastStates::default();
        loop {
            match lines.next()? {
                None => reader.cut_off("the history ends without its end line"),
                Some(line) if !line.is_whole => reader.cut_off("its last line is cut off"),
                Some(line) => match reader.line(&line, &mut states)? {
                    Read::Event => continue,
                    Read::End if lines.next()?.is_some() => {
                        return Err(ReadError::AfterTheEnd { line: lines.line });
                    }
                    Read::End => {}
                },
            }
            return Ok(reader.history);
        }
    }
}

fn header(line: &[u8]) -> Result<Header, ReadError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: String,
    }
    let not_a_history =
        |error: serde_json::Error| ReadError::NotAHistory { reason: error.to_string() };
    let Schema { schema } = serde_json::from_slice(line).map_err(not_a_history)?;
    if schema != SCHEMA {
        return Err(ReadError::OtherSchema { found: schema });
    }
    serde_json::from_slice(line).map_err(not_a_history)
}

enum Read {
    Event,
    End,
}

struct Reader<'l> {
    history: History,
    limits: &'l Limits,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line, states: &mut LastStates) -> Result<Read, ReadError> {
        let found = self.history.events.len() as u64;
        if line.bytes.starts_with(br#"{"end":"#)
            && let Ok(EndLine { end }) = serde_json::from_slice(&line.bytes)
        {
            return match end.events == found {
                true => Ok(Read::End),
                false => Err(ReadError::WrongCount { line: line.number, said: end.events, found }),
            };
        }
        let damaged = |reason| ReadError::Damaged { line: line.number, reason };
        let event = serde_json::from_slice::<StoredEvent>(&line.bytes)
            .map_err(|error| damaged(error.to_string()))?
            .unpack(states)
            .map_err(damaged)?;
        self.push(event, line.number)?;
        Ok(Read::Event)
    }

    fn push(&mut self, event: Event, line: u64) -> Result<(), ReadError> {
        if let Some(last) = self.history.events.last()
            && (event.n <= last.n || event.t < last.t)
        {
            let (before_n, before_t) = (last.n, last.t);
            return Err(ReadError::OutOfOrder { line, n: event.n, t: event.t, before_n, before_t });
        }
        if self.history.events.len() as u64 >= self.limits.events {
            return Err(ReadError::TooLarge { line, limit: self.limits.events, what: "events" });
        }
        self.history.events.push(event);
        Ok(())
    }

    fn cut_off(&mut self, reason: &str) {
        let (n, t) = self.history.events.last().map_or((0, 0), |last| (last.n + 1, last.t));
        let gap = Gap { from: t, missing: Text::new_static("objects"), reason: reason.into() };
        let body = Body::Gap(gap);
        self.history.events.push(Event { n, t, uncertainty: 0, cause: None, body });
    }
}

struct Line {
    number: u64,
    bytes: Vec<u8>,
    is_whole: bool,
}

struct Lines<'l, R> {
    from: R,
    limits: &'l Limits,
    line: u64,
    bytes: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line without its end; `None` after the last.
    fn next(&mut self) -> Result<Option<Line>, ReadError> {
        use std::io::Read as _;
        self.line += 1;
        let number = self.line;
        let mut bytes = Vec::new();
        // One byte more than allowed, so that a line of exactly the limit is not too long.
        let most = self.limits.line as u64 + 2;
        (&mut self.from)
            .take(most)
            .read_until(b'\n', &mut bytes)
            .map_err(|source| ReadError::Io { line: number, source })?;
        self.bytes += bytes.len() as u64;
        let too_large = |limit, what| Err(ReadError::TooLarge { line: number, limit, what });
        if self.bytes > self.limits.bytes {
            return too_large(self.limits.bytes, "bytes");
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let is_whole = bytes.pop_if(|last| *last == b'\n').is_some();
        if bytes.len() > self.limits.line {
            return too_large(self.limits.line as u64, "bytes a line");
        }
        Ok(Some(Line { number, bytes, is_whole }))
    }
}

#[cfg(test)]
mod tests;
