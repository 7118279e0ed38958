//! `backup list|show|verify|forget|export|import|rm`: what is kept, whether it is sound, and what may go.

use crate::backup::ReadOptions;
use crate::catalog::forget::{Forgetting, Judged, Keep, Policy};
use crate::catalog::verify::Depth;
use crate::catalog::{Catalog, Entry, Import};
use crate::cli::compare::Read;
use crate::cli::context::{Context, Target};
use crate::cli::output::Done;
use crate::cli::secret::KeyArgs;
use crate::cli::signals::Working;
use crate::error::{ErrorKind, Result};
use crate::progress::Progress;
use crate::report::text::{aligned, place, plural, when};
use clap::Args;
use serde_json::{Value as Json, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Its name or id, or the beginning of one
    backup: String,
}

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Names or ids
    #[arg(required_unless_present = "all")]
    backups: Vec<String>,
    /// All that are kept
    #[arg(long, conflicts_with = "backups")]
    all: bool,
    /// Also read them to their end, recount, and follow every reference
    #[arg(long)]
    deep: bool,
    /// Also restore each into a scratch database and find every record unchanged
    #[arg(long)]
    restore_test: bool,
    #[command(flatten)]
    keys: KeyArgs,
}

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// Keep the newest N, or all
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_last: Option<Keep>,
    /// Keep the newest of each of N hours that have one
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_hourly: Option<Keep>,
    /// Keep the newest of each of N days that have one
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_daily: Option<Keep>,
    /// Keep the newest of each of N weeks that have one
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_weekly: Option<Keep>,
    /// Keep the newest of each of N months that have one
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_monthly: Option<Keep>,
    /// Keep the newest of each of N years that have one
    #[arg(long, value_name = "N|all", value_parser = keep)]
    keep_yearly: Option<Keep>,
    /// Keep those that have all of these tags (may be repeated)
    #[arg(long, value_name = "TAG,TAG")]
    keep_tag: Vec<String>,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Its name or id
    backup: String,
    /// The file to be written
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The file
    file: PathBuf,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What people say of it
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tag: Vec<String>,
    /// It was made of the database given with --to
    #[arg(long)]
    of_target: bool,
    #[command(flatten)]
    read: Read,
}

#[derive(Debug, Args)]
pub(super) struct RmArgs {
    /// Names or ids
    #[arg(required = true)]
    backups: Vec<String>,
}

fn keep(text: &str) -> std::result::Result<Keep, String> {
    match text {
        "all" => Ok(Keep::All),
        _ => text.parse().map(Keep::Count).map_err(|_| "write a number, or all".to_owned()),
    }
}

fn shown(catalog: &Catalog, entry: &Entry) -> Json {
    let mut value = json!(entry);
    value["path"] = json!(catalog.path(entry));
    value["records"] = json!(records(entry));
    value
}

fn records(entry: &Entry) -> u64 {
    entry.tables.iter().map(|t| t.records).sum()
}

fn checked(entry: &Entry) -> String {
    match &entry.verified {
        None => "no".to_owned(),
        Some((_, depth)) => depth_word(*depth).to_owned(),
    }
}

fn depth_word(depth: Depth) -> &'static str {
    match depth {
        Depth::Digest => "digest",
        Depth::Deep => "deep",
        Depth::RestoreTest => "restored",
    }
}

pub(super) fn list(context: &Context<'_>, args: &ListArgs) -> Result<Done> {
    let catalog = Catalog::open(&context.home()?)?;
    let mut entries = catalog.list()?;
    entries.retain(|entry| args.tag.as_ref().is_none_or(|tag| entry.tags.contains(tag)));
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|e| {
            let kind = json!(e.kind).as_str().unwrap_or_default().to_owned();
            let database = e.database.as_ref().map(place).unwrap_or_default();
            let (records, size) = (records(e).to_string(), e.size_bytes.to_string());
            vec![when(&e.created_at), records, size, e.name.clone(), kind, checked(e), e.tags.join(","), database]
        })
        .collect();
    if rows.is_empty() {
        context.out.line("No backups are kept.");
    } else {
        let header = ["made", "records", "bytes", "name", "kind", "verified", "tags", "database"];
        context.out.text(&aligned(&header, &rows, 8));
    }
    let list: Vec<Json> = entries.iter().map(|entry| shown(&catalog, entry)).collect();
    Ok(Done::with(&json!({"backups": list})))
}

