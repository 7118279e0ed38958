//! The readers' side of the pipeline: records of a backup or a database become batches of rows, each in a thread.

use super::mapping::{Found, Mapping, Part};
use super::matching::{Follow, Ids};
use super::options::OnUnknown;
use super::rows::{Batch, Form, RowEncoder};
use crate::backup::{Place, RecordSink, TableHeader};
use crate::error::{Error, Result, fail};
use crate::model::{Cell, OwnedCell, encode};
use std::collections::{HashMap, HashSet};

/// What the taker of a batch wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// More rows, in this form.
    More(Form),
    /// Nothing any more.
    Nothing,
}

/// Takes batches as they fill, with the columns that tell a keyless table's records apart.
pub(super) type Send<'a> = dyn FnMut(Batch, Option<Vec<bool>>) -> Wanted + 'a;

/// What was learned about a backup's table while reading it.
#[derive(Clone, Debug, Default)]
pub(super) struct Learned {
    /// Columns that at least one record carries, by position.
    pub(super) carried: Vec<bool>,
    /// Sentences about columns that the current table does not have.
    pub(super) unknown: Vec<String>,
    /// Columns left out on request.
    pub(super) skipped: Vec<String>,
    /// Columns that the database computes, whatever the backup says of them.
    pub(super) computed: Vec<String>,
    /// The names of all columns that its records carry.
    pub(super) names: Vec<String>,
}

/// Records of a table without a key that are looked at together.
const EARLY: usize = 1_000;

/// A record that is not encoded yet: its fields and where it stands.
type Early = (Vec<(usize, OwnedCell)>, Place);

/// Turns a backup's records into rows of a current table.
pub(super) struct BackupSink<'a> {
    mapping: &'a Mapping,
    table: usize,
    header: TableHeader,
    encoder: RowEncoder<'a>,
    send: &'a mut Send<'a>,
    /// Names in the order of the last record, with the columns they fill: most records repeat it.
    order: Vec<(String, Option<usize>)>,
    known: HashMap<String, Option<usize>>,
    /// The first records of a table without a key: together they say which columns the backup carries.
    early: Option<Vec<Early>>,
    /// Ids that stand for others, and what of this table's records they are in.
    ids: Option<(&'a Ids, Vec<Follow>)>,
    /// The field's position within its record.
    at: usize,
    /// For a record of so many fields that comes whole, to be handed on as it was read: which of its cells each column takes.
    layout: Option<(usize, Vec<Option<usize>>)>,
    pub(super) learned: Learned,
}

impl<'a> BackupSink<'a> {
    pub(super) fn new(
        mapping: &'a Mapping,
        table: usize,
        header: &TableHeader,
        form: Form,
        send: &'a mut Send<'a>,
    ) -> Self {
        let target = &mapping.schema.tables[table];
        Self {
            mapping,
            table,
            header: header.clone(),
            encoder: RowEncoder::new(target, form),
            send,
            order: Vec::new(),
            known: HashMap::new(),
            early: target.key.is_empty().then(|| vec![(Vec::new(), Place::default())]),
            ids: None,
            at: 0,
            layout: None,
            learned: Learned { carried: vec![false; target.columns.len()], ..Learned::default() },
        }
    }

    /// Replaces ids by those that they stand for.
    pub(super) fn follow(&mut self, ids: Option<&'a Ids>) {
        let follows = ids.map(|ids| (ids, ids.follows(&self.mapping.schema, self.table)));
        self.ids = follows.filter(|(_, follows)| !follows.is_empty());
    }

    /// Puts the ids of current into the record being made.
    fn rename(&mut self) {
        let Some((ids, follows)) = &self.ids else { return };
        let mut found: Vec<(&[usize], &[Vec<u8>])> = Vec::new();
        let mut bytes = Vec::new();
        for follow in follows {
            let missing = |c: &usize| {
                let value = self.encoder.value(*c);
                encode::is_absent(value) || encode::is_null(value)
            };
            let other_kind = follow.when.as_ref().is_some_and(|(column, text)| {
                encode::decode(self.encoder.value(*column)).is_none_or(|v| v.to_string() != *text)
            });
            if other_kind || follow.columns.iter().any(missing) {
                continue;
            }
            let parent = &self.mapping.schema.tables[follow.parent];
            bytes.clear();
            for (&column, &k) in follow.columns.iter().zip(&parent.key) {
                encode::encode_key_bytes(self.encoder.value(column), parent.columns[k].collation, &mut bytes);
            }
            if let Some(values) = ids.of(follow.parent, &bytes) {
                found.push((&follow.columns, values));
            }
        }
        for (columns, values) in found {
            self.encoder.replace(columns, values);
        }
    }

