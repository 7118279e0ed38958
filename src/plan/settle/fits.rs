//! Whether the current database can hold values that neither side has: made of both by a strategy, or typed by a person.
//!
//! What the backup brings was looked at by the analysis. A server's own limits, such as the largest packet, are known to
//! the merge only.

use crate::database;
use crate::model::change::Field;
use crate::model::schema::Engine;
use crate::model::{Column, Table, Value};
use crate::plan::Plan;
use crate::strategy::Choice;

impl Plan {
    /// Tells whether the backup's values come from a database of the current engine with dynamic types, so that a column
    /// may hold values of any kind.
    pub(crate) fn is_native(&self) -> bool {
        self.meta().schema.engine == Engine::Sqlite && self.meta().backup.as_ref().is_some_and(|b| b.format == "sqlite")
    }

    /// Says why a column can't hold a value.
    pub(in crate::plan) fn unfit(&self, column: &Column, value: &Value) -> Option<String> {
        let engine = self.meta().schema.engine;
        let stored = match self.is_native() && !column.enforced {
            true => database::store_any(engine, column, value),
            false => database::store(engine, column, value),
        };
        stored.err()
    }

    /// Says why what is written can't be held, where it is not the backup's.
    pub(super) fn unheld(&self, table: &Table, fields: &[Field], writes: &[(usize, Value)]) -> Option<String> {
        let brought = |c: usize, v: &Value| fields.iter().any(|f| f.column == c && f.backup.as_ref() == Some(v));
        let own = writes.iter().filter(|(c, v)| !v.is_null() && !brought(*c, v));
        own.filter_map(|(c, v)| Some(format!("{}: {}", table.columns[*c].name, self.unfit(&table.columns[*c], v)?)))
            .next()
    }

    /// Asks instead of writing what a strategy made of both sides where the database can't hold it.
    pub(super) fn held_or_asked(&self, table: &Table, fields: &[Field], choice: Choice) -> Choice {
        match &choice {
            Choice::Write(writes) => match self.unheld(table, fields, writes) {
                Some(why) => Choice::Ask(format!("what the strategy makes of both sides does not fit: {why}")),
                None => choice,
            },
            Choice::Delete
            | Choice::Keep(_)
            | Choice::IntoExisting
            | Choice::NewKey
            | Choice::Skip
            | Choice::Ask(_) => choice,
        }
    }
}
