//! Who may send requests in whose name (apiserver v0.36, `endpoints/filters/impersonation/mode.go`;
//! the gate `ConstrainedImpersonation` is on in v1.36): in one of four constrained ways, each for
//! certain users and for what is asked for, or in the old way, for everything.

use kubesim::api::{Access, Api, User, service_account, service_account_groups};
use kubesim_model::Text;
use kubesim_model::request::Status;

/// The group of the types that are about users.
const AUTHENTICATION: &str = "authentication.k8s.io";
/// What a token that is bound to a pod says of its node.
const NODE_NAME: &str = "authentication.kubernetes.io/node-name";
/// So many groups, or values of extra keys, are asked for together first.
const MANY: usize = 4;

/// A way to send requests in the name of others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// As the node that a service account's pod is on.
    AssociatedNode,
    /// As any node.
    ArbitraryNode,
    /// As a service account.
    ServiceAccount,
    /// As anybody else.
    UserInfo,
    /// The old way.
    Legacy,
}

/// In the order in which they are tried.
const MODES: [Mode; 5] =
    [Mode::AssociatedNode, Mode::ArbitraryNode, Mode::ServiceAccount, Mode::UserInfo, Mode::Legacy];

/// Who a request comes as, if its sender may send this in the name of the one who is wanted.
///
/// # Errors
/// 403: what the first way says that is for such a user.
pub(crate) fn impersonated(
    api: &Api,
    sender: &User,
    wanted: &User,
    access: &Access,
) -> Result<User, Status> {
    let mut first = None;
    for mode in MODES.into_iter().filter(|mode| mode.is_for(sender, wanted)) {
        match mode.check(api, sender, wanted, access) {
            Ok(()) => return Ok(mode.user(wanted)),
            Err(status) => {
                first.get_or_insert(status);
            }
        }
    }
    Err(first.expect("the old way is for everybody"))
}

