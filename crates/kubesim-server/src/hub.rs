//! The way to the stage: connections lay down what is to be done there, and wait for what came of
//! it.

use std::sync::mpsc::Sender;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::stage::Stage;

/// Something that is to be done on the stage.
pub(crate) type Act = Box<dyn FnOnce(&mut Stage) + Send>;

/// The world does not run any more, or failed over this.
#[derive(Clone, Copy, Debug, Error)]
#[error("the simulated cluster gave no answer")]
pub(crate) struct Gone;

/// Copies lead to the same stage.
#[derive(Clone)]
pub(crate) struct Hub(Sender<Act>);

impl Hub {
    pub(crate) fn new(to: Sender<Act>) -> Hub {
        Hub(to)
    }

    /// Does something on the stage and answers what came of it.
    pub(crate) async fn on<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Stage) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (answer, comes) = oneshot::channel();
        // Whoever gave up waiting does not need the answer.
        self.tell(move |stage| drop(answer.send(act(stage))));
        comes.await.map_err(|_| Gone)
    }

    /// Has something done on the stage without waiting for it.
    pub(crate) fn tell(&self, act: impl FnOnce(&mut Stage) + Send + 'static) {
        // A stage that is gone does nothing.
        let _ = self.0.send(Box::new(act));
    }
}
