//! Looking through a fixture before it is analyzed: which natural keys it uses, and whose records have them.

use super::super::mapping::Mapping;
use super::KEYS_MOST;
use super::fields::{Junction, Model, Target, real_name};
use super::lookup::{Lookups, Record};
use super::values::{compact, elements};
use crate::backup::{Place, Reader, RecordSink};
use crate::error::{Error, Result, fail};
use crate::model::{Cell, OwnedCell};
use std::collections::{HashMap, HashSet};

/// What the first pass finds.
#[derive(Default)]
pub(super) struct Found {
    /// Natural keys used, by the table they are of, as compact JSON.
    pub(super) referred: HashMap<usize, HashSet<String>>,
    /// Tables of which a record comes without an id.
    pub(super) without_id: HashSet<usize>,
    /// Per table: the columns that every record of it has a value for.
    pub(super) always: HashMap<usize, HashSet<usize>>,
    /// The tables of links that lists go to.
    pub(super) junctions: Vec<Junction>,
    keys: usize,
}

/// Finds natural keys, records without ids and lists.
pub(super) fn structure(mapping: &Mapping, reader: &mut dyn Reader, found: &mut Found) -> Result<()> {
    while let Some(header) = reader.next_table()? {
        let header = real_name(mapping, header);
        let Some(model) = Model::find(mapping, &header) else { continue };
        let mut sink = Structure { mapping, model, found, present: Vec::new(), with_id: false };
        reader.read_records(&mut sink).map_err(|e| e.at(&header.name))?;
        let junctions = sink.model.junctions;
        found.junctions.extend(junctions.into_iter().map(|(junction, _)| junction));
    }
    Ok(())
}

struct Structure<'a> {
    mapping: &'a Mapping,
    model: Model,
    found: &'a mut Found,
    /// Columns of the record being read that have a value.
    present: Vec<usize>,
    with_id: bool,
}

impl Structure<'_> {
    fn refer(&mut self, table: usize, text: &str) -> Result<()> {
        if self.found.referred.entry(table).or_default().insert(compact(text)) {
            self.found.keys += 1;
            if self.found.keys > KEYS_MOST {
                return Err(too_many());
            }
        }
        Ok(())
    }
}

impl RecordSink for Structure<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        match (self.model.target(self.mapping, name), cell) {
            (_, Cell::Null | Cell::Absent) => {}
            (Target::Key, _) => self.with_id = true,
            (Target::Column(column, refers), cell) => {
                self.with_id |= self.model.key == Some(column);
                self.present.push(column);
                if let (Some(table), Cell::Json(text)) = (refers, cell)
                    && text.starts_with('[')
                {
                    self.refer(table, text)?;
                }
            }
            (Target::Links(position), Cell::Json(text)) => {
                if let (Some(table), Some(listed)) = (self.model.junctions[position].0.to_table, elements(text)) {
                    for element in listed.into_iter().filter(|e| e.starts_with('[')) {
                        self.refer(table, element)?;
                    }
                }
            }
            (Target::Links(_) | Target::Unknown, _) => {}
        }
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        let table = self.model.table;
        if !std::mem::take(&mut self.with_id) {
            self.found.without_id.insert(table);
        }
        match self.found.always.get_mut(&table) {
            Some(always) if always.len() > self.present.len() || !always.iter().all(|c| self.present.contains(c)) => {
                always.retain(|c| self.present.contains(c));
            }
            Some(_) => {}
            None => drop(self.found.always.insert(table, self.present.iter().copied().collect())),
        }
        self.present.clear();
        Ok(())
    }
}

/// Keeps the natural keys of the records whose tables need it.
pub(super) fn collect(mapping: &Mapping, reader: &mut dyn Reader, source: usize, lookups: &mut Lookups) -> Result<()> {
    while let Some(header) = reader.next_table()? {
        let header = real_name(mapping, header);
        let Some(model) = Model::find(mapping, &header) else { continue };
        let Some(columns) = lookups.kept_columns(model.table) else { continue };
        let table = model.table;
        let record = Record { source, pk: None, cells: vec![OwnedCell::Absent; columns.len()] };
        let mut sink = Collect { mapping, model, columns, record, records: Vec::new(), room: lookups.room() };
        reader.read_records(&mut sink).map_err(|e| e.at(&header.name))?;
        lookups.keep(table, sink.records);
    }
    Ok(())
}

struct Collect<'a> {
    mapping: &'a Mapping,
    model: Model,
    columns: Vec<usize>,
    record: Record,
    records: Vec<Record>,
    room: usize,
}

impl RecordSink for Collect<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let column = match self.model.target(self.mapping, name) {
            Target::Key if matches!(cell, Cell::Null) => None,
            Target::Key => {
                self.record.pk = Some(cell.into());
                self.model.key
            }
            Target::Column(column, _) => Some(column),
            Target::Links(_) | Target::Unknown => None,
        };
        if let Some(slot) = column.and_then(|column| self.columns.iter().position(|c| *c == column)) {
            self.record.cells[slot] = match cell {
                Cell::Json(text) => OwnedCell::Json(compact(text)),
                cell => cell.into(),
            };
        }
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        let empty = Record { pk: None, cells: vec![OwnedCell::Absent; self.columns.len()], ..self.record };
        self.records.push(std::mem::replace(&mut self.record, empty));
        if self.records.len() > self.room {
            return Err(too_many());
        }
        Ok(())
    }
}

fn too_many() -> Error {
    fail!(LimitReached, "the backup uses more than {KEYS_MOST} natural keys")
        .hint("Export it without --natural-foreign and --natural-primary, or in parts.")
}
