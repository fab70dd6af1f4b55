//! The clusters of a provider: a trial takes a free one of the shape that it needs, or has one
//! made, and gives it back to be used again.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kind_rs::Kind;
use sha2::{Digest as _, Sha256};

use super::config::{SHORT, config};
use super::provider::KindOptions;
use super::site::{Adopted, Place, Site, io};
use crate::cluster::real::{Folder, Runtime};
use crate::cluster::{ClusterError, ClusterSpec};

/// How many clusters may wait to be used again while another is made. An idle one takes a third of
/// a processor.
const IDLE: usize = 1;

/// How many runs may keep a cluster of one shape each at the same time.
const KEPT: u32 = 16;
const LOCK: &str = "lock";

/// The clusters, in use and free.
pub(super) struct Pool {
    kind: Kind,
    options: KindOptions,
    /// The one that is not used for longest first.
    free: Mutex<Vec<Site>>,
    notes: Mutex<Vec<String>>,
    /// After the clusters, which are deleted on it.
    runtime: Runtime,
}

impl Pool {
    pub(super) fn new(kind: Kind, options: KindOptions, runtime: Runtime) -> Self {
        let (free, notes) = (Mutex::default(), Mutex::default());
        Pool { kind, options, free, notes, runtime }
    }

    /// A cluster as if it were new.
    pub(super) fn take(self: &Arc<Self>, spec: &ClusterSpec) -> Result<Lease, ClusterError> {
        let shape = self.shape(spec)?;
        let site = match self.free(&shape) {
            Some(site) => site,
            None => self.make(spec, shape)?,
        };
        Ok(Lease { site: Some(site), pool: self.clone() })
    }

    /// How many times as fast as by default the clusters notice that a node is lost.
    pub(super) fn pace(&self) -> u64 {
        if self.options.short_timings { SHORT } else { 1 }
    }

    /// What nodes a cluster has, and how they are made.
    fn shape(&self, spec: &ClusterSpec) -> Result<String, ClusterError> {
        let KindOptions { node_image, images, .. } = &self.options;
        let config = config("", spec, "/".into(), self.pace())?.to_json();
        Ok(format!("{config}{node_image:?}{images:?}"))
    }

    /// A free one of this shape. If there is none, those that are not used for long make room.
    fn free(&self, shape: &str) -> Option<Site> {
        let mut gone = Vec::new();
        let mut free = locked(&self.free);
        // The last one: its images and caches are the warmest.
        if let Some(at) = free.iter().rposition(|site| site.shape == shape) {
            return Some(free.remove(at));
        }
        while free.len() > IDLE {
            gone.push(free.remove(0));
        }
        drop(free);
        gone.iter_mut().for_each(Site::give_up);
        None
    }

    fn make(&self, spec: &ClusterSpec, shape: String) -> Result<Site, ClusterError> {
        let runtime = self.runtime.handle();
        let mut place = match self.options.keep {
            true => kept(&shape).map_err(io)?,
            false => (Folder::new().map_err(io)?, None),
        };
        if self.options.keep {
            let name = place.0.name().to_owned();
            place = match Site::adopt((&self.kind, runtime), spec, &shape, place)? {
                Adopted::Site(site) => return Ok(*site),
                Adopted::Vacant(place, None) => place,
                Adopted::Vacant(place, Some(why)) => {
                    self.note(format!("the kept cluster {name} was made anew: {why}"));
                    place
                }
            };
        }
        let tools = (&self.kind, &self.options, self.pace(), runtime);
        Site::make(tools, spec, shape, place)
    }

    /// Makes a cluster what it was, for whoever needs it next. One that is not is deleted: what a
    /// trial has left there must not have a part in another.
    fn give_back(&self, mut site: Site) {
        match site.reset() {
            Ok(()) => locked(&self.free).push(site),
            Err(why) => {
                self.note(format!("the cluster {} was given up: {why}", site.name()));
                site.give_up();
            }
        }
    }

    fn note(&self, text: String) {
        locked(&self.notes).push(text);
    }

    /// What there is to be told, and which clusters stay.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = std::mem::take(&mut *locked(&self.notes));
        let free = locked(&self.free);
        notes.extend(free.iter().filter_map(Site::stays).map(|name| {
            format!("the cluster {name} is kept; `kind delete cluster --name {name}` deletes it")
        }));
        notes
    }
}

/// The place of a kept cluster of this shape that no other process uses.
fn kept(shape: &str) -> std::io::Result<Place> {
    let digest = Sha256::digest(shape.as_bytes());
    let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    for number in 0..KEPT {
        let folder = Folder::lasting(&format!("shakedown-kept-{digits}-{number}"))?;
        let lock = File::create(folder.path().join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => return Ok((folder, Some(lock))),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
    }
    Err(std::io::Error::new(ErrorKind::ResourceBusy, "too many runs keep a cluster of this shape"))
}

/// A panic of one trial is no reason to lose the clusters of the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cluster for as long as a trial needs it.
pub(super) struct Lease {
    /// There until it is given back.
    site: Option<Site>,
    pool: Arc<Pool>,
}

impl Lease {
    pub(super) fn site(&self) -> &Site {
        self.site.as_ref().expect("it is given back only when this is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(site) = self.site.take() {
            self.pool.give_back(site);
        }
    }
}
