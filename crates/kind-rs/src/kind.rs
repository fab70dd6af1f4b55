//! The kind CLI and a container engine, found and ready for use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use semver::Version;

use crate::cluster::{Cluster, check_name};
use crate::config::ClusterConfig;
use crate::create::{self, CreateOptions, Progress};
use crate::engine::{self, Engine};
use crate::error::Error;
use crate::invocation::{Invocation, OnLine, Output, Runner};
use crate::processes::Processes;
use crate::timeouts::Timeouts;
use crate::version;

/// The network of kind's nodes, and the variables by which kind is told of another one.
const NETWORK: &str = "kind";
const NETWORK_VARIABLE: &str = "KIND_EXPERIMENTAL_DOCKER_NETWORK";
const PODMAN_NETWORK_VARIABLE: &str = "KIND_EXPERIMENTAL_PODMAN_NETWORK";
const ENGINE_VARIABLE: &str = "KIND_EXPERIMENTAL_PROVIDER";

/// The oldest kind that is driven: 0.20 set the form of node images that is still in use.
const OLDEST: Version = Version::new(0, 20, 0);

/// The kind CLI together with the container engine that it uses. Cheap to clone.
#[derive(Clone)]
pub struct Kind {
    inner: Arc<Inner>,
}

struct Inner {
    program: String,
    version: Version,
    engine: Engine,
    engine_version: Version,
    /// Whether kind has to be told which engine to take.
    engine_was_chosen: bool,
    network: String,
    timeouts: Timeouts,
    runner: Arc<dyn Runner>,
}

impl Kind {
    /// Finds `kind` and a container engine on `PATH`.
    ///
    /// The engine is that of `KIND_EXPERIMENTAL_PROVIDER`, or else the first that is installed of
    /// Docker, nerdctl and Podman, as kind itself has it.
    ///
    /// # Errors
    /// [`Error::Missing`] without kind, [`Error::NoEngine`], [`Error::EngineDown`] if the engine
    /// does not answer, [`Error::TooOld`].
    pub async fn detect() -> Result<Self, Error> {
        Self::builder().detect().await
    }

    /// Settings for [`Builder::detect`].
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The version of the kind CLI.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.inner.version
    }

    /// The container engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.inner.engine
    }

    /// The version of the container engine; of its server, where it has one.
    #[must_use]
    pub fn engine_version(&self) -> &Version {
        &self.inner.engine_version
    }

    /// The name of the network that the nodes share.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.inner.network
    }

    /// How long the tools may take.
    #[must_use]
    pub fn timeouts(&self) -> &Timeouts {
        &self.inner.timeouts
    }

    /// Creates a cluster. See [`create_with_progress`](Self::create_with_progress).
    ///
    /// # Errors
    /// Those of [`create_with_progress`](Self::create_with_progress).
    pub async fn create(
        &self,
        config: &ClusterConfig,
        options: CreateOptions,
    ) -> Result<Cluster, Error> {
        create::create(self, config, options, None).await
    }

    /// Creates a cluster, and tells `on_progress` of what kind reports meanwhile.
    ///
    /// A cluster that can't be created leaves nothing behind unless [`CreateOptions::retain`] is
    /// set; neither does one that takes too long. Dropping the future kills kind but can't wait for
    /// what it started: call [`Cluster::delete`] afterwards.
    ///
    /// # Errors
    /// [`Error::ClusterExists`]; [`Error::NotReady`] if [`CreateOptions::wait`] was not enough,
    /// in which case the cluster is there; [`Error::Failed`] and [`Error::TimedOut`] from kind.
    pub async fn create_with_progress(
        &self,
        config: &ClusterConfig,
        options: CreateOptions,
        mut on_progress: impl FnMut(Progress) + Send,
    ) -> Result<Cluster, Error> {
        create::create(self, config, options, Some(&mut on_progress)).await
    }

    /// The clusters that exist, ordered by name.
    ///
    /// # Errors
    /// What running kind may meet.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, Error> {
        let timeout = self.inner.timeouts.query;
        let invocation = self.kind_invocation(["get", "clusters"], timeout);
        let output = self.succeed(&invocation, None).await?;
        let text = output.stdout_text();
        let mut names: Vec<&str> = text.lines().map(str::trim).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.into_iter().map(|name| self.cluster(name)).collect()
    }

    /// The cluster of a name. It is not asked whether there is one: see [`Cluster::exists`].
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that kind does not allow.
    pub fn cluster(&self, name: impl Into<String>) -> Result<Cluster, Error> {
        let name = name.into();
        check_name(&name)?;
        Ok(Cluster::new(self.clone(), name))
    }

    pub(crate) fn kind_invocation<I>(&self, args: I, timeout: Duration) -> Invocation
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let mut invocation = Invocation::new(&self.inner.program, args, timeout);
        if self.inner.engine_was_chosen {
            let engine = self.inner.engine.program().to_owned();
            invocation.env = BTreeMap::from([(ENGINE_VARIABLE.to_owned(), engine)]);
        }
        invocation
    }

    pub(crate) fn engine_invocation<I>(&self, args: I, timeout: Duration) -> Invocation
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Invocation::new(self.inner.engine.program(), args, timeout)
    }

    /// Runs a program to its end, whatever that is.
    pub(crate) async fn run<'a>(
        &'a self,
        invocation: &'a Invocation,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Output, Error> {
        let output = self.inner.runner.run(invocation, on_line).await;
        output.map_err(|error| Error::of_run(invocation, error))
    }

    /// Runs a program that has to succeed.
    pub(crate) async fn succeed<'a>(
        &'a self,
        invocation: &'a Invocation,
        on_line: Option<OnLine<'a>>,
    ) -> Result<Output, Error> {
        let output = self.run(invocation, on_line).await?;
        if output.is_success() { Ok(output) } else { Err(Error::failed(invocation, &output)) }
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind")
            .field("program", &self.inner.program)
            .field("version", &self.inner.version)
            .field("engine", &self.inner.engine)
            .field("engine_version", &self.inner.engine_version)
            .finish_non_exhaustive()
    }
}

