//! `shakedown new`: writes a first scenario with a subject and a workload, which run and pass at
//! once.

use std::fs;
use std::io::Write;

use camino::Utf8Path;

use super::args::NewArgs;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::report::text::{DIM, NAME, styled};

/// The files: name and text.
const FILES: [(&str, &str); 3] = [
    ("node-crash.yaml", include_str!("new/node-crash.yaml")),
    ("subject.yaml", include_str!("new/subject.yaml")),
    ("web.yaml", include_str!("new/web.yaml")),
];

/// Writes the files to the folder that `args` name. What is there is never overwritten.
pub(super) fn command(args: &NewArgs) -> Exit {
    let folder = args.folder.as_path();
    if let Some((name, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        let path = folder.join(name);
        Terminal.error(format!("`{path}` is there already"), "give a folder that does not exist");
        return Exit::Usage;
    }
    match write(folder) {
        Ok(()) => {
            let mut text = String::new();
            let files =
                ["a scenario: what is done, broken and judged", "the controller under test"];
            let files = files.into_iter().chain(["the workload, as one would `kubectl apply` it"]);
            for ((name, _), what) in FILES.iter().zip(files) {
                let path = folder.join(name);
                text.push_str(&format!("  {path}  {}\n", styled(DIM, what)));
            }
            let run = styled(NAME, format!("shakedown run {folder}"));
            Terminal.print(&format!("wrote\n{text}now run it:\n  {run}\n"));
            Exit::Met
        }
        Err(error) => {
            Terminal.error(format!("`{folder}` can't be written: {error}"), "");
            Exit::Environment
        }
    }
}

fn write(folder: &Utf8Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    FILES.iter().try_for_each(|(name, text)| {
        let mut file = fs::File::create_new(folder.join(name))?;
        file.write_all(text.as_bytes())
    })
}
