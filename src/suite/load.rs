//! Reads files and folders into a checked [`Suite`]. The one file of the module that touches the
//! file system, and it only reads.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use kubesim_model::tree::Tree;
use thiserror::Error;

use super::diagnostic::{Code, Diagnostic};
use super::located::{Place, Source};
use super::matrix::{self, MAX_ROWS};
use super::model::{ResolvedScenario, Scenario};
use super::node::Node;
use super::read::{KINDS, Reader};
use super::requirements::Requirements;
use super::resolve::resolve_with;
use super::subject::Subject;
use super::validate;
use super::vocabulary::Vocabulary;
use super::yaml::{self, MAX_BYTES};

/// Why a file can't be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// There is none.
    #[error("there is no such file")]
    Missing,
    /// It is binary.
    #[error("it is not text in UTF-8")]
    NotText,
    /// It is larger than the limit, with its size in bytes.
    #[error("it has {0} bytes, more than the limit of {MAX_BYTES}")]
    TooLarge(u64),
    /// Something else, as the operating system says it.
    #[error("{0}")]
    Io(String),
}

/// Where files come from.
pub trait Files {
    /// The file at `path`.
    ///
    /// # Errors
    /// It does not exist or is no text of reasonable size.
    fn read(&self, path: &Utf8Path) -> Result<Arc<Source>, ReadError>;

    /// The YAML files in `folder`, in the order of their names.
    ///
    /// # Errors
    /// It is no folder.
    fn list(&self, folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ReadError>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Utf8Path) -> Result<Arc<Source>, ReadError> {
        let io = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => ReadError::Missing,
            _ => ReadError::Io(error.to_string()),
        };
        let about = std::fs::metadata(path).map_err(io)?;
        if !about.is_file() {
            return Err(ReadError::Io("it is no file".to_owned()));
        }
        if about.len() > MAX_BYTES as u64 {
            return Err(ReadError::TooLarge(about.len()));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let text = String::from_utf8(bytes).map_err(|_| ReadError::NotText)?;
        Ok(Source::new(path, text))
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ReadError> {
        // The current folder has no name of its own.
        let named = if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder };
        let entries = named.read_dir_utf8().map_err(|error| ReadError::Io(error.to_string()))?;
        let names = entries.flatten().map(|entry| folder.join(entry.file_name()));
        let mut files: Vec<Utf8PathBuf> = names.filter(|path| is_yaml(path)).collect();
        files.sort();
        Ok(files)
    }
}

fn is_yaml(path: &Utf8Path) -> bool {
    matches!(path.extension(), Some("yaml" | "yml"))
}

/// Files that were read before, by path: those of a plan, or of a loaded scenario.
#[derive(Clone, Copy, Debug)]
pub struct Inlined<'f>(pub &'f BTreeMap<Utf8PathBuf, Arc<Source>>);

impl Files for Inlined<'_> {
    fn read(&self, path: &Utf8Path) -> Result<Arc<Source>, ReadError> {
        self.0.get(path).cloned().ok_or(ReadError::Missing)
    }

    /// What else there is is not known, so any folder may be there, and what was read is in it.
    fn list(&self, folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ReadError> {
        if self.0.contains_key(folder) {
            return Err(ReadError::Io("it is a file".to_owned()));
        }
        let inside = self.0.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter(|path| is_yaml(path)).cloned().collect())
    }
}

/// Files that remember what was read.
struct Recorded<'f> {
    files: &'f dyn Files,
    read: RefCell<BTreeMap<Utf8PathBuf, Arc<Source>>>,
}

impl Files for Recorded<'_> {
    fn read(&self, path: &Utf8Path) -> Result<Arc<Source>, ReadError> {
        if let Some(source) = self.read.borrow().get(path) {
            return Ok(source.clone());
        }
        let source = self.files.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), source.clone());
        Ok(source)
    }

    fn list(&self, folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, ReadError> {
        self.files.list(folder)
    }
}

/// The scenarios that were loaded, in the order of their paths.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
}

/// Loads the scenarios in `paths`: files, and folders with all that is below them. Subjects,
/// catalogues and manifests below folders are passed over.
///
/// # Errors
/// Everything that is wrong with any of the files, in the order of the files.
pub fn load_suite(
    paths: &[Utf8PathBuf],
    vocabulary: &Arc<Vocabulary>,
) -> Result<Suite, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut scenarios: Vec<Scenario> = Vec::new();
    for (path, named) in walk(paths, &mut diagnostics) {
        let source = match Disk.read(&path) {
            Ok(source) => source,
            Err(error) => {
                diagnostics.push(unreadable(&path, &error));
                continue;
            }
        };
        if !named && is_something_else(&source) {
            continue;
        }
        match parse_scenario(&source, &Disk, vocabulary) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => diagnostics.extend(found),
        }
    }
    for (at, scenario) in scenarios.iter().enumerate() {
        if let Some(first) = scenarios[..at].iter().find(|have| have.name == scenario.name) {
            let message = format!("there are two scenarios `{}`", scenario.name.value);
            let found = Diagnostic::error(Code::DuplicateName, &scenario.name.at, message);
            diagnostics.push(found.also(&first.name.at, "the first"));
        }
    }
    if diagnostics.is_empty() { Ok(Suite { scenarios }) } else { Err(diagnostics) }
}

