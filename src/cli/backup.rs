//! `backup create` and `backup list`: one consistent snapshot, written to a file that appears when it is complete.

use super::context::{Context, Target};
use super::output::{Done, Output};
use super::secret::SealArgs;
use super::signals::Working;
use crate::analyzer::graph;
use crate::backup::{self, Compression, Layout, TableOptions, WriteFormat};
use crate::database::url::ConnectUrl;
use crate::database::{Database, sqlite::Sqlite};
use crate::error::{Result, fail};
use crate::executor::Home;
use crate::model::Table;
use crate::progress::{Phase, Progress};
use crate::report::text::{age, aligned, plural};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "Examples:
  merganser backup create --to prod
  merganser backup create --to sqlite:app.db -o before.json.gz --gzip
  merganser backup create --to prod --encrypt
  merganser backup list";

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
    /// List the backups in the data folder
    #[command(after_help = EXAMPLES)]
    List,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Smart Backup JSON.
    #[default]
    Smart,
    /// A copy of the SQLite file.
    Sqlite,
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Where it is written (default: the data folder)
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Its format
    #[arg(long, value_enum, default_value_t)]
    format: FormatArg,
    /// Compress with gzip
    #[arg(long, conflicts_with = "zstd")]
    gzip: bool,
    /// Compress with zstd
    #[arg(long)]
    zstd: bool,
    /// Indent the JSON for people
    #[arg(long)]
    pretty: bool,
    /// Only these tables
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    only_tables: Vec<String>,
    #[command(flatten)]
    seal: SealArgs,
}

pub(super) fn run(context: &Context<'_>, args: &BackupArgs) -> Result<Done> {
    match &args.command {
        BackupCommand::Create(args) => create(context, args),
        BackupCommand::List => list(context),
    }
}

fn create(context: &Context<'_>, args: &CreateArgs) -> Result<Done> {
    let target = context.target()?;
    let compression = match (args.gzip, args.zstd) {
        (true, _) => Compression::Gzip,
        (_, true) => Compression::Zstd,
        _ => Compression::None,
    };
    if args.format == FormatArg::Sqlite && (compression != Compression::None || !args.only_tables.is_empty()) {
        return Err(fail!(
            Usage,
            "--format sqlite copies the whole file as it is; it takes no --gzip, --zstd or --only-tables"
        ));
    }
    let sealing = args.seal.sealing(context)?;
    let ending = match (args.format, compression) {
        (FormatArg::Sqlite, _) => "sqlite3",
        (_, Compression::None) => "json",
        (_, Compression::Gzip) => "json.gz",
        (_, Compression::Zstd) => "json.zst",
    };
    let path = match &args.out {
        Some(path) if path.exists() => {
            return Err(
                fail!(Usage, "{} exists already", path.display()).hint("Choose another name; nothing is overwritten.")
            );
        }
        Some(path) => path.clone(),
        None => free_name(
            &context.home()?.backups(),
            &format!("{ending}{}", sealing.as_ref().map_or("", backup::Sealing::suffix)),
        ),
    };
    let records = match args.format {
        FormatArg::Smart => {
            let mut database = target.connect(context.out)?;
            let layout = if args.pretty { Layout::Pretty } else { Layout::Compact };
            let format = WriteFormat::SmartBackup(compression, layout);
            write_smart(context.out, database.as_mut(), &path, format, &args.only_tables, sealing.as_ref())?
        }
        FormatArg::Sqlite => copy(&target, &path, sealing.as_ref())?,
    };
    let (digest, size) = backup::digest(&path)?;
    let total: u64 = records.iter().map(|(_, n)| n).sum();
    let tables: Vec<Json> = records.iter().map(|(name, n)| json!({"name": name, "records": n})).collect();
    let absolute = std::path::absolute(&path)?.display().to_string();
    context.out.line(&format!("Backup written: {absolute}"));
    if args.format == FormatArg::Smart {
        context.out.line(&format!("  {} in {}", plural(total, "record"), plural(records.len() as u64, "table")));
    }
    context.out.line(&format!("  {size} bytes, blake3:{digest}"));
    Ok(Done::with(&json!({
        "backup": absolute, "size_bytes": size, "digest": digest, "records": total, "tables": tables, "changed": false,
    })))
}

