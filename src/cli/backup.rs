//! `backup`: making backups here; looking at, checking and removing kept ones in `backup/kept.rs`.

mod kept;

use super::context::{Context, Target};
use super::output::Done;
use super::secret::SealArgs;
use super::signals::Working;
use crate::backup::{self, Compression, Layout, ReadOptions, WriteFormat};
use crate::catalog::make::{self, Chosen, Create, Format, Made, Rule, Secrets, Since};
use crate::catalog::storage::Storage;
use crate::catalog::{Catalog, Entry};
use crate::database::Database;
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::progress::Quiet;
use crate::report::text::plural;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  merganser backup create --to prod --tag nightly
  merganser backup create --to sqlite:app.db -o before.json.gz --gzip
  merganser backup create --to prod --encrypt
  merganser backup create --to prod --incremental-from b-m1x2
  merganser backup create --to prod --scope 'users:id=42' -o ana.json
  merganser backup verify --all --deep
  merganser backup forget --keep-last 7 --keep-daily 14 --dry-run";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    command: BackupCommand,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    /// Write a backup of the current database
    #[command(after_help = EXAMPLES)]
    Create(CreateArgs),
    /// List the kept backups, newest first
    #[command(after_help = EXAMPLES)]
    List(kept::ListArgs),
    /// One kept backup: its tables, where it is, how it was checked
    #[command(after_help = EXAMPLES)]
    Show(kept::ShowArgs),
    /// Check that kept backups are what they were
    #[command(after_help = EXAMPLES)]
    Verify(kept::VerifyArgs),
    /// Remove kept backups by rules; the last verified one always stays
    #[command(after_help = EXAMPLES)]
    Forget(kept::ForgetArgs),
    /// Copy a kept backup to a file
    #[command(after_help = EXAMPLES)]
    Export(kept::ExportArgs),
    /// Keep a file that was made elsewhere
    #[command(after_help = EXAMPLES)]
    Import(kept::ImportArgs),
    /// Remove kept backups
    #[command(after_help = EXAMPLES)]
    Rm(kept::RmArgs),
}

/// Formats to choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    /// Smart Backup JSON
    #[default]
    #[value(alias = "smart")]
    SmartBackup,
    /// {"table": [records]}
    TableMap,
    /// ZIP of TABLE.ndjson
    Ndjson,
    /// RayERP's ZIP; password hashes and tokens stay out
    Rayerp,
    /// ZIP of app/model.json, as Django's loaddata and Baby Buddy read it
    Django,
    /// Jarvis's JSON of all users, {"users","preferences","settings"}; password hashes and tokens stay out
    JarvisSystem,
    /// Jarvis's ZIP of one user; password hashes and tokens stay out
    JarvisUser,
    /// BaluHost's tar.gz with an SQLite database
    Baluhost,
    /// An SQLite database file
    Sqlite,
}

impl From<FormatArg> for Chosen {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::SmartBackup => Self::SmartBackup,
            FormatArg::TableMap => Self::TableMap,
            FormatArg::Ndjson => Self::Ndjson,
            FormatArg::Rayerp => Self::Rayerp,
            FormatArg::Django => Self::Django,
            FormatArg::JarvisSystem => Self::JarvisSystem,
            FormatArg::JarvisUser => Self::JarvisUser,
            FormatArg::Baluhost => Self::Baluhost,
            FormatArg::Sqlite => Self::Sqlite,
        }
    }
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Write it to a file, which is not kept in the catalog
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Its format
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Compression of a Smart Backup: none, gzip, zstd, gzip:9, zstd:19 (default: none in a FILE, zstd in the catalog)
    #[arg(long, value_name = "HOW", value_parser = compression)]
    compress: Option<Compression>,
    /// Compress with gzip
    #[arg(long, conflicts_with_all = ["zstd", "compress"])]
    gzip: bool,
    /// Compress with zstd
    #[arg(long, conflicts_with = "compress")]
    zstd: bool,
    /// Indent the JSON for people
    #[arg(long)]
    pretty: bool,
    /// Only these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    only_tables: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    skip_tables: Vec<String>,
    /// Only what changed since a kept backup, or since a file
    #[arg(long, value_name = "ID|FILE", conflicts_with = "scope")]
    incremental_from: Option<String>,
    /// Only the records that a condition chooses, what refers to them, and what those need
    #[arg(long, value_name = "TABLE:CONDITION")]
    scope: Option<String>,
    /// Also the files below a folder: with rayerp uploads/ and public-uploads/, with jarvis-user the user's, with baluhost all
    #[arg(long, value_name = "FOLDER")]
    files: Option<PathBuf>,
    /// The files alone, no records
    #[arg(long, requires = "files", conflicts_with_all = ["only_tables", "skip_tables", "scope", "incremental_from"])]
    files_only: bool,
    #[command(flatten)]
    columns: Columns,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What people say of it
    #[arg(long, value_name = "TAGS", value_delimiter = ',')]
    tag: Vec<String>,
    /// Time zone of the file's name, such as Europe/London
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: chrono_tz::Tz,
    /// Keep it elsewhere: s3://…, az://…, gs://…, file:///…
    #[arg(long, value_name = "URL", conflicts_with = "out")]
    storage: Option<String>,
    #[command(flatten)]
    seal: SealArgs,
}

