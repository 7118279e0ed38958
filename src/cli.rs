//! The command line: reads arguments, asks people, prints. What is done is done by the layers below.

mod about;
mod analyze;
mod args;
mod backup;
mod compare;
mod config;
mod context;
mod defect;
mod demo;
mod doctor;
mod files;
mod inspect;
mod key;
mod log;
mod memory;
mod merge;
mod openapi;
mod output;
mod resolve;
mod restore;
mod schedule;
mod secret;
mod serve;
mod show;
mod signals;
mod stale;
mod status;
mod strategies;
mod target;
mod token;
mod undo;
mod user;

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
    if let Err(error) = signals::watch(out).and_then(|()| memory::watch()) {
        return out.end(Some(command.name()), Err(error));
    }
    defect::watch();
    let context = Context::new(&cli.global, out);
    let name = command.name();
    out.start(name, command.shape());
    out.end(Some(name), defect::caught(name, || run(&context, command)))
}

fn run(context: &Context<'_>, command: Command) -> crate::Result<Done> {
    match command {
        Command::Inspect(args) => inspect::run(context, &args),
        Command::Analyze(args) => analyze::run(context, &args),
        Command::Show(args) => show::run(context, &args),
        Command::Merge(args) => merge::run(context, &args),
        Command::Undo(args) => undo::undo(context, &args),
        Command::Redo(args) => undo::redo(context, &args),
        Command::Resolve(args) => resolve::run(context, &args),
        Command::Log(args) => log::run(context, &args),
        Command::Status(args) => status::run(context, &args),
        Command::Backup(args) => backup::run(context, &args),
        Command::Restore(args) => restore::run(context, &args),
        Command::Strategies(args) => strategies::run(context, &args),
        Command::Target(args) => target::run(context, &args),
        Command::Config(args) => config::run(context, &args),
        Command::Schedule(args) => schedule::run(context, &args),
        Command::Key(args) => key::run(context, &args),
        Command::Doctor(_) => doctor::run(context),
        Command::User(args) => user::run(context, &args),
        Command::Token(args) => token::run(context, &args),
        Command::Openapi(_) => openapi::run(context),
        Command::Serve(args) => serve::run(context, &args),
        Command::Demo(args) => demo::run(context, &args),
        Command::Completions(args) => about::completions(context, &args),
        Command::Man(args) => about::man(context, &args),
        Command::Version(_) => about::version(context),
        Command::Schema(args) => about::schema(context, &args),
    }
}

/// Answers arguments that can't be read, or a request for help, which the parser treats alike.
fn refused(error: &clap::Error, arguments: &[std::ffi::OsString]) -> ExitCode {
    let json = arguments.iter().any(|a| a == "--json");
    if json && error.use_stderr() {
        let text = error.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
        let sentence = |line: &&str| !["tip:", "Usage:", "For more"].iter().any(|mark| line.starts_with(mark));
        let (message, hint) = lines.split_at(lines.iter().take_while(|l| sentence(l)).count());
        let message = message.join(" ");
        let message = message.trim_start_matches("error: ");
        let out = Output::json();
        out.start("usage", output::Shape::Lines);
        return out.end(None, Err(crate::error::fail!(Usage, "{message}").hint(hint.join("; "))));
    }
    // Nobody is left to be told when this fails.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}
