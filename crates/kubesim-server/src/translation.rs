//! Watches in a version that a webhook makes of what is stored. The world's thread waits for
//! nobody: it tells such a watch what was written, and the watch itself, where it answers its
//! client, has the webhook called and selects what it is then. So its events stay in order.

use std::sync::Arc;

use kubesim::api::{Attempt, Progress, Selection, Write};
use kubesim_http::View;
use kubesim_model::Text;
use kubesim_model::actor::WatchSpec;
use kubesim_model::request::Status;
use kubesim_model::tree::Tree;
use tokio::sync::OnceCell;

use crate::courier::Courier;
use crate::hub::{Gone, Hub};
use crate::watchers::{Line, Told, seen};

/// Something for a watch, as it is stored.
pub(crate) enum Stored {
    /// What there was when it began, at this version.
    Initial(Vec<Tree>, u64),
    /// What changed, in order.
    Changes(Vec<Arc<Change>>),
}

/// A write, and what was before and after it in one version. Those who watch in the same version
/// share it, so that a webhook is asked once for all of them.
pub(crate) struct Change {
    write: Write,
    before: OnceCell<Result<Tree, Status>>,
    after: OnceCell<Result<Tree, Status>>,
}

/// Makes what one watch is told of what is stored.
pub(crate) struct Translator {
    pub(crate) hub: Hub,
    pub(crate) courier: Courier,
    /// Who watches.
    pub(crate) client: Text,
    pub(crate) spec: WatchSpec,
    pub(crate) selection: Selection,
    pub(crate) view: View,
}

impl Change {
    pub(crate) fn new(write: Write) -> Change {
        Change { write, before: OnceCell::new(), after: OnceCell::new() }
    }
}

impl Translator {
    /// What the watch is told; a failure ends it.
    pub(crate) async fn told(&self, stored: Stored) -> Told {
        let told = match stored {
            Stored::Initial(items, rv) => self.shown(items).await.map(|mut items| {
                items.retain(|item| self.selection.matches(item));
                Told::Initial(items, rv)
            }),
            Stored::Changes(changes) => self.lines(changes).await.map(Told::Missed),
        };
        told.unwrap_or_else(Told::Failed)
    }

    async fn lines(&self, changes: Vec<Arc<Change>>) -> Result<Vec<Line>, Status> {
        let mut lines = Vec::new();
        for change in changes {
            let write = self.translated(&change).await?;
            let Some(seen) = seen(&self.selection, &write) else { continue };
            let client = self.client.clone();
            // Nobody is told of a write before it is recorded that he is.
            let now = self.hub.on(move |stage| {
                stage.world.told(&client, &write.resource, &write.key, write.rv);
                stage.now()
            });
            lines.push(Line::new(seen, &self.view, now.await.map_err(failed)?));
        }
        Ok(lines)
    }

    /// A write in the version of the watch. What was before it matters only to those who select,
    /// and where nothing is left.
    async fn translated(&self, change: &Change) -> Result<Write, Status> {
        let Write { before, after, .. } = &change.write;
        let (mut was, mut is) = (before.clone(), None);
        if let Some(after) = after {
            let shown = change.after.get_or_init(|| self.one(after.clone())).await;
            is = Some(shown.clone()?);
        }
        if let Some(before) = before
            && (after.is_none() || !self.selection.is_whole())
        {
            let shown = change.before.get_or_init(|| self.one(before.clone())).await;
            was = Some(shown.clone()?);
        }
        Ok(Write { before: was, after: is, ..change.write.clone() })
    }

    async fn one(&self, stored: Tree) -> Result<Tree, Status> {
        let mut shown = self.shown(vec![stored]).await?;
        shown.pop().ok_or_else(|| failed(Gone))
    }

    /// Stored objects in the version of the watch.
    async fn shown(&self, stored: Vec<Tree>) -> Result<Vec<Tree>, Status> {
        let asking = Arc::new((self.spec.clone(), stored));
        let mut attempt = Attempt::default();
        loop {
            let asking = asking.clone();
            let asked = self.hub.on(move |stage| {
                let (spec, stored) = &*asking;
                (stage.world.api().convert(spec, stored, &attempt), attempt)
            });
            let (progress, tried) = asked.await.map_err(failed)?;
            attempt = tried;
            match progress {
                Progress::Done(shown) => return shown,
                Progress::Waits(errands) => {
                    for (errand, heard) in self.courier.run(errands).await {
                        attempt.hear(&errand, heard);
                    }
                }
            }
        }
    }
}

fn failed(gone: Gone) -> Status {
    Status::new(500, "InternalError", gone.to_string())
}
