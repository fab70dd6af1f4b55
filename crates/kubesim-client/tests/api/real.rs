//! A server behind HTTPS on loopback, through curl.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::arms::{Arm, HttpReply};
use crate::case::HttpRequest;

/// How long a watch is given to begin before something is done.
const OPENING: Duration = Duration::from_millis(400);

/// A server on loopback, and a token that it takes.
pub(crate) struct Real {
    pub(crate) url: String,
    pub(crate) token: String,
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
        let token = request.token.as_ref().unwrap_or(&self.token);
        if !token.is_empty() {
            curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        for (name, value) in &request.headers {
            curl.args(["--header", &format!("{name}: {value}")]);
        }
        curl.args(["--request", request.method, "--url", &format!("{}{}", self.url, request.path)]);
        if !request.accept.is_empty() {
            curl.args(["--header", &format!("Accept: {}", request.accept)]);
        }
        if !request.body.is_empty() {
            let kind = format!("Content-Type: {}", request.content_type);
            curl.args(["--header", &kind, "--data-binary", "@-"]);
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
