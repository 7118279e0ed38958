//! Backups: listing, bringing, making, checking, looking into, fetching, removing.

use super::analyses::Hidden;
use super::operations::{Kind, Operation};
use crate::backup::{Inspection, Place, ReadOptions, RecordSink, Sealing, inspect};
use crate::catalog::make::{Create, Format};
use crate::catalog::verify::Depth;
use crate::catalog::{Catalog, Entry, Import};
use crate::database::Database;
use crate::error::{Error, ErrorKind, Result, fail};
use crate::executor::home::fresh_id;
use crate::model::{Cell, OwnedCell};
use crate::progress::Progress;
use crate::server::access::Person;
use crate::server::app::App;
use crate::server::jobs::Spec;
use crate::server::people;
use crate::server::problem::{Answer, Problem};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;

/// Uploads at the same time.
const MOST_UPLOADS: usize = 4;

/// A backup as it is listed.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct BackupView {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its file's name.
    pub file: String,
    /// When its records were read.
    pub created_at: String,
    /// The database that it is of, without a password.
    pub database: Option<String>,
    /// `full`, `selected`, `imported`.
    #[schema(value_type = String)]
    pub kind: Json,
    /// Its format's word.
    pub format: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the file.
    pub digest: String,
    /// Records in all tables.
    pub records: u64,
    /// Its tables with their records.
    pub tables: Vec<BackupTable>,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was last found sound.
    pub verified_at: Option<String>,
    /// Why retention keeps it; empty: no rule removes it.
    pub kept_because: Vec<String>,
}

/// A table of a backup.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct BackupTable {
    /// Its name.
    pub name: String,
    /// Its records.
    pub records: u64,
}

impl BackupView {
    fn of(entry: &Entry) -> Self {
        Self {
            id: entry.id.clone(),
            name: entry.name.clone(),
            file: entry.file.clone(),
            created_at: entry.created_at.clone(),
            database: entry.database.as_ref().map(|d| d.display.clone()),
            kind: json!(entry.kind),
            format: entry.format.clone(),
            size_bytes: entry.size_bytes,
            digest: entry.digest.clone(),
            records: entry.tables.iter().map(|t| t.records).sum(),
            tables: entry.tables.iter().map(|t| BackupTable { name: t.name.clone(), records: t.records }).collect(),
            tags: entry.tags.clone(),
            verified_at: entry.verified.as_ref().map(|(at, _)| at.clone()),
            kept_because: Vec::new(),
        }
    }
}

/// Lists the backups, newest first.
///
/// # Errors
/// `Failed`.
pub fn list(app: &App) -> Answer<Vec<BackupView>> {
    let catalog = Catalog::open(app.home())?;
    let mut reasons = reasons(app, &catalog)?;
    let view = |entry: &Entry| BackupView {
        kept_because: reasons.remove(&entry.id).unwrap_or_default(),
        ..BackupView::of(entry)
    };
    Ok(catalog.list()?.iter().map(view).collect())
}

/// Says why backups are kept, by the rules of the schedules that made them.
fn reasons(app: &App, catalog: &Catalog) -> Result<std::collections::BTreeMap<String, Vec<String>>> {
    let schedules = crate::schedule::store::list(app.home())?;
    let rules: Vec<_> = schedules.iter().map(|s| (s.schedule.tag(), s.schedule.keep.policy())).collect();
    catalog.reasons(&rules)
}

/// Finds a backup by exactly its id, its name, or its file's name.
///
/// # Errors
/// `not_found`.
pub fn entry(app: &App, id: &str) -> Answer<Entry> {
    let all = Catalog::open(app.home())?.list()?;
    let named: [fn(&Entry) -> &str; 3] = [|e| &e.id, |e| &e.name, |e| &e.file];
    let found = named.iter().find_map(|name| all.iter().find(|e| name(e) == id));
    found.cloned().ok_or_else(|| Problem::not_found("backup", id))
}

/// Describes one backup.
///
/// # Errors
/// `not_found`.
pub fn get(app: &App, id: &str) -> Answer<BackupView> {
    let entry = entry(app, id)?;
    let kept_because = reasons(app, &Catalog::open(app.home())?)?.remove(&entry.id).unwrap_or_default();
    Ok(BackupView { kept_because, ..BackupView::of(&entry) })
}

