//! From the command line to the command.

use std::process::ExitCode;

use clap::Parser;

use super::args::{Cli, Color, Command};
use super::exit_code::Exit;
use super::terminal::Terminal;
use super::{
    check, cleanup, docs, explain, fidelity, image, list, measure, mutants, new, replay, run,
    schema, serve, soak, validate,
};
use crate::report::table::Detail;

/// Does what the arguments of this process say; answers how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // To standard output for `--help`, to standard error for mistakes.
            let said = error.print().is_ok();
            let exit = if error.use_stderr() || !said { Exit::Usage } else { Exit::Met };
            return exit.into();
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    std::panic::set_hook(Box::new(|panic| Terminal.note(&format!("internal error: {panic}"))));
    let done = std::panic::catch_unwind(|| command(&cli)).unwrap_or(Exit::Internal);
    done.worst(if Terminal.has_lost() { Exit::Environment } else { Exit::Met }).into()
}

fn command(cli: &Cli) -> Exit {
    let detail = match (cli.quiet, cli.verbose) {
        (true, _) => Detail::Quiet,
        (false, 0) => Detail::Normal,
        (false, _) => Detail::Verbose,
    };
    match &cli.command {
        Command::Run(args) => run::command(args, detail),
        Command::List(select) => list::command(select, detail),
        Command::Check(args) => check::command(args, detail),
        Command::Replay(args) => replay::command(args, detail, cli.verbose),
        Command::Validate(select) => validate::command(select, detail),
        Command::New(args) => new::command(args),
        Command::Explain(args) => explain::command(args),
        Command::Schema(args) => schema::command(args),
        Command::Mutants(args) => mutants::command(args),
        Command::Bench(args) => measure::command(args),
        Command::Soak(args) => soak::command(args, cli.quiet),
        Command::Fidelity(args) => fidelity::command(args, cli.quiet),
        Command::Image(args) => image::command(args),
        Command::Serve(args) => serve::command(args),
        Command::Cleanup => cleanup::command(),
        Command::Docs(args) => docs::command(args),
    }
}
