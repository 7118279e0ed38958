//! `strategies`: the built-in ones, and what a strategy file says.

use super::context::Context;
use super::output::Done;
use crate::error::Result;
use crate::report::text::aligned;
use crate::strategy::Strategy;
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

const EXAMPLES: &str = "Examples:
  merganser strategies
  merganser strategies show merge-fields > mine.toml";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct StrategiesArgs {
    #[command(subcommand)]
    command: Option<StrategiesCommand>,
}

#[derive(Debug, Subcommand)]
enum StrategiesCommand {
    /// List the built-in strategies
    List,
    /// Print a strategy: a built-in one, or a file after checking it
    Show {
        /// Its name or path
        name: String,
    },
}

pub(super) fn run(context: &Context<'_>, args: &StrategiesArgs) -> Result<Done> {
    if let Some(StrategiesCommand::Show { name }) = &args.command {
        let strategy = Strategy::load(name)?;
        context.out.text(strategy.text());
        return Ok(Done::with(&json!({
            "name": strategy.name, "summary": strategy.summary, "text": strategy.text(), "digest": strategy.digest(),
        })));
    }
    let mut rows = Vec::new();
    for name in Strategy::BUILT_IN {
        rows.push(vec![name.to_owned(), Strategy::load(name)?.summary]);
    }
    context.out.text(&aligned(&["strategy", "what it does"], &rows, 2));
    let list: Vec<Json> = rows.iter().map(|r| json!({"name": r[0], "summary": r[1]})).collect();
    Ok(Done::with(&json!({"strategies": list})))
}
