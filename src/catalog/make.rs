//! Making a backup: one consistent view of a database, written table by table; whole, of some tables, of one person, or
//! of what changed since an earlier one.

mod chosen;
mod columns;
pub mod names;
mod scope;
mod since;

pub use chosen::Chosen;
pub use columns::{Rule, Secrets};

use super::{Carried, Catalog, Entry, Kind, now};
use crate::analyzer::graph;
use crate::backup::{
    self, BackupWriter, Compression, FilesFormat, Lineage, ReadOptions, Sealing, TableOptions, WriteFormat,
};
use crate::database::sqlite::Sqlite;
use crate::database::{Database, Snapshot};
use crate::error::{Result, fail};
use crate::executor::home::fresh_id;
use crate::model::schema::Engine;
use crate::model::{OwnedCell, Schema, Table};
use crate::progress::{Phase, Progress};
use crate::restore;
use columns::{ColumnRules, Ruled};
use std::path::{Path, PathBuf};

/// The formats that a backup can be made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One that is written record by record.
    Records(WriteFormat),
    /// An SQLite database file: a copy of an SQLite database, tables shaped after those of another.
    Sqlite,
    /// BaluHost's archive around such a file.
    BaluHost,
}

impl Default for Format {
    fn default() -> Self {
        Self::Records(WriteFormat::SmartBackup(Compression::Zstd, Default::default()))
    }
}

impl Format {
    /// Returns the word for it that reading it back gives.
    pub fn word(self) -> &'static str {
        match self {
            Self::Records(WriteFormat::SmartBackup(..)) => backup::Format::SmartBackup,
            Self::Records(WriteFormat::TableMap) => backup::Format::TableMap,
            Self::Records(WriteFormat::Files(FilesFormat::NdJson)) => backup::Format::NdJson,
            Self::Records(WriteFormat::Files(FilesFormat::RayErp)) => backup::Format::RayErp,
            Self::Records(WriteFormat::Files(FilesFormat::Django)) => backup::Format::Django,
            Self::Records(WriteFormat::JarvisUser) => backup::Format::Jarvis,
            Self::Sqlite => backup::Format::Sqlite,
            Self::BaluHost => backup::Format::BaluHost,
        }
        .word()
    }

    /// Tells whether its guide promises that password hashes never leave.
    fn secrets(self) -> Secrets {
        match self {
            Self::Records(WriteFormat::Files(FilesFormat::RayErp) | WriteFormat::JarvisUser) => Secrets::LeftOut,
            _ => Secrets::Carried,
        }
    }
}

/// What is backed up, and how.
#[derive(Clone, Copy)]
pub struct Create<'a> {
    /// What it is called; none: its id.
    pub name: Option<&'a str>,
    /// The file's format.
    pub format: Format,
    /// Only these tables; empty: all.
    pub only_tables: &'a [String],
    /// Not these tables; `*` is all of them: the files alone.
    pub skip_tables: &'a [String],
    /// Rules for columns, `table.column` or `column`; later ones win.
    pub rules: &'a [(String, Rule)],
    /// Whether secrets leave where no rule says so; none: as the format's guide promises, and never in one person's data.
    pub secrets: Option<Secrets>,
    /// One person's data only: `users:id=42`.
    pub scope: Option<&'a str>,
    /// Only records that meet their table's conditions, and nothing that they refer to; tables without one are left out.
    pub conditions: &'a [String],
    /// Only what changed since an earlier backup of the same database.
    pub since: Option<Since<'a>>,
    /// The time zone of the file's name.
    pub zone: chrono_tz::Tz,
    /// Tags.
    pub tags: &'a [String],
    /// How it is encrypted, if at all.
    pub sealing: Option<&'a Sealing>,
    /// The folder whose files travel with it, if any.
    pub files: Option<&'a Path>,
}

