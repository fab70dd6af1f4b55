//! Requests in the name of others: whose that is stands in their headers (apiserver v0.36,
//! `endpoints/filters/impersonation`).

use std::collections::BTreeMap;

use http::HeaderMap;
use kubesim::api::User;
use kubesim_model::Text;
use kubesim_model::request::Status;

const USER: &str = "impersonate-user";
const UID: &str = "impersonate-uid";
const GROUP: &str = "impersonate-group";
const EXTRA: &str = "impersonate-extra-";

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
    let text = format!("requested {} without impersonating a user name", shown(&user));
    Err(Status::new(400, "BadRequest", text))
}

/// A user as Go shows it.
fn shown(user: &User) -> String {
    let list = |texts: &[Text]| match texts {
        [] => "[]string(nil)".to_owned(),
        texts => {
            let texts: Vec<String> = texts.iter().map(|text| format!("{:?}", &**text)).collect();
            format!("[]string{{{}}}", texts.join(", "))
        }
    };
    let extra = user.extra.iter().map(|(key, values)| format!("{:?}:{}", &**key, list(values)));
    let extra = match user.extra.is_empty() {
        true => "(nil)".to_owned(),
        false => format!("{{{}}}", extra.collect::<Vec<_>>().join(", ")),
    };
    format!(
        "&user.DefaultInfo{{Name:{:?}, UID:{:?}, Groups:{}, Extra:map[string][]string{extra}}}",
        &*user.name,
        &*user.uid,
        list(&user.groups)
    )
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
