//! The columns that tables of a custom type have (apiextensions-apiserver v0.36,
//! `registry/customresource/tableconvertor`), and the paths that they are filled from.

use kubesim_model::tree::Tree;
use kubesim_model::{Millis, Text, object};

/// A column of a table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its title.
    pub name: Text,
    /// `integer`, `number`, `string`, `boolean` or `date`.
    pub kind: Text,
    /// The format, as in `int32`; may be empty.
    pub format: Text,
    /// What it shows.
    pub description: Text,
    /// 0 for columns that are always shown.
    pub priority: i64,
    steps: Vec<Step>,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(Text),
    All,
    /// Elements from, to, each how many-th; `None` where nothing is said.
    Slice(Option<i64>, Option<i64>),
    Element(i64),
    /// Elements whose field is, or is not, such a value.
    Where(Vec<Step>, bool, Tree),
}

impl Column {
    /// Reads an entry of `additionalPrinterColumns`. A path that can't be read shows nothing.
    pub(super) fn read(column: &Tree) -> Column {
        let path = column["jsonPath"].str();
        let description = match column["description"].str() {
            "" => format!("Custom resource definition column (in JSONPath format): {path}"),
            text => text.to_owned(),
        };
        Column {
            name: column["name"].text(),
            kind: column["type"].text(),
            format: column["format"].text(),
            description: Text::from(description),
            priority: column["priority"].as_i64().unwrap_or(0),
            steps: parse(path).unwrap_or_else(|| vec![Step::Element(i64::MAX)]),
        }
    }

    /// What the cell of an object holds at the time `now`; `Null` if there is nothing to show.
    pub fn cell(&self, object: &Tree, now: Millis) -> Tree {
        let Some(value) = find(&self.steps, object).into_iter().next() else { return Tree::Null };
        match (self.kind.as_str(), value) {
            ("string", Tree::Null) => Tree::from("<nil>"),
            ("string", Tree::Str(text)) => Tree::Str(text.clone()),
            ("string", value) => Tree::from(value.to_string()),
            ("integer", Tree::Int(number)) => Tree::Int(*number),
            ("integer", Tree::Float(number)) => Tree::Int(*number as i64),
            ("number", Tree::Int(_) | Tree::Float(_)) | ("boolean", Tree::Bool(_)) => value.clone(),
            ("date", Tree::Str(text)) => match object::parse_time(text) {
                Some(then) => Tree::from(age(now as i64 - then as i64)),
                None => Tree::from("<invalid>"),
            },
            _ => Tree::Null,
        }
    }
}

/// A span of time as tables show it: `45s`, `3m20s`, `5d`; in milliseconds (apimachinery v0.36,
/// `util/duration` `HumanDuration`).
pub fn age(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    let pair = |big: i64, unit: &str, small: i64, part: &str| match small {
        0 => format!("{big}{unit}"),
        _ => format!("{big}{unit}{small}{part}"),
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 192 => pair(days, "d", hours % 24, "h"),
        _ if years < 2 => format!("{days}d"),
        _ if years < 8 => pair(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

fn find<'t>(steps: &[Step], object: &'t Tree) -> Vec<&'t Tree> {
    let mut found = vec![object];
    for step in steps {
        found = found.into_iter().flat_map(|tree| step.of(tree)).collect();
    }
    found
}

impl Step {
    fn of<'t>(&self, tree: &'t Tree) -> Vec<&'t Tree> {
        let items = tree.items();
        let place = |at: i64| if at < 0 { at.saturating_add(items.len() as i64) } else { at };
        match self {
            Step::Field(name) => tree.get(name).into_iter().collect(),
            Step::All if tree.as_map().is_some() => tree.fields().map(|(_, value)| value).collect(),
            Step::All => items.iter().collect(),
            Step::Element(at) => {
                usize::try_from(place(*at)).ok().and_then(|at| items.get(at)).into_iter().collect()
            }
            Step::Slice(from, to) => {
                let bound = |at: i64| place(at).clamp(0, items.len() as i64) as usize;
                let (from, to) = (bound(from.unwrap_or(0)), to.map_or(items.len(), bound));
                items.get(from..to).unwrap_or_default().iter().collect()
            }
            Step::Where(path, equal, wanted) => {
                let holds = |item: &&Tree| {
                    find(path, item).first().is_some_and(|have| (**have == *wanted) == *equal)
                };
                items.iter().filter(holds).collect()
            }
        }
    }
}

