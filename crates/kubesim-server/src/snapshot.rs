//! Snapshots as files: JSON lines. The first says what it is, each other one is an object.

use std::io::{self, BufRead, Write};

use kubesim::api::Snapshot;
use kubesim_model::map;
use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use thiserror::Error;

/// The version of the form.
const SCHEMA: &str = "shakedown/snapshot-v1";
/// How long a line may be, in bytes: an object has at most 1.5 MiB.
const LINE: usize = 4 << 20;

/// Why a snapshot can't be read.
#[derive(Debug, Error)]
pub enum SnapshotError {
    /// The file can't be read.
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is no snapshot, or of another form.
    #[error("it is not a snapshot of the form `{SCHEMA}`")]
    OtherForm,
    /// A line holds no object.
    #[error("line {0} holds no object")]
    Damaged(usize),
    /// There are other objects than its first line counts.
    #[error("it says that it holds {said} objects, but there are {found}")]
    WrongCount {
        /// What it says.
        said: i64,
        /// What there is.
        found: usize,
    },
}

/// Writes a snapshot.
///
/// # Errors
/// What writing fails with.
pub fn write_snapshot(kept: &Snapshot, to: &mut impl Write) -> io::Result<()> {
    let head = map! {
        "schema" => SCHEMA, "version" => kept.version, "time" => kept.time,
        "addresses" => kept.addresses, "objects" => kept.objects.len(),
    };
    writeln!(to, "{head}")?;
    for (resource, object) in &kept.objects {
        writeln!(to, "{}", map! { "resource" => resource.as_str(), "object" => object })?;
    }
    to.flush()
}

/// Reads a snapshot.
///
/// # Errors
/// See [`SnapshotError`].
pub fn read_snapshot(from: &mut impl BufRead) -> Result<Snapshot, SnapshotError> {
    let head = line(from)?.ok_or(SnapshotError::OtherForm)?;
    let head: Tree = serde_json::from_slice(&head).map_err(|_| SnapshotError::OtherForm)?;
    let number = |field: &str| head[field].as_i64().and_then(|number| u64::try_from(number).ok());
    let (version, time, addresses) = match (number("version"), number("time"), number("addresses"))
    {
        (Some(version), Some(time), Some(addresses)) if head["schema"] == SCHEMA => {
            (version, time, u32::try_from(addresses).unwrap_or(u32::MAX))
        }
        _ => return Err(SnapshotError::OtherForm),
    };
    let mut objects = Vec::new();
    while let Some(line) = line(from)? {
        let read: Option<Tree> = serde_json::from_slice(&line).ok();
        let read = read.filter(|read| !read["object"]["metadata"]["name"].str().is_empty());
        let read = read.ok_or(SnapshotError::Damaged(objects.len() + 2))?;
        objects.push((Resource::new(read["resource"].text()), read["object"].clone()));
    }
    let (said, found) = (head["objects"].as_i64().unwrap_or(0), objects.len());
    if usize::try_from(said).ok() != Some(found) {
        return Err(SnapshotError::WrongCount { said, found });
    }
    Ok(Snapshot { version, time, addresses, objects })
}

/// The next line; `None` at the end.
fn line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, SnapshotError> {
    let mut line = Vec::new();
    let read = io::Read::take(from, LINE as u64).read_until(b'\n', &mut line)?;
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept() -> Snapshot {
        let object = map! { "metadata" => map! { "name" => "a", "resourceVersion" => "7" } };
        let objects = vec![(Resource::NODES, object)];
        Snapshot { version: 9, time: 1_000, addresses: 2, objects }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut bytes = Vec::new();
        write_snapshot(&kept(), &mut bytes).unwrap();
        assert_eq!(read_snapshot(&mut bytes.as_slice()).unwrap(), kept());
    }

    #[test]
    fn what_is_cut_off_or_something_else_is_refused() {
        let mut bytes = Vec::new();
        write_snapshot(&kept(), &mut bytes).unwrap();
        let cut = &bytes[..bytes.len() - 20];
        assert!(matches!(read_snapshot(&mut &*cut), Err(SnapshotError::Damaged(2))));
        let first = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        let none = read_snapshot(&mut &bytes[..first]);
        assert!(matches!(none, Err(SnapshotError::WrongCount { said: 1, found: 0 })));
        for other in [&b""[..], b"{}\n", b"{\"schema\":\"x\"}\n", b"\xff\n"] {
            assert!(matches!(read_snapshot(&mut &*other), Err(SnapshotError::OtherForm)));
        }
    }
}