/// What becomes of columns on their way into a backup.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Columns")]
struct Columns {
    /// Leave columns out: COLUMN or TABLE.COLUMN; a merge of the backup keeps what is there
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    drop: Vec<String>,
    /// Make columns null
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    null: Vec<String>,
    /// Replace text by a keyed digest: equal values stay equal
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    hash: Vec<String>,
    /// Carry columns although a rule would leave them out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    keep: Vec<String>,
    /// Leave out what the strategy environment-sync never brings: password hashes, sessions, tokens
    #[arg(long, conflicts_with = "with_secrets")]
    without_secrets: bool,
    /// Carry password hashes and tokens where they would stay out: in --scope, rayerp, jarvis-user, jarvis-system
    #[arg(long)]
    with_secrets: bool,
}

impl Columns {
    /// Lists the rules: those of the configuration first, so that the command line wins.
    fn rules(&self, target: &Target) -> Vec<(String, Rule)> {
        let given =
            [(&self.drop, Rule::Drop), (&self.null, Rule::Null), (&self.hash, Rule::Hash), (&self.keep, Rule::Keep)];
        let given = given.iter().flat_map(|(names, rule)| names.iter().map(|name| (name.clone(), *rule)));
        target.settings.columns.rules().into_iter().chain(given).collect()
    }

    fn secrets(&self) -> Option<Secrets> {
        match (self.without_secrets, self.with_secrets) {
            (true, _) => Some(Secrets::LeftOut),
            (_, true) => Some(Secrets::Carried),
            _ => None,
        }
    }
}

fn compression(text: &str) -> std::result::Result<Compression, String> {
    let (how, level) = text.split_once(':').map_or((text, None), |(how, level)| (how, Some(level)));
    let within = |most: u32| match level.map(str::parse::<u32>) {
        None => Ok(None),
        Some(Ok(level)) if level <= most => Ok(Some(level)),
        Some(_) => Err(format!("{how} has levels up to {most}")),
    };
    match how {
        "none" if level.is_none() => Ok(Compression::None),
        "gzip" => Ok(within(9)?.map_or(Compression::Gzip, Compression::GzipAt)),
        "zstd" => Ok(within(22)?.map_or(Compression::Zstd, |level| Compression::ZstdAt(level as i32))),
        _ => Err("write none, gzip, zstd, or one with a level, such as gzip:9".to_owned()),
    }
}

fn zone(text: &str) -> std::result::Result<chrono_tz::Tz, String> {
    text.parse().map_err(|_| format!("{text:?} is no time zone; write one such as UTC or Europe/London"))
}

pub(super) fn run(context: &Context<'_>, args: &BackupArgs) -> Result<Done> {
    match &args.command {
        BackupCommand::Create(args) => create(context, args),
        BackupCommand::List(args) => kept::list(context, args),
        BackupCommand::Show(args) => kept::show(context, args),
        BackupCommand::Verify(args) => kept::verify(context, args),
        BackupCommand::Forget(args) => kept::forget(context, args),
        BackupCommand::Export(args) => kept::export(context, args),
        BackupCommand::Import(args) => kept::import(context, args),
        BackupCommand::Rm(args) => kept::rm(context, args),
    }
}

