//! `target`: the databases that the configuration names. Passwords are never printed.

use super::context::{Context, Target};
use super::output::Done;
use crate::database::url::ConnectUrl;
use crate::error::Result;
use crate::model::Table;
use crate::report::text::{aligned, plural, shown};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

const EXAMPLES: &str = "Examples:
  merganser target list
  merganser target test prod
  merganser target test sqlite:app.db";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct TargetArgs {
    #[command(subcommand)]
    command: TargetCommand,
}

#[derive(Debug, Subcommand)]
enum TargetCommand {
    /// List the named databases
    List,
    /// What the configuration says of one
    Show {
        /// Its name or URL
        name: String,
    },
    /// Connect and read the schema
    Test {
        /// Its name or URL (default: --to)
        name: Option<String>,
    },
}

pub(super) fn run(context: &Context<'_>, args: &TargetArgs) -> Result<Done> {
    match &args.command {
        TargetCommand::List => list(context),
        TargetCommand::Show { name } => {
            let target = context.target_named(name)?;
            let view = view(&target);
            context.out.line(&format!("{}  {}", view["name"].as_str().unwrap_or("–"), display(&target)));
            context.out.line(&format!("  protected: {}", target.settings.protected));
            for (table, known) in &target.settings.tables {
                context.out.line(&format!("  {}: {}", shown(table), shown(&format!("{known:?}"))));
            }
            Ok(Done::with(&view))
        }
        TargetCommand::Test { name } => {
            let target = match name {
                Some(name) => context.target_named(name)?,
                None => context.target()?,
            };
            test(context, &target)
        }
    }
}

/// Returns the address without its password; an address that can't be read is not shown at all.
pub(super) fn display(target: &Target) -> String {
    ConnectUrl::parse(&target.url).map_or_else(|_| "(a URL that can't be read)".to_owned(), |u| u.display())
}

fn view(target: &Target) -> Json {
    json!({
        "name": target.name, "url": display(target), "protected": target.settings.protected,
        "tables": target.settings.tables.keys().collect::<Vec<_>>(),
    })
}

fn list(context: &Context<'_>) -> Result<Done> {
    let mut targets = Vec::new();
    for name in context.config()?.settings.targets.keys() {
        match context.target_named(name) {
            Ok(target) => targets.push(view(&target)),
            Err(error) => targets.push(json!({"name": name, "problem": error.full_message()})),
        }
    }
    let rows: Vec<Vec<String>> = targets
        .iter()
        .map(|t| {
            let text = |k: &str| t[k].as_str().unwrap_or_default().to_owned();
            let protected = if t["protected"] == true { "protected" } else { "" };
            vec![text("name"), if t["url"].is_string() { text("url") } else { text("problem") }, protected.to_owned()]
        })
        .collect();
    if rows.is_empty() {
        context.out.line("No targets. Add [targets.NAME] with a url to merganser.toml.");
    } else {
        context.out.text(&aligned(&["target", "address", ""], &rows, 3));
    }
    Ok(Done::with(&json!({"targets": targets})))
}

fn test(context: &Context<'_>, target: &Target) -> Result<Done> {
    let mut database = target.connect(context.out)?;
    let schema = database.schema()?;
    let names: Vec<String> = schema.tables.iter().map(Table::label).collect();
    context.out.line(&format!(
        "{} is reachable: {}, {}",
        database.identity().display,
        schema.engine,
        plural(names.len() as u64, "table")
    ));
    context.out.line(&format!("  {}", shown(&names.join(", "))));
    schema.left_out.iter().for_each(|line| context.out.line(&format!("  Left out: {}", shown(line))));
    Ok(Done::with(&json!({
        "target": database.identity().display, "engine": schema.engine, "tables": names, "left_out": schema.left_out,
    })))
}
