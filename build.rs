//! Computes the simulator revision: a digest of the sources that decide how a simulated trial goes
//! on, besides its plan. Also lists the subjects and requirements that the program carries.

use std::fs;
use std::path::{Path, PathBuf};

/// Everything that has a say in what happens in a simulated trial.
const FOLDERS: [&str; 13] = [
    "crates/kubesim-model/src",
    "crates/kubesim/schema",
    "crates/kubesim/src",
    "crates/kubesim-client/src",
    "crates/kubesim-http/src",
    "crates/exact/src",
    "crates/cloneset-kube/src",
    "crates/reference/src",
    "src/cluster",
    "src/fault",
    "src/run",
    "src/subject",
    "src/plan",
];

fn main() {
    let mut files = Vec::new();
    for folder in FOLDERS {
        // A published package does not hold the other crates; their version stands for them.
        if Path::new(folder).exists() {
            println!("cargo:rerun-if-changed={folder}");
            walk(Path::new(folder), &mut files);
        }
    }
    files.sort();
    let mut digest = Digest::new();
    digest.take(env!("CARGO_PKG_VERSION").as_bytes());
    for path in files {
        digest.take(path.to_string_lossy().as_bytes());
        digest.take(&fs::read(&path).unwrap_or_default());
    }
    println!("cargo:rustc-env=SHAKEDOWN_REVISION={:016x}", digest.0);
    carry();
}

/// Writes the list of the subject files that the program carries.
fn carry() {
    println!("cargo:rerun-if-changed=fixtures/subjects");
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let entries = fs::read_dir("fixtures/subjects").into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    let line = |path: &PathBuf| {
        let path = path.to_string_lossy();
        format!("    ({path:?}, include_str!(\"{root}/{path}\")),\n")
    };
    let list: String = paths.iter().map(line).collect();
    let out = std::env::var("OUT_DIR").expect("cargo says where to write");
    let text = format!("&[\n{list}]\n");
    fs::write(Path::new(&out).join("subjects.rs"), text).expect("the folder is cargo's own");
}

/// The sources below a folder and the tables that they include, tests aside.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "txt") {
            files.push(path);
        }
    }
}

/// FNV-1a, 64 bits: tells revisions apart, and needs no crate.
struct Digest(u64);

impl Digest {
    fn new() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().chain(&[0xff]) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