/// Reads `.spec.a`, `.status.conditions[?(@.type=="Ready")].status`, `.a['b'][0]`.
fn parse(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after)?;
            steps.push(bracket(&after[..end])?);
            rest = &after[end + 1..];
            continue;
        }
        let after = rest.strip_prefix('.')?;
        let end = name_end(after);
        match &after[..end] {
            "" if after.starts_with('[') || after.is_empty() => {}
            "" => return None,
            "*" => steps.push(Step::All),
            name => steps.push(Step::Field(Text::from(name.replace('\\', "")))),
        }
        rest = &after[end..];
    }
    Some(steps)
}

/// Where a name ends: before the next dot or bracket that is not escaped.
fn name_end(text: &str) -> usize {
    let mut escaped = false;
    text.find(|letter: char| {
        let ends = !escaped && matches!(letter, '.' | '[');
        escaped = letter == '\\' && !escaped;
        ends
    })
    .unwrap_or(text.len())
}

/// Where the bracket closes that was just opened.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    text.char_indices()
        .find(|(_, letter)| {
            match (quote, *letter) {
                (Some(open), letter) if letter == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(*letter),
                (None, '[') => depth += 1,
                (None, ']') if depth > 0 => depth -= 1,
                (None, ']') => return true,
                _ => {}
            }
            false
        })
        .map(|(at, _)| at)
}

fn bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::All);
    }
    if let Some(name) = quoted(inside) {
        return Some(Step::Field(Text::new(name)));
    }
    if let Some(filter) = inside.strip_prefix("?(").and_then(|text| text.strip_suffix(')')) {
        let (path, equal, value) = match filter.split_once("==") {
            Some((path, value)) => (path, true, value),
            None => {
                let (path, value) = filter.split_once("!=")?;
                (path, false, value)
            }
        };
        let value = value.trim();
        let wanted = match quoted(value) {
            Some(text) => Tree::from(text),
            None => serde_json::from_str(value).ok()?,
        };
        return Some(Step::Where(parse(path.trim().strip_prefix('@')?)?, equal, wanted));
    }
    let number = |text: &str| match text.trim() {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    match inside.split_once(':') {
        Some((from, to)) => Some(Step::Slice(number(from)?, number(to)?)),
        None => Some(Step::Element(number(inside)??)),
    }
}

fn quoted(text: &str) -> Option<&str> {
    let inside = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inside('\'').or_else(|| inside('"'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubesim_model::{list, map};

    #[test]
    fn cells_are_found_by_their_paths() {
        let object = map! {
            "spec" => map! { "n" => 3, "a.b" => "dotted", "list" => list!["x", "y"] },
            "status" => map! { "conditions" => list![
                map! { "type" => "Ready", "status" => "True" },
                map! { "type" => "Other", "status" => "False" },
            ] },
        };
        let cell = |kind: &str, path: &str| {
            let column = map! { "name" => "C", "type" => kind, "jsonPath" => path };
            Column::read(&column).cell(&object, 0)
        };
        assert_eq!(cell("integer", ".spec.n"), Tree::Int(3));
        assert_eq!(cell("string", ".spec.n"), "3");
        assert_eq!(cell("integer", ".spec.list"), Tree::Null);
        assert_eq!(cell("string", ".spec.list[1]"), "y");
        assert_eq!(cell("string", ".spec.list[-1]"), "y");
        assert_eq!(cell("string", ".spec.list"), "[\"x\",\"y\"]");
        assert_eq!(cell("string", r".spec.a\.b"), "dotted");
        assert_eq!(cell("string", ".spec['a.b']"), "dotted");
        let ready = r#".status.conditions[?(@.type=="Ready")].status"#;
        assert_eq!(cell("string", ready), "True");
        assert_eq!(cell("string", ".status.conditions[*].status"), "True");
        assert_eq!(cell("string", ".spec.none"), Tree::Null);
        assert_eq!(cell("string", "spec"), Tree::Null);
    }

    #[test]
    fn ages_are_short() {
        let hour = 3_600_000;
        let cases = [
            (59_000, "59s"),
            (200_000, "3m20s"),
            (11 * 60_000, "11m"),
            (5 * hour, "5h"),
            (50 * hour, "2d2h"),
            (24 * hour * 400, "400d"),
            (-5_000, "<invalid>"),
        ];
        for (millis, text) in cases {
            assert_eq!(age(millis), text);
        }
    }
}
