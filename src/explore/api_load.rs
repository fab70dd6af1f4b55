//! How much an API server carries: the same writes, reads and watches by the same client, against a
//! simulated one behind HTTPS, and against a real one beside it; and, without a client, against the
//! simulated one in this process.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use kube::Client;
use kubesim::api::{Api, ApiConfig, Identity};
use kubesim_model::Text;
use kubesim_model::request::Request as Wish;
use kubesim_model::resource::{ObjectKey, Resource};
use kubesim_model::tree::Tree;
use kubesim_model::{list, map};
use thiserror::Error;

/// The namespace of everything that is made.
const NAMESPACE: &str = "shakedown-bench";
/// How many events each watcher is told.
const TOLD: usize = 5;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many pods are made, read, changed and deleted.
    pub pods: usize,
    /// How many requests are under way at once.
    pub at_once: usize,
    /// How many watches are open at once.
    pub watchers: usize,
    /// Tells how long it has been.
    pub clock: fn() -> Duration,
}

/// How often something was done in a second.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// What.
    pub what: &'static str,
    /// How often in all.
    pub count: usize,
    /// How long it took.
    pub took: Duration,
}

impl Rate {
    /// How often in a second.
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Why nothing could be measured.
#[derive(Debug, Error)]
pub enum LoadError {
    /// A request failed.
    #[error("{what} failed: {why}")]
    Failed {
        /// What was done.
        what: &'static str,
        /// What the client said.
        why: String,
    },
}

fn pod(number: usize) -> Tree {
    let limits = map! { "cpu" => "100m", "memory" => "64Mi" };
    map! {
        "apiVersion" => "v1", "kind" => "Pod",
        "metadata" => map! {
            "name" => format!("pod-{number}"), "namespace" => NAMESPACE,
            "labels" => map! { "app" => "web", "tier" => "front" },
        },
        "spec" => map! {
            // It goes to no node, so that nobody else writes to it.
            "schedulerName" => "nobody", "automountServiceAccountToken" => false,
            "containers" => list![map! {
                "name" => "app", "image" => "registry.k8s.io/e2e-test-images/agnhost:2.60",
                "args" => list!["pause"], "ports" => list![map! { "containerPort" => 80 }],
                "resources" => map! { "requests" => &limits, "limits" => &limits },
            }],
        },
    }
}

fn status(number: usize) -> Tree {
    let condition = map! {
        "type" => "Ready", "status" => "False", "reason" => format!("Measured{number}"),
        "lastTransitionTime" => "2026-01-01T00:00:00Z",
    };
    map! { "status" => map! { "conditions" => list![condition] } }
}

/// What a client of an API server gets done. What was made is taken away again.
///
/// # Errors
/// A request failed.
pub async fn over_http(client: Client, load: Load) -> Result<Vec<Rate>, LoadError> {
    let run = Run { client, load };
    let namespace = map! { "metadata" => map! { "name" => NAMESPACE } };
    run.send("making a namespace", Request::post("/api/v1/namespaces"), namespace).await?;
    run.settles().await?;
    let measured = run.measure().await;
    let url = format!("/api/v1/namespaces/{NAMESPACE}");
    run.send("deleting the namespace", Request::delete(url), Tree::Null).await?;
    measured
}

struct Run {
    client: Client,
    load: Load,
}

impl Run {
    async fn measure(&self) -> Result<Vec<Rate>, LoadError> {
        let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
        let one = |number: usize| format!("{pods}/pod-{number}");
        let mut rates = Vec::new();
        rates.push(self.each("create", |n| (Request::post(&pods), pod(n))).await?);
        rates.push(self.each("get", |n| (Request::get(one(n)), Tree::Null)).await?);
        let patch = |n: usize| {
            let patch = Request::patch(format!("{}/status", one(n)));
            (patch.header("content-type", "application/merge-patch+json"), status(n))
        };
        rates.push(self.each("status update", patch).await?);
        rates.push(self.lists(&pods).await?);
        rates.push(self.watches().await?);
        let now = || map! { "gracePeriodSeconds" => 0 };
        rates.push(self.each("delete", |n| (Request::delete(one(n)), now())).await?);
        Ok(rates)
    }

    /// Sends a request and waits for its whole answer.
    async fn send(
        &self,
        what: &'static str,
        request: http::request::Builder,
        body: Tree,
    ) -> Result<(), LoadError> {
        let failed =
            |error: &dyn std::fmt::Display| LoadError::Failed { what, why: error.to_string() };
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request =
            match request.headers_ref().is_some_and(|all| all.contains_key("content-type")) {
                true => request,
                false => request.header("content-type", "application/json"),
            };
        let request = request.body(body).map_err(|error| failed(&error))?;
        self.client.request_text(request).await.map(drop).map_err(|error| failed(&error))
    }