impl Create<'_> {
    /// Tells whether it is one person's data only.
    fn is_of_one(&self) -> bool {
        self.scope.is_some() || !self.conditions.is_empty()
    }

    fn is_files_only(&self) -> bool {
        self.skip_tables.iter().any(|name| name == "*")
    }
}

/// The earlier backup of an incremental one.
#[derive(Clone, Copy)]
pub struct Since<'a> {
    /// Its file, which holds every record that there was.
    pub file: &'a Path,
    /// BLAKE3 of the kept file that stands for it in the chain.
    pub digest: &'a str,
    /// Its id in the catalog.
    pub id: Option<&'a str>,
    /// How it is read.
    pub read: &'a ReadOptions,
}

impl Default for Create<'_> {
    fn default() -> Self {
        Self {
            name: None,
            format: Format::default(),
            only_tables: &[],
            skip_tables: &[],
            rules: &[],
            secrets: None,
            scope: None,
            conditions: &[],
            since: None,
            zone: chrono_tz::UTC,
            tags: &[],
            sealing: None,
            files: None,
        }
    }
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Made {
    /// When the records were read.
    pub created_at: String,
    /// What it holds.
    pub kind: Kind,
    /// Its tables, parents first.
    pub tables: Vec<Carried>,
    /// Columns that were left out, made null or hashed: `users.password: dropped`.
    pub ruled: Vec<String>,
    /// Tables that one person's data was followed through.
    pub followed: Vec<String>,
    /// Files that travel with it.
    pub files: u64,
    /// Things a person should know: what the format can't hold.
    pub notes: Vec<String>,
    schema: Schema,
}

impl Catalog {
    /// Backs a database up and lists the backup once its file is complete and on disk.
    ///
    /// # Errors
    /// `Usage` for names that are not there, or rules that can't be kept; what the database reports; `OutOfSpace`.
    pub fn create(
        &mut self,
        database: &mut dyn Database,
        request: &Create<'_>,
        progress: &dyn Progress,
    ) -> Result<(Entry, Made)> {
        let id = fresh_id('b');
        let name = request.name.map_or_else(|| id.clone(), str::to_owned);
        self.free(&name)?;
        let subject = request.scope.and_then(|scope| scope.rsplit_once('=')).map(|(_, value)| value.trim());
        let mut file = names::name(request.format, chrono::Utc::now(), request.zone, subject);
        file.push_str(request.sealing.map_or("", Sealing::suffix));
        let file = names::free(&self.home.backups(), &file);
        let path = self.home.backups().join(&file);
        let lineage = self.lineage(database.identity())?;
        let made = write(database, request, &lineage, self.home.key()?, &path, progress)?;
        let (digest, size_bytes) = backup::digest(&path)?;
        let entry = Entry {
            id,
            name,
            created_at: made.created_at.clone(),
            database: Some(database.identity().clone()),
            kind: made.kind,
            format: request.format.word().to_owned(),
            file,
            size_bytes,
            digest,
            tables: made.tables.clone(),
            tags: request.tags.to_vec(),
            encryption: request.sealing.map(|sealing| sealing.word().to_owned()),
            storage: None,
            base: request.since.and_then(|since| since.id).map(str::to_owned),
            verified: None,
        };
        self.add(&entry, Some(&made.schema))?;
        Ok((entry, made))
    }
}

