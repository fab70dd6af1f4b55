//! Who answers: the simulated server through a kube client, or a real one through curl.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::BodyExt as _;
use kube::client::Body;

use crate::case::HttpRequest;

/// How long a watch is given to begin before something is done.
const OPENING: Duration = Duration::from_millis(400);

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

/// The simulated server.
pub(crate) struct Simulated(pub(crate) kube::Client);

impl Arm for Simulated {
    type Pending = http::Response<Body>;

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    async fn start(&self, request: &HttpRequest) -> Self::Pending {
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

/// A real server on loopback.
pub(crate) struct Real {
    url: String,
    token: String,
}

impl Real {
    /// The server that the environment names, if it does.
    pub(crate) fn of_environment() -> Option<Real> {
        let url = std::env::var("SHAKEDOWN_REAL_API").ok()?;
        let token = std::env::var("SHAKEDOWN_REAL_TOKEN").expect("a server wants a token");
        let host = url.split("://").nth(1).unwrap_or_default();
        let local = host.starts_with("127.0.0.1:") || host.starts_with("localhost:");
        assert!(local, "only a server on loopback is ours to write to, not {url}");
        Some(Real { url, token })
    }
}

impl Arm for Real {
    type Pending = Child;

    async fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }

    async fn start(&self, request: &HttpRequest) -> Child {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--include", "--globoff"]);
        curl.args(["--http1.1", "--no-buffer", "--max-time", "60", "--header", "Expect:"]);
        curl.args(["--user-agent", "tester"]);
        curl.args(["--header", &format!("Authorization: Bearer {}", self.token)]);
        curl.args(["--request", request.method, "--url", &format!("{}{}", self.url, request.path)]);
        if !request.accept.is_empty() {
            curl.args(["--header", &format!("Accept: {}", request.accept)]);
        }
        if !request.body.is_empty() {
            let kind = format!("Content-Type: {}", request.content_type);
            curl.args(["--header", &kind, "--data-binary", "@-"]);
        }
        if !request.accept.is_empty() {
            curl.args(["--header", &format!("Accept: {}", request.accept)]);
        }
        curl.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = curl.spawn().expect("curl is installed");
        let mut input = child.stdin.take().expect("it was asked for");
        // A server that refuses at once may leave a body unread.
        let _ = input.write_all(&request.body);
        drop(input);
        if request.path.contains("watch=") {
            std::thread::sleep(OPENING);
        }
        child
    }

    async fn finish(&self, child: Child) -> HttpReply {
        let output = child.wait_with_output().expect("curl ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an answer has a head");
        let mut lines = head.lines();
        let code = lines.next().and_then(|line| line.split(' ').nth(1));
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let header = |name: &str| {
            let values = headers.iter().filter(|(have, _)| have == name);
            values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        HttpReply {
            code: code.and_then(|code| code.parse().ok()).expect("an answer has a code"),
            warnings: header("warning"),
            retry_after: header("retry-after").pop(),
            body: body.to_owned(),
        }
    }
}
