//! The reader that gives Django's records out in the shape of the schema.

use super::fields::{Model, Target, real_name};
use super::links::Links;
use super::lookup::row_bytes;
use super::values::{cell_of, compact, duration, elements, python_json};
use super::{Shared, single_key};
use crate::backup::{Format, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Result, fail};
use crate::model::{Cell, ColumnType, OwnedCell};
use std::collections::VecDeque;
use std::sync::Arc;

/// A reader of a Django backup whose records fit the schema.
pub(super) struct InSchema {
    inner: Box<dyn Reader>,
    shared: Arc<Shared>,
    source: usize,
    /// The inner reader's table, once its header was given out.
    table: Option<(TableHeader, Option<Model>)>,
    /// Tables of links that were gathered and not yet given out.
    links: VecDeque<Links>,
    /// The table of links that was given out last.
    open: Option<Links>,
    notes: Vec<String>,
}

impl InSchema {
    pub(super) fn new(inner: Box<dyn Reader>, shared: Arc<Shared>, source: usize) -> Self {
        Self { inner, shared, source, table: None, links: VecDeque::new(), open: None, notes: Vec::new() }
    }
}

impl Reader for InSchema {
    fn format(&self) -> Format {
        self.inner.format()
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.table = None;
        self.open = self.links.pop_front();
        if let Some(links) = &self.open {
            return Ok(Some(links.header.clone()));
        }
        let Some(header) = self.inner.next_table()? else { return Ok(None) };
        let header = real_name(&self.shared.mapping, header);
        let model = Model::find(&self.shared.mapping, &header);
        self.table = Some((header.clone(), model));
        Ok(Some(header))
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        if let Some(links) = self.open.take() {
            let ids = self.shared.lookups.link_ids.get(&links.junction.table).filter(|_| self.source == 0);
            return links.replay(&self.shared.mapping.schema, ids, sink);
        }
        match self.table.take() {
            None => Ok(0),
            Some((_, None)) => self.inner.read_records(sink),
            Some((header, Some(model))) => {
                let mut convert = Convert::new(&self.shared, self.source, &header, model, sink);
                let records = self.inner.read_records(&mut convert)?;
                self.links.extend(convert.finish(records, &mut self.notes));
                Ok(records)
            }
        }
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let mut summary = self.inner.finish()?;
        summary.notes.extend(self.notes);
        Ok(summary)
    }
}

/// Puts the records of one model into the schema's shape as they pass.
struct Convert<'a> {
    shared: &'a Shared,
    source: usize,
    whole: bool,
    model: Model,
    sink: &'a mut dyn RecordSink,
    /// One per junction of the model.
    links: Vec<Links>,
    /// The columns by which the table's records are found, where not by their ids.
    natural: Option<&'a [usize]>,
    natural_cells: Vec<OwnedCell>,
    pk: Option<OwnedCell>,
    /// Links of the record being read: which junction, and the id listed.
    listed: Vec<(usize, OwnedCell)>,
    /// Names in the order of the last record, with what they stand for: most records repeat it.
    order: Vec<(String, Target)>,
    at: usize,
    /// Text columns whose null was read as the empty text.
    emptied: Vec<usize>,
}

impl<'a> Convert<'a> {
    fn new(
        shared: &'a Shared,
        source: usize,
        header: &TableHeader,
        model: Model,
        sink: &'a mut dyn RecordSink,
    ) -> Self {
        let natural = shared.lookups.natural.get(&model.table).map(Vec::as_slice);
        let natural_cells = vec![OwnedCell::Absent; natural.map_or(0, <[usize]>::len)];
        Self {
            shared,
            source,
            whole: header.whole,
            model,
            sink,
            links: Vec::new(),
            natural,
            natural_cells,
            pk: None,
            listed: Vec::new(),
            order: Vec::new(),
            at: 0,
            emptied: Vec::new(),
        }
    }

    fn finish(self, records: u64, notes: &mut Vec<String>) -> Vec<Links> {
        let table = &self.shared.mapping.schema.tables[self.model.table];
        notes.extend(self.emptied.iter().map(|&column| {
            format!("{}.{} can't be null: null is read as the empty text", table.label(), table.columns[column].name)
        }));
        let mut links = self.links;
        for one in &mut links {
            // A record without the list says nothing of its links.
            one.header.whole = self.whole && one.lists == records;
        }
        links
    }

    fn target(&mut self, name: &str) -> Result<Target> {
        if let Some((expected, target)) = self.order.get(self.at)
            && expected == name
        {
            return Ok(target.clone());
        }
        let target = self.model.target(&self.shared.mapping, name);
        for (junction, backup_name) in &self.model.junctions[self.links.len()..] {
            self.links.push(Links::new(junction.clone(), backup_name)?);
        }
        self.order.truncate(self.at);
        self.order.push((name.to_owned(), target.clone()));
        Ok(target)
    }

