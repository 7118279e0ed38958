//! The plan: a saved analysis with strategy and decisions, exactly what a merge will do.
//!
//! A plan is an SQLite file of its own (application id `MRGN`, format 1), so that records can be paged through and
//! decided one by one however many there are. It pins the backup, the database, the schema and each current record as
//! they were seen, and is sealed against changes by other hands. It holds records' values and is readable by its owner only.
//!
//! *Shape:* `meta(key, value)` holds JSON; `records` one row per record that is not unchanged; `actions` the exact
//! cells that an undo writes back.

pub mod action;
pub mod answer;
pub mod choices;
pub mod count;
pub mod decision;
mod early;
pub mod files;
mod found;
pub mod make;
pub mod meta;
pub mod notes;
pub mod restrategy;
pub mod settle;

mod codec;
pub mod held;
mod identity;
mod look;
mod seal;
mod sound;
mod spellings;
mod staying;
mod store;
mod waiting;
mod withheld;

pub use action::{Action, ActionKind, Outcome};
pub use decision::{Decision, FieldDecision};
pub use files::{FileFinding, FilesPlan, Stamp};
pub use meta::{BackupPin, Meta, PlanKind, ReadPin};
pub use settle::Preview;
pub use store::{Page, Selector, Stored};

use crate::database::sqlite::plan_once;
use crate::error::{Error, ErrorKind, Result, fail};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};

/// `MRGN` as a number, in the file's header (<https://sqlite.org/fileformat2.html#application_id>).
const APPLICATION_ID: i32 = 0x4d52_474e;
/// The format that this version writes and reads.
const FORMAT: i32 = 1;

const TABLES: &str = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (
    id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, key_bytes BLOB NOT NULL, record TEXT NOT NULL,
    conflict_id TEXT NOT NULL, class TEXT NOT NULL, reason TEXT NOT NULL, note TEXT, key BLOB NOT NULL,
    fields BLOB NOT NULL, digests BLOB NOT NULL, clocks BLOB NOT NULL, place_record INTEGER NOT NULL,
    place_offset INTEGER, pattern TEXT NOT NULL, decision TEXT, decided_by TEXT, decided_at TEXT,
    outcome TEXT, why TEXT, limits TEXT);
    CREATE TABLE actions (record_id INTEGER PRIMARY KEY, kind TEXT NOT NULL, columns TEXT NOT NULL, cells TEXT NOT NULL);";
/// Made once everything is stored: until then they would only slow it down.
const INDEXES: &str = "CREATE INDEX records_key ON records (table_id, key_bytes);
    CREATE INDEX records_table ON records (table_id, id);
    CREATE INDEX records_class ON records (table_id, class, id);
    CREATE INDEX records_conflict ON records (conflict_id)";

/// An open plan file.
pub struct Plan {
    connection: Connection,
    path: PathBuf,
    meta: Meta,
    /// Whether the indexes that paging and look-ups need are there; made once everything is stored.
    indexed: bool,
    /// Tables of which records are written under another key.
    remapped: std::collections::BTreeSet<usize>,
    /// What became of records as they were found, until the plan is settled.
    early: Option<early::Early>,
    /// What is changed and not sealed yet, where answers are sealed by themselves.
    changes: seal::Changes,
    /// Columns in which the database holds texts equal that are spelled differently, by table.
    spelled: std::collections::BTreeSet<(usize, usize)>,
    /// Tables of which the analysis asked for spellings.
    forms_begun: std::collections::BTreeSet<usize>,
    /// Whether findings were given names.
    names_begun: bool,
    /// Whether it is noted which records wait for which.
    waits: std::cell::Cell<bool>,
    /// What is taken out of findings before they are stored.
    withheld: withheld::Withheld,
    /// The strategies, once they were asked for; as long as the meta data stays.
    strategies: std::cell::OnceCell<settle::Strategies>,
}

impl Plan {
    /// Creates a plan file; the meta data is completed by [`Plan::finish`].
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn create(path: &Path, meta: Meta) -> Result<Self> {
        create_private(path)?;
        let connection = Connection::open(path).map_err(|e| lost(path, e))?;
        plan_once(&connection).map_err(|e| lost(path, e))?;
        // Until it is finished the file is of no use to anybody, so nothing is lost if it is torn.
        connection
            .execute_batch(&format!(
                "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -8000;
                 {TABLES} {} BEGIN",
                identity::REMAPS
            ))
            .map_err(|e| lost(path, e))?;
        connection.set_prepared_statement_cache_capacity(64);
        let withheld = withheld::Withheld::of(&settle::Strategies::of_meta(&meta)?, &meta.schema);
        Ok(Self {
            connection,
            path: path.to_owned(),
            meta,
            indexed: false,
            remapped: Default::default(),
            changes: Default::default(),
            early: None,
            spelled: Default::default(),
            forms_begun: Default::default(),
            names_begun: false,
            waits: Default::default(),
            withheld,
            strategies: Default::default(),
        })
    }