/// Writes a backup to a file, which appears when it is complete and on disk.
///
/// # Errors
/// As [`Catalog::create`].
pub fn write(
    database: &mut dyn Database,
    request: &Create<'_>,
    lineage: &Lineage,
    key: [u8; 32],
    path: &Path,
    progress: &dyn Progress,
) -> Result<Made> {
    check(request)?;
    progress.phase(Phase::Schema);
    let schema = database.schema()?;
    let secrets = match request.secrets {
        Some(secrets) => secrets,
        None if request.is_of_one() => Secrets::LeftOut,
        None => request.format.secrets(),
    };
    let rules = ColumnRules::new(request.rules, secrets, &schema)?;
    let mut ruled = Vec::new();
    let mut tables = Vec::new();
    for position in chosen(&schema, request)? {
        let table = &schema.tables[position];
        if rules.brings(table) {
            let rules = rules.of(table)?;
            for (column, rule) in table.columns.iter().zip(&rules) {
                let what = match rule {
                    Rule::Keep => continue,
                    Rule::Drop => "left out",
                    Rule::Null => "made null",
                    Rule::Hash => "hashed",
                };
                ruled.push(format!("{}.{}: {what}", table.label(), column.name));
            }
            tables.push((position, rules));
        } else {
            ruled.push(format!("{}: left out", table.label()));
        }
    }
    let lineage = Lineage { base: request.since.map(|since| since.digest.to_owned()), ..lineage.clone() };
    let job = Job { schema: &schema, tables: &tables, request, lineage: &lineage, key, created_at: now() };
    let mut made = Made {
        created_at: job.created_at.clone(),
        kind: job.kind(),
        tables: Vec::new(),
        ruled,
        followed: Vec::new(),
        files: 0,
        notes: schema.left_out.clone(),
        schema: schema.clone(),
    };
    match request.format {
        Format::Records(format) => {
            let open = || backup::create_of(path, format, &job.created_at, job.lineage, request.sealing);
            job.records(database, &open, &mut made, progress)?;
        }
        Format::Sqlite if request.sealing.is_none() => job.sqlite(database, path, &mut made, progress)?,
        Format::Sqlite | Format::BaluHost => {
            let scratch = tempfile::tempdir()?;
            let (copy, packed) = (scratch.path().join("baluhost.db"), scratch.path().join("packed"));
            if !request.is_files_only() {
                job.sqlite(database, &copy, &mut made, progress)?;
            }
            let database_copy = (!request.is_files_only()).then_some(copy.as_path());
            let attached = match request.format {
                Format::BaluHost => job.files()?,
                _ => Vec::new(),
            };
            made.files = attached.len() as u64;
            match (request.format, request.sealing) {
                (Format::BaluHost, None) => backup::write_baluhost(path, database_copy, &attached)?,
                (Format::BaluHost, Some(sealing)) => {
                    backup::write_baluhost(&packed, database_copy, &attached)?;
                    backup::seal_into(&packed, path, sealing)?;
                }
                (_, Some(sealing)) => backup::seal_into(&copy, path, sealing)?,
                (_, None) => unreachable!("written in its place above"),
            }
        }
    }
    Ok(made)
}

fn check(request: &Create<'_>) -> Result<()> {
    if request.is_files_only() && request.files.is_none() {
        return Err(fail!(Usage, "every table is skipped, and there are no files: nothing would be in the backup")
            .hint("Give the folder with --files, or leave tables in."));
    }
    if request.since.is_none() {
        return Ok(());
    }
    if !matches!(request.format, Format::Records(WriteFormat::SmartBackup(..))) {
        return Err(fail!(Usage, "an incremental backup names what was deleted, which only a Smart Backup can")
            .hint("Leave --format out."));
    }
    if request.is_of_one() {
        return Err(fail!(
            Usage,
            "one person's data is always whole; --scope and --incremental-from exclude each other"
        ));
    }
    Ok(())
}

/// Returns the tables to be written, parents first.
fn chosen(schema: &Schema, request: &Create<'_>) -> Result<Vec<usize>> {
    let resolve = |names: &[String]| -> Result<Vec<usize>> {
        let find = |name: &String| {
            schema.table(name).ok_or_else(|| {
                let known: Vec<String> = schema.tables.iter().map(Table::label).collect();
                fail!(Usage, "the current database has no table {name:?}").hint(format!("It has {}.", known.join(", ")))
            })
        };
        names.iter().map(find).collect()
    };
    if request.is_files_only() {
        return Ok(Vec::new());
    }
    let (only, skip) = (resolve(request.only_tables)?, resolve(request.skip_tables)?);
    let wanted = |table: &usize| (only.is_empty() || only.contains(table)) && !skip.contains(table);
    Ok(graph::order(schema).tables.into_iter().filter(wanted).collect())
}

