//! The text of a file of decisions: states, and what was done about them.

use std::fmt::Write as _;

/// Some objects, and the writes that they led to.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name, which is its namespace's too.
    pub(crate) name: String,
    /// The object that a controller looks after, then those around it from the oldest on.
    pub(crate) objects: Vec<Object>,
    /// What the real controller wrote, in order.
    pub(crate) writes: Vec<String>,
    /// Why the simulated one writes something else, if that is accepted.
    pub(crate) accepted: Option<String>,
}

/// What an object is to be: `NAME KEY=VALUE … | KEY=VALUE …`, its status after the bar.
#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) status: Vec<(String, String)>,
}

/// The head of the file, which is kept as it is, and the cases.
pub(crate) struct Corpus {
    head: String,
    pub(crate) cases: Vec<Case>,
}

impl Corpus {
    pub(crate) fn read(text: &str) -> Corpus {
        let (head, rest) = text.split_once("\n\n").expect("a comment, then the cases");
        let blocks = rest.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty());
        Corpus { head: head.to_owned(), cases: blocks.map(Case::read).collect() }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = self.head.clone();
        text.push('\n');
        for case in &self.cases {
            write!(text, "\n{}\n", case.name).expect("text can be written");
            for object in &case.objects {
                writeln!(text, "  {}", object.text()).expect("text can be written");
            }
            for write in &case.writes {
                writeln!(text, "  > {write}").expect("text can be written");
            }
            if let Some(reason) = &case.accepted {
                writeln!(text, "  ! {reason}").expect("text can be written");
            }
        }
        text
    }
}

impl Case {
    fn read(block: &str) -> Case {
        let mut lines = block.lines();
        let name = lines.next().unwrap_or_default().to_owned();
        let mut case = Case { name, objects: Vec::new(), writes: Vec::new(), accepted: None };
        for line in lines {
            let line = line.trim();
            match line.split_once(' ') {
                Some((">", write)) => case.writes.push(write.to_owned()),
                Some(("!", reason)) => case.accepted = Some(reason.to_owned()),
                _ => case.objects.push(Object::read(line)),
            }
        }
        case
    }
}

impl Object {
    fn read(line: &str) -> Object {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (fields, status) = rest.split_once('|').unwrap_or((rest, ""));
        let pairs = |text: &str| {
            let pair = |word: &str| {
                let (key, value) = word.split_once('=').unwrap_or_else(|| panic!("{line}: {word}"));
                (key.to_owned(), value.to_owned())
            };
            text.split_whitespace().map(pair).collect()
        };
        Object { name: name.to_owned(), fields: pairs(fields), status: pairs(status) }
    }

    fn text(&self) -> String {
        let words = |pairs: &[(String, String)]| {
            let words = pairs.iter().map(|(key, value)| format!(" {key}={value}"));
            words.collect::<String>()
        };
        let bar = if self.status.is_empty() { "" } else { " |" };
        format!("{}{}{bar}{}", self.name, words(&self.fields), words(&self.status))
    }
}
