//! `shakedown schema`: the JSON Schema of scenario and subject files.

use camino::Utf8PathBuf;

use super::args::{SchemaArgs, SchemaKind};
use super::catalogue;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::plan::Workspace;
use crate::report::folder::json;
use crate::suite::schema;

/// Prints a schema. Names of subjects and requirements are those of the folder at hand.
pub(super) fn command(args: &SchemaArgs) -> Exit {
    let here = [Utf8PathBuf::from("suites")];
    let workspace = match Workspace::catalogues(&here, None) {
        Ok(workspace) => workspace,
        Err(found) => return catalogue::invalid(&found),
    };
    let schema = match args.kind {
        SchemaKind::Scenario => schema::scenario(&workspace.vocabulary),
        SchemaKind::Subject => schema::subject(),
    };
    Terminal.print(&json(&schema));
    Exit::Met
}