/// Notes who brought a backup.
fn brought(app: &App, person: &Person, entry: &Entry) -> Result<()> {
    app.state().with(|c| {
        let sql = "INSERT INTO brought (backup, user_id) SELECT ?1, ?2
                   WHERE NOT EXISTS (SELECT 1 FROM brought WHERE backup = ?1 AND user_id = ?2)";
        c.execute(sql, (&entry.id, &person.id)).map(|_| ())
    })
}

/// Tells whether a person who may reach only their own records may take them from a backup: from one of the very database
/// that they are granted, and from what they brought themselves. In another's file the same key may be somebody else.
///
/// # Errors
/// `Failed`; `unreachable` where the database can't be asked who it is.
pub fn may_reach(app: &App, person: &Person, entry: &Entry, target: &super::targets::Target) -> Answer<bool> {
    let brought = app.state().with(|c| {
        let sql = "SELECT count(*) > 0 FROM brought WHERE backup = ? AND user_id = ?";
        c.query_row(sql, (&entry.id, &person.id), |row| row.get(0))
    })?;
    if brought {
        return Ok(true);
    }
    let Some(of) = &entry.database else { return Ok(false) };
    let database = target.connect()?;
    Ok((of.engine, &of.id) == (database.identity().engine, &database.identity().id))
}

/// Returns a backup's file for who fetches it, and writes down that they did (CHECKS T16).
///
/// # Errors
/// `not_found`, `backup_not_found`.
pub fn fetch(app: &App, person: &Person, id: &str) -> Answer<(Entry, PathBuf)> {
    let entry = entry(app, id)?;
    let path = Catalog::open(app.home())?.file(&entry)?;
    if !path.is_file() {
        return Err(fail!(BackupNotFound, "the file of the backup {} is gone", entry.name).into());
    }
    people::note(app.home(), "backup_fetched", &person.actor(), &format!("{} ({})", entry.name, entry.id))?;
    Ok((entry, path))
}

/// Removes a backup.
///
/// # Errors
/// `not_found`; `usage` while another backup needs it.
pub fn remove(app: &App, person: &Person, id: &str) -> Answer<()> {
    let entry = entry(app, id)?;
    Catalog::open(app.home())?.remove(&entry)?;
    Ok(people::note(app.home(), "backup_removed", &person.actor(), &format!("{} ({})", entry.name, entry.id))?)
}

/// A file that is being brought: under a name of ours, gone unless it is finished.
pub struct Upload {
    file: tempfile::NamedTempFile,
    name: String,
    /// Bytes that may still come.
    pub left: u64,
}

/// Begins to take a file; nothing that the caller says decides where it is kept.
///
/// # Errors
/// `invalid` for a name that can't be one, `too_large`, `too_many_requests`, `out_of_space`.
pub fn begin_upload(app: &App, name: &str, length: Option<u64>) -> Answer<Upload> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' '));
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || name.contains(odd) {
        return Err(Problem::invalid(
            "/name",
            "a backup's name has 1 to 128 letters, digits, dots, dashes, underscores or spaces, and begins with no dot",
        ));
    }
    let most = app.options().largest_upload_bytes;
    if length.is_some_and(|l| l > most) {
        return Err(Problem::own("too_large", format!("an upload has at most {most} bytes")));
    }
    let folder = uploads(app)?;
    if std::fs::read_dir(&folder)?.count() >= MOST_UPLOADS {
        return Err(Problem::own("too_many_requests", "too many files are being uploaded").retry_after(5));
    }
    // The file is copied into the catalog once it is known to be a backup.
    room(app, length.unwrap_or(0).saturating_mul(2))?;
    let extension: String = name.split_once('.').map_or("", |(_, e)| e).chars().take(20).collect();
    let file = tempfile::Builder::new().prefix("upload-").suffix(&format!(".{extension}")).tempfile_in(&folder)?;
    Ok(Upload { file, name: name.to_owned(), left: most })
}

fn uploads(app: &App) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = app.home().root().join("uploads");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Checks that so many bytes leave enough of the disk free.
///
/// # Errors
/// `OutOfSpace`.
pub fn room(app: &App, bytes: u64) -> Result<()> {
    let Some(free) = free_bytes(app) else { return Ok(()) };
    if free < bytes.saturating_add(app.options().least_free_bytes) {
        return Err(fail!(OutOfSpace, "the disk of the data folder has {free} bytes left, which is too little")
            .hint("Make room, or remove backups that are not needed."));
    }
    Ok(())
}

