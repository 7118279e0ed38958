//! What the current database can hold of the backup's values.

use super::overlay;
use crate::analyzer::Finding;
use crate::analyzer::mapping::Mapping;
use crate::database::Database;
use crate::model::change::{Class, Reason};
use crate::model::schema::Engine;
use crate::model::{Column, OwnedCell, Table, Value, encode};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Whether the backup's values come from a database of the current engine, dynamic types and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::analyzer) enum Native {
    /// They do.
    Yes,
    /// They come from a document or another engine.
    No,
}

/// Turns values of the backup into cells of the current database.
pub(in crate::analyzer) struct Storing<'a> {
    mapping: &'a Mapping,
    database: &'a dyn Database,
    native: Native,
    /// Columns that hold instants less finely than the backup does: `users.updated_at`.
    cut: RefCell<BTreeSet<String>>,
}

impl<'a> Storing<'a> {
    pub(in crate::analyzer) fn new(mapping: &'a Mapping, database: &'a dyn Database, native: Native) -> Self {
        Self { mapping, database, native, cut: RefCell::default() }
    }

    /// Returns the columns that were seen to hold instants less finely than the backup does.
    pub(in crate::analyzer) fn cut(&self) -> BTreeSet<String> {
        self.cut.take()
    }

    /// Tells whether the database has to be asked: SQLite checks nothing but what `cells` sees, unless the table has
    /// checks or strict types; a server is not asked about tables that the adapter knows wholly.
    pub(super) fn asks(&self, table: &Table) -> bool {
        match self.mapping.schema.engine {
            Engine::Sqlite => !table.checks.is_empty() || table.columns.iter().any(|c| c.enforced),
            _ => !table.plain,
        }
    }

    /// Tells, without asking the database, whether it certainly holds what a finding brings.
    pub(in crate::analyzer) fn takes(&self, table: &Table, finding: &Finding) -> bool {
        if matches!(finding.class, Class::Unchanged | Class::Excluded | Class::Blocked | Class::CurrentOnly) {
            return true;
        }
        if table.refused.is_some() || self.asks(table) {
            return false;
        }
        let mut brought = [vec![None; table.columns.len()]];
        overlay(&mut brought, std::slice::from_ref(finding));
        let [record] = &brought;
        self.cells(table, finding, record, &|_| true, &mut Vec::new()).1.is_none()
    }

    /// Turns a whole record into cells; notes each value that does not fit and returns the first refusal. A column that
    /// is not missed may have no value.
    pub(super) fn cells(
        &self,
        target: &Table,
        finding: &Finding,
        record: &[Option<Value>],
        missed: &dyn Fn(usize) -> bool,
        unstorable: &mut Vec<(usize, String)>,
    ) -> (Vec<OwnedCell>, Option<(Reason, String)>) {
        let is_new = finding.current_digests.is_empty();
        let mut cells = Vec::with_capacity(record.len());
        let mut refusal = None;
        for (position, (column, value)) in target.columns.iter().zip(record).enumerate() {
            let changed = is_new || finding.fields.iter().any(|f| f.column == position && f.backup.is_some());
            let stored = match value {
                Some(Value::Null) if !column.nullable && changed && column.writable() => {
                    Err((Reason::NullNotAllowed, format!("{} must not be null", column.name)))
                }
                None if is_new && column.required() && missed(position) => {
                    let why = format!("{} has no default and the backup has no value for it", column.name);
                    Err((Reason::NullNotAllowed, why))
                }
                None => Ok(OwnedCell::Absent),
                // What the current record holds already is not judged.
                Some(value) if !changed => Ok(self.database.store_any(column, value).unwrap_or(OwnedCell::Absent)),
                Some(value) => self
                    .stored_in(target, column, value)
                    .map_err(|why| self.unnamed(target, position, value).unwrap_or(why))
                    .map_err(|why| (Reason::ValueNotStorable, format!("{}: {why}", column.name))),
            };
            cells.push(stored.unwrap_or_else(|(reason, why)| {
                unstorable.push((position, why.clone()));
                refusal.get_or_insert((reason, why));
                OwnedCell::Absent
            }));
        }
        (cells, refusal)
    }

    /// Says of a list in the place of a reference that it is a natural key that names nobody (Django's exports).
    fn unnamed(&self, target: &Table, column: usize, value: &Value) -> Option<String> {
        let Value::Json(text) = value else { return None };
        let is_list = text.trim_start().starts_with('[');
        let foreign_key = target.foreign_keys.iter().find(|f| is_list && f.columns == [column])?;
        let parent = self.mapping.schema.tables[foreign_key.table?].label();
        Some(format!(
            "{text} is a natural key, and no unique constraint of {parent} tells which record it names; \
             export again without natural keys"
        ))
    }

    /// Turns a value of the backup into the column's cell, and notes where an instant loses its finer digits.
    fn stored_in(&self, table: &Table, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        let cell = self.store(column, value)?;
        if let Value::Timestamp(meant) = value
            && let Some(Value::Timestamp(kept)) = encode::value_of(cell.as_cell(), column)
            && meant.nanos_since(kept) != 0
        {
            self.cut.borrow_mut().insert(format!("{}.{}", table.label(), column.name));
        }
        Ok(cell)
    }

    /// Turns a value of the backup into the column's cell.
    pub(super) fn store(&self, column: &Column, value: &Value) -> std::result::Result<OwnedCell, String> {
        if self.native == Native::Yes && !column.enforced {
            return self.database.store_any(column, value);
        }
        self.database.store(column, value)
    }
}
