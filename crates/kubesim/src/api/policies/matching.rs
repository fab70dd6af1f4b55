//! Which requests a policy or a binding is about (apiserver v0.36, `policy/matching`, and the
//! rules of webhooks, which are the same).

use kubesim_model::request::Request;
use kubesim_model::resource::Resource;
use kubesim_model::selector;
use kubesim_model::tree::Tree;

use crate::api::identity::User;
use crate::api::registry::Type;

/// What a request does, as admission sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

impl Operation {
    /// As policies name it.
    pub(in crate::api) fn name(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }
}

/// The type of what a subresource is sent, where it is not that of the object: its group, its
/// version and its kind.
pub(in crate::api) type Form = (&'static str, &'static str, &'static str);

/// What admission is asked about: an operation, and the object that it makes of an old one.
#[derive(Clone, Copy)]
pub(in crate::api) struct Subject<'a> {
    /// What is done.
    pub(in crate::api) operation: Operation,
    /// The type of both, if it is another one than that of the request's resource.
    pub(in crate::api) form: Option<Form>,
    /// The last state; `Null` for new objects.
    pub(in crate::api) old: &'a Tree,
    /// The object as it will be stored; `Null` for deletes.
    pub(in crate::api) object: &'a Tree,
}

impl<'a> Subject<'a> {
    /// A new object.
    pub(in crate::api) fn create(object: &'a Tree) -> Subject<'a> {
        Subject { operation: Operation::Create, form: None, old: &Tree::Null, object }
    }

    /// A changed object.
    pub(in crate::api) fn update(old: &'a Tree, object: &'a Tree) -> Subject<'a> {
        Subject { operation: Operation::Update, form: None, old, object }
    }

    /// An object that goes.
    pub(in crate::api) fn delete(old: &'a Tree) -> Subject<'a> {
        Subject { operation: Operation::Delete, form: None, old, object: &Tree::Null }
    }

    /// A connection that is opened with these options.
    pub(in crate::api) fn connect(object: &'a Tree) -> Subject<'a> {
        Subject { operation: Operation::Connect, form: None, old: &Tree::Null, object }
    }

    /// The same, of another type than the request's resource.
    pub(in crate::api) fn of(self, form: Form) -> Subject<'a> {
        Subject { form: Some(form), ..self }
    }
}

/// A request as admission sees it.
#[derive(Clone, Copy)]
pub(in crate::api) struct Attributes<'a> {
    /// What it does.
    pub(in crate::api) operation: Operation,
    /// The type of what is sent, if it is not the object's.
    pub(in crate::api) form: Option<Form>,
    /// The type of the object.
    pub(in crate::api) kind: &'a Type,
    /// The request.
    pub(in crate::api) request: &'a Request,
    /// The object as it will be stored; `Null` for deletes.
    pub(in crate::api) object: &'a Tree,
    /// Its last state; `Null` for new objects.
    pub(in crate::api) old: &'a Tree,
    /// The namespace of the object; `Null` if it is in none.
    pub(in crate::api) namespace: &'a Tree,
    /// The user that asks.
    pub(in crate::api) user: &'a User,
}

impl Attributes<'_> {
    /// The object's name; empty before it is generated, and for collections.
    pub(in crate::api) fn name(&self) -> &str {
        match self.request.key.name.as_str() {
            "" => self.object["metadata"]["name"].str(),
            name => name,
        }
    }

    /// The namespace of the request; namespaces are in themselves.
    pub(in crate::api) fn namespace_name(&self) -> &str {
        if self.kind.resource == Resource::NAMESPACES {
            return self.name();
        }
        &self.request.key.namespace
    }

    /// The version that was asked for, as in `v1`.
    pub(in crate::api) fn version(&self) -> &str {
        self.kind.versions.first().map_or("v1", |version| version.as_str())
    }

    /// Whether the criteria of a policy or binding are met; those that say nothing are.
    pub(in crate::api) fn meets(&self, criteria: &Tree) -> bool {
        let rules = criteria["resourceRules"].items();
        self.namespace_fits(&criteria["namespaceSelector"])
            && self.object_fits(&criteria["objectSelector"])
            && !criteria["excludeResourceRules"].items().iter().any(|rule| self.is_ruled(rule))
            && (rules.is_empty() || rules.iter().any(|rule| self.is_ruled(rule)))
    }

    /// Whether a selector of namespaces selects the object's; all others are.
    pub(in crate::api) fn namespace_fits(&self, wanted: &Tree) -> bool {
        if is_empty(wanted) {
            return true;
        }
        if self.kind.resource == Resource::NAMESPACES {
            let of = if self.object.is_null() { self.old } else { self.object };
            return selector::selects(wanted, &of["metadata"]["labels"]);
        }
        self.namespace.is_null() || selector::selects(wanted, &self.namespace["metadata"]["labels"])
    }

    /// Whether a selector selects the object or its last state.
    pub(in crate::api) fn object_fits(&self, wanted: &Tree) -> bool {
        let fits = |object: &Tree| {
            !object.is_null() && selector::selects(wanted, &object["metadata"]["labels"])
        };
        is_empty(wanted) || fits(self.object) || fits(self.old)
    }

    fn is_ruled(&self, rule: &Tree) -> bool {
        let group = self.kind.resource.group();
        self.kind.versions.iter().any(|version| self.is_ruled_as(rule, group, version))
    }

    /// Whether a rule is about the request, if its resource has this group and version.
    pub(in crate::api) fn is_ruled_as(&self, rule: &Tree, group: &str, version: &str) -> bool {
        let has = |field: &str, value: &str| {
            rule[field].items().iter().any(|have| *have == "*" || *have == value)
        };
        let names = rule["resourceNames"].items();
        let resource = self.kind.resource.plural();
        let subresource = self.request.subresource.as_str();
        let named = |have: &Tree| {
            let (own, below) = have.str().split_once('/').unwrap_or((have.str(), ""));
            (own == "*" || own == resource) && (below == "*" || below == subresource)
        };
        let namespaced =
            self.kind.resource != Resource::NAMESPACES && !self.request.key.namespace.is_empty();
        let scope = match rule["scope"].str() {
            "Namespaced" => namespaced,
            "Cluster" => !namespaced,
            _ => true,
        };
        scope
            && has("operations", self.operation.name())
            && has("apiGroups", group)
            && has("apiVersions", version)
            && rule["resources"].items().iter().any(named)
            && (names.is_empty() || names.iter().any(|name| *name == self.name()))
    }
}

/// Whether a selector selects everything.
fn is_empty(selector: &Tree) -> bool {
    selector["matchLabels"].fields().next().is_none()
        && selector["matchExpressions"].items().is_empty()
}
