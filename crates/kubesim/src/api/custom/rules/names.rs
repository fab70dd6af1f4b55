//! How names of fields are written in expressions (apiserver v0.36, `pkg/cel/escaping.go`).

/// Words that are no names in CEL.
const RESERVED: &[&str] = &[
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// The name of a field in expressions; `None` if it can't be written there.
pub(super) fn escaped(name: &str) -> Option<String> {
    if RESERVED.contains(&name) {
        return Some(format!("__{name}__"));
    }
    let first = name.chars().next()?;
    let letter = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    if first.is_ascii_digit() || !name.chars().all(letter) {
        return None;
    }
    let mut text = name.replace("__", "__underscores__");
    for (letter, word) in [(".", "__dot__"), ("-", "__dash__"), ("/", "__slash__")] {
        text = text.replace(letter, word);
    }
    Some(text)
}

/// The field that a name in an expression stands for.
pub(super) fn unescaped(name: &str) -> String {
    if !name.contains("__") {
        return name.to_owned();
    }
    let inside = name.strip_prefix("__").and_then(|rest| rest.strip_suffix("__"));
    if let Some(word) = inside.filter(|word| RESERVED.contains(word)) {
        return word.to_owned();
    }
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    let words =
        [("__underscores__", "__"), ("__dot__", "."), ("__dash__", "-"), ("__slash__", "/")];
    while !rest.is_empty() {
        if let Some((word, letter)) = words.iter().find(|(word, _)| rest.starts_with(word)) {
            text += letter;
            rest = &rest[word.len()..];
        } else {
            let end = rest.chars().next().map_or(0, char::len_utf8);
            text += &rest[..end];
            rest = &rest[end..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (name, written) in [
            ("replicas", "replicas"),
            ("namespace", "__namespace__"),
            ("a.b-c/d", "a__dot__b__dash__c__slash__d"),
            ("a__b", "a__underscores__b"),
            ("x_y", "x_y"),
        ] {
            assert_eq!(escaped(name).as_deref(), Some(written));
            assert_eq!(unescaped(written), name);
        }
        assert_eq!(escaped("1a"), None);
        assert_eq!(escaped("a b"), None);
    }
}
