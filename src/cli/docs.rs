//! The pages of `docs/` that are made of the catalogues, and the hidden command that writes them. A
//! test compares them with what is checked in.

use camino::Utf8PathBuf;

use super::args::DocsArgs;
use super::exit_code::Exit;
use super::markdown;
use super::terminal::Terminal;
use super::topic::{Kind, topics};
use crate::plan::Workspace;
use crate::report::text::count;
use crate::suite::Diagnostic;

/// A page: the name of its file and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The name of the file.
    pub file: &'static str,
    /// The text, in Markdown.
    pub text: String,
}

/// The pages that are made of the catalogues and of the suites at hand.
///
/// # Errors
/// What is wrong with the suites.
pub fn pages() -> Result<Vec<Page>, Vec<Diagnostic>> {
    let workspace = Workspace::open(&[Utf8PathBuf::from("suites")], None)?;
    let topics = topics(&workspace);
    let of = |kind: Kind| topics.iter().filter(|topic| topic.kind == kind).collect::<Vec<_>>();
    let page = |file, text| Page { file, text };
    Ok(vec![
        page("invariants.md", markdown::invariants(&of(Kind::Invariant), &of(Kind::Check))),
        page("faults.md", markdown::faults(&of(Kind::Fault), &of(Kind::Capability))),
        page("steps.md", markdown::steps(&of(Kind::Step))),
        page("subjects.md", markdown::subjects(&of(Kind::Way))),
        page("requirements.md", markdown::requirements(&of(Kind::Requirement), &workspace)),
        page("exit-codes.md", markdown::exit_codes()),
    ])
}

/// Writes the pages.
pub(super) fn command(args: &DocsArgs) -> Exit {
    let pages = match pages() {
        Ok(pages) => pages,
        Err(found) => return super::catalogue::invalid(&found),
    };
    let written = std::fs::create_dir_all(&args.folder).and_then(|()| {
        pages.iter().try_for_each(|page| std::fs::write(args.folder.join(page.file), &page.text))
    });
    match written {
        Ok(()) => {
            Terminal.print(&format!("{} in {}\n", count(pages.len(), "page"), args.folder));
            Exit::Met
        }
        Err(error) => {
            Terminal.error(format!("`{}` can't be written: {error}", args.folder), "");
            Exit::Environment
        }
    }
}