/// Checks the scenario in `source`, with every row of its matrix.
///
/// # Errors
/// Everything that is wrong with it and with the files that it applies.
pub fn parse_scenario(
    source: &Arc<Source>,
    files: &dyn Files,
    vocabulary: &Arc<Vocabulary>,
) -> Result<Scenario, Vec<Diagnostic>> {
    let root = one_document(source)?;
    let files = Recorded { files, read: RefCell::default() };
    let mut reader = Reader::new(vocabulary, &files);
    let head = reader.head(source, &root, vocabulary);
    let mut diagnostics = reader.diagnostics;
    let Some(mut scenario) = head else {
        return Err(in_order(diagnostics));
    };
    let count = matrix::count(&scenario);
    if count > MAX_ROWS {
        let message = format!("the matrix has {count} rows, the limit is {MAX_ROWS}");
        let at = scenario.spec.get("matrix").map_or(&scenario.name.at, |node| &node.at);
        diagnostics.push(Diagnostic::error(Code::MatrixTooLarge, at, message));
    }
    let (rows, used) = resolve_all(&scenario, &files, &mut diagnostics);
    // A parameter that only a broken template uses is not unused.
    let broken = [Code::OpenTemplate, Code::BadExpression, Code::UnknownVariable];
    let sound = !rows.is_empty() && diagnostics.iter().all(|found| !broken.contains(&found.code));
    validate::scenario(&scenario, &rows, sound.then_some(&used), &mut diagnostics);
    if !diagnostics.is_empty() {
        return Err(in_order(diagnostics));
    }
    scenario.files = files.read.into_inner();
    Ok(scenario)
}

/// Resolves every row. A mistake that only some rows have says which.
fn resolve_all(
    scenario: &Scenario,
    files: &dyn Files,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Vec<ResolvedScenario>, BTreeSet<kubesim_model::Text>) {
    let all = matrix::rows(scenario);
    let mut resolved = Vec::new();
    let mut used = BTreeSet::new();
    let mut found: Vec<(Diagnostic, usize, String)> = Vec::new();
    for params in &all {
        let mut reader = Reader::new(&scenario.vocabulary, files);
        let (row, names) = resolve_with(scenario, params, &mut reader);
        validate::row(scenario, &row, &mut reader.diagnostics);
        resolved.push(row);
        used.extend(names);
        for diagnostic in reader.diagnostics {
            match found.iter_mut().find(|(have, ..)| *have == diagnostic) {
                Some((_, times, _)) => *times += 1,
                None => found.push((diagnostic, 1, params.to_string())),
            }
        }
    }
    for (diagnostic, times, first) in found {
        let some = times < all.len();
        diagnostics.push(if some { diagnostic.note(format!("with {first}")) } else { diagnostic });
    }
    (resolved, used)
}

/// Checks the subject in `source`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_subject(source: &Arc<Source>, files: &dyn Files) -> Result<Subject, Vec<Diagnostic>> {
    let root = one_document(source)?;
    let nothing = Vocabulary::default();
    let files = Recorded { files, read: RefCell::default() };
    let mut reader = Reader::new(&nothing, &files);
    let subject = reader.subject(source, &root);
    let mut subject = finished(subject, reader.diagnostics)?;
    subject.files = files.read.into_inner();
    Ok(subject)
}

/// Checks the catalogue of requirements in `source` against the invariants of `vocabulary`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_requirements(
    source: &Arc<Source>,
    vocabulary: &Vocabulary,
) -> Result<Requirements, Vec<Diagnostic>> {
    let root = one_document(source)?;
    let mut reader = Reader::new(vocabulary, &Disk);
    let requirements = reader.requirements(source, &root);
    finished(requirements, reader.diagnostics)
}

/// Checks the objects in `source`, a manifest that stands for itself: nothing in it is replaced.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_manifests(source: &Arc<Source>) -> Result<Vec<Tree>, Vec<Diagnostic>> {
    let documents = yaml::parse(source)?;
    let nothing = Vocabulary::default();
    let mut reader = Reader::new(&nothing, &Disk);
    let objects = reader.manifests(&documents);
    finished(Some(objects), reader.diagnostics)
}

fn finished<T>(made: Option<T>, diagnostics: Vec<Diagnostic>) -> Result<T, Vec<Diagnostic>> {
    match made {
        Some(made) if diagnostics.is_empty() => Ok(made),
        _ => Err(in_order(diagnostics)),
    }
}