    /// Encodes the first records of a table without a key, once it is known which columns they carry.
    fn replay(&mut self) -> Result<()> {
        let Some(early) = self.early.take() else { return Ok(()) };
        let mut columns = vec![false; self.learned.carried.len()];
        early.iter().flat_map(|(fields, _)| fields).for_each(|(column, _)| columns[*column] = true);
        self.encoder.told_apart_by(columns);
        for (fields, place) in early.into_iter().filter(|(_, place)| place.record > 0) {
            for (column, cell) in &fields {
                self.encoder.put(*column, cell.as_cell());
            }
            self.encode(place)?;
        }
        Ok(())
    }

    fn encode(&mut self, place: Place) -> Result<()> {
        self.rename();
        let filters = &self.mapping.filters[self.table];
        let excluded = self.mapping.parts[self.table] == Part::Parent
            || !filters.iter().all(|filter| filter.meets(|column| self.encoder.value(column)));
        if !self.encoder.only_known_columns() {
            return Err(fail!(
                SchemaMismatch,
                "{}: {place} carries a field that the first records don't have",
                self.header.name
            )
            .hint("The table has no key, so its records are told apart by their fields; name a key with --key."));
        }
        match self.encoder.end(place, excluded) {
            Some(full) => self.hand_over(full),
            None => Ok(()),
        }
    }

    fn hand_over(&mut self, full: Batch) -> Result<()> {
        match (self.send)(full, self.encoder.columns()) {
            Wanted::More(form) => self.encoder.turn(form),
            Wanted::Nothing => return Err(stopped()),
        }
        Ok(())
    }

    /// Finds which cell of a record with the names of the one before, so many, each column takes.
    fn lay_out(&self, fields: usize) -> Vec<Option<usize>> {
        let cell_of = |column| self.order[..fields].iter().position(|(_, found)| *found == Some(column));
        (0..self.mapping.schema.tables[self.table].columns.len()).map(cell_of).collect()
    }

    /// Hands over what is left.
    ///
    /// # Errors
    /// As ending a record.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.replay()?;
        if let Some(rest) = self.encoder.finish() {
            // Whoever takes no more has a cause of its own to report.
            (self.send)(rest, self.encoder.columns());
        }
        Ok(())
    }

    /// Returns the column that a value without a name stands for: only where the table has as many columns as the list.
    fn by_position(&self, name: &str) -> Option<usize> {
        let columns = &self.header.columns;
        let as_many = columns.len() == self.mapping.schema.tables[self.table].columns.len();
        if self.header.positional && as_many { columns.iter().position(|column| column == name) } else { None }
    }

    fn look_up(&mut self, name: &str) -> Option<usize> {
        if let Some(found) = self.known.get(name) {
            return *found;
        }
        let mut found = match self.mapping.column(self.table, &self.header.name, name) {
            Found::At(column) => Some(column),
            Found::Unknown(_) if self.by_position(name).is_some() => self.by_position(name),
            Found::Skipped => {
                self.learned.skipped.push(format!("{}.{name}", self.header.name));
                None
            }
            Found::Unknown(sentence) => {
                match self.mapping.on_unknown_column() {
                    OnUnknown::Error => self.learned.unknown.push(sentence),
                    OnUnknown::Skip => self.learned.skipped.push(format!("{}.{name}", self.header.name)),
                }
                None
            }
        };
        let target = &self.mapping.schema.tables[self.table];
        if let Some(column) = found {
            let other = self.known.iter().find(|(_, c)| **c == Some(column)).map(|(other, _)| other.clone());
            if let Some(other) = other {
                self.learned.unknown.push(format!(
                    "columns {other:?} and {name:?} of {} both stand for {}.{}",
                    self.header.name,
                    target.label(),
                    target.columns[column].name
                ));
                found = None;
            } else if !target.columns[column].writable() {
                // Computed by the engine; what the backup says of it is no opinion.
                self.learned.computed.push(format!("{}.{name}", self.header.name));
                found = None;
            } else if self.mapping.compared[self.table][column] {
                self.learned.carried[column] = true;
            } else {
                self.learned.skipped.push(format!("{}.{name}", self.header.name));
            }
        }
        self.known.insert(name.to_owned(), found);
        self.learned.names.push(name.to_owned());
        found
    }
}

