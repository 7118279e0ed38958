//! Which texts a database holds equal though they are spelled differently, as the analysis found out: keys and references
//! meet in the plan as they meet there.
//!
//! *Shape:* `spellings(table_id, column_id, text, stands)`, one row for each text that another stands for; `forms` only while
//! the analysis runs.

use super::{Plan, codec, lost, store};
use crate::error::Result;
use crate::model::{Key, Value, encode};
use rusqlite::{OptionalExtension, params};

const TABLES: &str = "CREATE TABLE IF NOT EXISTS spellings (table_id INTEGER NOT NULL, column_id INTEGER NOT NULL,
    text TEXT NOT NULL, stands TEXT NOT NULL, PRIMARY KEY (table_id, column_id, text)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS forms (table_id INTEGER NOT NULL, column_id INTEGER NOT NULL, form BLOB NOT NULL,
    text TEXT NOT NULL, PRIMARY KEY (table_id, column_id, form)) WITHOUT ROWID;";

impl Plan {
    /// Finds which columns have spellings that others stand for.
    pub(super) fn load_spellings(&mut self) -> Result<()> {
        let columns = || -> rusqlite::Result<Vec<(i64, i64)>> {
            if !self.has_spellings()? {
                return Ok(Vec::new());
            }
            let mut statement = self.connection.prepare("SELECT DISTINCT table_id, column_id FROM spellings")?;
            statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
        };
        let columns = columns().map_err(|e| lost(&self.path, e))?;
        let place = |(table, column)| Some((usize::try_from(table).ok()?, usize::try_from(column).ok()?));
        self.spelled = columns.into_iter().filter_map(place).collect();
        Ok(())
    }

    /// Tells whether the plan knows of spellings at all; those of earlier versions don't.
    pub(super) fn has_spellings(&self) -> rusqlite::Result<bool> {
        self.connection.table_exists(None, "spellings")
    }

    /// Removes what only the analysis needed.
    pub(super) fn forget_forms(&mut self) -> Result<()> {
        self.names_begun = false;
        self.stop_waiting()?;
        self.sql("DROP TABLE IF EXISTS forms; DROP TABLE IF EXISTS temp.names")
    }

    /// Returns the spelling that stands for a text, where it is another one.
    fn stands_for(&self, table: usize, column: usize, text: &str) -> Result<Option<String>> {
        if !self.spelled.contains(&(table, column)) {
            return Ok(None);
        }
        self.connection
            .prepare_cached("SELECT stands FROM spellings WHERE table_id = ?1 AND column_id = ?2 AND text = ?3")
            .and_then(|mut s| s.query_row(params![table as i64, column as i64, text], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))
    }

    /// Encodes a tuple as records are found by it: what the database holds equal has the same bytes, as far as it was
    /// seen by the analysis.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub(crate) fn tuple_bytes(&self, table: usize, columns: &[usize], values: &[Value]) -> Result<Vec<u8>> {
        let target = &self.meta.schema.tables[table];
        let mut bytes = Vec::new();
        for (&column, value) in columns.iter().zip(values) {
            let stands = match value {
                Value::Text(text) => self.stands_for(table, column, text)?.map(Value::Text),
                _ => None,
            };
            encode::encode_key_part(stands.as_ref().unwrap_or(value), target.columns[column].collation, &mut bytes);
        }
        Ok(bytes)
    }

    /// Finds the bytes of a key that is written as people write it, in another spelling than the plan's.
    pub(super) fn spelled_otherwise(&self, table: usize, key: &str) -> Result<Option<Vec<u8>>> {
        let columns = &self.meta.schema.tables[table].key;
        if !columns.iter().any(|&c| self.spelled.contains(&(table, c))) {
            return Ok(None);
        }
        let parts: Vec<&str> = if columns.len() == 1 { vec![key] } else { key.split(',').collect() };
        if parts.len() != columns.len() {
            return Ok(None);
        }
        let mut values = Vec::new();
        for (&column, part) in columns.iter().zip(parts) {
            let mut encoded = Vec::new();
            let cell = crate::model::Cell::String(part);
            encode::encode(cell, &self.meta.schema.tables[table].columns[column], &mut encoded);
            let Some(value) = encode::decode(&encoded) else { return Ok(None) };
            values.push(value);
        }
        self.tuple_bytes(table, columns, &values).map(Some)
    }

    /// See [`crate::analyzer::Findings::spelling`].
    pub(super) fn spell(&mut self, table: usize, column: usize, form: &str, text: &str) -> Result<String> {
        if self.forms_begun.insert(table) {
            self.sql(TABLES)?;
        }
        let place = (table as i64, column as i64);
        let digest = blake3::hash(form.as_bytes());
        let form = &digest.as_bytes()[..16];
        let spell = || -> rusqlite::Result<String> {
            let known: Option<String> = self
                .connection
                .prepare_cached("SELECT text FROM forms WHERE table_id = ?1 AND column_id = ?2 AND form = ?3")?
                .query_row(params![place.0, place.1, form], |r| r.get(0))
                .optional()?;
            let Some(stands) = known else {
                self.connection
                    .prepare_cached("INSERT INTO forms VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![place.0, place.1, form, text])?;
                return Ok(text.to_owned());
            };
            if stands != text {
                self.connection
                    .prepare_cached("INSERT INTO spellings VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
                    .execute(params![place.0, place.1, text, stands])?;
            }
            Ok(stands)
        };
        let stands = spell().map_err(|e| lost(&self.path, e))?;
        if stands != text {
            self.spelled.insert((table, column));
        }
        Ok(stands)
    }

    /// See [`crate::analyzer::Findings::rename`].
    pub(super) fn put_under(&mut self, id: i64, key: &[Value], key_bytes: &[u8]) -> Result<()> {
        self.early = None;
        let table = self.table_of(id)?;
        let target = &self.meta.schema.tables[table];
        let mut own = Vec::new();
        for (&column, value) in target.key.iter().zip(key) {
            encode::encode_key_part(value, target.columns[column].collation, &mut own);
        }
        let conflict_id = store::conflict_id(&target.label(), &own);
        let (name, key) = (Key(key.to_vec()).to_string(), codec::values_to_bytes(key));
        self.connection
            .prepare_cached("UPDATE records SET key_bytes = ?2, record = ?3, key = ?4, conflict_id = ?5 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![id, key_bytes, name, key, conflict_id]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn table_of(&self, id: i64) -> Result<usize> {
        self.connection
            .prepare_cached("SELECT table_id FROM records WHERE id = ?1")
            .and_then(|mut s| s.query_row([id], |r| r.get::<_, i64>(0)))
            .map(|table| usize::try_from(table).unwrap_or(0))
            .map_err(|e| lost(&self.path, e))
    }
}
