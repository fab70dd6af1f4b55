//! All reference controllers by name, for whoever puts them into a cluster.

use kubesim_model::Text;
use kubesim_model::actor::Actor;
use kubesim_model::tree::Tree;

use crate::{cloneset, ticket};

/// How an actor is made.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// One in the cluster; the argument names a planted bug.
    Cluster(fn(Option<&str>) -> Box<dyn Actor>),
    /// One on each node, with access to its host; the argument is the node's name.
    Node(fn(Text) -> Box<dyn Actor>),
}

/// A reference controller.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its name, also of its role: `cloneset`, `ticket`, `ticket-agent`.
    pub name: &'static str,
    /// How it is made.
    pub make: Make,
    /// The bugs that can be planted: name, and what it does wrong.
    pub bugs: &'static [(&'static str, &'static str)],
    /// The CustomResourceDefinitions that must be there first.
    pub crds: fn() -> Vec<Tree>,
}

impl Entry {
    /// Whether there is one on each node.
    pub fn node_scoped(&self) -> bool {
        matches!(self.make, Make::Node(_))
    }
}

/// All reference controllers.
pub fn actors() -> Vec<Entry> {
    vec![
        Entry {
            name: "cloneset",
            make: Make::Cluster(cloneset::actor),
            bugs: cloneset::BUGS,
            crds: || vec![cloneset::crd()],
        },
        Entry {
            name: "ticket",
            make: Make::Cluster(ticket::workflow),
            bugs: ticket::BUGS,
            crds: Vec::new,
        },
        Entry { name: "ticket-agent", make: Make::Node(ticket::agent), bugs: &[], crds: Vec::new },
    ]
}
