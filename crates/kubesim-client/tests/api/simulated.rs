//! The simulated server, through a kube client.

use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;

use crate::arms::{Arm, HttpReply};
use crate::case::HttpRequest;

/// The simulated server.
pub(crate) struct Simulated(pub(crate) kube::Client);

impl Arm for Simulated {
    type Pending = http::Response<Body>;

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn start(&self, request: &HttpRequest) -> Self::Pending {
        let is_usual = request.token.is_none() && request.headers.is_empty();
        assert!(is_usual, "{}: a program within this one has one name", request.path);
        let mut head = http::Request::builder().method(request.method).uri(&request.path);
        if !request.content_type.is_empty() {
            head = head.header("content-type", request.content_type);
        }
        if !request.accept.is_empty() {
            head = head.header("accept", &request.accept);
        }
        let sent = head.body(Body::from(request.body.clone()));
        let sent = sent.unwrap_or_else(|error| panic!("{}: {error}", request.path));
        self.0.send(sent).await.unwrap_or_else(|error| panic!("{}: {error}", request.path))
    }

    async fn finish(&self, pending: Self::Pending) -> HttpReply {
        let (head, body) = pending.into_parts();
        let body = body.collect().await.expect("the stream comes to its end").to_bytes();
        let header = |name: &str| {
            let values = head.headers.get_all(name).into_iter();
            values.filter_map(|value| value.to_str().ok()).map(str::to_owned).collect::<Vec<_>>()
        };
        HttpReply {
            code: head.status.as_u16(),
            warnings: header("warning"),
            retry_after: header("retry-after").pop(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}
