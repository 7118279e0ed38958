//! `config`: what is set, where it came from, and what is misspelled.

use super::context::Context;
use super::output::Done;
use crate::config::Config;
use crate::database::url::ConnectUrl;
use crate::error::{Result, fail};
use crate::report::text::{aligned, shown};
use clap::{Args, Subcommand};
use serde_json::{Value as Json, json};

const EXAMPLES: &str = "Examples:
  merganser config show --origin
  merganser config path
  merganser config check";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print what is set
    Show {
        /// Also where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Print where settings are looked for
    Path,
    /// Find mistakes
    Check,
}

pub(super) fn run(context: &Context<'_>, args: &ConfigArgs) -> Result<Done> {
    match args.command {
        ConfigCommand::Show { origin } => show(context, origin),
        ConfigCommand::Path => {
            let paths = Config::paths(context.global.config.as_deref());
            for path in &paths {
                let mark = if path.is_file() { "read" } else { "not there" };
                context.out.line(&format!("{}  ({mark})", path.display()));
            }
            Ok(Done::with(&json!({"paths": paths, "files": paths.iter().filter(|p| p.is_file()).collect::<Vec<_>>()})))
        }
        ConfigCommand::Check => check(context),
    }
}

fn show(context: &Context<'_>, origin: bool) -> Result<Done> {
    let mut settings: Vec<(String, String, String)> = Vec::new();
    // Arguments and the environment come before every file.
    let flags = [
        ("to", context.global.to.as_deref().map(masked), "argument"),
        ("to", variable("MERGANSER_TARGET").map(|v| masked(&v)), "MERGANSER_TARGET"),
        ("to", variable("DATABASE_URL").map(|v| masked(&v)), "DATABASE_URL"),
    ];
    if let Some((name, Some(value), from)) = flags.into_iter().find(|(_, v, _)| v.is_some()) {
        settings.push((name.to_owned(), value, from.to_owned()));
    }
    let (folder, from) = context.data_dir()?;
    settings.push(("data_dir".to_owned(), folder.display().to_string(), from.to_owned()));
    for (name, (value, path)) in &context.config()?.origins {
        if name == "data_dir" {
            continue;
        }
        let value = harmless(value);
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        settings.push((name.clone(), text, path.display().to_string()));
    }
    let rows: Vec<Vec<String>> = settings
        .iter()
        .map(|(n, v, from)| {
            let mut row = vec![n.clone(), v.clone()];
            row.extend(origin.then(|| from.clone()));
            row
        })
        .collect();
    let header: &[&str] = if origin { &["setting", "value", "from"] } else { &["setting", "value"] };
    context.out.text(&aligned(header, &rows, 3));
    let list: Vec<Json> = settings.iter().map(|(n, v, from)| json!({"name": n, "value": v, "origin": from})).collect();
    Ok(Done::with(&json!({"settings": list})))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Takes out of a value what may be a secret: passwords of databases, and all but the host of a hook's address.
fn harmless(value: &toml::Value) -> toml::Value {
    match value {
        toml::Value::String(text) => toml::Value::String(match text.split_once("://") {
            Some((scheme @ ("http" | "https"), rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                format!("{scheme}://{}/***", host.rsplit('@').next().unwrap_or_default())
            }
            // A folder or bucket has neither user nor parameters.
            Some(_) if !text.contains(['@', '?']) && ConnectUrl::parse(text).is_err() => text.clone(),
            Some(_) => masked(text),
            None => text.clone(),
        }),
        toml::Value::Array(list) => toml::Value::Array(list.iter().map(harmless).collect()),
        toml::Value::Table(table) => {
            toml::Value::Table(table.iter().map(|(name, value)| (name.clone(), harmless(value))).collect())
        }
        other => other.clone(),
    }
}

/// Writes a URL without its password; a name stays as it is.
fn masked(text: &str) -> String {
    match ConnectUrl::parse(text) {
        Ok(url) => url.display(),
        Err(_) if text.contains([':', '@', '/']) => "***".to_owned(),
        Err(_) => text.to_owned(),
    }
}

fn check(context: &Context<'_>) -> Result<Done> {
    let config = context.config()?;
    let mut problems: Vec<String> =
        config.unknown_keys().into_iter().map(|key| format!("{key} means nothing")).collect();
    for (name, target) in &config.settings.targets {
        match target.address(name).and_then(|url| ConnectUrl::parse(&url)) {
            Ok(url) => url.warnings().iter().for_each(|w| context.out.warning(&format!("target {name}: {w}"))),
            Err(error) => problems.push(format!("target {name}: {}", error.full_message())),
        }
    }
    if let Some(name) = &config.settings.strategy
        && let Err(error) = crate::strategy::Strategy::load(name)
    {
        problems.push(error.full_message());
    }
    if !problems.is_empty() {
        return Err(fail!(Usage, "the configuration has {} mistakes", problems.len())
            .details(problems)
            .hint("'merganser config show --origin' shows which file each value came from."));
    }
    for path in &config.files {
        context.out.line(&format!("{}: fine", shown(&path.display().to_string())));
    }
    if config.files.is_empty() {
        context.out.line("No configuration file is there; none is needed.");
    }
    Ok(Done::with(&json!({"files": config.files, "problems": []})))
}
