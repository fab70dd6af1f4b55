//! The logs of simulated containers. Nothing runs in them, so their logs say no more than when they
//! started and ended.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use kubesim_model::request::Status;
use kubesim_model::resource::ObjectKey;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, object};

use crate::hub::Hub;
use crate::service::Answer;

/// How often a log that is followed is looked at.
const GLANCE: Duration = Duration::from_millis(500);

/// What a client wants of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pod: ObjectKey,
    container: String,
    follow: bool,
    previous: bool,
    timestamps: bool,
    tail: Option<usize>,
}

/// A log as far as there is one.
pub(crate) struct Log {
    lines: Vec<String>,
    /// Whether more may come.
    goes_on: bool,
}

impl Wanted {
    /// Reads the options of a request.
    pub(crate) fn read(pod: &ObjectKey, query: &str) -> Wanted {
        let mut wanted = Wanted { pod: pod.clone(), ..Wanted::default() };
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let says_yes = value != "0" && value != "false";
            match key {
                "container" => value.clone_into(&mut wanted.container),
                "follow" => wanted.follow = says_yes,
                "previous" => wanted.previous = says_yes,
                "timestamps" => wanted.timestamps = says_yes,
                "tailLines" => wanted.tail = value.parse().ok(),
                _ => {}
            }
        }
        wanted
    }

    /// The log at this moment.
    ///
    /// # Errors
    /// As kube-apiserver and kubelet v1.36 answer: no such pod or container, or none that started.
    pub(crate) fn log(&self, pod: Option<&Tree>) -> Result<Log, Status> {
        let name = &self.pod.name;
        let pod = pod.ok_or_else(|| {
            let mut status = Status::new(404, "NotFound", format!("pods \"{name}\" not found"));
            status.details = kubesim_model::map! { "name" => name, "kind" => "pods" };
            status
        })?;
        let container = self.container_of(pod)?;
        let lists = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
        let statuses = lists.iter().flat_map(|list| pod["status"][*list].items());
        let status = statuses.into_iter().find(|status| status["name"] == container.as_str());
        let state = status.map(|status| match self.previous {
            true => status["lastState"].clone(),
            false => status["state"].clone(),
        });
        let state = state.unwrap_or_default();
        let (runs, ended) = (&state["running"], &state["terminated"]);
        if self.previous && ended.is_null() {
            let text = format!(
                "previous terminated container \"{container}\" in pod \"{name}\" not found"
            );
            return Err(bad_request(text));
        }
        if runs.is_null() && ended.is_null() {
            if pod["spec"]["nodeName"].str().is_empty() {
                return Ok(Log { lines: Vec::new(), goes_on: false });
            }
            let why = match state["waiting"]["reason"].str() {
                "" => "ContainerCreating",
                reason => reason,
            };
            let text =
                format!("container \"{container}\" in pod \"{name}\" is waiting to start: {why}");
            return Err(bad_request(text));
        }
        let image = status.map(|status| status["image"].text()).unwrap_or_default();
        Ok(self.told(&state, &image))
    }

    fn told(&self, state: &Tree, image: &str) -> Log {
        let (runs, ended) = (&state["running"], &state["terminated"]);
        let line = |time: &Tree, text: String| match self.timestamps {
            true => format!("{} {text}", time.str()),
            false => text,
        };
        let started = if runs.is_null() { &ended["startedAt"] } else { &runs["startedAt"] };
        let text = format!("simulated container of {image}: started at {}", started.str());
        let mut lines = vec![line(started, text)];
        if !ended.is_null() {
            let code = ended["exitCode"].as_i64().unwrap_or(0);
            let time = &ended["finishedAt"];
            lines.push(line(time, format!("exited with {code} at {}", time.str())));
        }
        Log { lines, goes_on: ended.is_null() }
    }

    fn container_of(&self, pod: &Tree) -> Result<Text, Status> {
        let spec = &pod["spec"];
        let name = &self.pod.name;
        let lists = ["containers", "initContainers", "ephemeralContainers"];
        let mut all = lists.iter().flat_map(|list| spec[*list].items());
        if !self.container.is_empty() {
            let found = all.find(|one| one["name"] == self.container.as_str());
            let text = format!("container {} is not valid for pod {name}", self.container);
            return found.map(|one| one["name"].text()).ok_or_else(|| bad_request(text));
        }
        let default = object::annotation(pod, "kubectl.kubernetes.io/default-container");
        let own = spec["containers"].items();
        match (default, own) {
            ("", [only]) => Ok(only["name"].text()),
            ("", all) => {
                let names: Vec<&str> = all.iter().map(|one| one["name"].str()).collect();
                let names = names.join(" ");
                let text = format!(
                    "a container name must be specified for pod {name}, choose one of: [{names}]"
                );
                Err(bad_request(text))
            }
            (default, _) => Ok(Text::new(default)),
        }
    }

    /// The log as the body of an answer.
    pub(crate) fn into_body(self, hub: Hub, log: Log) -> Answer {
        let skipped = self.tail.map_or(0, |tail| log.lines.len().saturating_sub(tail));
        let goes_on = self.follow && log.goes_on;
        let told = log.lines.len();
        let first: String = log.lines[skipped..].iter().map(|line| format!("{line}\n")).collect();
        let follow = Following { wanted: self, hub, told, goes_on };
        let frames = stream::unfold((Some(first), follow), |(first, mut follow)| async move {
            let text = match first {
                Some(text) => text,
                None => follow.next().await?,
            };
            Some((Ok(Frame::data(Bytes::from(text))), (None, follow)))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// A log that is followed.
struct Following {
    wanted: Wanted,
    hub: Hub,
    /// How many lines were told.
    told: usize,
    goes_on: bool,
}

impl Following {
    async fn next(&mut self) -> Option<String> {
        while self.goes_on {
            tokio::time::sleep(GLANCE).await;
            let wanted = self.wanted.clone();
            let log = self.hub.on(move |stage| wanted.log(stage.pod(&wanted.pod)));
            let log = log.await.ok()?.ok()?;
            self.goes_on = log.goes_on;
            let new: String =
                log.lines.iter().skip(self.told).map(|line| format!("{line}\n")).collect();
            self.told = self.told.max(log.lines.len());
            if !new.is_empty() {
                return Some(new);
            }
        }
        None
    }
}

fn bad_request(text: String) -> Status {
    Status::new(400, "BadRequest", text)
}
