//! The MySQL and MariaDB adapter, on sqlx. Tested with MariaDB.
//!
//! Every transaction has a connection of its own. The server's strict modes are always on, foreign key checks are never
//! off, and nothing is written by a statement that could change another record than the one meant.

mod catalog;
mod claims;
mod decode;
mod errors;
mod option_file;
mod params;
mod privileges;
mod schema;
mod session;
mod store;
mod types;
mod view;
mod violations;
mod write;

use super::url::{ConnectUrl, ServerUrl};
use super::{Capabilities, Database, Identity, Lacking, Rights, Snapshot, Transaction, WriteOptions};
use crate::error::{Result, fail};
use crate::model::schema::Engine;
use crate::model::{Column, OwnedCell, Schema, Table, Value};
pub(super) use catalog::quote;
use catalog::{bind, text};
use session::Session;
use sqlx::mysql::MySqlArguments;
use std::time::{Duration, Instant};
pub(super) use store::store;
use view::{Lock, View};

/// How long to wait between two tries of the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A MySQL or MariaDB database.
pub struct Mysql {
    url: ServerUrl,
    identity: Identity,
    mariadb: bool,
    /// The largest message that the server takes.
    packet: u64,
    /// The name of the lock that merges of this database take; names are the server's, so it holds the database's.
    lock_name: String,
}

impl Mysql {
    /// Connects once to learn which database it is; each snapshot and transaction connects anew.
    ///
    /// # Errors
    /// `Unreachable`; `Usage` for another kind of URL or one without a database.
    pub fn connect(url: &ConnectUrl) -> Result<Self> {
        let ConnectUrl::Mysql(server) = url else {
            return Err(fail!(Usage, "{} is no MySQL or MariaDB address", url.display()));
        };
        let doing = "asking the database who it is";
        let mut session = Session::open(server)?;
        session.hurry();
        let sql = "SELECT DATABASE(), VERSION(), CAST(@@max_allowed_packet AS CHAR), \
                   CONCAT(@@hostname, ':', @@port, ':', @@datadir)";
        let rows = session.rows(sql, MySqlArguments::default(), doing)?;
        let answer = |position| rows.first().and_then(|row| text(row, position));
        let database = answer(0).ok_or_else(|| {
            fail!(Usage, "the database URL names no database").hint("write mysql://user@host/database")
        })?;
        let mut server_id = answer(3).unwrap_or_default();
        for variable in ["@@GLOBAL.server_uuid", "@@GLOBAL.server_uid"] {
            match session.try_rows(&format!("SELECT CAST({variable} AS CHAR)"), MySqlArguments::default())? {
                Ok(rows) => {
                    server_id = rows.first().and_then(|row| text(row, 0)).unwrap_or(server_id);
                    break;
                }
                // Each server knows one of the two; a lost connection is no answer.
                Err(error) if errors::connection_lost(&error) => return Err(session.fail(error, doing)),
                Err(_) => {}
            }
        }
        let mariadb = answer(1).is_some_and(|version| version.contains("MariaDB"));
        let packet = answer(2).and_then(|p| p.parse().ok()).unwrap_or(16 << 20);
        session.close();
        let id = format!("{server_id}/{database}");
        Ok(Self {
            lock_name: format!("merganser:{}", &blake3::hash(database.as_bytes()).to_hex()[..32]),
            identity: Identity { engine: Engine::Mysql, id, display: url.display() },
            url: server.clone(),
            mariadb,
            packet,
        })
    }

    /// Opens a connection with the settings of CHECKS 2.
    fn open(&self, options: &WriteOptions) -> Result<Session> {
        let mut session = Session::open(&self.url)?;
        let lock = options.lock_timeout.as_secs_f64().ceil().max(1.0);
        let limit = if self.mariadb {
            format!("max_statement_time = {}", options.statement_timeout.as_secs_f64())
        } else {
            // MySQL shows counters from a cache unless told not to.
            let limit = options.statement_timeout.as_millis();
            format!("max_execution_time = {limit}, information_schema_stats_expiry = 0")
        };
        // A slow reader of a snapshot must not be cut off: the server waits an hour for it to read on.
        let settings = format!(
            "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
             NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', foreign_key_checks = 1, \
             unique_checks = 1, autocommit = 1, innodb_lock_wait_timeout = {lock}, net_write_timeout = 3600, \
             net_read_timeout = 3600, wait_timeout = 28800, {limit}"
        );
        session.run(&settings, "preparing the session")?;
        let isolation = format!("SET SESSION TRANSACTION ISOLATION LEVEL {}", options.isolation.sql());
        session.run(&isolation, "preparing the session")?;
        Ok(session)
    }

    /// Says why nothing can be written, whatever this user's privileges let through: a replica must not be written to.
    fn obstacle(&self, session: &mut Session) -> Result<Option<String>> {
        let own = if self.mariadb { "@@SESSION.tx_read_only" } else { "@@SESSION.transaction_read_only" };
        let sql = format!("SELECT CAST(@@GLOBAL.read_only AS CHAR), CAST({own} AS CHAR)");
        let rows = session.rows(&sql, MySqlArguments::default(), "asking whether the server takes writes")?;
        let set = |position| rows.first().and_then(|r| text(r, position)).is_some_and(|v| !matches!(&*v, "0" | "OFF"));
        Ok(if set(0) {
            Some("the server is read-only (read_only), as replicas are".to_owned())
        } else if set(1) {
            Some("transactions are read-only here (transaction_read_only)".to_owned())
        } else {
            None
        })
    }

