//! The command line: what may be said, and what `--help` says about it.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use kubesim_server::Route;

use super::exit_code::Exit;

/// What stands below the help of the program: examples and exit codes.
fn after_help() -> String {
    let codes = Exit::ALL.map(|(exit, meaning)| format!("  {:>2}  {meaning}\n", exit as u8));
    let examples = "Examples:\n  \
        shakedown new my-suite && shakedown run my-suite\n  \
        shakedown run suites/ --filter budget --trials 20\n  \
        shakedown replay --verbose reports/latest/TRIAL/plan.json\n  \
        shakedown explain disruption-bounded";
    format!("{examples}\n\nExit codes, the worst of 70, 1, 5, 4 and 3 first:\n{}", codes.concat())
}

/// Breaks simulated and real Kubernetes clusters on purpose, and judges whether controllers held.
#[derive(Debug, Parser)]
#[command(
    name = "shakedown",
    version,
    after_help = after_help()
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Say less: failures only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more; for `replay`: narrate
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run scenarios and judge them
    #[command(after_help = "Examples:\n  \
        shakedown run suites/\n  \
        shakedown run suites/budget --subject cloneset --trials 100\n  \
        shakedown run my.yaml --seed 7 --format json")]
    Run(RunArgs),
    /// Show scenarios with what they prove
    List(Selection),
    /// Judge a stored history again, without running anything
    #[command(after_help = "Example:\n  shakedown check reports/latest/*/history.jsonl")]
    Check(CheckArgs),
    /// Repeat a trial from its plan, byte for byte
    #[command(after_help = "Examples:\n  \
        shakedown replay reports/latest/TRIAL/plan.json\n  \
        shakedown replay --verbose plan.json")]
    Replay(ReplayArgs),
    /// Check scenario, subject and requirement files without running them
    Validate(Selection),
    /// Write a first scenario and subject
    #[command(after_help = "Example:\n  shakedown new my-suite && shakedown run my-suite")]
    New(NewArgs),
    /// Document an invariant, fault, step, capability or requirement
    #[command(after_help = "Examples:\n  \
        shakedown explain disruption-bounded\n  shakedown explain node-crash\n  \
        shakedown explain CONV-3\n  shakedown explain      (lists everything)")]
    Explain(ExplainArgs),
    /// Print the JSON Schema of scenario or subject files, for editors
    Schema(SchemaArgs),
    /// Write the pages of `docs/` that are made of the catalogues
    #[command(hide = true)]
    Docs(DocsArgs),
    /// Plant known bugs and show which invariant catches each
    #[command(after_help = "Examples:\n  \
        shakedown mutants\n  shakedown mutants --filter cloneset/ --trials 50")]
    Mutants(MutantsArgs),
    /// Measure how many fault scenarios run in a second, and where the time goes
    Bench(BenchArgs),
    /// Run many seeds of the suites; tell fails, unknowns, and how often each fault took effect
    #[command(after_help = "Example:\n  shakedown soak suites --trials 100")]
    Soak(SoakArgs),
    /// Run the same trials in the simulation and on a real cluster, and tell what differs
    #[command(after_help = "Example:\n  \
        shakedown fidelity suites/smoke --against local --k8s-bin DIR")]
    Fidelity(FidelityArgs),
    /// Make a container image of a program, without a container engine and a registry
    #[command(after_help = "Examples:\n  \
        shakedown image                       (the reference controller beside this program)\n  \
        shakedown image my-controller --name localhost/my-controller:v1 --output mine.tar")]
    Image(ImageArgs),
    /// Serve a simulated cluster to kubectl and to controllers of any language
    #[command(after_help = "Examples:\n  \
        shakedown serve                          (then KUBECONFIG=... kubectl get nodes)\n  \
        shakedown serve --nodes 20 --speed 10 --kubeconfig serve.kubeconfig\n  \
        shakedown serve --controllers kubelet    (with a real kube-controller-manager)\n  \
        shakedown serve --authorization rbac     (then kubectl get pods --as alice)")]
    Serve(ServeArgs),
    /// Take away what killed runs have left behind, and heal what they left broken
    Cleanup,
}

/// Which scenarios.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    /// Scenario files, or folders of them
    #[arg(default_value = "suites", value_name = "PATH")]
    pub(crate) paths: Vec<Utf8PathBuf>,
    /// Only scenarios whose name or theme contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Only with these subjects, instead of those that the scenarios name
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: Vec<String>,
    /// The folder of subject files
    #[arg(long, value_name = "DIR")]
    pub(crate) subjects_dir: Option<Utf8PathBuf>,
}

