//! Jarvis's `user_data.json`: one user with preferences, settings and history (FORMATS 5).
//!
//! It is read as the tables of the same system's other export: `users`, `preferences` and `settings` with the user's
//! name, matched by that name. `history` records are lists without column names; they come out as `column1`, `column2` …,
//! which stand for the table's columns in their order.

use crate::backup::metadata::members_of;
use crate::backup::{Place, RecordSink};
use crate::error::{Result, fail};
use crate::model::Cell;
use serde_json::value::RawValue;

/// A record's fields as names and JSON values.
pub(super) type Record = Vec<(String, Box<RawValue>)>;

/// The table whose records are lists.
pub(super) const HISTORY: &str = "history";

/// Names a value of a list, counted from 1.
pub(super) fn unnamed(position: usize) -> String {
    format!("column{position}")
}

/// Reads the document into tables.
///
/// # Errors
/// `BackupDamaged` when it isn't as described above.
pub(super) fn tables(text: &str, notes: &mut Vec<String>) -> Result<Vec<(String, Vec<Record>)>> {
    #[derive(serde::Deserialize)]
    struct Document {
        user: Option<Box<RawValue>>,
        preferences: Option<Box<RawValue>>,
        settings: Option<Box<RawValue>>,
        #[serde(default)]
        history: Vec<Vec<Box<RawValue>>>,
    }
    let damaged = |e: serde_json::Error| fail!(BackupDamaged, "user_data.json can't be read").because(e);
    let document: Document = serde_json::from_str(text).map_err(damaged)?;
    let Some(user) = document.user else {
        return Err(fail!(BackupDamaged, "user_data.json has no `user`"));
    };
    let user = members_of(user.get()).map_err(|e| e.at("user_data.json"))?;
    let Some(name) = user.iter().find(|(key, _)| key == "username").map(|(_, value)| value.clone()) else {
        return Err(fail!(BackupDamaged, "the user in user_data.json has no `username`"));
    };
    let mut tables = vec![("users".to_owned(), vec![user])];
    for (table, value) in [("preferences", document.preferences), ("settings", document.settings)] {
        if let Some(value) = value {
            let record = vec![("username".to_owned(), name.clone()), (table.to_owned(), value)];
            tables.push((table.to_owned(), vec![record]));
        }
    }
    if !document.history.is_empty() {
        notes.push(
            "the records of `history` have no column names in the backup: they are taken in the order of the table's columns"
                .into(),
        );
        let record = |row: Vec<Box<RawValue>>| {
            row.into_iter().enumerate().map(|(position, value)| (unnamed(position + 1), value)).collect()
        };
        tables.push((HISTORY.to_owned(), document.history.into_iter().map(record).collect()));
    }
    Ok(tables)
}

/// Hands records to a sink.
///
/// # Errors
/// `BackupDamaged` for strings that are no text, and what the sink returns.
pub(super) fn push(records: &[Record], sink: &mut dyn RecordSink) -> Result<u64> {
    for (number, record) in (1..).zip(records) {
        for (name, value) in record {
            let raw = value.get();
            let text: String;
            let cell = match raw.as_bytes()[0] {
                b'"' => {
                    text = serde_json::from_str(raw)
                        .map_err(|e| fail!(BackupDamaged, "record {number}: `{name}` is no text").because(e))?;
                    Cell::String(&text)
                }
                b'{' | b'[' => Cell::Json(raw),
                b'n' => Cell::Null,
                b't' => Cell::Bool(true),
                b'f' => Cell::Bool(false),
                _ => Cell::Number(raw),
            };
            sink.field(name, cell)?;
        }
        sink.end_record(Place { record: number, offset: None })?;
    }
    Ok(records.len() as u64)
}
