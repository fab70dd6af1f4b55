//! A program for an image: for which machine it is, and the libraries without which it does not
//! start.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use thiserror::Error;

use crate::cluster::process;

/// How long finding the libraries may take.
const WITHIN: Duration = Duration::from_secs(20);

/// The largest program that is taken, in bytes.
const LARGEST: u64 = 1 << 30;

/// A program and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name of its file.
    pub name: String,
    /// For which machine it is, as images say it: `amd64`, `arm64`.
    pub architecture: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
    /// The libraries that it is linked to, by their paths; none if it is static.
    pub libraries: Vec<(Utf8PathBuf, Vec<u8>)>,
}

/// Why a file can't be the program of an image.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProgramError {
    /// It can't be read.
    #[error("`{path}` can't be read: {why}")]
    Unreadable {
        /// Its path.
        path: Utf8PathBuf,
        /// Why.
        why: String,
    },
    /// It is something else than a program for Linux.
    #[error("`{path}` is no program for Linux on amd64 or arm64")]
    NoProgram {
        /// Its path.
        path: Utf8PathBuf,
    },
    /// Its libraries are not found.
    #[error("the libraries of `{path}` are not found: {why}")]
    Libraries {
        /// Its path.
        path: Utf8PathBuf,
        /// Why.
        why: String,
    },
}

impl Program {
    /// The program at `path`, with its libraries from this machine.
    ///
    /// # Errors
    /// It is no program for Linux, or a library is missing.
    pub fn read(path: &Utf8Path) -> Result<Program, ProgramError> {
        let bytes = read(path)?;
        let no_program = || ProgramError::NoProgram { path: path.to_owned() };
        let name = path.file_name().ok_or_else(no_program)?.to_owned();
        let elf = Elf::of(&bytes).ok_or_else(no_program)?;
        let libraries = if elf.is_dynamic { libraries(path)? } else { Vec::new() };
        Ok(Program { name, architecture: elf.architecture, bytes, libraries })
    }

    /// Where it stands in the image.
    pub(super) fn path(&self) -> Utf8PathBuf {
        Utf8Path::new("/").join(&self.name)
    }
}

fn read(path: &Utf8Path) -> Result<Vec<u8>, ProgramError> {
    let failed = |why: String| ProgramError::Unreadable { path: path.to_owned(), why };
    let about = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?;
    if !about.is_file() || about.len() > LARGEST {
        return Err(failed("it is no file of a program's size".to_owned()));
    }
    std::fs::read(path).map_err(|error| failed(error.to_string()))
}

/// What the head of an executable says (ELF, 64 bits, little-endian).
struct Elf {
    architecture: &'static str,
    /// Whether a loader is to start it.
    is_dynamic: bool,
}

impl Elf {
    fn of(bytes: &[u8]) -> Option<Elf> {
        /// The type of the program header that names the loader.
        const INTERPRETER: u64 = 3;
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let architecture = match number(bytes, 18, 2)? {
            62 => "amd64",
            183 => "arm64",
            _ => return None,
        };
        let (table, size, count) =
            (number(bytes, 32, 8)?, number(bytes, 54, 2)?, number(bytes, 56, 2)?);
        let kind = |n: u64| number(bytes, table.checked_add(size * n)?, 4);
        let is_dynamic = (0..count).any(|n| kind(n) == Some(INTERPRETER));
        Some(Elf { architecture, is_dynamic })
    }
}

fn number(bytes: &[u8], at: u64, length: usize) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The libraries that the loader of this machine would take, and the loader itself.
fn libraries(program: &Utf8Path) -> Result<Vec<(Utf8PathBuf, Vec<u8>)>, ProgramError> {
    let failed = |why: String| ProgramError::Libraries { path: program.to_owned(), why };
    let whole = std::path::absolute(program).map_err(|error| failed(error.to_string()))?;
    let ended = process::run(Command::new("ldd").arg::<&Path>(&whole), Vec::new(), WITHIN);
    let ended = ended.map_err(|error| failed(format!("`ldd`: {error}")))?;
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    if !ended.status.success() {
        let why = String::from_utf8_lossy(&ended.stderr);
        return Err(failed(format!("`ldd` ended with {}: {}", ended.status, why.trim())));
    }
    let mut paths = paths(&said).map_err(failed)?;
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| Ok((path.clone(), read(&path)?))).collect()
}

/// The paths in the lines of `ldd`: `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld.so (0x…)`. What
/// the kernel brings has none.
fn paths(said: &str) -> Result<Vec<Utf8PathBuf>, String> {
    let mut paths = Vec::new();
    for line in said.lines() {
        let (name, found) = line.split_once("=>").unwrap_or(("", line));
        if found.trim() == "not found" {
            return Err(format!("there is no {}", name.trim()));
        }
        let path = found.split_whitespace().next().unwrap_or_default();
        if path.starts_with('/') {
            paths.push(Utf8PathBuf::from(path));
        }
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_loader_says_names_libraries() {
        let said = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        assert_eq!(paths(said).unwrap(), ["/lib/x/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
        let missing = paths("\tlibz.so.1 => not found\n").unwrap_err();
        assert_eq!(missing, "there is no libz.so.1");
    }

    #[test]
    fn a_script_is_no_program() {
        assert!(Elf::of(b"#!/bin/sh\n").is_none());
        assert!(Elf::of(b"\x7fELF\x02\x01").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_test_is_a_program_with_a_loader() {
        let own = Utf8PathBuf::from_path_buf(std::env::current_exe().unwrap()).unwrap();
        let program = Program::read(&own).unwrap();
        assert!(program.libraries.is_empty() || program.libraries.len() > 1);
    }
}
