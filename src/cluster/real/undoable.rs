//! A ground whose levers are written down before they are moved: what takes them back is on the
//! disk first. Where it can't be written, nothing is done.

use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;
use kubesim_model::Millis;

use super::ground::{Component, Ground};
use super::undo::{Journal, Undo, inverse};
use crate::cluster::{Lever, LeverError, Touched};
use crate::history::{ActorPhase, HostEvent};

/// Takes back what was done to one cluster.
pub(in crate::cluster) trait Healer: Send {
    /// Does it, whether or not it was done already.
    fn heal(&mut self, undo: &Undo) -> Result<(), String>;
}

/// A journal that several parts of a cluster write.
#[derive(Clone, Debug)]
pub(in crate::cluster) struct SharedJournal(Arc<Mutex<Journal>>);

impl SharedJournal {
    pub(in crate::cluster) fn new(journal: Journal) -> Self {
        SharedJournal(Arc::new(Mutex::new(journal)))
    }

    pub(in crate::cluster) fn with<T>(&self, act: impl FnOnce(&mut Journal) -> T) -> T {
        // Whoever panicked with it has written whole lines.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes down what takes back what is about to be done.
    pub(in crate::cluster) fn open(&self, undo: Undo) -> Result<(), String> {
        self.with(|journal| journal.open(undo)).map_err(|error| {
            format!("nothing was done, for the journal of what is to be undone fails: {error}")
        })
    }

    /// Takes everything back, the last first; answers what could not be, with the reason.
    pub(in crate::cluster) fn heal(&self, healer: &mut dyn Healer) -> Vec<(Undo, String)> {
        let mut left = Vec::new();
        for undo in self.with(|journal| journal.open_entries()) {
            match healer.heal(&undo) {
                // One that can't be struck out is done once more, which does no harm.
                Ok(()) => drop(self.with(|journal| journal.strike(&undo))),
                Err(why) => left.push((undo, why)),
            }
        }
        left
    }
}

/// A ground with a journal.
pub(in crate::cluster) struct Undoable<G> {
    ground: G,
    journal: SharedJournal,
    broken: Option<String>,
}

impl<G: Ground> Undoable<G> {
    /// `ground`, with what is done to it in `journal`.
    pub(in crate::cluster) fn new(ground: G, journal: SharedJournal) -> Self {
        Undoable { ground, journal, broken: None }
    }

    /// Writes down what takes back what is about to be done; answers whether it may be done.
    fn may(&mut self, undo: Option<&Undo>) -> bool {
        let Some(undo) = undo.filter(|_| self.broken.is_none()) else {
            return self.broken.is_none() || undo.is_none();
        };
        self.broken = self.journal.open(undo.clone()).err();
        self.broken.is_none()
    }

    fn is_open(&self, undo: &Undo) -> bool {
        self.journal.with(|journal| journal.open_entries().contains(undo))
    }

    fn strike(&self, undo: &Undo) {
        // One that can't be struck out is done once more by whoever finds it.
        let _ = self.journal.with(|journal| journal.strike(undo));
    }
}

impl<G: Ground> Ground for Undoable<G> {
    fn is_broken(&mut self) -> Option<String> {
        self.broken.clone().or_else(|| self.ground.is_broken())
    }

    fn act(&mut self, component: Component, phase: ActorPhase) -> bool {
        let undo = match phase {
            ActorPhase::Crashed => Some(Undo::Component(component, ActorPhase::Started)),
            ActorPhase::Paused => Some(Undo::Component(component, ActorPhase::Resumed)),
            ActorPhase::Started | ActorPhase::Resumed => None,
        };
        let did = self.may(undo.as_ref()) && self.ground.act(component, phase);
        let own = Undo::Component(component, phase);
        if did {
            self.strike(&own);
        } else if self.is_open(&own) {
            let name = component.as_str();
            self.broken = Some(format!("a fault could not be taken back: {name} is not {phase:?}"));
        }
        did
    }

    fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
        let undo = inverse(lever).map(Undo::Lever);
        if !self.may(undo.as_ref()) {
            return Some(Ok(Touched::default()));
        }
        let pulled = self.ground.pull(lever);
        let own = Undo::Lever(lever.clone());
        match &pulled {
            Some(Ok(touched)) if *touched != Touched::default() => self.strike(&own),
            Some(Ok(_)) => {}
            Some(Err(LeverError::Failed(why))) => {
                // Nobody may be judged by what goes on after it should be over.
                if self.is_open(&own) {
                    self.broken = Some(format!("a fault could not be taken back: {why}"));
                }
            }
            // It is none of this ground, or of nothing in it.
            Some(Err(_)) | None => undo.iter().for_each(|undo| self.strike(undo)),
        }
        pulled
    }

    fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)> {
        self.ground.facts()
    }

    fn last_words(&self) -> String {
        self.ground.last_words()
    }

    fn kubeconfig(&self) -> &Utf8Path {
        self.ground.kubeconfig()
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;
    use crate::cluster::real::undo::{FILE, Header};

    /// A ground on which everything works, and what was done to it.
    #[derive(Default)]
    struct Calm {
        done: Vec<Lever>,
        is_deaf: bool,
    }

    impl Ground for Calm {
        fn is_broken(&mut self) -> Option<String> {
            None
        }
        fn act(&mut self, _: Component, _: ActorPhase) -> bool {
            true
        }
        fn pull(&mut self, lever: &Lever) -> Option<Result<Touched, LeverError>> {
            self.done.push(lever.clone());
            if self.is_deaf {
                return Some(Err(LeverError::Failed("nobody answers".to_owned())));
            }
            Some(Ok(Touched { nodes: vec!["a".into()], ..Touched::default() }))
        }
        fn facts(&mut self) -> Vec<(Millis, Millis, HostEvent)> {
            Vec::new()
        }
        fn last_words(&self) -> String {
            String::new()
        }
        fn kubeconfig(&self) -> &Utf8Path {
            Utf8Path::new("")
        }
    }

    fn undoable(name: &str) -> (Undoable<Calm>, SharedJournal, Utf8PathBuf) {
        let name = format!("shakedown-undoable-{}-{name}", std::process::id());
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir().join(name)).unwrap();
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let journal = Journal::create(&folder, Header::new("kind", &"a", true)).unwrap();
        let journal = SharedJournal::new(journal);
        (Undoable::new(Calm::default(), journal.clone()), journal, folder)
    }

    #[test]
    fn what_is_done_is_open_until_it_is_healed() {
        let (mut ground, journal, folder) = undoable("open");
        let open = |journal: &SharedJournal| journal.with(|journal| journal.open_entries());
        let thaw = Lever::Thaw { node: "a".into() };
        ground.pull(&Lever::Freeze { node: "a".into() });
        ground.act(Component::Scheduler, ActorPhase::Paused);
        let resume = Undo::Component(Component::Scheduler, ActorPhase::Resumed);
        assert_eq!(open(&journal), [resume.clone(), Undo::Lever(thaw.clone())]);
        ground.pull(&thaw);
        assert_eq!(open(&journal), [resume]);
        ground.act(Component::Scheduler, ActorPhase::Resumed);
        assert_eq!(open(&journal), []);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_taken_back_breaks_the_trial() {
        let (mut ground, journal, folder) = undoable("deaf");
        let thaw = Lever::Thaw { node: "a".into() };
        ground.ground.is_deaf = true;
        assert!(ground.pull(&thaw).is_some_and(|pulled| pulled.is_err()));
        assert_eq!(ground.is_broken(), None, "nothing was done that had to be taken back");
        ground.ground.is_deaf = false;
        ground.pull(&Lever::Freeze { node: "a".into() });
        ground.ground.is_deaf = true;
        assert!(ground.pull(&thaw).is_some_and(|pulled| pulled.is_err()));
        assert!(ground.is_broken().is_some_and(|why| why.contains("nobody answers")));
        assert_eq!(journal.with(|journal| journal.open_entries()), [Undo::Lever(thaw)]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_cannot_be_written_down_is_not_done_and_breaks_the_trial() {
        let folder = undoable("full").2;
        std::fs::remove_file(folder.join(FILE)).unwrap();
        // Nothing can be written to it: there is no space left.
        std::os::unix::fs::symlink("/dev/full", folder.join("full")).unwrap();
        let journal = Journal::onto(&folder.join("full"), Header::new("kind", &"a", true));
        let mut ground = Undoable::new(Calm::default(), SharedJournal::new(journal));
        ground.pull(&Lever::Freeze { node: "a".into() });
        let why = ground.is_broken().unwrap();
        assert!(why.contains("nothing was done") && why.contains("No space left"), "{why}");
        ground.pull(&Lever::Freeze { node: "b".into() });
        assert!(!ground.act(Component::Scheduler, ActorPhase::Crashed));
        ground.pull(&Lever::Thaw { node: "a".into() });
        assert_eq!(
            ground.ground.done,
            [Lever::Thaw { node: "a".into() }],
            "healing is always done"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
