//! `restore`: a backup into a new SQLite file, or into the tables of a database, which is a merge that says what becomes
//! of the records there.

use super::backup::kept_file;
use super::compare::{Compare, Deciding, DeletesArg};
use super::context::Context;
use super::merge::{self, Into, MergeArgs};
use super::output::Done;
use super::signals::Working;
use crate::backup;
use crate::catalog::{Catalog, Entry};
use crate::database::connect;
use crate::database::url::ConnectUrl;
use crate::error::{Result, fail};
use crate::report::text::{aligned, plural};
use crate::restore::{self, Restored};
use clap::{Args, ValueEnum};
use serde_json::json;
use std::path::Path;

const EXAMPLES: &str = "Examples:
  merganser restore backup.json --into sqlite:new.db --create-tables
  merganser restore b-m1x2 --into prod-empty
  merganser restore backup.json --into sqlite:app.db --existing overwrite --dry-run";

/// What becomes of records that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Existing {
    /// The backup's values win (strategy backup-wins)
    Overwrite,
    /// They stay; only what does not conflict comes (strategy current-wins)
    Keep,
    /// They go where the backup has them no more (--deletes mirror), and the backup's values win
    Clear,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestoreArgs {
    /// A file, or a kept backup's name or id
    backup: String,
    /// The database that is restored into: a name from the configuration, or a URL
    #[arg(long, value_name = "TARGET")]
    into: String,
    /// Make a new SQLite file with the backup's tables
    #[arg(long)]
    create_tables: bool,
    /// What becomes of records that are there; without it the tables have to be empty
    #[arg(long, value_enum, conflicts_with = "create_tables")]
    existing: Option<Existing>,
    /// Do everything inside the transaction, then roll back
    #[arg(long, conflicts_with = "create_tables")]
    dry_run: bool,
    /// Write a whole backup before anything else
    #[arg(long, conflicts_with = "create_tables")]
    backup_first: bool,
    /// The name of a protected target
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// What the audit log should say
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    deciding: Deciding,
    #[command(flatten)]
    compare: Compare,
}

pub(super) fn run(context: &Context<'_>, args: &RestoreArgs) -> Result<Done> {
    let catalog = Catalog::open(&context.home()?)?;
    let (file, entry) = kept_file(&catalog, &args.backup)?;
    let target = context.target_named(&args.into)?;
    let new_file = match ConnectUrl::parse(&target.url)? {
        ConnectUrl::Sqlite(path) if !path.exists() => Some(path),
        _ => None,
    };
    match (new_file, args.create_tables) {
        (Some(path), true) => create(context, args, catalog, &file, entry, &path),
        (None, true) => Err(fail!(Usage, "{} is there already; --create-tables makes a new SQLite file", args.into)
            .hint("Leave --create-tables out to restore into its tables, or name a file that is not there yet.")),
        (Some(path), false) => Err(fail!(Usage, "there is no database {}", path.display())
            .hint("Add --create-tables to make it with the backup's tables.")),
        (None, false) => into_tables(context, args, &file),
    }
}

fn create(
    context: &Context<'_>,
    args: &RestoreArgs,
    mut catalog: Catalog,
    file: &Path,
    entry: Option<Entry>,
    into: &Path,
) -> Result<Done> {
    if let [first, ..] = args.compare.given().as_slice() {
        return Err(fail!(
            Usage,
            "{first} belongs to a database that has its tables; --create-tables takes all as it is"
        ));
    }
    let read = args.compare.read.options(context);
    let _working = Working::begin();
    let restored = match &entry {
        Some(entry) => catalog.restore(entry, into, &read, context.out)?,
        None if backup::lineage(file, &read)?.is_some_and(|lineage| lineage.base.is_some()) => {
            return Err(fail!(Usage, "{} is incremental: it holds only what changed", file.display())
                .hint("Import it and what it builds on with 'merganser backup import', then restore it by its name."));
        }
        None => restore::create(&restore::Request { backup: file, into, read: &read })?,
    };
    if let Some(entry) = &entry {
        let url = format!("sqlite:{}", into.display());
        catalog.share(connect(&url)?.identity(), &entry.digest, None)?;
    }
    Ok(said(context, &restored, into))
}

fn said(context: &Context<'_>, restored: &Restored, into: &Path) -> Done {
    let records: u64 = restored.tables.iter().map(|t| t.records).sum();
    let rows: Vec<Vec<String>> = restored
        .tables
        .iter()
        .map(|t| vec![t.name.clone(), t.key.clone().unwrap_or_default(), t.records.to_string()])
        .collect();
    context.out.text(&aligned(&["table", "key", "records"], &rows, 2));
    restored.notes.iter().for_each(|note| context.out.line(&format!("Note: {note}")));
    let count = plural(restored.tables.len() as u64, "table");
    context.out.line(&format!("Restored {} in {count} into {}", plural(records, "record"), into.display()));
    let mut done = Done::with(&json!(restored));
    done.fields.insert("records".to_owned(), json!(records));
    done.fields.insert("into".to_owned(), json!(into));
    done.fields.insert("changed".to_owned(), json!(true));
    done
}

fn into_tables(context: &Context<'_>, args: &RestoreArgs, file: &Path) -> Result<Done> {
    let mut global = context.global.clone();
    global.to = Some(args.into.clone());
    let context = Context::new(&global, context.out);
    let (mut compare, mut deciding) = (args.compare.clone(), args.deciding.clone());
    // A restore brings a state back; what both sides share is of no interest.
    compare.base.get_or_insert_with(|| "none".to_owned());
    let strategy = match args.existing {
        Some(Existing::Keep) => "current-wins",
        None | Some(Existing::Overwrite) => "backup-wins",
        Some(Existing::Clear) => {
            compare.deletes = DeletesArg::Mirror;
            // What is cleared is gone, however new it is.
            deciding.no_preserve_newer = !deciding.preserve_newer;
            "backup-wins"
        }
    };
    deciding.strategy.get_or_insert_with(|| strategy.to_owned());
    let request = merge::Restoring {
        file: file.display().to_string(),
        into: if args.existing.is_some() { Into::Anything } else { Into::EmptyTables },
        dry_run: args.dry_run,
        backup_first: args.backup_first,
        confirm: args.confirm.clone(),
        note: args.note.clone(),
        deciding,
        compare,
    };
    merge::run(&context, &MergeArgs::restoring(request))
}