impl CreateArgs {
    fn format(&self) -> Result<Format> {
        let given = self.compress.or(match (self.gzip, self.zstd) {
            (true, _) => Some(Compression::Gzip),
            (_, true) => Some(Compression::Zstd),
            _ => None,
        });
        if self.format != FormatArg::SmartBackup && (given.is_some() || self.pretty) {
            return Err(fail!(
                Usage,
                "only a Smart Backup can be compressed or indented; other formats fix how they are written"
            )
            .hint("Leave --compress, --gzip, --zstd and --pretty out."));
        }
        let usual = if self.out.is_some() { Compression::None } else { Compression::Zstd };
        let layout = if self.pretty { Layout::Pretty } else { Layout::Compact };
        Ok(match self.format {
            FormatArg::SmartBackup => Format::Records(WriteFormat::SmartBackup(given.unwrap_or(usual), layout)),
            other => Chosen::from(other).format(),
        })
    }
}

fn create(context: &Context<'_>, args: &CreateArgs) -> Result<Done> {
    let target = context.target()?;
    if let Some(path) = args.out.as_deref().filter(|path| path.exists()) {
        return Err(
            fail!(Usage, "{} exists already", path.display()).hint("Choose another name; nothing is overwritten.")
        );
    }
    if args.out.is_some() && (args.name.is_some() || !args.tag.is_empty()) {
        return Err(fail!(Usage, "--name and --tag are for backups that are kept").hint("Leave --out away, or them."));
    }
    let sealing = args.seal.sealing(context)?;
    let storage = match (&args.out, args.storage.as_ref().or(context.config()?.settings.backup.storage.as_ref())) {
        (None, Some(url)) => Some(Storage::open(url)?),
        _ => None,
    };
    let rules = args.columns.rules(&target);
    let every = ["*".to_owned()];
    let request = Create {
        name: args.name.as_deref(),
        format: args.format()?,
        only_tables: &args.only_tables,
        skip_tables: if args.files_only { &every } else { &args.skip_tables },
        rules: &rules,
        secrets: args.columns.secrets().or(Chosen::from(args.format).secrets()),
        scope: args.scope.as_deref(),
        conditions: &[],
        since: None,
        zone: args.time_zone,
        tags: &args.tag,
        sealing: sealing.as_ref(),
        files: args.files.as_deref(),
    };
    let read = ReadOptions { keys: args.seal.keys.keys(context), ..ReadOptions::default() };
    let home = context.home()?;
    let mut catalog = Catalog::open(&home)?.with_keys(read.keys.clone());
    let mut database = target.connect(context.out)?;
    let _working = Working::begin();
    let scratch = tempfile::tempdir()?;
    let base = args.incremental_from.as_deref().map(|name| Earlier::find(&catalog, name, &read)).transpose()?;
    let made = match (&args.out, &base) {
        (None, None) => {
            catalog.create(database.as_mut(), &request, context.out).map(|(entry, made)| (Some(entry), made))
        }
        (None, Some(Earlier::Kept(base))) => {
            let made = catalog.create_since(base, database.as_mut(), &request, context.out);
            made.map(|(entry, made)| (Some(entry), made))
        }
        (out, base) => {
            let (file, digest) = match base {
                Some(Earlier::Kept(base)) => (catalog.state(base, scratch.path(), context.out)?, base.digest.clone()),
                Some(Earlier::File(file, digest)) => (file.clone(), digest.clone()),
                None => Default::default(),
            };
            let since = base.as_ref().map(|_| Since { file: &file, digest: &digest, id: None, read: &read });
            let request = Create { since, ..request };
            match out {
                None => catalog.create(database.as_mut(), &request, context.out).map(|(e, made)| (Some(e), made)),
                Some(out) => {
                    let lineage = catalog.lineage(database.identity())?;
                    make::write(database.as_mut(), &request, &lineage, home.key()?, out, context.out).map(|m| (None, m))
                }
            }
        }
    };
    let (mut entry, made) = made?;
    if let (Some(kept), Some(storage)) = (&mut entry, &storage) {
        *kept = catalog.keep_at(kept, storage, context.out)?;
        context.out.line(&format!("Kept in {}", storage.url()));
    }
    let path = match (&entry, &args.out) {
        (Some(entry), _) => catalog.path(entry),
        (None, Some(out)) => out.clone(),
        (None, None) => unreachable!("what is not written to a file is kept"),
    };
    said(context, entry.as_ref(), &made, &path)
}

