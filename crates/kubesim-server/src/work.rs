//! What is under way on a connection, so that one on which nothing is can be closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::door::IDLE;

/// The requests of a connection whose answers are not read to their end.
#[derive(Clone, Default)]
pub(crate) struct Work {
    open: Arc<AtomicUsize>,
    news: Arc<Notify>,
}

/// One of them; it ends with this.
pub(crate) struct Part(Work);

impl Work {
    /// A request comes.
    pub(crate) fn begin(&self) -> Part {
        self.open.fetch_add(1, Ordering::SeqCst);
        self.news.notify_one();
        Part(self.clone())
    }

    /// Waits until nothing was under way for as long as a connection may idle.
    pub(crate) async fn rests(&self) {
        loop {
            let news = self.news.notified();
            if self.open.load(Ordering::SeqCst) > 0 {
                news.await;
            } else if timeout(IDLE, news).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.news.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_rests_when_nothing_is_under_way_for_long_enough() {
        let (work, began) = (Work::default(), Instant::now());
        let part = work.begin();
        let watcher = tokio::spawn(async move {
            tokio::time::sleep(10 * IDLE).await;
            drop(part);
        });
        work.rests().await;
        assert_eq!(began.elapsed().as_secs(), (11 * IDLE).as_secs());
        watcher.await.unwrap();
        let idle = work.rests();
        let asked = async {
            tokio::time::sleep(IDLE - Duration::from_secs(1)).await;
            drop(work.begin());
            Instant::now()
        };
        let ((), last) = tokio::join!(idle, asked);
        assert_eq!(last.elapsed().as_secs(), IDLE.as_secs());
    }
}
