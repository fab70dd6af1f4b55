//! The threads that carry requests and watches.

use std::time::Duration;

/// How long what still goes on may take when nobody needs it any more.
const END_WITHIN: Duration = Duration::from_secs(2);

/// A tokio runtime that is not waited for when it is dropped: a program under test may block.
pub(in crate::cluster) struct Runtime(Option<tokio::runtime::Runtime>, tokio::runtime::Handle);

impl Runtime {
    pub(in crate::cluster) fn new() -> std::io::Result<Runtime> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build()?;
        let handle = runtime.handle().clone();
        Ok(Runtime(Some(runtime), handle))
    }

    pub(in crate::cluster) fn handle(&self) -> &tokio::runtime::Handle {
        &self.1
    }

    pub(in crate::cluster) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.1.block_on(future)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(END_WITHIN);
        }
    }
}
