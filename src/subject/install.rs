//! What a cluster needs so that a subject runs in it: programs, definitions, planted bugs.

use std::collections::BTreeMap;
use std::sync::Arc;

use kubesim_model::resource::Resource;
use kubesim_model::tree::Tree;
use kubesim_model::{Text, list, map};
use reference::registry::{Entry, Make};
use thiserror::Error;

use super::account::{account, account_objects, deployment};
use super::rendering;
use crate::cluster::Program;
use crate::suite::Subject;
use crate::suite::ways::{Command, Run};

/// Programs that a user of this library registers, by the name that subject files use.
pub type Programs = BTreeMap<Text, Program>;

/// The programs that the library brings: the reference CloneSet controller on kube-rs.
pub fn programs() -> Programs {
    let name = Text::new_static("cloneset-kube");
    let program = Program::Client {
        name: name.clone(),
        user: Text::from(format!("system:serviceaccount:shakedown-system:{name}")),
        user_agent: name.clone(),
        start: Arc::new(|client| Box::pin(cloneset_kube::run(client))),
    };
    [(name, program)].into()
}

/// What is to be done before a subject can be tested.
#[derive(Clone, Debug, Default)]
pub struct Installation {
    /// Objects to create first: its CustomResourceDefinitions.
    pub objects: Vec<Tree>,
    /// Programs to start.
    pub programs: Vec<Program>,
    /// Bugs to plant in components of the cluster: component and bug.
    pub bugs: Vec<(Text, Text)>,
}

/// Why a subject can't be installed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum InstallError {
    /// There is no such controller.
    #[error("there is no {kind} controller `{name}`; there are {known}")]
    NoSuchProgram {
        /// `reference` or `in-process`.
        kind: &'static str,
        /// The name.
        name: Text,
        /// Those that there are.
        known: String,
    },
    /// The tool that makes its objects is not there, or fails.
    #[error("`{program}` can't make its manifests: {why}")]
    Rendering {
        /// The tool.
        program: &'static str,
        /// What it says.
        why: String,
    },
}

/// What has to be done for `subject` on a cluster with these nodes.
///
/// # Errors
/// The subject names a program that does not exist, or a tool that it needs fails.
pub fn installation(
    subject: &Subject,
    programs: &Programs,
    nodes: &[Text],
) -> Result<Installation, InstallError> {
    let mut installation = Installation::default();
    let name = &subject.name.value;
    match &subject.run {
        Run::Builtin { bug } => {
            if let Some(bug) = bug {
                let (component, bug) = bug.split_once('/').unwrap_or(("", bug.as_str()));
                installation.bugs.push((Text::new(component), Text::new(bug)));
            }
            return Ok(installation);
        }
        Run::Reference { actor, bug } => {
            let bug = bug.as_ref().map(|bug| bug.value.clone());
            reference(actor, bug, nodes, &mut installation)?;
        }
        Run::InProcess(named) => {
            let program =
                programs.get(&named.value).ok_or_else(|| InstallError::NoSuchProgram {
                    kind: "in-process",
                    name: named.value.clone(),
                    known: listed(programs.keys().map(Text::as_str)),
                })?;
            installation.programs.push(program.clone());
        }
        Run::Command(command) => installation.programs.push(beside(name, command)),
        Run::Image(image) => {
            let mut objects = account_objects(name, image.permissions.as_deref());
            objects.push(deployment(name, image));
            installation.programs.push(Program::Objects { name: name.clone(), objects });
        }
        Run::Manifests(objects) => {
            let (name, objects) = (name.clone(), objects.clone());
            installation.programs.push(Program::Objects { name, objects });
        }
        Run::Rendered(rendering) => {
            let objects = rendering::objects(rendering)?;
            installation.programs.push(Program::Objects { name: name.clone(), objects });
        }
    }
    if installation.objects.is_empty() && is_custom(subject) && !is_brought(&installation, subject)
    {
        installation.objects.push(definition(subject));
    }
    Ok(installation)
}

