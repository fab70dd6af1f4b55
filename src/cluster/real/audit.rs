//! The audit log: who asked the API server for what, and what was answered.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use camino::Utf8Path;
use kubesim_model::object::{EPOCH, resource_version};
use kubesim_model::request::Verb;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text};

/// One request that was answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    /// The name of the request.
    pub(super) id: Text,
    pub(super) user: Text,
    pub(super) user_agent: Text,
    pub(super) verb: Verb,
    pub(super) resource: Resource,
    pub(super) key: ObjectKey,
    pub(super) subresource: Text,
    pub(super) code: u16,
    pub(super) reason: Text,
    pub(super) message: String,
    /// The version of the object in the answer; 0 if there is none.
    pub(super) rv: u64,
    /// When it was answered, in milliseconds since the epoch of virtual time.
    pub(super) at: Millis,
}

/// The end of a log that grows.
pub(super) struct Log {
    file: File,
    rest: Vec<u8>,
}

impl Log {
    /// The log at `path`, from here on: what it holds already is of trials that are over.
    pub(super) fn open(path: &Utf8Path) -> std::io::Result<Log> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Log { file, rest: Vec::new() })
    }

    /// What was written since the last call.
    pub(super) fn read(&mut self) -> std::io::Result<Vec<Entry>> {
        self.file.read_to_end(&mut self.rest)?;
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let lines: Vec<u8> = self.rest.drain(..=end).collect();
        let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        Ok(lines.filter_map(entry).collect())
    }
}

/// The entry of a line; `None` for one that is about no object.
fn entry(line: &[u8]) -> Option<Entry> {
    let event: Tree = serde_json::from_slice(line).ok()?;
    let about = &event["objectRef"];
    let (answer, request) = (&event["responseObject"], &event["requestObject"]);
    let user = match event["impersonatedUser"]["username"].str() {
        "" => event["user"]["username"].text(),
        other => Text::new(other),
    };
    let group = about["apiGroup"].str();
    let resource = match group {
        "" => Resource::new(about["resource"].text()),
        group => Resource::new(format!("{}.{group}", about["resource"].str())),
    };
    let mut key = ObjectKey::new(about["namespace"].text(), about["name"].text());
    if key.name.is_empty() {
        key.name = answer["metadata"]["name"].text();
    }
    let status = &event["responseStatus"];
    Some(Entry {
        id: event["auditID"].text(),
        user,
        user_agent: event["userAgent"].text(),
        verb: verb(event["verb"].str(), request)?,
        resource,
        key,
        subresource: about["subresource"].text(),
        code: u16::try_from(status["code"].as_i64()?).ok()?,
        reason: status["reason"].text(),
        message: status["message"].str().to_owned(),
        rv: if names_no_object(answer) { 0 } else { resource_version(answer) },
        at: time(event["stageTimestamp"].str())?,
    })
}

/// Whether an answer is no object: the version of a list is that of nothing.
fn names_no_object(answer: &Tree) -> bool {
    answer["kind"] == "Status" || answer["kind"].str().ends_with("List")
}

fn verb(name: &str, request: &Tree) -> Option<Verb> {
    Some(match name {
        "get" => Verb::Get,
        "list" => Verb::List,
        "create" => Verb::Create,
        "update" => Verb::Update,
        // The log does not say which; only a JSON patch is a list.
        "patch" if !request.items().is_empty() => Verb::JsonPatch,
        "patch" => Verb::MergePatch,
        "delete" => Verb::Delete,
        "deletecollection" => Verb::DeleteCollection,
        _ => return None,
    })
}

fn time(text: &str) -> Option<Millis> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Millis::try_from(time.as_millisecond() - EPOCH).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","stage":"ResponseComplete","verb":"patch",
        "user":{"username":"kubernetes-admin"},
        "impersonatedUser":{"username":"system:node:worker-1"},"userAgent":"kubelet/v1.36",
        "objectRef":{"resource":"pods","namespace":"default","name":"web-0","apiVersion":"v1",
        "subresource":"status"},"responseStatus":{"metadata":{},"code":200},
        "requestObject":{"status":{}},
        "responseObject":{"kind":"Pod","metadata":{"name":"web-0","resourceVersion":"77"}},
        "stageTimestamp":"2026-01-01T00:00:02.345678Z"}"#;

    #[test]
    fn a_line_tells_who_did_what_to_which_version() {
        let entry = entry(LINE.replace('\n', " ").as_bytes()).expect("it is about an object");
        assert_eq!(entry.user, "system:node:worker-1");
        assert_eq!(entry.verb, Verb::MergePatch);
        assert_eq!((entry.resource.as_str(), entry.subresource.as_str()), ("pods", "status"));
        assert_eq!(entry.key, ObjectKey::new("default", "web-0"));
        assert_eq!((entry.code, entry.rv, entry.at), (200, 77, 2_345));
    }

    #[test]
    fn lines_come_whole_and_damaged_ones_are_passed_over() {
        let folder = std::env::temp_dir().join(format!("shakedown-audit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.join("audit.log")).unwrap();
        let line = LINE.replace('\n', " ");
        let (first, second) = line.split_at(40);
        // Of a trial before.
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let mut log = Log::open(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        let mut write = |text: String| std::io::Write::write_all(&mut file, text.as_bytes());
        write(format!("{{}}\nnonsense\n{first}")).unwrap();
        assert_eq!(log.read().unwrap(), Vec::new());
        write(format!("{second}\n")).unwrap();
        assert_eq!(log.read().unwrap().len(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }

    use camino::Utf8PathBuf;
}
