//! `shakedown image`: a container image of a program, without a container engine and a registry.

use std::fs::File;
use std::io::BufWriter;

use camino::Utf8PathBuf;

use super::args::ImageArgs;
use super::exit_code::Exit;
use super::terminal::Terminal;
use crate::image::{Image, Program, Reference};
use crate::report::text::{NAME, styled};

/// The reference controller that is a program of its own.
const REFERENCE: &str = "cloneset-kube";

/// Writes the archive that `args` ask for.
pub(super) fn command(args: &ImageArgs) -> Exit {
    let beside = std::env::current_exe().ok().and_then(|own| Utf8PathBuf::from_path_buf(own).ok());
    let beside = beside.map(|own| own.with_file_name(REFERENCE));
    let path = args.program.clone().or(beside).unwrap_or_else(|| Utf8PathBuf::from(REFERENCE));
    let program = match Program::read(&path) {
        Ok(program) => program,
        Err(error) => {
            let help = "name the file of a program for Linux; `cargo build --release -p \
                        cloneset-kube` makes the reference controller's";
            Terminal.error(error, help);
            return Exit::Usage;
        }
    };
    let name = args.name.clone();
    let own = format!("localhost/{}:{}", program.name.to_lowercase(), env!("CARGO_PKG_VERSION"));
    let reference = match name.map_or_else(|| own.parse(), |name| name.parse::<Reference>()) {
        Ok(reference) => reference,
        Err(error) => {
            Terminal.error(error, "give it another one with --name");
            return Exit::Usage;
        }
    };
    let output = args.output.clone();
    let output = output.unwrap_or_else(|| Utf8PathBuf::from(format!("{}.tar", program.name)));
    let image = Image { reference, program };
    let written = File::create(&output).and_then(|file| image.write(BufWriter::new(file)));
    if let Err(error) = written {
        Terminal.error(format!("`{output}` can't be written: {error}"), "");
        return Exit::Environment;
    }
    let Image { reference, program } = &image;
    let linked = match program.libraries.len() {
        0 => "static".to_owned(),
        count => format!("with {count} libraries of this machine"),
    };
    let run = styled(NAME, format!("shakedown run --provider kind --images {output}"));
    let about = format!("{}, {linked}", program.architecture);
    Terminal.print(&format!("wrote {output}: {reference} ({about})\nload it with\n  {run}\n"));
    Exit::Met
}