    /// Gives a created plan its indexes and its final meta data, so that it can be settled.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn complete(&mut self, meta: Meta) -> Result<()> {
        self.index()?;
        self.forget_forms()?;
        // What was settled under another schema counts for nothing.
        if self.meta.schema != meta.schema || self.meta.options != meta.options {
            self.early = None;
        }
        self.meta = meta;
        self.strategies.take();
        self.write_meta()
    }

    /// Seals a completed plan and makes it durable.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn finish(&mut self, state_key: &[u8; 32]) -> Result<()> {
        self.write_seal(state_key)?;
        self.sql(&format!("COMMIT; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT}"))?;
        self.sql("PRAGMA synchronous = FULL; PRAGMA locking_mode = NORMAL; PRAGMA journal_mode = DELETE")?;
        std::fs::File::open(&self.path)
            .and_then(|f| f.sync_all())
            .map_err(|e| fail!(OutOfSpace, "the plan can't be saved").because(e))
    }

    /// Opens a plan.
    ///
    /// # Errors
    /// `PlanMismatch` for a file that is no plan, or of another format.
    pub fn open(path: &Path) -> Result<Self> {
        if !path.is_file() {
            return Err(fail!(Usage, "there is no plan {}", path.display())
                .hint("List plans with 'merganser status', or make one with 'merganser analyze'."));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let no_plan = |why: String| {
            fail!(PlanMismatch, "{} is not a plan that can be read: {why}", path.display())
                .hint("Make a new one with 'merganser analyze'.")
        };
        let connection = Connection::open_with_flags(path, flags).map_err(|e| no_plan(e.to_string()))?;
        connection.busy_timeout(std::time::Duration::from_secs(10)).map_err(|e| lost(path, e))?;
        plan_once(&connection).map_err(|e| lost(path, e))?;
        connection.set_prepared_statement_cache_capacity(64);
        // Nothing in a plan but its tables is ever run (CHECKS T7).
        connection
            .set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
            .and_then(|_| connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false))
            .and_then(|_| connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false))
            .and_then(|_| connection.execute_batch("PRAGMA trusted_schema = OFF"))
            .map_err(|e| no_plan(e.to_string()))?;
        let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |r| r.get::<_, i32>(0));
        if number("application_id").map_err(|e| no_plan(e.to_string()))? != APPLICATION_ID {
            return Err(no_plan("it is another kind of file".to_owned()));
        }
        let format = number("user_version").map_err(|e| no_plan(e.to_string()))?;
        if format != FORMAT {
            return Err(no_plan(format!("its format is {format}, this version reads {FORMAT}")));
        }
        let text: String = connection
            .query_row("SELECT value FROM meta WHERE key = 'plan'", [], |r| r.get(0))
            .map_err(|e| no_plan(e.to_string()))?;
        let meta: Meta = serde_json::from_str(&text).map_err(|e| no_plan(e.to_string()))?;
        if let Some(table) = sound::unsound(&meta) {
            return Err(no_plan(format!("it is damaged: what it says of {table} names columns that are not there")));
        }
        let mut plan = Self {
            connection,
            path: path.to_owned(),
            meta,
            indexed: true,
            remapped: Default::default(),
            changes: Default::default(),
            early: None,
            spelled: Default::default(),
            forms_begun: Default::default(),
            names_begun: false,
            waits: Default::default(),
            // What is stored already lacks what stays out.
            withheld: Default::default(),
            strategies: Default::default(),
        };
        plan.load_remapped()?;
        plan.load_spellings()?;
        Ok(plan)
    }

    /// Returns what the plan pins and how it was made.
    pub fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Changes the meta data and seals the plan again.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub fn update_meta(&mut self, state_key: &[u8; 32], change: impl FnOnce(&mut Meta)) -> Result<()> {
        change(&mut self.meta);
        self.strategies.take();
        self.write_meta()?;
        self.write_seal(state_key)
    }

    /// Returns the plan's strategies.
    ///
    /// # Errors
    /// As [`settle::Strategies::of`].
    pub fn strategies(&self) -> Result<&settle::Strategies> {
        if self.strategies.get().is_none() {
            let _ = self.strategies.set(settle::Strategies::of(self)?);
        }
        Ok(self.strategies.get().expect("was just set"))
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_meta(&self) -> Result<()> {
        let text = serde_json::to_string(&self.meta).expect("meta data always serialises");
        self.connection
            .execute("INSERT INTO meta VALUES ('plan', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1", [text])
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn index(&mut self) -> Result<()> {
        if !self.indexed {
            self.sql(INDEXES)?;
            self.indexed = true;
        }
        Ok(())
    }

    fn sql(&self, text: &str) -> Result<()> {
        self.connection.execute_batch(text).map_err(|e| lost(&self.path, e))
    }
}

/// Creates an empty file that only its owner can read; refuses to touch an existing one.
fn create_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(|_| ()).map_err(|e| {
        let kind = Error::from(e);
        if path.exists() {
            return fail!(Usage, "{} exists already", path.display())
                .hint("Choose another name for the plan with --out.");
        }
        kind.at(format_args!("the plan {} can't be made", path.display()))
    })
}

/// Turns an error of the plan's own file into ours.
fn lost(path: &Path, error: rusqlite::Error) -> Error {
    let kind = match error.sqlite_error_code() {
        _ if crate::database::sqlite::is_out_of_space(&error) => ErrorKind::OutOfSpace,
        Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => ErrorKind::Busy,
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => ErrorKind::PlanMismatch,
        _ => ErrorKind::Failed,
    };
    Error::new(kind, format!("the plan {} can't be used", path.display())).because(error)
}