/// One backup being made.
struct Job<'a> {
    schema: &'a Schema,
    tables: &'a [(usize, Vec<Rule>)],
    request: &'a Create<'a>,
    lineage: &'a Lineage,
    key: [u8; 32],
    created_at: String,
}

impl Job<'_> {
    fn is_whole(&self) -> bool {
        self.tables.len() == self.schema.tables.len()
            && self.tables.iter().flat_map(|(_, rules)| rules).all(|rule| *rule == Rule::Keep)
    }

    fn kind(&self) -> Kind {
        match self.request.since {
            Some(_) => Kind::Incremental,
            None if self.is_whole() && !self.request.is_of_one() => Kind::Full,
            None => Kind::Selected,
        }
    }

    /// Writes the records of one view of the database.
    fn records(
        &self,
        database: &mut dyn Database,
        open: &dyn Fn() -> Result<Box<dyn BackupWriter>>,
        made: &mut Made,
        progress: &dyn Progress,
    ) -> Result<()> {
        let mut snapshot = database.snapshot()?;
        let positions: Vec<usize> = self.tables.iter().map(|(table, _)| *table).collect();
        let mut changes = match self.request.since {
            Some(since) => {
                let snapshot = snapshot.as_mut();
                Some(since::changes(since.file, since.read, database, self.schema, snapshot, progress)?)
            }
            None => None,
        };
        let mut scoped = match (self.request.scope, self.request.conditions) {
            (Some(text), _) => Some(scope::gather(text, self.schema, &positions, snapshot.as_mut(), progress)?),
            (None, []) => None,
            (None, some) => Some(scope::meeting(some, self.schema, &positions, snapshot.as_mut())?),
        };
        let mut writer = open()?;
        for (position, rules) in self.tables {
            let table = &self.schema.tables[*position];
            let excluded = (0..table.columns.len()).filter(|&c| rules[c] == Rule::Drop).collect();
            let mut ruled = Ruled::new(rules, self.key);
            let (records, deleted) = match (&mut changes, &mut scoped) {
                (Some(changes), _) => changes.remove(position).map(|c| (c.records, c.deleted)).unzip(),
                (None, Some(scoped)) => match scoped.records.remove(position) {
                    Some(records) => (Some(records), None),
                    // A table that the scope does not reach says nothing.
                    None => continue,
                },
                (None, None) => (None, None),
            };
            let partial = records.is_some();
            writer.begin_table(table, &TableOptions { excluded, partial, deleted: deleted.unwrap_or_default() })?;
            let count = match records {
                Some(records) => listed(&records, &mut ruled, writer.as_mut())?,
                None => scanned(table, snapshot.as_mut(), &mut ruled, writer.as_mut(), progress)?,
            };
            made.tables.push(Carried { name: table.label(), records: count });
        }
        // The tables of BaluHost's database are packed with the files later.
        let files = if self.request.format == Format::BaluHost { Vec::new() } else { self.files()? };
        for (name, place) in &files {
            let mut file = std::fs::File::open(place)
                .map_err(|e| fail!(Failed, "{} can't be read", place.display()).because(e))?;
            let at = file.metadata()?.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
            writer.attach(name, at.and_then(|at| i64::try_from(at.as_secs()).ok()), &mut file)?;
        }
        made.files += files.len() as u64;
        writer.finish()?;
        made.followed = scoped.map(|scoped| scoped.followed).unwrap_or_default();
        Ok(())
    }

    /// Lists the files that travel with the backup, by the names that they have there: of RayERP its uploads, of Jarvis the
    /// folder of the user whose data it is, of BaluHost all. Links are passed over.
    fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let Some(root) = self.request.files else { return Ok(Vec::new()) };
        let root = root
            .canonicalize()
            .map_err(|e| fail!(Usage, "--files: there is no folder {}", root.display()).because(e))?;
        let areas: Vec<String> = match (self.request.format, self.request.scope) {
            (Format::BaluHost, _) => vec![String::new()],
            (Format::Records(WriteFormat::Files(FilesFormat::RayErp)), _) => {
                vec!["uploads/".to_owned(), "public-uploads/".to_owned()]
            }
            (Format::Records(WriteFormat::JarvisUser), Some(scope)) => {
                let name = scope.rsplit_once('=').map_or("", |(_, value)| value.trim());
                vec![format!("{}/", name.trim_matches(['"', '\'']))]
            }
            _ => {
                return Err(fail!(Usage, "no files travel with a backup of this format")
                    .hint("Choose --format rayerp, baluhost, or jarvis-user with --scope users:username=NAME."));
            }
        };
        let names = crate::files::below(&root)?;
        let carried = names.into_iter().filter(|name| areas.iter().any(|area| name.starts_with(area)));
        carried.map(|name| crate::files::place(&root, &name).map(|place| (name, place))).collect()
    }

    /// Makes an SQLite file: of an SQLite database as it is, of anything else with tables shaped after its own.
    fn sqlite(&self, database: &mut dyn Database, path: &Path, made: &mut Made, progress: &dyn Progress) -> Result<()> {
        let folder = path.parent().filter(|p| *p != Path::new("")).unwrap_or(Path::new("."));
        if self.schema.engine == Engine::Sqlite && self.is_whole() && self.request.scope.is_none() {
            let temporary = tempfile::Builder::new()
                .prefix(".merganser-")
                .tempfile_in(folder)
                .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e))?;
            Sqlite::open(Path::new(&database.identity().id))?.copy_to(temporary.path())?;
            temporary.as_file().sync_all()?;
            temporary
                .persist_noclobber(path)
                .map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e.error))?;
            // What was copied is counted, not what may be there by now.
            let mut reader = backup::open(path, &ReadOptions::default())?;
            while let Some(header) = reader.next_table()? {
                let records = reader.read_records(&mut backup::Ignore)?;
                made.tables.push(Carried { name: header.name, records });
            }
            return reader.finish().map(|_| ());
        }
        let scratch = tempfile::Builder::new().prefix(".merganser-").tempdir_in(folder)?;
        let file = scratch.path().join("records.db");
        self.records(database, &|| Ok(Box::new(restore::ShapedWriter::create(&file)?)), made, progress)?;
        std::fs::File::open(&file)?.sync_all()?;
        std::fs::hard_link(&file, path).map_err(|e| fail!(Failed, "{} can't be written", path.display()).because(e))?;
        made.notes
            .push("the file holds records and keys: no foreign keys, further uniques, checks or defaults".to_owned());
        Ok(())
    }
}

/// Writes records that were gathered before.
fn listed(records: &[Vec<OwnedCell>], ruled: &mut Ruled<'_>, writer: &mut dyn BackupWriter) -> Result<u64> {
    for record in records {
        let cells: Vec<_> = record.iter().map(OwnedCell::as_cell).collect();
        ruled.hand(&cells, &mut |cells| writer.record(cells))?;
    }
    Ok(records.len() as u64)
}

/// Writes every record of a table.
fn scanned(
    table: &Table,
    snapshot: &mut dyn Snapshot,
    ruled: &mut Ruled<'_>,
    writer: &mut dyn BackupWriter,
    progress: &dyn Progress,
) -> Result<u64> {
    let label = table.label();
    let mut records = 0;
    snapshot.scan(table, &mut |cells| {
        records += 1;
        if records % 1024 == 0 {
            progress.go_on()?;
            progress.advance(&label, records, None);
        }
        ruled.hand(cells, &mut |cells| writer.record(cells))
    })?;
    Ok(records)
}