pub(super) fn show(context: &Context<'_>, args: &ShowArgs) -> Result<Done> {
    let catalog = Catalog::open(&context.home()?)?;
    let entry = catalog.find(&args.backup)?;
    let line = |name: &str, value: &str| context.out.line(&format!("{name:<9} {value}"));
    line("Backup", &format!("{} ({})", entry.name, entry.id));
    line("Made", &when(&entry.created_at));
    line("Of", &entry.database.as_ref().map_or_else(|| "an unknown database".to_owned(), place));
    line("Kind", &format!("{}, {}", json!(entry.kind).as_str().unwrap_or_default(), entry.format));
    line("File", &catalog.path(&entry).display().to_string());
    line("Size", &format!("{} bytes, blake3:{}", entry.size_bytes, entry.digest));
    if let Some(storage) = &entry.storage {
        line("Kept in", storage);
    }
    if let Some(encryption) = &entry.encryption {
        line("Encrypted", encryption);
    }
    if !entry.tags.is_empty() {
        line("Tags", &entry.tags.join(", "));
    }
    if entry.base.is_some() {
        let chain = catalog.chain(&entry)?;
        let names: Vec<&str> = chain.iter().map(|e| e.name.as_str()).collect();
        line("Chain", &names.join(" → "));
    }
    let verified = entry.verified.as_ref();
    line(
        "Verified",
        &verified.map_or_else(|| "never".to_owned(), |(at, d)| format!("{}, {}", when(at), depth_word(*d))),
    );
    let rows: Vec<Vec<String>> = entry.tables.iter().map(|t| vec![t.name.clone(), t.records.to_string()]).collect();
    context.out.text(&aligned(&["table", "records"], &rows, 1));
    Ok(Done::with(&shown(&catalog, &entry)))
}

pub(super) fn verify(context: &Context<'_>, args: &VerifyArgs) -> Result<Done> {
    let mut catalog = Catalog::open(&context.home()?)?.with_keys(args.keys.keys(context));
    let entries = match args.all {
        true => catalog.list()?,
        false => args.backups.iter().map(|name| catalog.find(name)).collect::<Result<_>>()?,
    };
    let depth = match (args.deep, args.restore_test) {
        (_, true) => Depth::RestoreTest,
        (true, _) => Depth::Deep,
        _ => Depth::Digest,
    };
    let _working = Working::begin();
    let (mut lines, mut rows, mut kind) = (Vec::new(), Vec::new(), ErrorKind::BackupDamaged);
    for entry in &entries {
        context.out.go_on()?;
        let problem = catalog.verify(entry, depth, context.out).err();
        match &problem {
            None => context.out.line(&format!("{}: sound ({})", entry.name, depth_word(depth))),
            Some(error) => {
                kind = error.kind();
                context.out.warning(&format!("{}: {}", entry.name, error.full_message()));
                lines.push(format!("{}: {}", entry.name, error.full_message()));
                lines.extend(error.detail_lines().iter().skip(1).map(|line| format!("  {line}")));
            }
        }
        let problem = problem.map(|e| e.full_message());
        let row = json!({"type": "verified", "id": entry.id, "name": entry.name, "sound": problem.is_none(), "problem": problem});
        context.out.event(&row);
        rows.push(row);
    }
    if !lines.is_empty() {
        let bad = rows.iter().filter(|row| row["sound"] == json!(false)).count() as u64;
        return Err(crate::Error::new(kind, format!("{} of {} not sound", bad, plural(rows.len() as u64, "backup")))
            .details(lines)
            .hint("Make a new backup; keep the damaged one until the new one is verified."));
    }
    Ok(Done::with(&json!({"depth": depth, "backups": rows})))
}