impl RecordSink for BackupSink<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let column = match self.order.get(self.at) {
            Some((expected, column)) if expected == name => *column,
            _ => {
                // What is neither compared nor asked for by a filter is not even encoded.
                let found = self.look_up(name);
                let (compared, filters) = (&self.mapping.compared[self.table], &self.mapping.filters[self.table]);
                let column = found.filter(|&c| compared[c] || !filters.is_empty());
                self.order.truncate(self.at);
                self.order.push((name.to_owned(), column));
                self.layout = None;
                column
            }
        };
        self.at += 1;
        let cell = without_mark(cell);
        let Some(column) = column else { return Ok(()) };
        let first = match &mut self.early {
            Some(early) => {
                let fields = &mut early.last_mut().expect("one is always open").0;
                let first = fields.iter().all(|(c, _)| *c != column);
                fields.push((column, OwnedCell::from(cell)));
                first
            }
            None => self.encoder.put(column, cell),
        };
        if !first {
            return Err(fail!(BackupDamaged, "field {name:?} stands twice in one record of {}", self.header.name));
        }
        Ok(())
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        self.at = 0;
        match &mut self.early {
            Some(early) => {
                early.last_mut().expect("one is always open").1 = place;
                if early.len() >= EARLY {
                    return self.replay();
                }
                early.push((Vec::new(), Place::default()));
                Ok(())
            }
            None => self.encode(place),
        }
    }

    fn record_as_before(&mut self, names: &[String], cells: &[Cell<'_>], place: Place) -> Result<()> {
        // Such tables have a key, no filters and no ids that stand for others.
        if self.encoder.form() == Form::Canonical || self.order.len() < names.len() {
            names.iter().zip(cells).try_for_each(|(name, cell)| self.field(name, *cell))?;
            return self.end_record(place);
        }
        debug_assert!(self.order[..names.len()].iter().map(|(name, _)| name).eq(names), "a reader said so");
        // A record with fewer fields leaves the names of the longer one before it where they are.
        let layout = self.layout.take().filter(|(fields, _)| *fields == names.len());
        let (fields, layout) = layout.unwrap_or_else(|| (names.len(), self.lay_out(names.len())));
        let cell_of = |position: &Option<usize>| position.map_or(Cell::Absent, |at| without_mark(cells[at]));
        let full = self.encoder.push_as_read(layout.iter().map(cell_of), place);
        self.layout = Some((fields, layout));
        full.map_or(Ok(()), |full| self.hand_over(full))
    }
}

/// A redaction mark stands for a value that was left out, in whatever kind of backup.
fn without_mark(cell: Cell<'_>) -> Cell<'_> {
    if matches!(cell, Cell::Text("[REDACTED]" | "***REDACTED***")) { Cell::Absent } else { cell }
}

/// Returns the canonical keys of the records that a backup names as deleted.
///
/// # Errors
/// `BackupDamaged` for a key that is not one of the table.
pub(super) fn deleted_keys(mapping: &Mapping, table: usize, header: &TableHeader) -> Result<HashSet<Vec<u8>>> {
    let target = &mapping.schema.tables[table];
    let mut keys = HashSet::new();
    if target.key.is_empty() {
        return Ok(keys);
    }
    for (number, fields) in header.deleted.iter().enumerate() {
        let mut encoder = RowEncoder::new(target, Form::Canonical);
        let mut found = 0;
        for (name, cell) in fields {
            if let Found::At(column) = mapping.column(table, &header.name, name)
                && target.key.contains(&column)
                && encoder.put(column, cell.as_cell())
            {
                found += 1;
            }
        }
        let place = Place { record: number as u64 + 1, offset: None };
        if found != target.key.len() {
            return Err(fail!(
                BackupDamaged,
                "{}: deleted {place} does not name the key ({})",
                header.name,
                target.names(&target.key).join(", ")
            ));
        }
        let full = encoder.end(place, false);
        for batch in full.into_iter().chain(encoder.finish()) {
            keys.extend((0..batch.len()).map(|row| batch.row(row).key.to_vec()));
        }
    }
    Ok(keys)
}

/// Ends a reader whose rows nobody takes any more; the cause is reported by whoever stopped.
pub(super) fn stopped() -> Error {
    fail!(Failed, "the reader was stopped")
}
