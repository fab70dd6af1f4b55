//! What there is to plan with: the scenarios that a user names, and the subjects and requirements
//! that belong to them. Finds and reads files; says nothing of seeds and parameters.
//!
//! Subjects and requirements come from the named folders themselves, from `fixtures/subjects` and
//! `requirements.yaml` in the nearest folder above that has them, and from what the program
//! carries. The first of a name wins, in this order.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::builtin;
use super::catalogue::{known_requirement, vocabulary};
use super::matrix::{Material, Selection, trials};
use super::trial::Trial;
use crate::suite::load::{Disk, Files as _, Inlined};
use crate::suite::load::{parse_requirements, parse_scenario, parse_subject};
use crate::suite::requirements::Requirement;
use crate::suite::vocabulary::KnownRequirement;
use crate::suite::{Diagnostic, Scenario, Subject, Vocabulary};
use crate::suite::{load_requirements, load_subjects, load_suite};

/// Scenarios with all that they may name.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The scenarios, in the order of their paths.
    pub scenarios: Vec<Scenario>,
    /// The subjects, by name.
    pub subjects: Vec<Arc<Subject>>,
    /// The requirements, in the order of their catalogue.
    pub requirements: Vec<Requirement>,
    /// The profiles: a name and what conforming to it means.
    pub profiles: Vec<(String, String)>,
    /// The same as scenarios see it.
    pub vocabulary: Arc<Vocabulary>,
}

impl Workspace {
    /// Reads the scenarios in `paths`, files or folders; `subjects` is a folder of subject files to
    /// be used before all others.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files.
    pub fn open(
        paths: &[Utf8PathBuf],
        subjects: Option<&Utf8Path>,
    ) -> Result<Workspace, Vec<Diagnostic>> {
        let mut workspace = Workspace::catalogues(paths, subjects)?;
        workspace.scenarios = load_suite(paths, &workspace.vocabulary)?.scenarios;
        Ok(workspace)
    }

    /// The benchmark's scenario with what the program carries, wherever it runs.
    ///
    /// # Errors
    /// The program carries something that it can't read.
    pub fn of_the_benchmark() -> Result<Workspace, Vec<Diagnostic>> {
        let mut workspace = Workspace::catalogues(&[], None)?;
        let (source, files) = builtin::benchmark();
        let scenario = parse_scenario(&source, &Inlined(&files), &workspace.vocabulary)?;
        workspace.scenarios.push(scenario);
        Ok(workspace)
    }

    /// The same without scenarios.
    ///
    /// # Errors
    /// Everything that is wrong with any of the catalogues.
    pub fn catalogues(
        paths: &[Utf8PathBuf],
        subjects: Option<&Utf8Path>,
    ) -> Result<Workspace, Vec<Diagnostic>> {
        let mut wrong = Vec::new();
        let mut take = |result: Result<Vec<Subject>, Vec<Diagnostic>>| match result {
            Ok(subjects) => subjects,
            Err(found) => {
                wrong.extend(found);
                Vec::new()
            }
        };
        let mut known: Vec<Subject> = Vec::new();
        let mut add = |more: Vec<Subject>| {
            let new = |one: &Subject, known: &[Subject]| {
                known.iter().all(|have| have.name.value != one.name.value)
            };
            for subject in more {
                if new(&subject, &known) {
                    known.push(subject);
                }
            }
        };
        for place in subject_places(paths, subjects) {
            add(take(load_subjects(&[place])));
        }
        for source in builtin::subjects() {
            add(take(parse_subject(&source, &Disk).map(|subject| vec![subject])));
        }
        known.sort_by(|a, b| a.name.value.cmp(&b.name.value));
        let (requirements, profiles) = requirements(paths, &mut wrong);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let vocabulary = Arc::new(vocabulary(&requirements, &known));
        let subjects = known.into_iter().map(Arc::new).collect();
        Ok(Workspace { scenarios: Vec::new(), subjects, requirements, profiles, vocabulary })
    }

    /// The requirements, as the judge knows them.
    pub fn known_requirements(&self) -> Vec<KnownRequirement> {
        self.requirements.iter().map(known_requirement).collect()
    }

