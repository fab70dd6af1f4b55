//! The archive: one layer, its configuration and its manifest, as an OCI image layout that holds
//! what `docker load` looks for as well (image-spec v1.1).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};
use thiserror::Error;

use super::program::Program;

/// Everything in an image is as old as time, so that the same program gives the same bytes.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Who runs it: nobody in particular, and not root.
const USER: &str = "65532:65532";

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The name of an image, with its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// What is no name of an image.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("`{0}` is no name of an image with a tag, such as `localhost/my-controller:v1`")]
pub struct BadReference(String);

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let last = text.rsplit('/').next().unwrap_or_default();
        let (name, tag) = last.split_once(':').unwrap_or((last, ""));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let path = text.strip_suffix(last).unwrap_or_default();
        let is_path = path.chars().all(|c| plain(c) || c == '/' || c == ':');
        let is_name = !name.is_empty() && name.chars().all(|c| plain(c) && !c.is_uppercase());
        match is_path && is_name && !tag.is_empty() && tag.chars().all(plain) {
            true => Ok(Reference(text.to_owned())),
            false => Err(BadReference(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.0)
    }
}

/// An image that runs one program.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name.
    pub reference: Reference,
    /// What it runs.
    pub program: Program,
}

impl Image {
    /// Writes the archive.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, to: impl Write) -> io::Result<()> {
        let layer = self.layer()?;
        let config = self.config(&digest(&layer)).to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
        let mut of_manifest = descriptor(MANIFEST, &manifest);
        let Reference(name) = &self.reference;
        of_manifest["annotations"] = json!({
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": name.rsplit(':').next(),
        });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [of_manifest]});
        let of_docker = json!([{
            "Config": blob(&config), "RepoTags": [name], "Layers": [blob(&layer)],
        }]);
        let mut archive = Builder::new(to);
        for (path, bytes) in [
            (blob(&config), config.as_slice()),
            (blob(&layer), &layer),
            (blob(&manifest), &manifest),
            ("index.json".to_owned(), index.to_string().as_bytes()),
            ("manifest.json".to_owned(), of_docker.to_string().as_bytes()),
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#),
        ] {
            append(&mut archive, &path, 0o644, bytes)?;
        }
        archive.into_inner()?.flush()
    }

    /// The file system: the program and its libraries, with the folders that they are in.
    fn layer(&self) -> io::Result<Vec<u8>> {
        let program = (self.program.path(), self.program.bytes.as_slice());
        let libraries = self.program.libraries.iter();
        let libraries = libraries.map(|(path, bytes)| (path.clone(), bytes.as_slice()));
        let files: Vec<(Utf8PathBuf, &[u8])> = [program].into_iter().chain(libraries).collect();
        let mut folders = BTreeSet::new();
        for (path, _) in &files {
            folders.extend(path.ancestors().skip(1).map(inside).filter(|path| !path.is_empty()));
        }
        let mut layer = Builder::new(Vec::new());
        for folder in folders {
            let mut header = header(0o755, 0);
            header.set_entry_type(EntryType::Directory);
            layer.append_data(&mut header, format!("{folder}/"), io::empty())?;
        }
        for (path, bytes) in &files {
            append(&mut layer, inside(path), 0o755, bytes)?;
        }
        layer.into_inner()
    }

    fn config(&self, layer: &str) -> Value {
        let folders: BTreeSet<&str> = self.program.libraries.iter().filter_map(folder_of).collect();
        let folders: Vec<&str> = folders.into_iter().collect();
        let mut env = vec!["PATH=/".to_owned()];
        if !folders.is_empty() {
            env.push(format!("LD_LIBRARY_PATH={}", folders.join(":")));
        }
        json!({
            "created": CREATED, "architecture": self.program.architecture, "os": "linux",
            "config": {
                "Entrypoint": [self.program.path()], "User": USER, "WorkingDir": "/", "Env": env,
            },
            "rootfs": {"type": "layers", "diff_ids": [layer]},
            "history": [{"created": CREATED, "created_by": "shakedown image"}],
        })
    }
}

fn folder_of((path, _): &(Utf8PathBuf, Vec<u8>)) -> Option<&str> {
    path.parent().map(Utf8Path::as_str)
}

/// A path as it stands in a layer.
fn inside(path: &Utf8Path) -> &str {
    path.as_str().trim_start_matches('/')
}

fn header(mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn append(to: &mut Builder<impl Write>, path: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
    to.append_data(&mut header(mode, bytes.len() as u64), path, bytes)
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", hex(bytes))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        // A text takes everything.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    fn image() -> Image {
        Image {
            reference: "localhost/a:v1".parse().unwrap(),
            program: Program {
                name: "a".to_owned(),
                architecture: "amd64",
                bytes: b"program".to_vec(),
                libraries: vec![("/lib/x/libc.so.6".into(), b"library".to_vec())],
            },
        }
    }

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().to_str().unwrap().to_owned(), bytes)
        });
        entries.collect()
    }

    #[test]
    fn the_same_program_gives_the_same_bytes_and_every_digest_is_of_what_is_there() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        image().write(&mut first).unwrap();
        image().write(&mut second).unwrap();
        assert!(first == second);
        let files = files(&first);
        for (path, bytes) in files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
            assert_eq!(*path, blob(bytes));
        }
        let json = |path: &str| -> Value { serde_json::from_slice(&files[path]).unwrap() };
        let of_docker = &json("manifest.json")[0];
        assert_eq!(of_docker["RepoTags"][0], "localhost/a:v1");
        let config = json(of_docker["Config"].as_str().unwrap());
        assert_eq!(config["config"]["Entrypoint"][0], "/a");
        assert_eq!(config["config"]["Env"][1], "LD_LIBRARY_PATH=/lib/x");
        let layer = super::tests::files(&files[of_docker["Layers"][0].as_str().unwrap()]);
        let paths: Vec<&String> = layer.keys().collect();
        assert_eq!(paths, ["a", "lib/", "lib/x/", "lib/x/libc.so.6"]);
        let of_index = &json("index.json")["manifests"][0];
        let manifest = of_index["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
        assert_eq!(json(&manifest)["config"]["mediaType"], CONFIG);
    }

    #[test]
    fn a_name_has_a_tag_and_no_capitals() {
        for good in ["a:1", "localhost/a-b:v1.2", "registry.example:5000/x/y:t"] {
            assert!(good.parse::<Reference>().is_ok(), "{good}");
        }
        for bad in ["", "a", "a:", "localhost:5000/a", "A:1", "a b:1", "a:1:2"] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
    }
}
