//! Variables in commands and scripts: those of the container's environment, and sums of them.

use std::collections::BTreeMap;

use kubesim_model::tree::Tree;

/// Values by the name of a variable.
pub(super) type Variables = BTreeMap<String, String>;

/// The variables of a container whose values are known.
pub(super) fn of(spec: &Tree) -> Variables {
    let known = spec["env"].items().iter().filter(|variable| variable["valueFrom"].is_null());
    let pair = |variable: &Tree| (variable["name"].str().into(), variable["value"].str().into());
    known.map(pair).collect()
}

/// A word of a command with `$(NAME)` replaced, as the kubelet does.
pub(super) fn in_command(word: &str, variables: &Variables) -> String {
    variables
        .iter()
        .fold(word.to_owned(), |word, (name, value)| word.replace(&format!("$({name})"), value))
}

/// A script with `$NAME`, `${NAME}` and `$((…))` replaced, as a shell does. What is not known
/// stays as it is.
pub(super) fn in_script(text: &str, variables: &Variables) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        plain.push_str(before);
        let (value, left) = replaced(after, variables).unwrap_or_else(|| ("$".into(), after));
        plain.push_str(&value);
        rest = left;
    }
    plain + rest
}

/// The value of what follows a `$`, and the text after it.
fn replaced<'t>(text: &'t str, variables: &Variables) -> Option<(String, &'t str)> {
    if let Some(sum) = text.strip_prefix("((") {
        let (sum, rest) = sum.split_once("))")?;
        return Some((calculated(sum, variables)?.to_string(), rest));
    }
    if let Some(braced) = text.strip_prefix('{') {
        let (name, rest) = braced.split_once('}')?;
        return Some((variables.get(name)?.clone(), rest));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    Some((variables.get(name)?.clone(), rest))
}

/// The result of `A OP B`, or of a number alone.
fn calculated(text: &str, variables: &Variables) -> Option<i64> {
    let text = in_script(text, variables);
    let number = |text: &str| {
        let text = text.trim();
        text.parse().ok().or_else(|| variables.get(text)?.parse::<i64>().ok())
    };
    let Some(at) = text.rfind(['+', '-', '*', '/', '%']).filter(|at| *at > 0) else {
        return number(&text);
    };
    let (a, b) = (number(&text[..at])?, number(&text[at + 1..])?);
    match &text[at..=at] {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" => a.checked_div(b),
        _ => a.checked_rem(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_replaced_and_the_rest_stays() {
        let variables = Variables::from([("INDEX".to_owned(), "7".to_owned())]);
        for (script, wanted) in [
            ("exit $INDEX", "exit 7"),
            ("exit ${INDEX}0", "exit 70"),
            ("exit $((INDEX % 2))", "exit 1"),
            ("exit $(( $INDEX + 1 ))", "exit 8"),
            ("exit $OTHER", "exit $OTHER"),
            ("echo $(date); exit $((INDEX / 0))", "echo $(date); exit $((INDEX / 0))"),
        ] {
            assert_eq!(in_script(script, &variables), wanted);
        }
        assert_eq!(in_command("--shard=$(INDEX)", &variables), "--shard=7");
    }
}