/// What real clusters are made of.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ProviderArgs {
    /// For `local`: the folder of the programs of a control plane; else SHAKEDOWN_K8S_BIN or PATH
    #[arg(long, value_name = "DIR")]
    pub(crate) k8s_bin: Option<Utf8PathBuf>,
    /// For `kind`: the node image
    #[arg(long, value_name = "IMAGE", env = "SHAKEDOWN_NODE_IMAGE")]
    pub(crate) node_image: Option<String>,
    /// For `kind`: archives of images to load into the nodes; several are separated by `:`
    #[arg(long, value_name = "FILE", env = "SHAKEDOWN_WORKLOAD_IMAGES", value_delimiter = ':')]
    pub(crate) images: Vec<Utf8PathBuf>,
    /// For `kind`: keep the clusters, and use those that were kept
    #[arg(long)]
    pub(crate) keep: bool,
    /// For `kind`: `short` clusters notice and give up lost nodes in a fifth of the time; trials of
    /// faults of hosts are shortened alike
    #[arg(long, value_enum, default_value_t = Timings::Standard, value_name = "WHICH")]
    pub(crate) timings: Timings,
    /// For `kubeconfig`: the file that says how the cluster is reached
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
    /// For `kubeconfig`: one of its contexts; else the current one
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub(crate) context: Option<String>,
    /// For `kubeconfig`: yes, break what the cluster marks for it
    #[arg(long)]
    pub(crate) i_own_this_cluster: bool,
    /// For `kubeconfig`: the audit log of its API server, as it grows
    #[arg(long, value_name = "FILE")]
    pub(crate) audit_log: Option<Utf8PathBuf>,
    /// For `kubeconfig`: a shell on a node, as in `docker exec -i {node}` or `ssh root@{node}`
    #[arg(long, value_name = "COMMAND")]
    pub(crate) node_access: Option<String>,
}

/// How soon a cluster notices that a node is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Timings {
    /// As Kubernetes does by default.
    #[default]
    Standard,
    /// In a fifth of that time.
    Short,
}

/// How requests are authorised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Authorization {
    /// Whoever is known may do everything.
    #[default]
    AlwaysAllow,
    /// Roles and their bindings say who may do what.
    Rbac,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) select: Selection,
    /// The first seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// How many seeds of each scenario
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) trials: u64,
    /// Where to run: `sim`, `served` (the simulation behind HTTPS, in wall-clock time), `local` (a
    /// real control plane with simulated nodes), `kind` or `kubeconfig` (a cluster that you mark
    /// for it); if not given `sim`, and `served` for subjects that are programs beside the cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
    #[command(flatten)]
    pub(crate) real: ProviderArgs,
    /// How many trials run side by side; all cores if not given
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Stop at the first unexpected outcome
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// The folder that runs are written to
    #[arg(long, default_value = "reports", value_name = "DIR")]
    pub(crate) reports: Utf8PathBuf,
    /// Name the run, replace the one of that name, and leave out when it was and how long it took
    #[arg(long = "as", value_name = "NAME", hide = true)]
    pub(crate) name: Option<String>,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table and the findings.
    Human,
    /// One JSON document: what `run.json` holds.
    Json,
    /// JUnit XML: what `junit.xml` holds.
    Junit,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Stored histories, or folders of runs and trials that hold some
    #[arg(required = true, value_name = "HISTORY")]
    pub(crate) histories: Vec<Utf8PathBuf>,
    /// Judge by this scenario instead of the one in the history
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<Utf8PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The plan of a trial
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Utf8PathBuf,
    /// Run a plan of another simulator revision, without the promise of exactness
    #[arg(long)]
    pub(crate) allow_drift: bool,
    #[command(flatten)]
    pub(crate) real: ProviderArgs,
    /// Run the programs that the plan's `script` steps and its subject name
    #[arg(long)]
    pub(crate) allow_scripts: bool,
    /// Also write the history here
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<Utf8PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct NewArgs {
    /// The folder to make
    #[arg(value_name = "DIR")]
    pub(crate) folder: Utf8PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Its name
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Of which kind of file
    #[arg(value_enum, default_value_t = SchemaKind::Scenario)]
    pub(crate) kind: SchemaKind,
}