pub(super) fn forget(context: &Context<'_>, args: &ForgetArgs) -> Result<Done> {
    let policy = Policy {
        last: args.keep_last.unwrap_or_default(),
        hourly: args.keep_hourly.unwrap_or_default(),
        daily: args.keep_daily.unwrap_or_default(),
        weekly: args.keep_weekly.unwrap_or_default(),
        monthly: args.keep_monthly.unwrap_or_default(),
        yearly: args.keep_yearly.unwrap_or_default(),
        tags: args.keep_tag.iter().map(|tags| tags.split(',').map(str::to_owned).collect()).collect(),
    };
    let mut catalog = Catalog::open(&context.home()?)?;
    let judged = catalog.forget(&policy, Forgetting::DryRun)?;
    let goes = judged.iter().filter(|one| one.reasons.is_empty()).count() as u64;
    let rows: Vec<Vec<String>> = judged
        .iter()
        .map(|one| {
            let fate = if one.reasons.is_empty() { "remove" } else { "keep" };
            vec![fate.to_owned(), when(&one.entry.created_at), one.entry.name.clone(), one.reasons.join(", ")]
        })
        .collect();
    match rows.is_empty() {
        true => context.out.line("No backups are kept."),
        false => context.out.text(&aligned(&["", "made", "name", "because"], &rows, 4)),
    }
    let removed = goes > 0 && !args.dry_run;
    if removed {
        context.confirm(&Target::default(), &format!("Remove {}?", plural(goes, "backup")), None)?;
        catalog.remove_judged(&judged)?;
        context.out.line(&format!("Removed {}.", plural(goes, "backup")));
    } else if goes > 0 {
        context.out.line(&format!("{} would go. Nothing was removed.", plural(goes, "backup")));
    }
    let one = |one: &Judged| {
        json!({"id": one.entry.id, "name": one.entry.name, "created_at": one.entry.created_at,
            "keep": !one.reasons.is_empty(), "reasons": one.reasons})
    };
    let list: Vec<Json> = judged.iter().map(one).collect();
    Ok(Done::with(&json!({"backups": list, "removed": if removed { goes } else { 0 }, "dry_run": args.dry_run})))
}

pub(super) fn export(context: &Context<'_>, args: &ExportArgs) -> Result<Done> {
    let catalog = Catalog::open(&context.home()?)?;
    let entry = catalog.find(&args.backup)?;
    catalog.export(&entry, &args.file)?;
    let absolute = std::path::absolute(&args.file)?;
    context.out.line(&format!("{} copied to {}", entry.name, absolute.display()));
    Ok(Done::with(&json!({"id": entry.id, "name": entry.name, "file": absolute, "digest": entry.digest})))
}

pub(super) fn import(context: &Context<'_>, args: &ImportArgs) -> Result<Done> {
    crate::cli::analyze::must_exist(&args.file)?;
    let read: ReadOptions = args.read.options(context);
    let database = match args.of_target {
        true => Some(context.target()?.connect(context.out)?.identity().clone()),
        false => None,
    };
    let mut catalog = Catalog::open(&context.home()?)?;
    let request = Import { name: args.name.as_deref(), database: database.as_ref(), tags: &args.tag, read: &read };
    let entry = catalog.import(&args.file, &request)?;
    context.out.line(&format!("{} kept as {}", args.file.display(), entry.name));
    Ok(Done::with(&shown(&catalog, &entry)))
}

pub(super) fn rm(context: &Context<'_>, args: &RmArgs) -> Result<Done> {
    let mut catalog = Catalog::open(&context.home()?)?;
    let entries = args.backups.iter().map(|name| catalog.find(name)).collect::<Result<Vec<_>>>()?;
    for entry in &entries {
        catalog.removable(entry)?;
    }
    for entry in &entries {
        context.out.chat(&format!("{}  {}, {}", entry.name, when(&entry.created_at), plural(records(entry), "record")));
    }
    let count = plural(entries.len() as u64, "backup");
    context.confirm(&Target::default(), &format!("Remove {count}?"), None)?;
    let mut removed = Vec::new();
    for entry in &entries {
        catalog.remove(entry)?;
        removed.push(json!({"id": entry.id, "name": entry.name}));
    }
    context.out.line(&format!("Removed {count}."));
    Ok(Done::with(&json!({"removed": removed})))
}
