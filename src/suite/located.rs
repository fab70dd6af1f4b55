//! Where a value stands in a user's file. Owns sources, places and the pairing of a value with its
//! place; reads no files.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

/// A file as it was read: what places point into.
#[derive(Debug)]
pub struct Source {
    /// The path as the user gave it, or as it was found below a folder that the user gave.
    pub path: Utf8PathBuf,
    /// The whole text.
    pub text: Box<str>,
}

impl Source {
    /// A source under `path` with `text`.
    pub fn new(path: impl Into<Utf8PathBuf>, text: impl Into<Box<str>>) -> Arc<Source> {
        Arc::new(Source { path: path.into(), text: text.into() })
    }

    /// The folder of the file, against which paths inside it are resolved.
    pub fn folder(&self) -> &Utf8Path {
        self.path.parent().unwrap_or(Utf8Path::new(""))
    }
}

/// A span of bytes in a source; nowhere for what a program built.
#[derive(Clone, Default)]
pub struct Place {
    source: Option<Arc<Source>>,
    start: u32,
    end: u32,
}

impl Place {
    /// The bytes `start..end` of `source`, cut to its length.
    pub fn new(source: &Arc<Source>, start: usize, end: usize) -> Place {
        let length = source.text.len();
        let cut = |at: usize| u32::try_from(at.min(length)).unwrap_or(u32::MAX);
        Place { source: Some(source.clone()), start: cut(start), end: cut(end.max(start)) }
    }

    /// No place: the value was made by a program.
    pub fn nowhere() -> Place {
        Place::default()
    }

    /// The file, if there is one.
    pub fn source(&self) -> Option<&Arc<Source>> {
        self.source.as_ref()
    }

    /// The bytes covered.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text covered, or `""`.
    pub fn text(&self) -> &str {
        self.source.as_ref().and_then(|source| source.text.get(self.range())).unwrap_or_default()
    }

    /// Line and column of the first character, both from 1; columns count characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let Some(source) = &self.source else { return (0, 0) };
        let before = source.text.get(..self.start as usize).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The part `start..end` (bytes) of this place; this place itself if it has no such part.
    pub fn part(&self, start: usize, end: usize) -> Place {
        let offset = |at: usize| u32::try_from(at).ok().and_then(|at| self.start.checked_add(at));
        match (offset(start), offset(end)) {
            (Some(start), Some(end)) if start <= end && end <= self.end => {
                Place { source: self.source.clone(), start, end }
            }
            _ => self.clone(),
        }
    }

    /// A key by which places can be sorted: path, then position.
    pub(super) fn order(&self) -> (Option<&Utf8Path>, u32, u32) {
        (self.source.as_ref().map(|source| source.path.as_path()), self.start, self.end)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            None => to.write_str("<built>"),
            Some(source) => {
                let (line, column) = self.line_and_column();
                write!(to, "{}:{line}:{column}", source.path)
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Place {}

/// A value and where it stands. Reads as the value; two are equal when their values are.
#[derive(Clone, Default)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: Place,
}

impl<T> Located<T> {
    /// `value`, which stands at `at`.
    pub fn new(value: T, at: Place) -> Self {
        Located { value, at }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Self {
        Located { value, at: Place::nowhere() }
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(to)
    }
}
