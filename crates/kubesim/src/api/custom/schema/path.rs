//! Paths of fields in a schema: `.spec.color`, `.spec['a.b']` (apiextensions-apiserver v0.36,
//! `apiserver/schema/cel` `ValidFieldPath`).

use super::node::{Additional, Schema};

impl Schema {
    /// The node that a path leads to, and the path as causes tell it.
    ///
    /// # Errors
    /// Why it leads nowhere.
    pub(in crate::api) fn at_path(
        &self,
        path: &str,
        brackets: bool,
    ) -> Result<(&Schema, String), String> {
        let (mut node, mut told, mut rest) = (self, String::new(), path);
        while !rest.is_empty() {
            let (name, after) = if let Some(inside) = rest.strip_prefix('[') {
                if !brackets {
                    return Err("array notation is not allowed".to_owned());
                }
                quoted(inside)?
            } else if let Some(name) = rest.strip_prefix('.') {
                let end = name.find(['.', '[', ']']).unwrap_or(name.len());
                if end == 0 {
                    return Err(match name.chars().next() {
                        None => "unexpected end of JSON path".to_owned(),
                        Some(_) => "does not refer to a valid field".to_owned(),
                    });
                }
                (name[..end].to_owned(), &name[end..])
            } else {
                let end = rest.find(['.', '[', ']']).unwrap_or(rest.len()).max(1);
                let token = rest.get(..end).unwrap_or(rest);
                return Err(format!("expected [ or . but got: {token}"));
            };
            node = if node.properties.is_empty() {
                match &node.additional {
                    Some(Additional::Of(of)) => {
                        told += &format!("[{name}]");
                        of
                    }
                    _ => return Err("does not refer to a valid field".to_owned()),
                }
            } else {
                let dot = if told.is_empty() { "" } else { "." };
                told += &format!("{dot}{name}");
                let found = node.properties.get(name.as_str());
                found.ok_or_else(|| "does not refer to a valid field".to_owned())?
            };
            rest = after;
        }
        Ok((node, told))
    }
}

/// A name in quotes and the bracket after it.
fn quoted(inside: &str) -> Result<(String, &str), String> {
    let Some(text) = inside.strip_prefix('\'') else {
        let end = inside.find(['.', '[', ']']).unwrap_or(inside.len());
        return Err(match inside.get(..end.max(1)) {
            None => "unexpected end of JSON path".to_owned(),
            Some(token) => format!("expected single quoted string but got {token}"),
        });
    };
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => {
                let rest = &text[at + 1..];
                return match rest.strip_prefix(']') {
                    Some(rest) => Ok((name, rest)),
                    None if rest.is_empty() => Err("unexpected end of JSON path".to_owned()),
                    None => Err(format!("expected ] but got {}", &rest[..rest.len().min(1)])),
                };
            }
            '\\' => match letters.next() {
                Some((_, 'n')) => name.push('\n'),
                Some((_, 'r')) => name.push('\r'),
                Some((_, 't')) => name.push('\t'),
                Some((_, letter @ ('\'' | '\\'))) => name.push(letter),
                Some((_, letter)) => {
                    return Err(format!("invalid string literal: invalid escape char \\{letter}"));
                }
                None => break,
            },
            letter => name.push(letter),
        }
    }
    Err(format!("expected single quoted string but got '{text}"))
}
