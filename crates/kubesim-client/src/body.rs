//! The body of a watch's response: events as they come, bookmarks about each minute, and the end
//! when the server's time for it is up.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kubesim::world::RawEvent;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::hub::{Ask, Hub, Life, Opened};
use crate::service::ResponseBody;
use kubesim_http::Watching;

/// How often bookmarks come, and how long before its end a watch gets its last one
/// (kube-apiserver v1.36, `storage/cacher`).
const BOOKMARKS: Duration = Duration::from_secs(60);
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

/// A watch's stream.
pub(crate) struct Streaming {
    hub: Hub,
    life: Life,
    watching: Watching,
    opened: Opened,
    events: mpsc::UnboundedReceiver<RawEvent>,
    ends: Instant,
    next_bookmark: Instant,
    over: bool,
}

impl Streaming {
    pub(crate) fn new(
        hub: Hub,
        life: Life,
        watching: Watching,
        opened: Opened,
        events: mpsc::UnboundedReceiver<RawEvent>,
    ) -> Self {
        let now = Instant::now();
        let ends = now + Duration::from_secs(watching.timeout_seconds.unwrap_or(opened.timeout));
        let next_bookmark = (now + BOOKMARKS).min(ends - LAST_BOOKMARK.min(ends - now));
        let over = false;
        Streaming { hub, life, watching, opened, events, ends, next_bookmark, over }
    }

    /// The stream as a body of one frame for each event.
    pub(crate) fn into_body(self) -> ResponseBody {
        let frames = stream::unfold(self, |mut watch| async move {
            let bytes = watch.next().await?;
            Some((Ok(Frame::data(bytes)), watch))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    async fn next(&mut self) -> Option<Bytes> {
        while !self.over {
            tokio::select! {
                biased;
                event = self.events.recv() => {
                    // Nobody sends any more: the program's connection is gone.
                    let event = event?;
                    self.over = matches!(event, RawEvent::Error(_) | RawEvent::Closed);
                    let initial = self.watching.initial_events;
                    let bytes = kubesim_http::frames(&event, &self.opened.view, initial);
                    if !bytes.is_empty() {
                        return Some(bytes);
                    }
                }
                () = sleep_until(self.ends) => return None,
                () = sleep_until(self.next_bookmark), if self.watching.bookmarks => {
                    if let Some(bytes) = self.bookmark().await {
                        return Some(bytes);
                    }
                }
            }
        }
        None
    }

    async fn bookmark(&mut self) -> Option<Bytes> {
        let last = self.ends - LAST_BOOKMARK.min(self.ends - Instant::now());
        let next = Instant::now() + BOOKMARKS;
        self.next_bookmark = if Instant::now() < last { next.min(last) } else { next };
        let (answer, comes) = oneshot::channel();
        self.hub.ask(Ask::Bookmark { life: self.life, watch: self.opened.watch, answer });
        let rv = comes.await.ok()?;
        Some(kubesim_http::bookmark(&self.opened.view, rv))
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.hub.ask(Ask::Close { life: self.life, watch: self.opened.watch });
    }
}