/// Returns how many bytes are free on the disk of the data folder, where `df` says it.
pub fn free_bytes(app: &App) -> Option<u64> {
    let output = std::process::Command::new("df").args(["-Pk", "--"]).arg(app.home().root()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

impl Upload {
    /// Adds what came.
    ///
    /// # Errors
    /// `too_large`, `out_of_space`.
    pub fn add(&mut self, bytes: &[u8]) -> Answer<()> {
        use std::io::Write;
        let count = bytes.len() as u64;
        self.left = self
            .left
            .checked_sub(count)
            .ok_or_else(|| Problem::own("too_large", "the upload is larger than uploads may be"))?;
        Ok(self.file.as_file_mut().write_all(bytes)?)
    }

    /// Reads the whole file as a backup and takes it into the catalog; what is no backup is not kept.
    ///
    /// # Errors
    /// What reading it meets; `usage` for a name that is taken or a file that is here already.
    pub fn finish(self, app: &App, person: &Person) -> Answer<BackupView> {
        self.finish_with(app, person, &Hidden::default())
    }

    /// As [`Upload::finish`], with what opens the file where it is encrypted.
    ///
    /// # Errors
    /// As [`Upload::finish`]; `wrong_key`.
    pub fn finish_with(self, app: &App, person: &Person, passphrase: &Hidden) -> Answer<BackupView> {
        self.file.as_file().sync_all()?;
        room(app, self.file.as_file().metadata()?.len())?;
        let mut catalog = passphrase.catalog(app)?;
        let read = catalog.read();
        let request = Import { name: Some(&self.name), database: None, tags: &[], read: &read };
        let entry = catalog.import(self.file.path(), &request).map_err(|e| self.named(e))?;
        brought(app, person, &entry)?;
        people::note(app.home(), "backup_uploaded", &person.actor(), &format!("{} ({})", entry.name, entry.id))?;
        Ok(BackupView::of(&entry))
    }

    /// As [`Upload::finish_with`]; a file that is in the catalog already is taken from there.
    ///
    /// # Errors
    /// As [`Upload::finish_with`].
    pub fn finish_or_find(self, app: &App, person: &Person, passphrase: &Hidden) -> Answer<BackupView> {
        let (digest, _) = crate::backup::digest(self.file.path())?;
        match Catalog::open(app.home())?.list()?.into_iter().find(|e| e.digest == digest) {
            Some(entry) => {
                // Whoever has the file knows all that is in it.
                brought(app, person, &entry)?;
                Ok(BackupView::of(&entry))
            }
            None => self.finish_with(app, person, passphrase),
        }
    }

    /// Names the file as the person does, not as it is kept here.
    fn named(&self, error: Error) -> Error {
        let here = self.file.path().display().to_string();
        let again = Error::new(error.kind(), error.full_message().replace(&here, &self.name));
        let again = again.details(error.detail_lines().to_vec());
        match error.hint_text() {
            Some(hint) => again.hint(hint),
            None => again,
        }
    }
}

/// Removes what a service that was killed left of uploads.
///
/// # Errors
/// `Failed`.
pub fn sweep(app: &App) -> Result<()> {
    for entry in std::fs::read_dir(uploads(app)?)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

/// Reads a backup and says what it holds.
///
/// # Errors
/// `not_found`; what reading it meets.
pub fn inspection(app: &App, id: &str) -> Answer<Inspection> {
    inspection_with(app, id, &Hidden::default())
}

/// As [`inspection`], with what opens the backup where it is encrypted.
///
/// # Errors
/// As [`inspection`]; `wrong_key`.
pub fn inspection_with(app: &App, id: &str, passphrase: &Hidden) -> Answer<Inspection> {
    let entry = entry(app, id)?;
    let catalog = passphrase.catalog(app)?;
    let mut found = inspect(&catalog.file(&entry)?, &catalog.read())?;
    let secrets = app.secrets();
    for table in &mut found.tables {
        let hidden = table.columns.iter_mut().filter(|c| secrets.hides(&table.name, &c.name));
        hidden.for_each(|column| column.sample = column.sample.take().map(|_| "[secret]".to_owned()));
    }
    Ok(found)
}

/// Some records of a backup's table.
#[derive(Clone, Debug, Default, Serialize, utoipa::ToSchema)]
pub struct BackupRecords {
    /// The records: `number` in the table, from 1, and `fields`.
    pub items: Vec<Json>,
    /// The number to ask after for the next ones.
    pub next: Option<u64>,
}

/// Reads records of a backup's table after a number, those that hold a text where one is given.
///
/// # Errors
/// `not_found`; what reading it meets.
pub fn records(
    app: &App,
    id: &str,
    table: &str,
    after: u64,
    limit: usize,
    text: Option<&str>,
) -> Answer<BackupRecords> {
    records_with(app, id, table, (after, limit), text, &Hidden::default())
}

/// As [`records`], with what opens the backup where it is encrypted.
///
/// # Errors
/// As [`records`]; `wrong_key`.
pub fn records_with(
    app: &App,
    id: &str,
    table: &str,
    (after, limit): (u64, usize),
    text: Option<&str>,
    passphrase: &Hidden,
) -> Answer<BackupRecords> {
    let entry = entry(app, id)?;
    let catalog = passphrase.catalog(app)?;
    let path = catalog.file(&entry)?;
    let options = ReadOptions { accept_count_mismatch: true, ..catalog.read() };
    let mut reader = crate::backup::open(&path, &options)?;
    let secrets = app.secrets();
    while let Some(header) = reader.next_table()? {
        if header.name != table {
            reader.read_records(&mut crate::backup::Ignore)?;
            continue;
        }
        let hidden = |column: &str| secrets.hides(&header.name, column);
        let mut sink = Listing {
            hidden: &hidden,
            after,
            limit: limit.clamp(1, 1000),
            text: text.map(str::to_lowercase),
            record: Map::new(),
            hit: false,
            found: BackupRecords::default(),
        };
        return match reader.read_records(&mut sink) {
            Ok(_) => Ok(sink.found),
            // The sink stops the reader once it has enough.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(sink.found),
            Err(error) => Err(error.into()),
        };
    }
    Err(Problem::not_found("table in the backup", table))
}

/// Gathers records for people to look at.
struct Listing<'a> {
    hidden: &'a dyn Fn(&str) -> bool,
    after: u64,
    limit: usize,
    text: Option<String>,
    record: Map<String, Json>,
    hit: bool,
    found: BackupRecords,
}

/// Bytes of a value that are shown; the rest is said to be there.
const SHOWN: usize = 4_096;

impl RecordSink for Listing<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        if cell == Cell::Absent {
            return Ok(());
        }
        if (self.hidden)(name) && cell != Cell::Null {
            self.record.insert(name.to_owned(), json!({"redacted": true}));
            return Ok(());
        }
        let value = match OwnedCell::from(cell) {
            OwnedCell::Absent | OwnedCell::Null => Json::Null,
            OwnedCell::Bool(b) => json!(b),
            OwnedCell::Int(i) => json!(i),
            OwnedCell::UInt(u) => json!(u),
            OwnedCell::Real(r) => json!(r),
            OwnedCell::Number(text) | OwnedCell::String(text) | OwnedCell::Text(text) | OwnedCell::Json(text) => {
                let cut = (0..=SHOWN.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
                json!(if cut < text.len() { format!("{}…", &text[..cut]) } else { text })
            }
            OwnedCell::RawText(bytes) | OwnedCell::Bytes(bytes) => json!({"bytes": bytes.len()}),
        };
        if let Some(text) = &self.text {
            self.hit |= match &value {
                Json::String(value) => value.to_lowercase().contains(text),
                other => other.to_string().contains(text),
            };
        }
        self.record.insert(name.to_owned(), value);
        Ok(())
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        let record = std::mem::take(&mut self.record);
        let hit = std::mem::take(&mut self.hit) || self.text.is_none();
        if place.record <= self.after || !hit {
            return Ok(());
        }
        if self.found.items.len() == self.limit {
            return Err(fail!(Interrupted, "enough records were read"));
        }
        self.found.items.push(json!({"number": place.record, "fields": record}));
        self.found.next = (self.found.items.len() == self.limit).then_some(place.record);
        Ok(())
    }
}

/// Makes a backup of a target, as a job.
///
/// # Errors
/// `not_found`, `too_many_requests`, `out_of_space`.
pub fn start_create(app: &App, person: &Person, id: String, request: &NewBackup) -> Answer<Operation> {
    start_create_as(app, person, id, request, Format::default())
}

/// Makes a backup of a target in a format, as a job; one person's data only, where an administrator grants no more.
///
/// # Errors
/// As [`start_create`].
pub fn start_create_as(
    app: &App,
    person: &Person,
    id: String,
    request: &NewBackup,
    format: Format,
) -> Answer<Operation> {
    let conditions = match &person.own {
        None => Vec::new(),
        Some(own) if own.target != request.target => {
            return Err(Problem::forbidden(format!("your own records are in the target {}", own.target)));
        }
        // Without a condition it would be the whole database.
        Some(own) if own.conditions.is_empty() => return Err(Problem::forbidden("no records are yours")),
        Some(own) => own.conditions.clone(),
    };
    let target = super::targets::get(app, &request.target)?;
    room(app, 0)?;
    let target_name = Some(target.name.clone());
    let spec = Spec { id, kind: Kind::Backup, target: target_name, subject: None, plan: None, asked: None };
    let (request, actor) = (request.clone(), person.actor());
    app.jobs().start(app, person, spec, move |app, job| {
        let sealing = match &request.passphrase.0 {
            Some(secret) => Some(Sealing::Passphrase(secret.clone())),
            None => super::keys::sealing(app)?,
        };
        let mut database = target.connect()?;
        let rules = target.settings.columns.rules();
        let wanted = Create {
            name: request.name.as_deref(),
            format,
            rules: &rules,
            only_tables: &request.only_tables,
            tags: &request.tags,
            conditions: &conditions,
            sealing: sealing.as_ref(),
            ..Create::default()
        };
        let entry = make(app, database.as_mut(), &wanted, job)?;
        people::note(app.home(), "backup_created", &actor, &format!("{} ({})", entry.name, entry.id))?;
        Ok(json!(BackupView::of(&entry)))
    })
}

/// Makes a backup of a database, in the catalog and where the configuration keeps backups.
///
/// # Errors
/// As [`Catalog::create`]; what the place reports.
pub fn make(app: &App, database: &mut dyn Database, wanted: &Create<'_>, progress: &dyn Progress) -> Result<Entry> {
    let storage = app.config().settings.backup.place()?;
    let mut catalog = Catalog::open(app.home())?;
    let (entry, _) = catalog.create(database, wanted, progress)?;
    match storage {
        Some(storage) => catalog.keep_at(&entry, &storage, progress),
        None => Ok(entry),
    }
}

/// Says where backups that are made here are kept.
pub fn place(app: &App) -> String {
    match &app.config().settings.backup.storage {
        Some(url) => url.clone(),
        None => app.home().backups().display().to_string(),
    }
}

/// What a backup is to be.
#[derive(Clone, Debug, Default, Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// The target's name.
    pub target: String,
    /// What it is called; none: its id.
    #[serde(default)]
    pub name: Option<String>,
    /// Only these tables; empty: all.
    #[serde(default)]
    pub only_tables: Vec<String>,
    /// Tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it is encrypted with, in the place of the configured recipients; never written anywhere.
    #[serde(skip)]
    #[schema(ignore)]
    pub passphrase: Hidden,
}

/// Checks a backup to its end, as a job.
///
/// # Errors
/// `not_found`, `too_many_requests`.
pub fn start_verify(app: &App, person: &Person, id: &str) -> Answer<Operation> {
    start_verify_with(app, person, id, Hidden::default())
}

/// As [`start_verify`], with what opens the backup where it is encrypted.
///
/// # Errors
/// As [`start_verify`].
pub fn start_verify_with(app: &App, person: &Person, id: &str, passphrase: Hidden) -> Answer<Operation> {
    let entry = entry(app, id)?;
    let spec = Spec {
        id: fresh_id('o'),
        kind: Kind::Verify,
        target: None,
        subject: Some(entry.id.clone()),
        plan: None,
        asked: None,
    };
    app.jobs().start(app, person, spec, move |app, job| {
        let checked = passphrase.catalog(app)?.verify(&entry, Depth::Deep, job)?;
        Ok(json!(BackupView::of(&checked)))
    })
}
