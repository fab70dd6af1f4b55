//! The ways to run a subject: what may stand under `run` of a subject file, and its typed form.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use kubesim_model::Text;
use kubesim_model::tree::Tree;

use super::located::Located;
use super::vocabulary::{Entry, Param, ParamKind};

/// How a subject is run.
#[derive(Clone, Debug, PartialEq)]
pub enum Run {
    /// The cluster brings it along: the built-in controllers.
    Builtin {
        /// The bug to plant, as `controller/bug` or `bug`.
        bug: Option<Located<Text>>,
    },
    /// One of our reference controllers, as an actor.
    Reference {
        /// Its name.
        actor: Located<Text>,
        /// The bug to plant.
        bug: Option<Located<Text>>,
    },
    /// A controller that a program using this library registers under this name.
    InProcess(Located<Text>),
    /// A program beside the cluster.
    Command(Command),
    /// A container image in the cluster.
    Image(Image),
    /// Whatever these objects run in the cluster.
    Manifests(Vec<Tree>),
    /// Whatever the objects run that another tool makes.
    Rendered(Rendering),
}

/// A program that is started beside the cluster with a kubeconfig of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The program and its arguments.
    pub command: Vec<Text>,
    /// Further environment variables.
    pub env: BTreeMap<Text, Text>,
    /// What it may do, as RBAC rules; everything without.
    pub permissions: Option<Vec<Tree>>,
    /// The folder of the subject's file: it runs there, and a program with a slash stands there.
    pub folder: Utf8PathBuf,
}

/// A container image that is run as a Deployment in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The image.
    pub image: Located<Text>,
    /// Its arguments.
    pub args: Vec<Text>,
    /// Its environment variables.
    pub env: BTreeMap<Text, Text>,
    /// What it may do, as RBAC rules; everything without.
    pub permissions: Option<Vec<Tree>>,
}

/// Objects that a tool makes of what lies in a folder, when they are installed.
#[derive(Clone, Debug, PartialEq)]
pub enum Rendering {
    /// `kubectl kustomize FOLDER`.
    Kustomize(Located<Utf8PathBuf>),
    /// `helm template`.
    Chart(Chart),
}

/// A Helm chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// The folder of the chart, or its package.
    pub chart: Located<Utf8PathBuf>,
    /// A file of values.
    pub values: Option<Utf8PathBuf>,
    /// The name of the release.
    pub release: Text,
    /// The namespace that the release is for.
    pub namespace: Text,
}

const PERMISSIONS: Param = Param::new(
    "permissions",
    ParamKind::Any,
    "What it may do: a list of the rules of a ClusterRole; everything without it.",
);
const ENV: Param = Param::new("env", ParamKind::Any, "Environment variables: names to texts.");

/// The namespace of what is not told another one.
pub const NAMESPACE: &str = "shakedown-system";

/// Everything that may stand under `run`. Instead of the mapping of a way's parameters its first
/// parameter alone may be given.
pub const WAYS: &[Entry] = &[
    Entry {
        name: "builtin",
        doc: "The controllers that every cluster has.",
        params: &[Param::new("bug", ParamKind::Text, "The bug to plant, as `controller/bug`.")],
    },
    Entry {
        name: "reference",
        doc: "One of Shakedown's reference controllers, inside the harness.",
        params: &[
            Param::new("actor", ParamKind::Text, "Its name.").required(),
            Param::new("bug", ParamKind::Text, "The bug to plant."),
        ],
    },
    Entry {
        name: "inProcess",
        doc: "A kube-rs controller that the test program registers, inside its process.",
        params: &[Param::new("name", ParamKind::Text, "The name it has there.").required()],
    },
    Entry {
        name: "command",
        doc: "A program beside the cluster, with a KUBECONFIG of a service account of its own.",
        params: &[
            Param::new("command", ParamKind::Texts, "The program and its arguments.").required(),
            ENV,
            PERMISSIONS,
        ],
    },
    Entry {
        name: "image",
        doc: "A container image in the cluster, as a Deployment with a service account.",
        params: &[
            Param::new("image", ParamKind::Text, "The image, with a tag.").required(),
            Param::new("args", ParamKind::Texts, "The arguments of its program."),
            ENV,
            PERMISSIONS,
        ],
    },
    Entry {
        name: "manifests",
        doc: "Whatever these manifests run in the cluster.",
        params: &[Param::new(
            "files",
            ParamKind::Texts,
            "Files, or folders with the files in them.",
        )
        .required()],
    },
    Entry {
        name: "kustomize",
        doc: "Whatever runs of what `kubectl kustomize` makes.",
        params: &[
            Param::new("folder", ParamKind::Text, "The folder of the kustomization.").required()
        ],
    },
    Entry {
        name: "chart",
        doc: "Whatever runs of what `helm template` makes.",
        params: &[
            Param::new("chart", ParamKind::Text, "The folder of the chart, or its package.")
                .required(),
            Param::new("values", ParamKind::Text, "A file of values."),
            Param::new("release", ParamKind::Text, "The name of the release; the subject's name."),
            Param::new("namespace", ParamKind::Text, "The namespace of the release.")
                .default(NAMESPACE),
        ],
    },
];
