//! Users and their tokens, in the form of kube-apiserver's `--token-auth-file` (apiserver v0.36,
//! `authentication/token/tokenfile`): lines of CSV, `TOKEN,NAME,UID,"GROUP,GROUP"`.

use kubesim::api::User;
use kubesim_model::Text;
use thiserror::Error;

/// A line that is none of such a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("line {0} is not TOKEN,NAME,UID or TOKEN,NAME,UID,\"GROUP,GROUP\"")]
pub struct TokenFileError(pub usize);

/// Reads such a file: each token, and whose it is.
///
/// # Errors
/// The first line that has another form.
pub fn read_tokens(text: &str) -> Result<Vec<(String, User)>, TokenFileError> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(at, line)| user(line).ok_or(TokenFileError(at + 1))).collect()
}

fn user(line: &str) -> Option<(String, User)> {
    let fields = fields(line)?;
    let [token, name, uid, more @ ..] = fields.as_slice() else { return None };
    if token.is_empty() || more.len() > 1 {
        return None;
    }
    let mut groups: Vec<Text> =
        more.iter().flat_map(|groups| groups.split(',')).map(Text::new).collect();
    groups.push(Text::new_static("system:authenticated"));
    let (name, uid) = (Text::new(name), Text::new(uid));
    Some((token.clone(), User { name, uid, groups, ..User::default() }))
}

/// The fields of a line; those in quotes may hold commas.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut rest) = (Vec::new(), line);
    loop {
        let trimmed = rest.trim_start();
        let (field, after) = match trimmed.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = quoted.split_once('"')?;
                (field, after.trim_start())
            }
            None => {
                let end = trimmed.find(',').unwrap_or(trimmed.len());
                (trimmed[..end].trim_end(), &trimmed[end..])
            }
        };
        fields.push(field.to_owned());
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_token_and_its_user() {
        let read = read_tokens("# comment\nt1,alice,7,\"dev,ops\"\n\nt2, bob,\n").unwrap();
        let told = |at: usize| {
            let (token, user) = &read[at];
            let groups: Vec<&str> = user.groups.iter().map(Text::as_str).collect();
            (token.as_str(), user.name.as_str(), user.uid.as_str(), groups.join(" "))
        };
        assert_eq!(told(0), ("t1", "alice", "7", "dev ops system:authenticated".to_owned()));
        assert_eq!(told(1), ("t2", "bob", "", "system:authenticated".to_owned()));
    }

    #[test]
    fn what_is_no_such_line_is_refused_with_its_number() {
        for line in ["t1", "t1,alice", ",alice,", "t1,a,b,\"c", "t1,a,b,\"c\"d", "t,a,b,c,d"] {
            assert_eq!(
                read_tokens(&format!("t,n,u\n{line}")).unwrap_err(),
                TokenFileError(2),
                "{line}"
            );
        }
    }
}
