//! The PostgreSQL adapter, on sqlx.
//!
//! Every transaction has a connection of its own with its settings made inside it, so that a pooler in between keeps
//! them. Names and types in statements come from the catalog of that very connection.

mod catalog;
mod claims;
mod counters;
mod decode;
mod errors;
mod forms;
mod outcome;
mod params;
mod passfile;
mod privileges;
mod schema;
mod session;
mod store;
mod types;
mod view;
mod violations;
mod writable;
mod write;

use super::url::{ConnectUrl, ServerUrl};
use super::{Capabilities, Database, Identity, Lacking, Rights, Snapshot, Transaction, WriteOptions};
use crate::error::{Result, fail};
use crate::model::schema::Engine;
use crate::model::{Column, OwnedCell, Schema, Table, Value};
use catalog::bind;
pub(super) use catalog::quote;
use session::Session;
use sqlx::Row;
use std::time::{Duration, Instant};
pub(super) use store::store;
use view::{Lock, View};

/// The advisory lock of a merge; the number is `mrgansr` in ASCII. Advisory locks are per database.
const MERGE_LOCK: i64 = 0x6d72_6761_6e73_7200;
/// How long to wait between two tries of the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A PostgreSQL database.
pub struct Postgres {
    url: ServerUrl,
    identity: Identity,
    /// The first schema of the search path that exists.
    default_schema: String,
}

/// What a transaction may do.
#[derive(Clone, Copy, PartialEq)]
enum Access {
    /// Read.
    Read,
    /// What the server lets transactions do where nothing is asked for.
    Usual,
}

impl Postgres {
    /// Connects once to learn which database it is; each snapshot and transaction connects anew.
    ///
    /// # Errors
    /// `Unreachable`; `Usage` for another kind of URL or a server older than PostgreSQL 13.
    pub fn connect(url: &ConnectUrl) -> Result<Self> {
        let ConnectUrl::Postgres(server) = url else {
            return Err(fail!(Usage, "{} is no PostgreSQL address", url.display()));
        };
        let doing = "asking the database who it is";
        let mut session = Session::open(server)?;
        session.hurry();
        // In one transaction: a pooler may answer each statement outside of one from another session.
        session.run("BEGIN READ ONLY", doing)?;
        let sql = "SELECT current_setting('server_version_num')::int4, current_database()::text, \
                   (SELECT oid::int8 FROM pg_database WHERE datname = current_database()), \
                   coalesce(current_schema()::text, 'public'), \
                   has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE'), \
                   coalesce(inet_server_addr()::text, 'local'), current_setting('port')";
        let row = first(session.rows(sql, bind::<i64, _>([]), doing)?)?;
        if row.get::<i32, _>(0) < 130_000 {
            return Err(fail!(Usage, "PostgreSQL 13 or newer is needed, this is {}", row.get::<i32, _>(0) / 10_000));
        }
        let (database, oid): (String, i64) = (row.get(1), row.get(2));
        let system = if row.get(4) {
            let sql = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
            first(session.rows(sql, bind::<i64, _>([]), doing)?)?.get(0)
        } else {
            format!("{}:{}", row.get::<String, _>(5), row.get::<String, _>(6))
        };
        let default_schema = server.schema.clone().unwrap_or_else(|| row.get(3));
        session.close();
        let id = format!("{system}/{oid}/{database}");
        Ok(Self {
            identity: Identity { engine: Engine::Postgres, id, display: url.display() },
            url: server.clone(),
            default_schema,
        })
    }

    fn open(&self) -> Result<Session> {
        Session::open(&self.url)
    }

    /// Opens a transaction in which everything that may wait for its end does.
    fn open_to_write(&self, options: &WriteOptions) -> Result<Session> {
        let mut session = self.open_transaction(Access::Usual, options)?;
        if let Some(why) = writable::obstacle(&mut session)? {
            session.close();
            return Err(fail!(Refused, "{} takes no writes: {why}", self.identity.display)
                .hint("use the address of the server that takes writes"));
        }
        // A server may be set to answer a commit before it is on its disk; a merge that is reported is kept.
        let settings = "SET CONSTRAINTS ALL DEFERRED; SELECT set_config('synchronous_commit', 'on', true) \
                        WHERE current_setting('synchronous_commit') = 'off'";
        session.run(settings, "starting a transaction")?;
        Ok(session)
    }