    /// Says who holds the merge lock, as far as the user may see it.
    fn holder(&self, session: &mut Session) -> Result<String> {
        let sql = "SELECT CAST(l.ID AS CHAR), COALESCE(p.HOST, 'somewhere'), CAST(COALESCE(p.TIME, 0) AS CHAR) \
                   FROM (SELECT IS_USED_LOCK(?) AS ID) l LEFT JOIN information_schema.PROCESSLIST p ON p.ID = l.ID";
        let rows = session.rows(sql, bind([&self.lock_name]), "asking who holds the merge lock")?;
        let part = |position| rows.first().and_then(|row| text(row, position));
        Ok(match (part(0), part(1), part(2)) {
            (Some(id), Some(host), Some(time)) => format!("connection {id} from {host}, at its last step for {time} s"),
            _ => "another session".to_owned(),
        })
    }
}

impl Database for Mysql {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            defers_all_foreign_keys: false,
            defers_declared: false,
            deletes_self_references: false,
            knows_transaction_outcome: false,
            dynamic_types: false,
        }
    }

    fn schema(&mut self) -> Result<Schema> {
        let mut session = self.open(&WriteOptions::default())?;
        let schema = schema::read(&mut session)?;
        session.close();
        Ok(schema)
    }

    fn lacking(&mut self, schema: &Schema) -> Result<Vec<Lacking>> {
        privileges::lacking(&mut self.open(&WriteOptions::default())?, &schema.tables)
    }

    fn read_only(&mut self) -> Result<Option<String>> {
        let mut session = self.open(&WriteOptions::default())?;
        let obstacle = self.obstacle(&mut session)?;
        session.close();
        Ok(obstacle)
    }

    fn rights(&mut self, _: &Schema) -> Result<Option<Rights>> {
        privileges::rights(&mut self.open(&WriteOptions::default())?)
    }

    fn snapshot(&mut self) -> Result<Box<dyn Snapshot>> {
        let mut session = self.open(&WriteOptions::default())?;
        session.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", "opening a snapshot")?;
        Ok(Box::new(View::new(session, Lock::None)))
    }

    fn begin(&mut self, options: &WriteOptions) -> Result<Box<dyn Transaction>> {
        let end = Instant::now() + options.lock_timeout;
        let mut session = self.open(options)?;
        if let Some(why) = self.obstacle(&mut session)? {
            session.close();
            return Err(fail!(Refused, "{} takes no writes: {why}", self.identity.display)
                .hint("use the address of the server that takes writes"));
        }
        loop {
            let sql = "SELECT CAST(GET_LOCK(?, 0) AS CHAR)";
            let rows = session.rows(sql, bind([&self.lock_name]), "taking the merge lock")?;
            if rows.first().and_then(|row| text(row, 0)).as_deref() == Some("1") {
                session.run("START TRANSACTION READ WRITE", "starting a transaction")?;
                return Ok(Box::new(View::new(session, Lock::Rows)));
            }
            if Instant::now() >= end {
                let holder = self.holder(&mut session)?;
                session.close();
                return Err(fail!(Busy, "another merge is at work on this database: {holder}")
                    .hint("wait for it to end, or end its connection if it is stuck"));
            }
            std::thread::sleep(LOCK_PAUSE);
        }
    }

    fn store(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        store::store(column, value, self.packet)
    }

    /// InnoDB moves its counters itself when records come with their own numbers; what is behind anyway is moved.
    fn advance_counters(&mut self, tables: &[&Table]) -> Result<()> {
        let mut session = self.open(&WriteOptions::default())?;
        for table in tables {
            let doing = format!("advancing the counter of {}", table.label());
            let name = quote(&table.name);
            for column in catalog::columns(&mut session, Some(&table.name))? {
                let sequence = column.default.as_deref().and_then(|d| d.strip_prefix("nextval(")?.strip_suffix(')'));
                let counter = column.extra.contains("auto_increment");
                if sequence.is_none() && !counter {
                    continue;
                }
                let sql = format!("SELECT CAST(MAX({}) AS CHAR) FROM {name}", quote(&column.name));
                let rows = session.rows(&sql, MySqlArguments::default(), &doing)?;
                let Some(most) = rows.first().and_then(|row| text(row, 0)?.parse::<u64>().ok()) else { continue };
                if let Some(sequence) = sequence {
                    // The server never moves a sequence back by this.
                    session.rows(&format!("SELECT SETVAL({sequence}, {most})"), MySqlArguments::default(), &doing)?;
                    continue;
                }
                let sql = "SELECT CAST(AUTO_INCREMENT AS CHAR) FROM information_schema.TABLES \
                           WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ?";
                let rows = session.rows(sql, bind([&table.name]), &doing)?;
                let next = rows.first().and_then(|row| text(row, 0)?.parse::<u64>().ok());
                if let (Some(next), Some(wanted)) = (next, most.checked_add(1))
                    && next < wanted
                {
                    let sql = format!("ALTER TABLE {name} AUTO_INCREMENT = {wanted}");
                    session.affect(&sql, MySqlArguments::default(), &doing)?;
                }
            }
        }
        session.close();
        Ok(())
    }

    fn transaction_outcome(&mut self, _id: &str) -> Result<Option<bool>> {
        Ok(None)
    }
}
