//! The command line: reads arguments, asks people, prints. What is done is done by the layers below.

mod analyze;
mod args;
mod backup;
mod compare;
mod context;
mod inspect;
mod merge;
mod output;
mod show;
mod signals;
mod stale;
mod undo;

use args::{Cli, Command};
use clap::{CommandFactory, Parser};
use context::Context;
use output::{Done, Output};
use std::process::ExitCode;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &arguments),
    };
    let out = match Output::new(&cli.global) {
        Ok(out) => out,
        Err(error) => return Output::plain().end(None, Err(error)),
    };
    let Some(command) = cli.command else {
        out.line(&Cli::command().render_help().ansi().to_string());
        return ExitCode::SUCCESS;
    };
    if let Err(error) = signals::watch(out) {
        return out.end(Some(command.name()), Err(error));
    }
    let context = Context::new(&cli.global, out);
    let name = command.name();
    out.start(name, command.shape());
    out.end(Some(name), run(&context, command))
}

fn run(context: &Context<'_>, command: Command) -> crate::Result<Done> {
    match command {
        Command::Inspect(args) => inspect::run(context, &args),
        Command::Analyze(args) => analyze::run(context, &args),
        Command::Show(args) => show::run(context, &args),
        Command::Merge(args) => merge::run(context, &args),
        Command::Undo(args) => undo::undo(context, &args),
        Command::Redo(args) => undo::redo(context, &args),
    }
}

/// Answers arguments that can't be read, or a request for help, which the parser treats alike.
fn refused(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    let json = arguments.iter().any(|a| a == "--json");
    if json && error.use_stderr() {
        let text = error.to_string();
        let message = text.trim().trim_start_matches("error: ").to_owned();
        let out = Output::json();
        out.start("usage", output::Shape::Lines);
        return out.end(None, Err(crate::error::fail!(Usage, "{message}")));
    }
    // Nobody is left to be told when this fails.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}