/// Adds the reference controller `name`, and those that belong to it (`ticket-agent` to `ticket`).
fn reference(
    name: &str,
    bug: Option<Text>,
    nodes: &[Text],
    installation: &mut Installation,
) -> Result<(), InstallError> {
    let all = reference::actors();
    if !all.iter().any(|entry| entry.name == name) {
        return Err(InstallError::NoSuchProgram {
            kind: "reference",
            name: Text::new(name),
            known: listed(all.iter().map(|entry| entry.name)),
        });
    }
    let helper = format!("{name}-");
    let belongs = |entry: &&Entry| entry.name == name || entry.name.starts_with(&helper);
    for entry in all.iter().filter(belongs) {
        installation.objects.extend((entry.crds)());
        let bug = bug.clone().filter(|bug| entry.bugs.iter().any(|(known, _)| known == bug));
        match entry.make {
            Make::Cluster(make) => {
                let start = Arc::new(move || make(bug.as_deref()));
                installation.programs.push(in_process(entry.name, None, start));
            }
            Make::Node(make) => {
                for node in nodes.iter().cloned() {
                    let name = node.clone();
                    let start = Arc::new(move || make(name.clone()));
                    installation.programs.push(in_process(entry.name, Some(node), start));
                }
            }
        }
    }
    Ok(())
}

/// A program beside the cluster.
fn beside(name: &Text, command: &Command) -> Program {
    let Command { command, env, permissions, folder } = command;
    Program::Command {
        name: name.clone(),
        argv: command.clone(),
        env: env.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        folder: folder.clone(),
        account: account(name),
        objects: account_objects(name, permissions.as_deref()),
    }
}

fn in_process(
    name: &str,
    node: Option<Text>,
    start: Arc<dyn Fn() -> Box<dyn kubesim_model::actor::Actor> + Send + Sync>,
) -> Program {
    Program::InProcess {
        name: match &node {
            Some(node) => Text::from(format!("{name}/{node}")),
            None => Text::new(name),
        },
        user: Text::from(format!("system:serviceaccount:shakedown-system:{name}")),
        user_agent: Text::new(name),
        node,
        start,
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Whether the subject's workload is of a kind that Kubernetes does not bring.
fn is_custom(subject: &Subject) -> bool {
    let resource = super::workload_resource(subject);
    resource.group().contains('.') && !resource.group().ends_with(".k8s.io")
}

/// Whether the subject's own objects define its workload.
fn is_brought(installation: &Installation, subject: &Subject) -> bool {
    let resource = super::workload_resource(subject);
    let mut objects = installation.programs.iter().flat_map(|program| match program {
        Program::Objects { objects, .. } => objects.as_slice(),
        _ => &[],
    });
    objects.any(|object| {
        object["kind"] == "CustomResourceDefinition"
            && object["metadata"]["name"] == resource.as_str()
    })
}

/// A CustomResourceDefinition for the subject's workload that admits every field.
fn definition(subject: &Subject) -> Tree {
    let resource: Resource = super::workload_resource(subject);
    let kind = subject.workload.kind.as_str();
    let version = subject.workload.api_version.split_once('/').map_or("v1", |(_, version)| version);
    let open = map! { "type" => "object", "x-kubernetes-preserve-unknown-fields" => true };
    map! {
        "apiVersion" => "apiextensions.k8s.io/v1", "kind" => "CustomResourceDefinition",
        "metadata" => map! { "name" => resource.as_str() },
        "spec" => map! {
            "group" => resource.group(), "scope" => "Namespaced",
            "names" => map! {
                "plural" => resource.plural(), "singular" => kind.to_lowercase(), "kind" => kind,
                "listKind" => format!("{kind}List"),
            },
            "versions" => list![map! {
                "name" => version, "served" => true, "storage" => true,
                "schema" => map! { "openAPIV3Schema" => map! {
                    "type" => "object",
                    "properties" => map! { "spec" => &open, "status" => &open },
                } },
                "subresources" => map! {
                    "status" => map! {},
                    "scale" => map! {
                        "specReplicasPath" => ".spec.replicas",
                        "statusReplicasPath" => ".status.replicas",
                        "labelSelectorPath" => ".status.labelSelector",
                    },
                },
            }],
        },
    }
}
