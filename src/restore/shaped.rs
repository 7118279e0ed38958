//! Writes records of a database of any engine to a new SQLite file whose tables are shaped after that database's own.
//!
//! Kept are names, keys, not-null, and a type for each column that holds its values exactly: decimals and whatever SQLite
//! has no type for are text. Foreign keys, further uniques, checks and defaults are not there: the file is a backup.

use super::guess::quoted;
use crate::backup::{BackupWriter, TableOptions};
use crate::database::sqlite::error;
use crate::error::{Result, fail};
use crate::model::{Cell, Column, ColumnType, Table};
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use std::path::Path;

/// Writes tables to an SQLite file.
pub struct ShapedWriter {
    connection: Connection,
    insert: String,
    /// Per column: whether it is carried, and whether numbers in it are kept as text.
    columns: Vec<(bool, bool)>,
}

impl ShapedWriter {
    /// Starts the file; it is whole when it is finished, and nobody else may read it before.
    ///
    /// # Errors
    /// `Failed` when it can't be written.
    pub fn create(path: &Path) -> Result<Self> {
        let connection = Connection::open(path).map_err(error)?;
        // The file is made whole or thrown away: nothing has to survive a crash half-way.
        connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;").map_err(error)?;
        connection.set_prepared_statement_cache_capacity(4);
        Ok(Self { connection, insert: String::new(), columns: Vec::new() })
    }
}

fn declared(column: &Column) -> &'static str {
    match column.ty {
        ColumnType::Boolean => "boolean",
        ColumnType::Integer { .. } => "integer",
        ColumnType::Float { .. } => "real",
        ColumnType::Bytes { .. } => "blob",
        ColumnType::Timestamp { .. } => "datetime",
        ColumnType::Date => "date",
        ColumnType::Json => "json",
        ColumnType::Any => "",
        ColumnType::Decimal { .. }
        | ColumnType::Text { .. }
        | ColumnType::Time { .. }
        | ColumnType::Uuid
        | ColumnType::Enum(_)
        | ColumnType::Other(_) => "text",
    }
}

impl BackupWriter for ShapedWriter {
    fn begin_table(&mut self, table: &Table, options: &TableOptions) -> Result<()> {
        self.columns = (0..table.columns.len())
            .map(|c| (!options.excluded.contains(&c), declared(&table.columns[c]) == "text"))
            .collect();
        let label = table.label();
        let column = |(position, column): (usize, &Column)| {
            if !self.columns[position].0 {
                return None;
            }
            let must = if column.nullable { "" } else { " NOT NULL" };
            Some(format!("{} {}{must}", quoted(&column.name), declared(column)))
        };
        let mut parts: Vec<String> = table.columns.iter().enumerate().filter_map(column).collect();
        if !table.key.is_empty() {
            let key: Vec<String> = table.names(&table.key).into_iter().map(quoted).collect();
            parts.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let create = format!("CREATE TABLE {} ({})", quoted(&label), parts.join(", "));
        self.connection.execute_batch(&create).map_err(|e| error(e).at(&label))?;
        let names: Vec<String> = table
            .columns
            .iter()
            .zip(&self.columns)
            .filter(|(_, (carried, _))| *carried)
            .map(|(column, _)| quoted(&column.name))
            .collect();
        let marks = vec!["?"; names.len()].join(", ");
        self.insert = format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(&label), names.join(", "));
        Ok(())
    }

    fn record(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if cells.len() != self.columns.len() {
            return Err(fail!(Usage, "a record of {} cells in a table of {} columns", cells.len(), self.columns.len()));
        }
        let mut statement = self.connection.prepare_cached(&self.insert).map_err(error)?;
        let carried = cells.iter().zip(&self.columns).filter(|(_, (carried, _))| *carried);
        for (position, (cell, (_, as_text))) in carried.enumerate() {
            statement.raw_bind_parameter(position + 1, value(*cell, *as_text)).map_err(error)?;
        }
        statement.raw_execute().map(|_| ()).map_err(error)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        // Databases are opened by applications that may write: leave the usual journal.
        self.connection.execute_batch("COMMIT; PRAGMA journal_mode = DELETE;").map_err(error)
    }
}

fn value(cell: Cell<'_>, as_text: bool) -> ToSqlOutput<'_> {
    let owned = |value: Value| ToSqlOutput::Owned(value);
    let number = |text: &str| match (text.parse::<i64>(), text.parse::<f64>()) {
        _ if as_text => Value::Text(text.to_owned()),
        (Ok(i), _) => Value::Integer(i),
        (_, Ok(x)) => Value::Real(x),
        _ => Value::Text(text.to_owned()),
    };
    match cell {
        Cell::Absent | Cell::Null => owned(Value::Null),
        Cell::Bool(b) => owned(Value::Integer(b.into())),
        Cell::Int(i) => owned(Value::Integer(i)),
        // Beyond SQLite's integers: as text it stays exact.
        Cell::UInt(u) => owned(i64::try_from(u).map_or_else(|_| Value::Text(u.to_string()), Value::Integer)),
        // SQLite has no NaN and would make it null without a word.
        Cell::Real(x) if x.is_nan() => owned(Value::Text("NaN".to_owned())),
        Cell::Real(x) => owned(Value::Real(x)),
        Cell::Number(text) => owned(number(text)),
        Cell::String(text) | Cell::Text(text) | Cell::Json(text) => {
            ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
        }
        Cell::RawText(bytes) => ToSqlOutput::Borrowed(ValueRef::Text(bytes)),
        Cell::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
    }
}
