//! Who sends a request, as authentication has found out.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;
use kubesim_model::{Text, map};

/// The group of everybody who is known.
const AUTHENTICATED: &str = "system:authenticated";

/// The API server itself.
pub(super) const API_SERVER: &str = "system:apiserver";

/// A user (apiserver v0.36, `authentication/user`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// The name, as in `system:node:worker-1`.
    pub name: Text,
    /// What tells users apart who have had this name; mostly nothing.
    pub uid: Text,
    /// The groups.
    pub groups: Vec<Text>,
    /// What else authentication has found out.
    pub extra: BTreeMap<Text, Vec<Text>>,
}

/// Who sends a request, and with what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The authenticated user.
    pub user: User,
    /// The user agent.
    pub user_agent: Text,
}

impl User {
    /// Who may do everything.
    pub const MASTERS: &'static str = "system:masters";
    /// The name of whoever shows nothing.
    pub const ANONYMOUS: &'static str = "system:anonymous";

    /// The user of this name, with the groups that it has in every cluster.
    pub fn named(name: impl Into<Text>) -> User {
        let name = name.into();
        let mut groups = match service_account(&name) {
            Some((namespace, _)) => service_account_groups(namespace),
            None if name.starts_with("system:node:") => vec![Text::new_static("system:nodes")],
            None => Vec::new(),
        };
        groups.push(Text::new_static(AUTHENTICATED));
        if name == API_SERVER {
            groups.push(Text::new_static(User::MASTERS));
        }
        User { name, groups, ..User::default() }
    }

    /// Whoever shows nothing.
    pub fn anonymous() -> User {
        let groups = vec![Text::new_static("system:unauthenticated")];
        User { name: Text::new_static(User::ANONYMOUS), groups, ..User::default() }
    }

    /// Whether it belongs to this group.
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|have| have == group)
    }

    /// What reviews call it: the user in a `spec`, whose name stands under `name`.
    pub(super) fn of_review(spec: &Tree, name: &str) -> User {
        let texts = |list: &Tree| -> Vec<Text> { list.items().iter().map(Tree::text).collect() };
        let extra = spec["extra"].fields().map(|(key, values)| (key.clone(), texts(values)));
        User {
            name: spec[name].text(),
            uid: spec["uid"].text(),
            groups: texts(&spec["groups"]),
            extra: extra.collect(),
        }
    }

    /// The user of a `TokenReview`.
    pub fn of_token_review(user: &Tree) -> User {
        User::of_review(user, "username")
    }

    /// `UserInfo`, as reviews, webhooks and policies are told.
    pub fn to_tree(&self) -> Tree {
        let mut user = map! { "username" => &self.name };
        self.describe(&mut user);
        user
    }

    /// Adds what is known besides the name.
    pub(super) fn describe(&self, to: &mut Tree) {
        let list =
            |texts: &[Text]| -> Tree { texts.iter().map(Tree::from).collect::<Vec<_>>().into() };
        if !self.uid.is_empty() {
            to.set(&["uid"], &self.uid);
        }
        if !self.groups.is_empty() {
            to.set(&["groups"], list(&self.groups));
        }
        for (key, values) in &self.extra {
            to.set(&["extra", key.as_str()], list(values));
        }
    }
}

impl From<&str> for User {
    fn from(name: &str) -> User {
        User::named(Text::new(name))
    }
}

/// Namespace and name of the service account that is a user of this name.
pub fn service_account(user: &str) -> Option<(&str, &str)> {
    let (namespace, name) = user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    (!name.contains(':')).then_some((namespace, name))
}

/// The groups of the service accounts of a namespace, besides that of everybody.
pub fn service_account_groups(namespace: &str) -> Vec<Text> {
    let own = Text::from(format!("system:serviceaccounts:{namespace}"));
    vec![Text::new_static("system:serviceaccounts"), own]
}
