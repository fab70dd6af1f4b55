//! `shakedown explain`: the documentation of a name, or the list of all names.

use camino::Utf8PathBuf;

use super::args::ExplainArgs;
use super::catalogue;
use super::exit_code::Exit;
use super::terminal::Terminal;
use super::topic::{Kind, Topic, noun, topics};
use crate::plan::Workspace;
use crate::report::text::{BOLD, DIM, NAME, indented, styled, wrapped};
use crate::suite::{Code, Diagnostic, Place};

const WIDTH: usize = 92;

/// Explains what `args` name.
pub(super) fn command(args: &ExplainArgs) -> Exit {
    let here = Utf8PathBuf::from("suites");
    let paths = if here.is_dir() { vec![here] } else { Vec::new() };
    // Scenarios only add examples to requirements: mistakes in them don't matter here.
    let opened = Workspace::open(&paths, None).or_else(|_| Workspace::catalogues(&paths, None));
    let workspace = match opened {
        Ok(workspace) => workspace,
        Err(found) => return catalogue::invalid(&found),
    };
    let all = topics(&workspace);
    let Some(name) = &args.name else {
        Terminal.print(&list(&all));
        return Exit::Met;
    };
    let found: Vec<&Topic> =
        all.iter().filter(|topic| topic.name.eq_ignore_ascii_case(name)).collect();
    if found.is_empty() {
        let message = format!("nothing is called `{name}`");
        let known = all.iter().map(|topic| topic.name.as_str());
        let guess = Diagnostic::error(Code::UnknownWord, &Place::nowhere(), message);
        let guess = guess.suggest(name, known);
        let help = guess.help.clone();
        let help = help.unwrap_or_else(|| "`shakedown explain` lists every name".to_owned());
        Terminal.error(&guess.message, &help);
        return Exit::Usage;
    }
    let pages: Vec<String> = found.into_iter().map(page).collect();
    Terminal.print(&pages.join("\n"));
    Exit::Met
}

fn list(all: &[Topic]) -> String {
    let mut text = String::new();
    for kind in Kind::ALL {
        let topics = all.iter().filter(|topic| topic.kind == kind);
        let width = topics.clone().map(|topic| topic.name.len()).max().unwrap_or(0);
        text.push_str(&format!("{}\n", styled(BOLD, kind.plural())));
        for topic in topics {
            let room = WIDTH.saturating_sub(width);
            let doc =
                wrapped(&topic.doc, room).replace('\n', &format!("\n{:w$}", "", w = width + 4));
            let name = styled(NAME, format!("{:width$}", topic.name));
            text.push_str(&format!("  {name}  {doc}\n"));
        }
        text.push('\n');
    }
    text.push_str("`shakedown explain NAME` says more.\n");
    text
}

fn page(topic: &Topic) -> String {
    let kind = styled(DIM, format!("({})", topic.kind.noun()));
    let mut text = format!("{} {kind}\n\n", styled(BOLD, &topic.name));
    text.push_str(&indented(&wrapped(&topic.doc, WIDTH), 2));
    for paragraph in &topic.details {
        text.push('\n');
        text.push_str(&indented(&wrapped(paragraph, WIDTH), 2));
    }
    if !topic.params.is_empty() {
        text.push_str(&format!("\n  {}\n", styled(BOLD, "Parameters")));
        let width = topic.params.iter().map(|param| param.name.len()).max().unwrap_or(0);
        for param in topic.params {
            let name = styled(NAME, format!("{:width$}", param.name));
            let more = match (param.required, param.default) {
                (true, _) => "; required".to_owned(),
                (_, Some(default)) => format!("; `{default}` if not given"),
                _ => String::new(),
            };
            let doc = format!("{} Takes {}{more}.", param.doc, noun(param));
            let doc =
                wrapped(&doc, WIDTH - width).replace('\n', &format!("\n{:w$}", "", w = width + 6));
            text.push_str(&format!("    {name}  {doc}\n"));
        }
    }
    if let Some(example) = &topic.example {
        let (place, dash) = topic.kind.place();
        text.push_str(&format!("\n  {}\n    {dash}{example}\n", styled(BOLD, place)));
    }
    text
}
