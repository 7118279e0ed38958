//! The arguments: global options, commands, and what the commands share.

use super::output::Shape;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const ABOUT: &str = "merganser — bring records from a backup into a current database, safely";
const EXAMPLES: &str = "Start here:
  merganser inspect backup.json
  merganser analyze backup.json --to sqlite:app.db
  merganser show PLAN, resolve PLAN, merge PLAN, undo";

/// The program.
#[derive(Debug, Parser)]
#[command(name = "merganser", version, about = ABOUT, after_help = EXAMPLES, max_term_width = 110)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Whether colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of a log file's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
}

/// Options that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The current database: a name from the configuration, or a URL [env: MERGANSER_TARGET, DATABASE_URL]
    #[arg(short = 't', long = "to", global = true, value_name = "TARGET")]
    pub(super) to: Option<String>,
    /// Configuration file in the place of ./merganser.toml
    #[arg(long, global = true, env = "MERGANSER_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Profile of the configuration: [profiles.NAME]
    #[arg(short = 'P', long, global = true, env = "MERGANSER_PROFILE", value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Folder for plans, receipts, backups and the audit log [env: MERGANSER_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// JSON on stdout, one object a line; the last is the result
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say only what was asked for
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say more (may be repeated)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: ColorChoice,
    /// No progress display
    #[arg(long, global = true)]
    pub(super) no_progress: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    pub(super) yes: bool,
    /// Never ask
    #[arg(long, global = true)]
    pub(super) no_input: bool,
    /// Show secret columns as they are
    #[arg(long, global = true)]
    pub(super) show_secrets: bool,
    /// Form of the log file
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) log_format: LogFormat,
    /// Also write events to a file
    #[arg(long, global = true, env = "MERGANSER_LOG", value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
    /// Stop (and roll back) after this time: 90s, 10m
    #[arg(long, global = true, value_name = "DUR", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What is in this backup? (needs no database)
    Inspect(super::inspect::InspectArgs),
    /// Compare a backup with the current database; save a plan
    #[command(visible_aliases = ["plan", "diff"])]
    Analyze(super::analyze::AnalyzeArgs),
    /// Look into a plan: tables, records, conflicts
    Show(super::show::ShowArgs),
    /// Carry out a plan, all or nothing
    #[command(visible_alias = "apply")]
    Merge(super::merge::MergeArgs),
    /// Take a merge back
    Undo(super::undo::UndoArgs),
    /// Take an undo back
    Redo(super::undo::UndoArgs),
    /// Decide conflicts, one by one or in bulk
    Resolve(super::resolve::ResolveArgs),
    /// What was done, by whom, when
    #[command(visible_alias = "history")]
    Log(super::log::LogArgs),
    /// Target reachable? lock held? unfinished run?
    Status(super::status::StatusArgs),
    /// Make, list, check and remove backups
    Backup(super::backup::BackupArgs),
    /// Bring a backup into a new SQLite file, or into a database's tables
    Restore(super::restore::RestoreArgs),
    /// The strategies that decide conflicts
    Strategies(super::strategies::StrategiesArgs),
    /// Named connections
    Target(super::target::TargetArgs),
    /// Backups on a timetable
    Schedule(super::schedule::ScheduleArgs),
    /// Keys that backups are encrypted to
    Key(super::key::KeyCommandArgs),
    /// What is set, and where it came from
    Config(super::config::ConfigArgs),
    /// Check set-up, privileges, limits, clock
    Doctor(super::doctor::DoctorArgs),
    /// The people of the service
    User(super::user::UserArgs),
    /// What programs log in to the service with
    Token(super::token::TokenArgs),
    /// The description of the HTTP API
    Openapi(super::openapi::OpenapiArgs),
    /// Run the web pages and the HTTP API
    Serve(super::serve::ServeArgs),
    /// Try everything on a small database made for it
    Demo(super::demo::DemoArgs),
    /// Shell completions
    Completions(super::about::CompletionsArgs),
    /// Manual pages
    Man(super::about::ManArgs),
    /// The version
    Version(super::about::VersionArgs),
    /// JSON Schemas of what --json prints
    Schema(super::about::SchemaArgs),
}

impl Command {
    /// Returns the command's word.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Inspect(_) => "inspect",
            Self::Analyze(_) => "analyze",
            Self::Show(_) => "show",
            Self::Merge(_) => "merge",
            Self::Undo(_) => "undo",
            Self::Redo(_) => "redo",
            Self::Resolve(_) => "resolve",
            Self::Log(_) => "log",
            Self::Status(_) => "status",
            Self::Backup(_) => "backup",
            Self::Restore(_) => "restore",
            Self::Strategies(_) => "strategies",
            Self::Target(_) => "target",
            Self::Schedule(_) => "schedule",
            Self::Key(_) => "key",
            Self::Config(_) => "config",
            Self::Doctor(_) => "doctor",
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::Openapi(_) => "openapi",
            Self::Serve(_) => "serve",
            Self::Demo(_) => "demo",
            Self::Completions(_) => "completions",
            Self::Man(_) => "man",
            Self::Version(_) => "version",
            Self::Schema(_) => "schema",
        }
    }

    /// Says in which form the command's JSON comes.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Analyze(_)
            | Self::Merge(_)
            | Self::Undo(_)
            | Self::Redo(_)
            | Self::Resolve(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Schedule(_)
            | Self::Serve(_)
            | Self::Demo(_) => Shape::Lines,
            Self::Show(args) => args.shape(),
            Self::Inspect(_)
            | Self::User(_)
            | Self::Token(_)
            | Self::Openapi(_)
            | Self::Log(_)
            | Self::Status(_)
            | Self::Strategies(_)
            | Self::Target(_)
            | Self::Key(_)
            | Self::Config(_)
            | Self::Doctor(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Version(_)
            | Self::Schema(_) => Shape::Document,
        }
    }
}

/// Reads a length of time: `250ms`, `2s`, `10m`, `1h`; a bare number counts seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| "write a number and a unit, such as 250ms, 2s or 10m".to_owned())?;
    let seconds = match unit.trim() {
        "ms" => number / 1_000.0,
        "" | "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        other => return Err(format!("{other:?} is no unit of time; use ms, s, m, h or d")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())
}