/// The backup that an incremental one builds on.
enum Earlier {
    Kept(Box<Entry>),
    File(PathBuf, String),
}

impl Earlier {
    fn find(catalog: &Catalog, name: &str, read: &ReadOptions) -> Result<Self> {
        let path = Path::new(name);
        if !path.is_file() {
            return catalog.find(name).map(|entry| Self::Kept(Box::new(entry)));
        }
        let (digest, _) = backup::digest(path)?;
        if let Some(kept) = catalog.list()?.into_iter().find(|entry| entry.digest == digest) {
            return Ok(Self::Kept(Box::new(kept)));
        }
        if backup::lineage(path, read)?.is_some_and(|lineage| lineage.base.is_some()) {
            return Err(fail!(Usage, "{name} is incremental itself, and what it builds on is not known here")
                .hint("Import both with 'merganser backup import'."));
        }
        Ok(Self::File(path.to_owned(), digest))
    }
}

fn said(context: &Context<'_>, entry: Option<&Entry>, made: &Made, path: &Path) -> Result<Done> {
    let (digest, size) = match entry {
        Some(entry) => (entry.digest.clone(), entry.size_bytes),
        None => backup::digest(path)?,
    };
    let total: u64 = made.tables.iter().map(|t| t.records).sum();
    let absolute = std::path::absolute(path)?.display().to_string();
    // What was moved elsewhere was said already.
    if entry.is_none_or(|entry| entry.storage.is_none()) {
        context.out.line(&format!("Backup written: {absolute}"));
    }
    if let Some(entry) = entry {
        context.out.line(&format!("  kept as {}", entry.name));
    }
    context.out.line(&format!("  {} in {}", plural(total, "record"), plural(made.tables.len() as u64, "table")));
    if made.files > 0 {
        context.out.line(&format!("  {}", plural(made.files, "file")));
    }
    context.out.line(&format!("  {size} bytes, blake3:{digest}"));
    for (title, lines) in [("Followed", &made.followed), ("Columns", &made.ruled), ("Note", &made.notes)] {
        lines.iter().for_each(|line| context.out.line(&format!("  {title}: {line}")));
    }
    let tables: Vec<Json> = made.tables.iter().map(|t| json!({"name": t.name, "records": t.records})).collect();
    Ok(Done::with(&json!({
        "backup": absolute, "id": entry.map(|e| &e.id), "name": entry.map(|e| &e.name), "kind": made.kind,
        "size_bytes": size, "digest": digest, "records": total, "tables": tables, "followed": made.followed,
        "storage": entry.and_then(|e| e.storage.as_ref()), "columns": made.ruled, "files": made.files, "notes": made.notes, "changed": false,
    })))
}

/// Writes the backup that `merge --backup-first` asks for and returns its path.
pub(super) fn before_merge(context: &Context<'_>, home: &Home, database: &mut dyn Database) -> Result<String> {
    let mut catalog = Catalog::open(home)?;
    let sealing = SealArgs::default().sealing(context)?;
    let tags = ["before-merge".to_owned()];
    let _working = Working::begin();
    let (entry, _) = catalog
        .create(database, &Create { tags: &tags, sealing: sealing.as_ref(), ..Create::default() }, context.out)
        .map_err(|e| e.at("the backup before the merge").and("nothing was changed"))?;
    Ok(catalog.path(&entry).display().to_string())
}

/// Finds the file that is meant: a path, else a kept backup.
///
/// # Errors
/// `BackupNotFound` when it is neither.
pub(super) fn kept_file(catalog: &Catalog, name: &str) -> Result<(PathBuf, Option<Entry>)> {
    let path = Path::new(name);
    if path.exists() {
        let digest = if path.is_file() { Some(backup::digest(path)?.0) } else { None };
        let entry = catalog.list()?.into_iter().find(|entry| Some(&entry.digest) == digest.as_ref());
        return Ok((path.to_owned(), entry));
    }
    match catalog.find(name) {
        Ok(entry) => {
            catalog.fetch(&entry, &Quiet)?;
            Ok((catalog.path(&entry), Some(entry)))
        }
        Err(_) if name.contains(['/', '.']) => super::analyze::must_exist(path).map(|()| (path.to_owned(), None)),
        Err(error) => Err(error),
    }
}
