//! Requests in the name of others: who is wanted, and who may come as him (apiserver v0.36,
//! `endpoints/filters/impersonation`, with the gate `ConstrainedImpersonation` as it is by default).

use std::collections::BTreeMap;

use http::HeaderMap;
use kubesim::api::{Access, Api, User, service_account, service_account_groups};
use kubesim_model::Text;
use kubesim_model::request::Status;

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";

/// The group of the types that are about users.
const AUTHENTICATION: &str = "authentication.k8s.io";

/// The user in whose name a request comes; `None` if it comes in its own.
///
/// # Errors
/// 400 if it does not say in whose.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Option<User>, Status> {
    let texts = |name: &str| -> Vec<Text> {
        let values = headers.get_all(name).iter();
        values.map(|value| value.to_str().map(Text::new).unwrap_or_default()).collect()
    };
    let first = |name: &str| texts(name).into_iter().next().unwrap_or_default();
    let mut extra: BTreeMap<Text, Vec<Text>> = BTreeMap::new();
    for name in headers.keys() {
        if let Some(key) = name.as_str().strip_prefix(EXTRA) {
            extra.insert(Text::from(unescaped(key)), texts(name.as_str()));
        }
    }
    let user = User { name: first(USER), uid: first(UID), groups: texts(GROUP), extra };
    if !user.name.is_empty() {
        return Ok(Some(user));
    }
    if user == User::default() {
        return Ok(None);
    }
    let text = "requested impersonation without impersonating a user name";
    Err(Status::new(400, "BadRequest", text))
}

/// Bytes that are written as `%2f`.
fn unescaped(key: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = key.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| key.to_owned())
}

/// Who a request comes as, if its sender may come as the one who is wanted.
///
/// # Errors
/// 403.
pub(crate) fn impersonated(
    api: &Api,
    sender: &User,
    wanted: &User,
    access: &Access,
) -> Result<User, Status> {
    admitted(api, sender, wanted)?;
    let mut user = wanted.clone();
    if let (Some((namespace, _)), []) = (service_account(&wanted.name), &*wanted.groups) {
        user.groups = service_account_groups(namespace);
    }
    let _ = access;
    let missing = match (user.name == User::ANONYMOUS, user.is_in("system:unauthenticated")) {
        (true, false) => "system:unauthenticated",
        (false, false) if !user.is_in("system:authenticated") => "system:authenticated",
        _ => return Ok(user),
    };
    user.groups.push(Text::new_static(missing));
    Ok(user)
}

/// Asks whether a sender may be all that is wanted.
fn admitted(api: &Api, sender: &User, wanted: &User) -> Result<(), Status> {
    let about = |group: &'static str, resource: &'static str, name: &Text| Access {
        verb: Text::new_static("impersonate"),
        group: Text::new_static(group),
        resource: Text::new_static(resource),
        name: name.clone(),
        ..Access::default()
    };
    let mut asked = vec![match service_account(&wanted.name) {
        Some((namespace, name)) => Access {
            namespace: Text::new(namespace),
            ..about("", "serviceaccounts", &Text::new(name))
        },
        None => about("", "users", &wanted.name),
    }];
    asked.extend(wanted.groups.iter().map(|group| about("", "groups", group)));
    for (key, values) in &wanted.extra {
        let extras = values.iter().map(|value| about(AUTHENTICATION, "userextras", value));
        asked.extend(extras.map(|access| Access { subresource: key.clone(), ..access }));
    }
    if !wanted.uid.is_empty() {
        asked.push(about(AUTHENTICATION, "uids", &wanted.uid));
    }
    asked.iter().try_for_each(|access| api.permit(sender, access))
}