/// Kinds of files that have a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// Scenario files.
    Scenario,
    /// Subject files.
    Subject,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImageArgs {
    /// The program; without it the reference controller `cloneset-kube` beside this one
    #[arg(value_name = "PROGRAM")]
    pub(crate) program: Option<Utf8PathBuf>,
    /// The image's name and tag; localhost/PROGRAM:VERSION if not given
    #[arg(long, value_name = "NAME:TAG")]
    pub(crate) name: Option<String>,
    /// The archive to write; PROGRAM.tar if not given
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<Utf8PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    /// How many nodes it has
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=5_000))]
    pub(crate) nodes: u16,
    /// How many times as fast as the wall clock its time goes
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    pub(crate) speed: f64,
    /// Which parts of Kubernetes are simulated besides the API: `all`, `none`, or a list of them;
    /// without `kubelet` there are no nodes
    #[arg(long, default_value = "all", value_name = "LIST", value_delimiter = ',')]
    pub(crate) controllers: Vec<String>,
    /// How requests are authorised: whoever is known may do everything, or what roles and their
    /// bindings allow him
    #[arg(long, value_enum, default_value_t = Authorization::AlwaysAllow, value_name = "MODE")]
    pub(crate) authorization: Authorization,
    /// Who else is known, by tokens: lines of `TOKEN,NAME,UID,"GROUP,GROUP"`, as kube-apiserver
    /// reads them
    #[arg(long, value_name = "FILE")]
    pub(crate) token_auth_file: Option<Utf8PathBuf>,
    /// Write what happens as a history, which `shakedown check --scenario` judges
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<Utf8PathBuf>,
    /// The seed of names, uids and of everything else that is left to chance
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// The port on 127.0.0.1; any free one if not given
    #[arg(long, default_value_t = 0, value_name = "P")]
    pub(crate) port: u16,
    /// Where the webhooks behind a Service are, as nothing runs in simulated pods; given as often
    /// as needed
    #[arg(long = "route", value_name = "NAMESPACE/NAME[:PORT]=127.0.0.1:PORT")]
    pub(crate) routes: Vec<Route>,
    /// Write everything that is stored here when it ends, to go on with later
    #[arg(long, value_name = "FILE")]
    pub(crate) snapshot: Option<Utf8PathBuf>,
    /// Go on with what `--snapshot` has kept, as after all machines were started again
    #[arg(long, value_name = "FILE")]
    pub(crate) restore: Option<Utf8PathBuf>,
    /// Write the kubeconfig here; else into a temporary folder. It is taken away at the end
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<Utf8PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DocsArgs {
    /// The folder to write to
    #[arg(default_value = "docs", value_name = "DIR")]
    pub(crate) folder: Utf8PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct MutantsArgs {
    /// At most this many seeds for each bug
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) trials: u64,
    /// Only bugs whose name (component/bug) contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// How many bugs are hunted side by side; all cores if not given
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// The folder of the scenarios
    #[arg(long, default_value = "fixtures/mutants", value_name = "DIR")]
    pub(crate) scenarios: Utf8PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    /// For how many seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub(crate) seconds: u64,
    /// How many trials run side by side; all cores if not given
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Measure API servers instead: the simulated one, in this process and over HTTPS
    #[arg(long)]
    pub(crate) api: bool,
    /// With `--api`: measure the one on this machine that this file leads to as well
    #[arg(long, value_name = "FILE", requires = "api")]
    pub(crate) against: Option<Utf8PathBuf>,
    /// With `--api`: how many pods are made, read, changed and deleted
    #[arg(long, default_value_t = 1_000, value_name = "N", requires = "api")]
    pub(crate) pods: usize,
    /// With `--api`: how many watches are open at once
    #[arg(long, default_value_t = 1_000, value_name = "N", requires = "api")]
    pub(crate) watchers: usize,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SoakArgs {
    #[command(flatten)]
    pub(crate) select: Selection,
    /// The first seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// How many seeds of each scenario, row and subject
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) trials: u64,
    /// How many trials run side by side; all cores if not given
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<usize>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct FidelityArgs {
    #[command(flatten)]
    pub(crate) select: Selection,
    /// The other provider
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub(crate) against: String,
    #[command(flatten)]
    pub(crate) real: ProviderArgs,
    /// The seed
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// How many real clusters run side by side
    #[arg(long, short, default_value_t = 2, value_name = "N")]
    pub(crate) jobs: usize,
    /// Only the first row of each scenario's matrix
    #[arg(long)]
    pub(crate) one_row: bool,
    /// Write the page here instead of printing it
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<Utf8PathBuf>,
}
