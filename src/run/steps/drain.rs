//! `drain`: cordons nodes, then evicts the pods of one after the other, as `kubectl drain --force
//! --ignore-daemonsets --delete-emptydir-data` does (kubectl v1.36).

use std::collections::VecDeque;

use kubesim_model::request::Request;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::stream::Stream;
use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, map, object};

use super::evict::{Eviction, summary};
use super::requests::Requests;
use crate::run::call::Call;
use crate::run::stage::{Progress, Stage, Task, sooner};
use crate::suite::steps::Drain;

/// A `drain` under way.
pub(super) struct Draining {
    nodes: VecDeque<Text>,
    until: Millis,
    must_finish: bool,
    cordon: Option<Requests>,
    list: Option<Call>,
    evictions: Option<Vec<Eviction>>,
    done: Vec<String>,
}

impl Draining {
    pub(super) fn new(drain: &Drain, stage: &Stage<'_>) -> Self {
        let mut draws = Stream::new(stage.seed, &format!("drain/{}", stage.now()));
        let nodes = stage.field().nodes(&drain.select, &mut draws);
        let cordon = |node: &Text| {
            let patch = map! { "spec" => map! { "unschedulable" => true } };
            Request::strategic_patch(Resource::NODES, ObjectKey::new("", node.clone()), patch)
        };
        Draining {
            cordon: Some(Requests::new(nodes.iter().map(cordon).collect())),
            nodes: nodes.into(),
            until: stage.now() + drain.within,
            must_finish: drain.must_finish,
            list: None,
            evictions: None,
            done: Vec::new(),
        }
    }

    /// Goes on with the node at hand. `Ok` when it is empty.
    fn node(&mut self, node: &Text, stage: &mut Stage<'_>) -> Result<(), Progress> {
        if self.evictions.is_none() {
            let pods = self.listed(node, stage)?;
            let evictions = pods
                .iter()
                .filter(|pod| is_drained(pod))
                .map(|pod| Eviction::new(object::key(pod), Text::new(object::uid(pod)), None));
            self.evictions = Some(evictions.collect());
        }
        let evictions = self.evictions.get_or_insert_default();
        let mut wake = Some(self.until);
        let mut is_open = false;
        for eviction in evictions.iter_mut() {
            wake = sooner(wake, eviction.poll(self.until, stage));
            is_open |= eviction.result.is_none() || is_there(eviction, stage);
        }
        if is_open && stage.now() < self.until {
            return Err(Progress::Pending(wake));
        }
        let text = format!("{node}: {}", summary(evictions));
        if is_open || evictions.iter().any(|eviction| matches!(eviction.result, Some(Err(_)))) {
            return Err(Progress::Done(self.stopped(text)));
        }
        self.done.push(text);
        self.evictions = None;
        self.list = None;
        Ok(())
    }

    fn stopped(&self, at: String) -> Result<String, String> {
        let text = format!("not finished in time; {at}");
        if self.must_finish { Err(text) } else { Ok(text) }
    }

    fn listed(&mut self, node: &Text, stage: &mut Stage<'_>) -> Result<Vec<Tree>, Progress> {
        let list = self.list.get_or_insert_with(|| {
            let mut request = Request::list(Resource::PODS, "");
            request.list.field_selector = Text::from(format!("spec.nodeName={node}"));
            Call::new(request)
        });
        match list.poll(stage) {
            Err(wake) => Err(Progress::Pending(wake)),
            Ok(Ok(pods)) => Ok(pods["items"].items().to_vec()),
            Ok(Err(status)) => Err(Progress::Done(Err(format!("listing pods: {status}")))),
        }
    }
}

/// Pods of DaemonSets, static pods and ended ones are left where they are.
fn is_drained(pod: &Tree) -> bool {
    let is_daemon = object::controller(pod).is_some_and(|owner| owner["kind"] == "DaemonSet");
    let is_static = !object::annotation(pod, "kubernetes.io/config.mirror").is_empty();
    !is_daemon && !is_static && !object::is_terminal(pod)
}

/// Whether the evicted pod is still there. A pod of the same name with another uid is another.
fn is_there(eviction: &Eviction, stage: &Stage<'_>) -> bool {
    let pod = stage.journal.view().objects.get(&Resource::PODS, &eviction.pod);
    pod.is_some_and(|pod| object::uid(pod) == eviction.uid.as_str())
}

impl Task for Draining {
    fn poll(&mut self, stage: &mut Stage<'_>) -> Progress {
        if self.nodes.is_empty() && self.done.is_empty() {
            return Progress::Done(Err("no node matches the selector".to_owned()));
        }
        if let Some(cordon) = &mut self.cordon {
            match cordon.poll(stage) {
                Progress::Done(Ok(_)) => self.cordon = None,
                other => return other,
            }
        }
        while let Some(node) = self.nodes.front().cloned() {
            if let Err(progress) = self.node(&node, stage) {
                return progress;
            }
            self.nodes.pop_front();
        }
        Progress::Done(Ok(self.done.join("; ")))
    }
}