    /// Returns the id that a reference stands for; `None` where it is what the backup says.
    fn referred(&self, table: usize, cell: Cell<'_>) -> Option<&'a OwnedCell> {
        let lookups = &self.shared.lookups;
        match cell {
            Cell::Null | Cell::Absent => None,
            Cell::Json(text) => lookups.named(table, text),
            cell => lookups.translated(self.source, table, &self.shared.mapping.schema.tables[table], cell),
        }
    }

    fn column(&mut self, column: usize, refers: Option<usize>, cell: Cell<'_>) -> Result<()> {
        let table = &self.shared.mapping.schema.tables[self.model.table];
        if let Some(slot) = self.natural.and_then(|columns| columns.iter().position(|c| *c == column)) {
            self.natural_cells[slot] = match cell {
                Cell::Json(text) => OwnedCell::Json(compact(text)),
                cell => cell.into(),
            };
        }
        let target = &table.columns[column];
        if let Some(id) = refers.and_then(|refers| self.referred(refers, cell)) {
            return self.sink.field(&target.name, id.as_cell());
        }
        if let Some(duration) = duration(cell, target) {
            return self.sink.field(&target.name, duration.as_cell());
        }
        match (cell, &target.ty) {
            (Cell::Json(text), ColumnType::Text { .. }) => {
                self.sink.field(&target.name, Cell::String(&python_json(text)))
            }
            // A text that can't be null: Django says null of the empty text where a field's own type has no empty value.
            (Cell::Null, ColumnType::Text { .. }) if !target.nullable && self.model.key != Some(column) => {
                if !self.emptied.contains(&column) {
                    self.emptied.push(column);
                }
                self.sink.field(&target.name, Cell::String(""))
            }
            _ => self.sink.field(&target.name, cell),
        }
    }

    fn list(&mut self, position: usize, cell: Cell<'_>) -> Result<()> {
        let Cell::Json(text) = cell else {
            let name = &self.links[position].header.name;
            return Err(fail!(BackupDamaged, "the links {name} are no list"));
        };
        let listed = elements(text)
            .ok_or_else(|| fail!(BackupDamaged, "the links {} are no list", self.links[position].header.name))?;
        self.links[position].lists += 1;
        let to_table = self.model.junctions[position].0.to_table;
        for element in listed {
            let cell = cell_of(element);
            let id = to_table.and_then(|table| self.referred(table, cell.as_cell())).cloned();
            self.listed.push((position, id.unwrap_or(cell)));
        }
        Ok(())
    }
}

impl RecordSink for Convert<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let target = self.target(name)?;
        self.at += 1;
        match target {
            Target::Key => {
                if !matches!(cell, Cell::Null | Cell::Absent) {
                    self.pk = Some(cell.into());
                }
                Ok(())
            }
            Target::Column(column, refers) => {
                if self.model.key == Some(column) {
                    // A key that is itself a reference: a table that inherits from another.
                    let id = refers.and_then(|refers| self.referred(refers, cell)).cloned();
                    self.pk = Some(id.unwrap_or_else(|| cell.into()));
                }
                self.column(column, refers, cell)
            }
            Target::Links(position) => self.list(position, cell),
            Target::Unknown => self.sink.field(name, cell),
        }
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        let tables = &self.shared.mapping.schema.tables;
        let table = &tables[self.model.table];
        let mut id = self.pk.take();
        let given = self.order[..self.at]
            .iter()
            .any(|(_, target)| matches!(target, Target::Column(column, _) if self.model.key == Some(*column)));
        if let Some(columns) = self.natural {
            let bytes = row_bytes(self.natural_cells.iter().map(OwnedCell::as_cell), table, columns);
            let known = self.shared.lookups.ids[self.source].get(&self.model.table);
            if let Some(found) = known.and_then(|ids| ids.get(&bytes)) {
                id = Some(found.clone());
            }
            self.natural_cells.fill(OwnedCell::Absent);
        } else if let (Some(pk), Some(refers)) =
            (&id, single_key(table).and_then(|key| super::reference(tables, table, key)))
            && !given
            && let Some(found) = self.referred(refers, pk.as_cell())
        {
            id = Some(found.clone());
        }
        if let (Some(key), Some(id), false) = (self.model.key, &id, given) {
            self.sink.field(&table.columns[key].name, id.as_cell())?;
        }
        for (position, to) in self.listed.drain(..) {
            self.links[position].add(id.as_ref().unwrap_or(&OwnedCell::Null), &to)?;
        }
        self.at = 0;
        self.sink.end_record(place)
    }
}