    /// Opens a connection and a transaction on it with the settings of CHECKS 2.
    fn open_transaction(&self, access: Access, options: &WriteOptions) -> Result<Session> {
        let mut session = self.open()?;
        let (lock, statement) = (options.lock_timeout.as_millis().max(1), options.statement_timeout.as_millis());
        // Our own statements name schemas; while writing, triggers and functions of the application's run as well, and
        // their names are looked up where the role's own setting says.
        let (mode, path) = match access {
            Access::Read => ("READ ONLY", "SET LOCAL search_path = ''; "),
            Access::Usual => ("", ""),
        };
        let settings = format!(
            "BEGIN ISOLATION LEVEL {} {mode}; {path}\
             SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = '1h'; \
             SET LOCAL row_security = off; SET LOCAL client_encoding = 'UTF8'; SET LOCAL TimeZone = 'UTC'; \
             SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 1; \
             SET LOCAL bytea_output = 'hex'; SET LOCAL xmloption = 'content'; SET LOCAL synchronize_seqscans = off; \
             SET LOCAL standard_conforming_strings = on; SET LOCAL application_name = 'merganser'; \
             SET LOCAL tcp_keepalives_idle = 60",
            options.isolation.sql()
        );
        session.run(&settings, "starting a transaction")?;
        Ok(session)
    }
}

fn first(rows: Vec<sqlx::postgres::PgRow>) -> Result<sqlx::postgres::PgRow> {
    rows.into_iter().next().ok_or_else(|| fail!(Failed, "the server gave no answer to a question that has one"))
}

/// Says who holds the merge lock, as far as the role may see it.
fn holder(session: &mut Session) -> Result<String> {
    let sql = "SELECT a.pid::text, coalesce(host(a.client_addr), 'this server'), coalesce(a.xact_start, a.backend_start)::text \
               FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
               WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                 AND l.objsubid = 1 AND (l.classid::int8 << 32) | l.objid::int8 = $1";
    let rows = session.rows(sql, bind([MERGE_LOCK]), "asking who holds the merge lock")?;
    Ok(rows.first().map_or_else(
        || "another session".to_owned(),
        |row| {
            let since = row.get::<Option<String>, _>(2).unwrap_or_else(|| "unknown".to_owned());
            format!("process {} from {} since {since}", row.get::<String, _>(0), row.get::<String, _>(1))
        },
    ))
}

impl Database for Postgres {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            defers_all_foreign_keys: false,
            defers_declared: true,
            deletes_self_references: true,
            knows_transaction_outcome: true,
            dynamic_types: false,
        }
    }

    fn schema(&mut self) -> Result<Schema> {
        let mut session = self.open_transaction(Access::Read, &WriteOptions::default())?;
        let schema = schema::read(&mut session, self.url.schema.as_deref(), &self.default_schema)?;
        session.close();
        Ok(schema)
    }

    fn lacking(&mut self, _schema: &Schema) -> Result<Vec<Lacking>> {
        privileges::lacking(&mut self.open_transaction(Access::Read, &WriteOptions::default())?)
    }

    fn read_only(&mut self) -> Result<Option<String>> {
        let mut session = self.open_transaction(Access::Usual, &WriteOptions::default())?;
        let obstacle = writable::obstacle(&mut session)?;
        session.close();
        Ok(obstacle)
    }

    fn rights(&mut self, schema: &Schema) -> Result<Option<Rights>> {
        privileges::rights(&mut self.open()?, schema).map(Some)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let mut session = self.open_transaction(Access::Read, &WriteOptions::default())?;
        // The view is of the moment of the first query.
        session.run("SELECT 1", "opening a snapshot")?;
        Ok(Box::new(View::new(session, Lock::None)))
    }

    fn begin(&mut self, options: &WriteOptions) -> Result<Box<dyn Transaction>> {
        let end = Instant::now() + options.lock_timeout;
        let mut session = self.open_to_write(options)?;
        loop {
            let sql = "SELECT pg_try_advisory_xact_lock($1)";
            let row = first(session.rows(sql, bind([MERGE_LOCK]), "taking the merge lock")?)?;
            if row.get(0) {
                return Ok(Box::new(View::new(session, Lock::Rows)));
            }
            if Instant::now() >= end {
                let holder = holder(&mut session)?;
                session.close();
                return Err(fail!(Busy, "another merge is at work on this database: {holder}")
                    .hint("wait for it to end, or end its session if it is stuck"));
            }
            // Waiting inside the transaction would leave it with a view from before the other merge.
            session.close();
            std::thread::sleep(LOCK_PAUSE);
            session = self.open_to_write(options)?;
        }
    }

    fn store(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        store::store(column, value)
    }

    fn advance_counters(&mut self, tables: &[&Table]) -> Result<()> {
        let mut session = self.open()?;
        for table in tables {
            counters::advance(&|| self.open(), &mut session, table)?;
        }
        session.close();
        Ok(())
    }

    fn transaction_outcome(&mut self, id: &str) -> Result<Option<bool>> {
        outcome::of(|| self.open(), id)
    }
}