    /// The trials that `selection` wants.
    ///
    /// # Errors
    /// What is wrong with a row of a scenario.
    pub fn trials(&self, selection: &Selection) -> Result<Vec<Trial>, Vec<Diagnostic>> {
        let requirements = self.known_requirements();
        let material = Material {
            scenarios: &self.scenarios,
            subjects: &self.subjects,
            requirements: &requirements,
        };
        trials(material, selection)
    }

    /// The subject of this name.
    pub fn subject(&self, name: &str) -> Option<&Arc<Subject>> {
        self.subjects.iter().find(|subject| subject.name.value == name)
    }
}

/// Where to look for subjects, the most wanted place first: folders, and single files.
fn subject_places(paths: &[Utf8PathBuf], given: Option<&Utf8Path>) -> Vec<Utf8PathBuf> {
    let mut places: Vec<Utf8PathBuf> = given.into_iter().map(Utf8Path::to_owned).collect();
    let mut add = |place: Utf8PathBuf| {
        if !places.contains(&place) {
            places.push(place);
        }
    };
    for path in paths {
        match path.is_dir() {
            true => add(path.clone()),
            false => subjects_beside(path).into_iter().for_each(&mut add),
        }
    }
    for path in paths {
        let found = above(path, |folder| {
            let subjects = folder.join("fixtures/subjects");
            subjects.is_dir().then_some(subjects)
        });
        found.into_iter().for_each(&mut add);
    }
    places
}

/// The subject files in the folder of a file; not those further down, for the folder may be
/// anybody's home.
fn subjects_beside(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = folder_of(path).read_dir_utf8() else { return Vec::new() };
    let is_subject = |path: &Utf8PathBuf| {
        matches!(path.extension(), Some("yaml" | "yml"))
            && Disk.read(path).is_ok_and(|source| {
                source.text.lines().any(|line| line.trim_end() == "kind: Subject")
            })
    };
    let mut found: Vec<Utf8PathBuf> =
        entries.flatten().map(|entry| entry.into_path()).filter(is_subject).collect();
    found.sort();
    found
}

fn requirements(
    paths: &[Utf8PathBuf],
    wrong: &mut Vec<Diagnostic>,
) -> (Vec<Requirement>, Vec<(String, String)>) {
    let nothing = vocabulary(&[], &[]);
    let found = paths.iter().filter_map(|path| {
        above(path, |folder| {
            let file = folder.join("requirements.yaml");
            file.is_file().then_some(file)
        })
    });
    let mut files: Vec<Utf8PathBuf> = Vec::new();
    for file in found {
        if !files.contains(&file) {
            files.push(file);
        }
    }
    let mut catalogues: Vec<_> =
        files.iter().map(|file| load_requirements(file, &nothing)).collect();
    catalogues.push(parse_requirements(&builtin::requirements(), &nothing));
    let mut requirements: Vec<Requirement> = Vec::new();
    let mut profiles: Vec<(String, String)> = Vec::new();
    for catalogue in catalogues {
        match catalogue {
            Ok(catalogue) => {
                for one in catalogue.requirements {
                    if requirements.iter().all(|have| have.id.value != one.id.value) {
                        requirements.push(one);
                    }
                }
                for (name, meaning) in catalogue.profiles {
                    if profiles.iter().all(|(have, _)| *have != *name.value) {
                        profiles.push((name.to_string(), meaning.to_string()));
                    }
                }
            }
            Err(found) => wrong.extend(found),
        }
    }
    (requirements, profiles)
}

/// The folder itself, or the one that a file is in.
fn folder_of(path: &Utf8Path) -> Utf8PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(folder) if !folder.as_str().is_empty() => folder.to_owned(),
        _ => Utf8PathBuf::from("."),
    }
}

/// What `find` finds in the folder of `path` or the nearest one above it.
fn above(path: &Utf8Path, find: impl Fn(&Utf8Path) -> Option<Utf8PathBuf>) -> Option<Utf8PathBuf> {
    let folder = folder_of(path);
    // The paths are kept as the user wrote them for as long as possible: they stand in messages.
    if let Some(found) = folder.ancestors().filter(|up| !up.as_str().is_empty()).find_map(&find) {
        return Some(found);
    }
    if folder.is_absolute() {
        return None;
    }
    if let Some(found) = find(Utf8Path::new("")) {
        return Some(found);
    }
    let whole = Utf8Path::new(".").canonicalize_utf8().ok()?;
    whole.ancestors().skip(1).find_map(find)
}