    /// A real server makes pods only in a namespace that has a service account.
    async fn settles(&self) -> Result<(), LoadError> {
        let account = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
        let made = map! { "metadata" => map! { "name" => "default" } };
        // Where there are controllers, they make it.
        let _ = self.send("making an account", Request::post(account), made).await;
        Ok(())
    }

    async fn each(
        &self,
        what: &'static str,
        request: impl Fn(usize) -> (http::request::Builder, Tree),
    ) -> Result<Rate, LoadError> {
        let began = (self.load.clock)();
        let sent = stream::iter(0..self.load.pods).map(|number| {
            let (request, body) = request(number);
            self.send(what, request, body)
        });
        sent.buffer_unordered(self.load.at_once).try_collect::<()>().await?;
        Ok(Rate { what, count: self.load.pods, took: (self.load.clock)() - began })
    }

    async fn lists(&self, pods: &str) -> Result<Rate, LoadError> {
        let (count, began) = (20, (self.load.clock)());
        for _ in 0..count {
            self.send("list", Request::get(format!("{pods}?limit=1000")), Tree::Null).await?;
        }
        Ok(Rate { what: "list of up to 1,000 pods", count, took: (self.load.clock)() - began })
    }

    /// Events that reach watchers, all of which see every write.
    async fn watches(&self) -> Result<Rate, LoadError> {
        let what = "events to watchers";
        let maps = format!("/api/v1/namespaces/{NAMESPACE}/configmaps");
        let failed =
            |error: &dyn std::fmt::Display| LoadError::Failed { what, why: error.to_string() };
        let url = format!("{maps}?watch=1&timeoutSeconds=300&fieldSelector=metadata.name%3Dtold");
        let open = (0..self.load.watchers).map(|_| async {
            let request = Request::get(&url).body(Vec::new()).map_err(|error| failed(&error))?;
            let events = self.client.request_events::<serde_json::Value>(request).await;
            Ok::<_, LoadError>(Box::pin(events.map_err(|error| failed(&error))?))
        });
        let opened: Vec<_> = stream::iter(open).buffer_unordered(32).try_collect().await?;
        let began = (self.load.clock)();
        let told = map! { "metadata" => map! { "name" => "told" } };
        self.send(what, Request::post(&maps), told).await?;
        for number in 1..TOLD {
            let patch = Request::patch(format!("{maps}/told"));
            let patch = patch.header("content-type", "application/merge-patch+json");
            let data = map! { "data" => map! { "number" => number.to_string() } };
            self.send(what, patch, data).await?;
        }
        let heard = opened.into_iter().map(|mut events| async move {
            for _ in 0..TOLD {
                events.next().await.transpose().map_err(|error| failed(&error))?;
            }
            Ok::<_, LoadError>(())
        });
        stream::iter(heard).buffer_unordered(self.load.watchers.max(1)).try_collect::<()>().await?;
        let count = self.load.watchers * TOLD;
        Ok(Rate { what, count, took: (self.load.clock)() - began })
    }
}

/// What the simulated API server gets done in this process, without HTTP.
///
/// # Errors
/// A request failed.
pub fn in_process(load: Load) -> Result<Vec<Rate>, LoadError> {
    let mut api = Api::new(1, ApiConfig::default());
    let who = Identity { user: "bench".into(), user_agent: Text::new_static("bench") };
    let mut ask = |what: &'static str, wish: Wish| {
        let answer = api.handle(0, &who, &wish).answer;
        answer.map(drop).map_err(|status| LoadError::Failed { what, why: status.to_string() })
    };
    let namespace = map! { "metadata" => map! { "name" => NAMESPACE } };
    ask("making a namespace", Wish::create(Resource::NAMESPACES, namespace))?;
    let key = |number: usize| ObjectKey::new(NAMESPACE, format!("pod-{number}"));
    type Make<'a> = (&'static str, &'a dyn Fn(usize) -> Wish);
    let all: [Make<'_>; 4] = [
        ("create", &|n| Wish::create(Resource::PODS, pod(n))),
        ("get", &|n| Wish::get(Resource::PODS, key(n))),
        ("status update", &|n| {
            Wish::merge_patch(Resource::PODS, key(n), status(n)).with_subresource("status")
        }),
        ("delete", &|n| Wish::delete(Resource::PODS, key(n)).with_grace(0)),
    ];
    let mut rates = Vec::new();
    for (what, wish) in all {
        let began = (load.clock)();
        (0..load.pods).try_for_each(|number| ask(what, wish(number)))?;
        rates.push(Rate { what, count: load.pods, took: (load.clock)() - began });
    }
    Ok(rates)
}