fn free_name(folder: &Path, ending: &str) -> PathBuf {
    let stamp = chrono::Utc::now().format("%Y-%m-%dT%H-%M-%S");
    let name = |more: String| folder.join(format!("incremental-backup-{stamp}{more}.{ending}"));
    let usual = name(String::new());
    if !usual.exists() {
        return usual;
    }
    (2..).map(|n| name(format!("-{n}"))).find(|p| !p.exists()).expect("numbers never end")
}

fn write_smart(
    out: &Output,
    database: &mut dyn Database,
    path: &Path,
    format: WriteFormat,
    only: &[String],
    sealing: Option<&backup::Sealing>,
) -> Result<Vec<(String, u64)>> {
    let _working = Working::begin();
    out.phase(Phase::Schema);
    let schema = database.schema()?;
    for name in only {
        if schema.table(name).is_none() {
            let known: Vec<String> = schema.tables.iter().map(Table::label).collect();
            return Err(fail!(Usage, "--only-tables: the database has no table {name:?}")
                .hint(format!("It has {}.", known.join(", "))));
        }
    }
    let chosen = |t: &Table| only.is_empty() || only.iter().any(|n| *n == t.label() || *n == t.name);
    let mut writer = backup::create_sealed(path, format, &super::output::now(), sealing)?;
    let mut snapshot = database.snapshot()?;
    let mut counts = Vec::new();
    for position in graph::order(&schema).tables {
        let table = &schema.tables[position];
        if !chosen(table) {
            continue;
        }
        writer.begin_table(table, &TableOptions::default())?;
        let (label, mut done) = (table.label(), 0);
        snapshot.scan(table, &mut |cells| {
            done += 1;
            if done % 1_000 == 0 {
                out.go_on()?;
                out.advance(&label, done, None);
            }
            writer.record(cells)
        })?;
        counts.push((label, done));
    }
    writer.finish()?;
    Ok(counts)
}

fn copy(target: &Target, path: &Path, sealing: Option<&backup::Sealing>) -> Result<Vec<(String, u64)>> {
    let ConnectUrl::Sqlite(from) = ConnectUrl::parse(&target.url)? else {
        return Err(fail!(Usage, "--format sqlite is for SQLite databases only").hint("Leave --format out."));
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temporary = tempfile::NamedTempFile::new_in(folder)?;
    Sqlite::open(&from)?.copy_to(temporary.path())?;
    if let Some(sealing) = sealing {
        backup::seal_into(temporary.path(), path, sealing)?;
        return Ok(Vec::new());
    }
    temporary.as_file().sync_all()?;
    temporary
        .persist_noclobber(path)
        .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
    Ok(Vec::new())
}

/// Writes the backup that `merge --backup-first` asks for and returns its path.
pub(super) fn before_merge(context: &Context<'_>, home: &Home, database: &mut dyn Database) -> Result<String> {
    let sealing = SealArgs::default().sealing(context)?;
    let ending = format!("json.gz{}", sealing.as_ref().map_or("", backup::Sealing::suffix));
    let path = free_name(&home.backups(), &ending);
    let format = WriteFormat::SmartBackup(Compression::Gzip, Layout::Compact);
    write_smart(context.out, database, &path, format, &[], sealing.as_ref())
        .map_err(|e| e.at("the backup before the merge").and("nothing was changed"))?;
    Ok(path.display().to_string())
}

fn list(context: &Context<'_>) -> Result<Done> {
    let folder = context.home()?.backups();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if about.is_file() && !name.starts_with('.') {
            found.push((about.modified()?, name, about.len()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    let now = std::time::SystemTime::now();
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(at, name, size)| {
            let seconds = now.duration_since(*at).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
            vec![name.clone(), size.to_string(), format!("{} ago", age(seconds))]
        })
        .collect();
    if rows.is_empty() {
        context.out.line(&format!("No backups in {}.", folder.display()));
    } else {
        context.out.line(&format!("Backups in {}", folder.display()));
        context.out.text(&aligned(&["name", "bytes", "written"], &rows, 1));
    }
    let list: Vec<Json> = found
        .iter()
        .map(|(at, name, size)| {
            let at = chrono::DateTime::<chrono::Utc>::from(*at).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            json!({"name": name, "path": folder.join(name), "size_bytes": size, "written_at": at})
        })
        .collect();
    Ok(Done::with(&json!({"backups": list})))
}
