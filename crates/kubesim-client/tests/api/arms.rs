//! Who answers requests: what a server must be able to do for a case.

use std::time::Duration;

use crate::case::HttpRequest;

/// An answer, as far as it is compared.
pub(crate) struct HttpReply {
    pub(crate) code: u16,
    pub(crate) warnings: Vec<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

/// Someone who answers requests.
pub(crate) trait Arm {
    /// A request whose answer has not been read.
    type Pending;
    /// Sends a request, and gives it time to be heard.
    async fn start(&self, request: &HttpRequest) -> Self::Pending;
    /// Reads the answer to its end.
    async fn finish(&self, pending: Self::Pending) -> HttpReply;
    /// Lets time pass.
    async fn pause(&self, time: Duration);
    /// Sends and reads.
    async fn ask(&self, request: &HttpRequest) -> HttpReply {
        let pending = self.start(request).await;
        self.finish(pending).await
    }
}