/// Where to find kind, which container engine to take, and how long they may take.
#[derive(Clone, Debug)]
pub struct Builder {
    program: String,
    engine: Option<Engine>,
    network: Option<String>,
    timeouts: Timeouts,
    runner: Arc<dyn Runner>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            program: "kind".to_owned(),
            engine: None,
            network: None,
            timeouts: Timeouts::default(),
            runner: Arc::new(Processes),
        }
    }
}

impl Builder {
    /// The kind CLI: a name to look for on `PATH`, or a path. `kind` by default.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// The container engine, instead of the one that kind would take.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The network of the nodes. By default what kind's environment variables say, or `kind`.
    /// This does not change the network that kind makes nodes in.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.network = Some(network.into());
        self
    }

    /// How long the tools may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// What runs programs. [`Processes`] by default.
    #[must_use]
    pub fn runner(mut self, runner: Arc<dyn Runner>) -> Self {
        self.runner = runner;
        self
    }

    /// Finds kind and the engine, and asks for their versions.
    ///
    /// # Errors
    /// Those of [`Kind::detect`]; [`Error::Invalid`] if `KIND_EXPERIMENTAL_PROVIDER` names an
    /// engine that is not known.
    pub async fn detect(self) -> Result<Kind, Error> {
        let version = self.detect_kind().await?;
        let wanted = match (self.engine, variable(ENGINE_VARIABLE)) {
            (Some(engine), _) => Some(engine),
            (None, Some(name)) => Some(name.parse()?),
            (None, None) => None,
        };
        let (engine, engine_version) =
            engine::detect(self.runner.as_ref(), wanted, self.timeouts.query).await?;
        let name = match engine {
            Engine::Podman => PODMAN_NETWORK_VARIABLE,
            Engine::Docker | Engine::Nerdctl => NETWORK_VARIABLE,
        };
        let network = self.network.or_else(|| variable(name));
        Ok(Kind {
            inner: Arc::new(Inner {
                program: self.program,
                version,
                engine,
                engine_version,
                engine_was_chosen: self.engine.is_some(),
                network: network.unwrap_or_else(|| NETWORK.to_owned()),
                timeouts: self.timeouts,
                runner: self.runner,
            }),
        })
    }

    async fn detect_kind(&self) -> Result<Version, Error> {
        let invocation = Invocation::new(&self.program, ["version"], self.timeouts.query);
        let output = self.runner.run(&invocation, None).await;
        let output = output.map_err(|error| Error::of_run(&invocation, error))?;
        if !output.is_success() {
            return Err(Error::failed(&invocation, &output));
        }
        let found = version::find(&output.stdout_text()).ok_or_else(|| {
            Error::unreadable(invocation.line(), "it names no version", &output.stdout)
        })?;
        if !version::is_at_least(&found, &OLDEST) {
            return Err(Error::TooOld { program: self.program.clone(), found, needed: OLDEST });
        }
        Ok(found)
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