/// Loads all subject files in `paths`, as [`load_suite`] does.
///
/// # Errors
/// Everything that is wrong with any of the files.
pub fn load_subjects(paths: &[Utf8PathBuf]) -> Result<Vec<Subject>, Vec<Diagnostic>> {
    let mut diagnostics = Vec::new();
    let mut subjects: Vec<Subject> = Vec::new();
    for (path, named) in walk(paths, &mut diagnostics) {
        let parsed = match Disk.read(&path) {
            Ok(source) => match kind_of(&source) {
                Some(kind) if !named && kind != KINDS[1] => continue,
                _ => parse_subject(&source, &Disk),
            },
            Err(error) => Err(vec![unreadable(&path, &error)]),
        };
        match parsed {
            Ok(subject) => subjects.push(subject),
            Err(found) => diagnostics.extend(found),
        }
    }
    for (at, subject) in subjects.iter().enumerate() {
        if let Some(first) = subjects[..at].iter().find(|have| have.name == subject.name) {
            let message = format!("there are two subjects `{}`", subject.name.value);
            let found = Diagnostic::error(Code::DuplicateName, &subject.name.at, message);
            diagnostics.push(found.also(&first.name.at, "the first"));
        }
    }
    if diagnostics.is_empty() { Ok(subjects) } else { Err(diagnostics) }
}

/// Loads the catalogue of requirements at `path`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_requirements(
    path: &Utf8Path,
    vocabulary: &Vocabulary,
) -> Result<Requirements, Vec<Diagnostic>> {
    match Disk.read(path) {
        Ok(source) => parse_requirements(&source, vocabulary),
        Err(error) => Err(vec![unreadable(path, &error)]),
    }
}

fn one_document(source: &Arc<Source>) -> Result<Node, Vec<Diagnostic>> {
    let mut documents = yaml::parse(source)?;
    let (code, at, message) = match documents.len() {
        1 => return Ok(documents.remove(0)),
        0 => (Code::Empty, Place::new(source, 0, 0), "the file is empty"),
        _ => (Code::ManyDocuments, documents[1].at.clone(), "the file holds a second document"),
    };
    Err(vec![Diagnostic::error(code, &at, message)])
}

fn kind_of(source: &Arc<Source>) -> Option<String> {
    let documents = yaml::parse(source).ok()?;
    documents.first()?.get("kind")?.as_str().map(str::to_owned)
}

/// Whether a file below a folder is surely no scenario: a subject, a catalogue, or a manifest.
fn is_something_else(source: &Arc<Source>) -> bool {
    let Some(kind) = kind_of(source) else { return false };
    let ours = KINDS.contains(&kind.as_str());
    let documents = yaml::parse(source).unwrap_or_default();
    let version = documents.first().and_then(|root| root.get("apiVersion")).and_then(Node::as_str);
    let foreign = version.is_some_and(|version| !version.starts_with("shakedown"));
    if ours { kind != KINDS[0] } else { foreign }
}

fn unreadable(path: &Utf8Path, error: &ReadError) -> Diagnostic {
    let code = match error {
        ReadError::Missing => Code::MissingFile,
        ReadError::NotText => Code::NotText,
        ReadError::TooLarge(_) => Code::TooLarge,
        ReadError::Io(_) => Code::Unreadable,
    };
    let at = Place::new(&Source::new(path, ""), 0, 0);
    Diagnostic::error(code, &at, format!("`{path}` can't be read: {error}"))
}

fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by(|a, b| a.at.order().cmp(&b.at.order()).then(a.code.cmp(&b.code)));
    diagnostics.dedup();
    diagnostics
}

/// The YAML files in `paths`, sorted per folder; with each whether the user named it.
fn walk(paths: &[Utf8PathBuf], diagnostics: &mut Vec<Diagnostic>) -> Vec<(Utf8PathBuf, bool)> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            below(path, 0, &mut found, diagnostics);
        } else {
            found.push((path.clone(), true));
        }
    }
    let mut seen = BTreeSet::new();
    found.retain(|(path, _)| seen.insert(path.clone()));
    found
}

/// What marks a folder as another tool's: a chart's templates are not even YAML.
const FOREIGN: [&str; 3] = ["Chart.yaml", "kustomization.yaml", "kustomization.yml"];

fn below(
    folder: &Utf8Path,
    depth: usize,
    found: &mut Vec<(Utf8PathBuf, bool)>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    const DEEPEST: usize = 32;
    let entries = match folder.read_dir_utf8() {
        Ok(entries) if depth < DEEPEST => entries,
        Ok(_) => return,
        Err(error) => {
            diagnostics.push(unreadable(folder, &ReadError::Io(error.to_string())));
            return;
        }
    };
    let mut paths: Vec<Utf8PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.into_path()).collect();
    paths.sort();
    let is_foreign = |path: &Utf8PathBuf| path.file_name().is_some_and(|n| FOREIGN.contains(&n));
    if depth > 0 && paths.iter().any(is_foreign) {
        return;
    }
    paths.retain(|path| !is_foreign(path));
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.starts_with('.'));
        if !hidden && path.is_dir() {
            below(&path, depth + 1, found, diagnostics);
        } else if !hidden && is_yaml(&path) {
            found.push((path, false));
        }
    }
}
