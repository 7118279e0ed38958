//! Commands about the program itself: completions, man pages, its version, the schemas of its JSON.

use super::args::Cli;
use super::context::Context;
use super::output::Done;
use crate::error::{Result, fail};
use clap::{Args, CommandFactory, ValueEnum};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  merganser completions bash > /etc/bash_completion.d/merganser\n  merganser completions zsh > _merganser"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  merganser man | man -l -\n  merganser man /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder (default: the main page to stdout)
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  merganser version\n  merganser version --json")]
pub(super) struct VersionArgs {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SchemaName {
    /// The lines that --json prints.
    Events,
    /// Decisions files.
    Decisions,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  merganser schema events > events.schema.json\n  merganser schema decisions")]
pub(super) struct SchemaArgs {
    /// Which
    #[arg(value_enum)]
    name: SchemaName,
}

pub(super) fn completions(context: &Context<'_>, args: &CompletionsArgs) -> Result<Done> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "merganser", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    context.out.text(&script);
    Ok(Done::with(&json!({"shell": args.shell.to_string(), "script": script})))
}

pub(super) fn man(context: &Context<'_>, args: &ManArgs) -> Result<Done> {
    let mut main = Cli::command();
    main.build();
    let render = |command: &clap::Command| -> Result<Vec<u8>> {
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page)?;
        Ok(page)
    };
    let Some(folder) = &args.folder else {
        context.out.text(&String::from_utf8_lossy(&render(&main)?));
        return Ok(Done::default());
    };
    std::fs::create_dir_all(folder)?;
    let mut pages = vec![folder.join("merganser.1")];
    std::fs::write(&pages[0], render(&main)?)?;
    for command in main.get_subcommands().filter(|c| c.get_name() != "help") {
        let name = format!("merganser-{}", command.get_name());
        let path = folder.join(format!("{name}.1"));
        std::fs::write(&path, render(&command.clone().name(name))?)
            .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e))?;
        pages.push(path);
    }
    context.out.line(&format!("{} pages written to {}", pages.len(), folder.display()));
    Ok(Done::with(&json!({"pages": pages})))
}

pub(super) fn version(context: &Context<'_>) -> Result<Done> {
    context.out.line(&format!("merganser {}", env!("CARGO_PKG_VERSION")));
    Ok(Done::with(&json!({
        "name": "merganser", "version": env!("CARGO_PKG_VERSION"), "events": "merganser.events/1", "plan_format": 1,
        "sqlite": rusqlite::version(),
    })))
}

pub(super) fn schema(context: &Context<'_>, args: &SchemaArgs) -> Result<Done> {
    let text = match args.name {
        SchemaName::Events => include_str!("../../schemas/events.schema.json"),
        SchemaName::Decisions => include_str!("../../schemas/decisions.schema.json"),
    };
    // The schema is the document asked for, whichever way the output is read.
    context.out.text(text);
    let schema: Json = serde_json::from_str(text).map_err(|e| fail!(Failed, "the schema can't be read").because(e))?;
    Ok(Done::with(&json!({"schema": schema})))
}