impl Mode {
    /// What it is called in verbs; empty for the old way.
    fn name(self) -> &'static str {
        match self {
            Mode::AssociatedNode => "associated-node",
            Mode::ArbitraryNode => "arbitrary-node",
            Mode::ServiceAccount => "serviceaccount",
            Mode::UserInfo => "user-info",
            Mode::Legacy => "",
        }
    }

    fn is_for(self, sender: &User, wanted: &User) -> bool {
        let has_more =
            !(wanted.uid.is_empty() && wanted.groups.is_empty() && wanted.extra.is_empty());
        let (node, account) = (node_name(&wanted.name), service_account(&wanted.name));
        match self {
            Mode::AssociatedNode => {
                let own = sender.extra.get(NODE_NAME).map(Vec::as_slice).unwrap_or_default();
                let is_own = |node: &str| matches!(own, [own] if own == node);
                !has_more && service_account(&sender.name).is_some() && node.is_some_and(is_own)
            }
            Mode::ArbitraryNode => !has_more && node.is_some(),
            Mode::ServiceAccount => !has_more && account.is_some(),
            Mode::UserInfo => node.is_none() && account.is_none(),
            Mode::Legacy => true,
        }
    }

    /// Asks whether a sender may.
    fn check(self, api: &Api, sender: &User, wanted: &User, access: &Access) -> Result<(), Status> {
        if self != Mode::Legacy {
            let verb = Text::from(format!("impersonate-on:{}:{}", self.name(), access.verb));
            api.permit(sender, &Access { verb, ..access.clone() })?;
        }
        api.permit(sender, &self.as_user(&wanted.name))?;
        if !wanted.uid.is_empty() {
            api.permit(sender, &self.about(AUTHENTICATION, "uids", &wanted.uid))?;
        }
        self.check_groups(api, sender, wanted)?;
        self.check_extra(api, sender, wanted)
    }

    fn check_groups(self, api: &Api, sender: &User, wanted: &User) -> Result<(), Status> {
        let about = |name: &str| self.about(self.group(), "groups", name);
        if self != Mode::Legacy {
            if wanted.is_in("") {
                let why = "impersonating the empty string group is not allowed";
                return Err(about("").forbidden(sender, why));
            }
            if wanted.is_in(User::MASTERS) {
                let why = "impersonating the system:masters group is not allowed";
                return Err(about(User::MASTERS).forbidden(sender, why));
            }
            if wanted.groups.len() >= MANY && api.authorize(sender, &about("*")).allowed {
                return Ok(());
            }
        }
        wanted.groups.iter().try_for_each(|group| api.permit(sender, &about(group)))
    }

    fn check_extra(self, api: &Api, sender: &User, wanted: &User) -> Result<(), Status> {
        let about = |key: &str, value: &str| {
            let access = self.about(AUTHENTICATION, "userextras", value);
            Access { subresource: Text::new(key), ..access }
        };
        let mut all = wanted
            .extra
            .iter()
            .flat_map(|(key, values)| values.iter().map(move |value| about(key, value)));
        if self != Mode::Legacy {
            if let Some(why) = wanted.extra.iter().find_map(|(key, values)| flaw(key, values)) {
                return Err(about("", "").forbidden(sender, &why));
            }
            let count = wanted.extra.values().map(Vec::len).sum::<usize>();
            if count >= MANY && api.authorize(sender, &about("*", "*")).allowed {
                return Ok(());
            }
        }
        all.try_for_each(|access| api.permit(sender, &access))
    }

    /// The access to a user's name.
    fn as_user(self, name: &Text) -> Access {
        if let Some(node) = node_name(name).filter(|_| self != Mode::Legacy) {
            // Whose node it is has been looked at already.
            let node = if self == Mode::AssociatedNode { "*" } else { node };
            return self.about(self.group(), "nodes", node);
        }
        match service_account(name) {
            Some((namespace, name)) => {
                let access = self.about(self.group(), "serviceaccounts", name);
                Access { namespace: Text::new(namespace), ..access }
            }
            None => self.about(self.group(), "users", name),
        }
    }

    /// The group of names and groups of users.
    fn group(self) -> &'static str {
        if self == Mode::Legacy { "" } else { AUTHENTICATION }
    }

    fn about(self, group: &'static str, resource: &'static str, name: &str) -> Access {
        let verb = match self {
            Mode::Legacy => Text::new_static("impersonate"),
            _ => Text::from(format!("impersonate:{}", self.name())),
        };
        let (group, resource) = (Text::new_static(group), Text::new_static(resource));
        Access { verb, group, resource, name: Text::new(name), ..Access::default() }
    }

    /// Who comes.
    fn user(self, wanted: &User) -> User {
        let mut user = wanted.clone();
        if node_name(&user.name).is_some() && self != Mode::Legacy {
            user.groups = vec![Text::new_static("system:nodes")];
        }
        if let (Some((namespace, _)), []) = (service_account(&wanted.name), &*wanted.groups) {
            user.groups = service_account_groups(namespace);
        }
        let is_nobody = user.is_in("system:unauthenticated");
        let group = match user.name == User::ANONYMOUS {
            true => "system:unauthenticated",
            false if is_nobody => return user,
            false => "system:authenticated",
        };
        if !user.is_in(group) {
            user.groups.push(Text::new_static(group));
        }
        user
    }
}

/// The node that is a user of this name.
fn node_name(user: &str) -> Option<&str> {
    let name = user.strip_prefix("system:node:")?;
    let is_part = |part: &str| {
        let inner = part
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        !part.is_empty() && inner && !part.starts_with('-') && !part.ends_with('-')
    };
    (name.len() <= 253 && name.split('.').all(is_part)).then_some(name)
}

/// What is wrong with an extra key and its values.
fn flaw(key: &str, values: &[Text]) -> Option<String> {
    let is_prefixed = key.split_once('/').is_some_and(|(domain, path)| {
        node_name(&format!("system:node:{domain}")).is_some() && !path.is_empty()
    });
    if key.is_empty() {
        return Some("impersonating the empty string key in extra is not allowed".to_owned());
    }
    if !is_prefixed {
        return Some(format!(
            "impersonating an invalid key in extra is not allowed: extra.key: Invalid value: \
             {key:?}: must be a domain-prefixed path (such as \"acme.io/foo\")"
        ));
    }
    let is_empty = values.iter().any(|value| value.is_empty());
    is_empty.then(|| "impersonating the empty string value in extra is not allowed".to_owned())
}
