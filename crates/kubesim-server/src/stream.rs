//! The body of a watch's answer: what its watcher is told, bookmarks about each minute, and the end
//! when its time is up.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kubesim_http::{View, bookmark, initial_lines, line};
use kubesim_model::resource::Resource;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until};

use crate::hub::Hub;
use crate::service::Answer;
use crate::translation::Translator;
use crate::watchers::{News, Told};

/// How often bookmarks come, and how long before its end a watch gets its last one
/// (kube-apiserver v1.36, `storage/cacher`).
const BOOKMARKS: Duration = Duration::from_secs(60);
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A watch's stream.
pub(crate) struct Streaming {
    pub(crate) hub: Hub,
    pub(crate) resource: Resource,
    /// Its number among the watchers.
    pub(crate) id: u64,
    pub(crate) events: Receiver<News>,
    pub(crate) view: View,
    /// Whether the client takes bookmarks, and whether one ends the initial events.
    pub(crate) bookmarks: bool,
    pub(crate) initial_events: bool,
    /// Whether nothing was said yet.
    pub(crate) nothing_said: bool,
    /// What makes events of what is stored in another version.
    pub(crate) translator: Translator,
    /// Whether it has failed.
    pub(crate) is_over: bool,
}

impl Streaming {
    /// The stream as a body of one frame for each event, for this long.
    pub(crate) fn into_body(self, lasts: Duration) -> Answer {
        let now = begins();
        let ends = now + lasts;
        let next = (now + BOOKMARKS).min(ends - LAST_BOOKMARK.min(lasts));
        let state = (self, ends, next);
        let frames = stream::unfold(state, |(mut watch, ends, mut next)| async move {
            let bytes = watch.next(ends, &mut next).await?;
            Some((Ok(Frame::data(bytes)), (watch, ends, next)))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    async fn next(&mut self, ends: Instant, next_bookmark: &mut Instant) -> Option<Bytes> {
        loop {
            if self.is_over {
                return None;
            }
            let news = tokio::select! {
                biased;
                news = self.events.recv() => news?,
                () = sleep_until(ends) => return None,
                () = sleep_until(*next_bookmark), if self.bookmarks => {
                    *next_bookmark = after_bookmark(*next_bookmark, ends);
                    let (resource, id) = (self.resource.clone(), self.id);
                    self.hub.tell(move |stage| {
                        stage.watchers.mark(&mut stage.world, &resource, id);
                    });
                    continue;
                }
            };
            let told = match news {
                News::Told(told) => told,
                News::Stored(stored) => tokio::select! {
                    told = self.translator.told(stored) => told,
                    () = sleep_until(ends) => return None,
                },
            };
            let first = self.nothing_said;
            let bytes = match told {
                Told::Initial(items, rv) => {
                    initial_lines(&items, rv, &self.view, self.initial_events)
                }
                Told::Missed(lines) => {
                    let lines = lines.iter().enumerate();
                    let lines = lines.map(|(at, line)| line.bytes(first && at == 0));
                    Bytes::from(lines.collect::<Vec<_>>().concat())
                }
                Told::Change(line) => line.bytes(first),
                Told::UpTo(rv) => bookmark(&self.view, rv),
                Told::Failed(status) => {
                    self.is_over = true;
                    line("ERROR", &status.to_tree())
                }
            };
            if !bytes.is_empty() {
                self.nothing_said = false;
                return Some(bytes);
            }
        }
    }
}

fn begins() -> Instant {
    Instant::now()
}

/// When the bookmark after one is due: in a minute, or shortly before the end.
fn after_bookmark(this: Instant, ends: Instant) -> Instant {
    let last = ends.checked_sub(LAST_BOOKMARK).unwrap_or(this);
    let next = this + BOOKMARKS;
    if this < last { next.min(last) } else { next }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        let (resource, id) = (self.resource.clone(), self.id);
        self.hub.tell(move |stage| stage.watchers.close(&resource, id));
    }
}
