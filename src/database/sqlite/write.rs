//! The write transaction: `BEGIN IMMEDIATE`, foreign keys on and deferred to the commit, guarded statements only.
//!
//! A disk that fills up makes SQLite roll back by itself and the next statement would commit alone (CHECKS 1.3), so the
//! autocommit state is looked at after every statement.

use super::read::View;
use super::values::bound;
use super::{error, sql};
use crate::database::{RowUpdate, Transaction};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::encode::value_of;
use crate::model::{OwnedCell, Table};
use rusqlite::{Connection, params_from_iter};

impl View {
    pub(super) fn begin(connection: Connection) -> Result<Self> {
        // No-op inside a transaction, so before it (CHECKS 2).
        connection.execute_batch("PRAGMA foreign_keys = ON").map_err(error)?;
        let on: bool = connection.query_row("PRAGMA foreign_keys", [], |r| r.get(0)).map_err(error)?;
        if !on {
            return Err(fail!(Refused, "SQLite does not enforce foreign keys on this connection"));
        }
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|e| match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                fail!(Busy, "another program is writing to the database and did not finish in time")
                    .hint("Try again when it is done, or wait longer with --lock-timeout.")
            }
            Some(rusqlite::ErrorCode::ReadOnly) => fail!(Refused, "the database file can't be written to by this user")
                .hint("Give the user write permission on the file and on its folder."),
            _ => error(e),
        })?;
        // A page that does not fit has to be written before its time and is read again: 32 MiB hold what most merges touch.
        connection.execute_batch("PRAGMA defer_foreign_keys = ON; PRAGMA cache_size = -32768").map_err(error)?;
        Ok(Self::new(connection))
    }

    fn still_open(&self) -> Result<()> {
        if self.connection.is_autocommit() {
            return Err(fail!(
                OutOfSpace,
                "SQLite ended the transaction by itself (disk full or I/O error); nothing was written"
            ));
        }
        Ok(())
    }

    /// Runs a prepared statement and returns how many rows it changed.
    fn execute<'c>(&self, text: &str, cells: impl Iterator<Item = &'c OwnedCell>) -> Result<usize> {
        let changed = self
            .connection
            .prepare_cached(text)
            .and_then(|mut statement| statement.execute(params_from_iter(cells.map(bound))))
            .map_err(error)?;
        self.still_open()?;
        Ok(changed)
    }

    /// Lists what refers to nothing, for the message when a commit was refused.
    fn dangling(&self) -> Vec<String> {
        let list = || -> rusqlite::Result<Vec<String>> {
            let mut statement =
                self.connection.prepare("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT 20")?;
            let rows = statement.query_map([], |r| {
                let (table, row, parent): (String, Option<i64>, String) = (r.get(0)?, r.get(1)?, r.get(2)?);
                Ok(format!(
                    "{table}, row {}: refers to no record of {parent}",
                    row.map_or("?".to_owned(), |r| r.to_string())
                ))
            })?;
            rows.collect()
        };
        list().unwrap_or_default()
    }
}

fn name_of(table: &Table, cells: &[OwnedCell]) -> String {
    let value = |(&c, cell): (&usize, &OwnedCell)| value_of(cell.as_cell(), &table.columns[c]);
    table.named(&table.key.iter().zip(cells).filter_map(value).collect::<Vec<_>>())
}

impl Transaction for View {
    fn id(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn insert(&mut self, table: &Table, columns: &[usize], records: &[Vec<OwnedCell>]) -> Result<()> {
        let marks = vec!["?"; columns.len()].join(", ");
        // ABORT, the usual answer, said aloud: a constraint may be declared ON CONFLICT REPLACE.
        let text = format!(
            "INSERT OR ABORT INTO {} ({}) VALUES ({marks})",
            sql::quote(&table.name),
            sql::list(table, columns)
        );
        for record in records {
            let named = || {
                let key: Vec<_> = table
                    .key
                    .iter()
                    .filter_map(|k| columns.iter().position(|c| c == k))
                    .map(|p| record[p].clone())
                    .collect();
                name_of(table, &key)
            };
            let changed = self.execute(&text, record.iter()).map_err(|e| e.at(named()))?;
            if changed != 1 {
                return Err(fail!(Refused, "{}: the insert was dropped, most likely by a trigger", named()));
            }
        }
        Ok(())
    }

    fn update(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>> {
        let set = columns
            .iter()
            .map(|&c| format!("{} = ?", sql::quote(&table.columns[c].name)))
            .collect::<Vec<_>>()
            .join(", ");
        let text = format!(
            "UPDATE OR ABORT {} SET {set} WHERE {} AND {}",
            sql::quote(&table.name),
            sql::all(table, &table.key, "="),
            sql::all(table, columns, "IS"),
        );
        let mut missed = Vec::new();
        for (position, update) in updates.iter().enumerate() {
            let cells = update.after.iter().chain(&update.key).chain(&update.before);
            let changed = self.execute(&text, cells).map_err(|e| e.at(name_of(table, &update.key)))?;
            if changed != 1 {
                missed.push(position);
            }
        }
        Ok(missed)
    }

    fn delete(&mut self, table: &Table, keys: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        let name = sql::quote(&table.name);
        let text = if table.key.is_empty() {
            let all: Vec<usize> = (0..table.columns.len()).collect();
            let same = sql::all(table, &all, "IS");
            format!("DELETE FROM {name} WHERE rowid = (SELECT rowid FROM {name} WHERE {same} LIMIT 1)")
        } else {
            format!("DELETE FROM {name} WHERE {}", sql::all(table, &table.key, "="))
        };
        let mut missed = Vec::new();
        for (position, key) in keys.iter().enumerate() {
            let changed = self.execute(&text, key.iter()).map_err(|e| e.at(name_of(table, key)))?;
            if changed != 1 {
                missed.push(position);
            }
        }
        Ok(missed)
    }

    /// SQLite counts the foreign keys left dangling by this transaction itself and refuses the commit; asking for it
    /// here first would mean a scan of whole tables.
    fn check(&mut self, _tables: &[&Table]) -> Result<()> {
        self.still_open()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        self.still_open()?;
        self.connection.execute_batch("COMMIT").map_err(|e| {
            let dangling = if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
                self.dangling()
            } else {
                Vec::new()
            };
            let refused: Error = error(e);
            if dangling.is_empty() {
                return refused;
            }
            Error::new(ErrorKind::Refused, "a foreign key would refer to no record").details(dangling)
        })
    }

    fn rollback(self: Box<Self>) -> Result<()> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(error)
    }
}
