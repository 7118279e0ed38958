//! The reader that gives Django's records out in the shape of the schema.

use super::fields::{Model, Target, real_name};
use super::lookup::row_bytes;
use super::values::{cell_of, compact, duration, elements};
use super::{Shared, single_key};
use crate::backup::{Format, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Result, fail};
use crate::model::{Cell, OwnedCell};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};
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
}

impl InSchema {
    pub(super) fn new(inner: Box<dyn Reader>, shared: Arc<Shared>, source: usize) -> Self {
        Self { inner, shared, source, table: None, links: VecDeque::new(), open: None }
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
            return links.replay(sink);
        }
        match self.table.take() {
            None => Ok(0),
            Some((_, None)) => self.inner.read_records(sink),
            Some((header, Some(model))) => {
                let mut convert = Convert::new(&self.shared, self.source, &header, model, sink);
                let records = self.inner.read_records(&mut convert)?;
                self.links.extend(convert.finish(records));
                Ok(records)
            }
        }
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        self.inner.finish()
    }
}

/// Links of one field, in a temporary file: they come with the records that have them, but are records of a table of
/// their own.
struct Links {
    header: TableHeader,
    from: String,
    to: String,
    file: BufWriter<File>,
    /// Records whose list was there.
    lists: u64,
}

impl Links {
    fn replay(self, sink: &mut dyn RecordSink) -> Result<u64> {
        let mut file = self.file.into_inner().map_err(|e| e.into_error())?;
        file.rewind()?;
        let mut records = 0;
        for line in BufReader::new(file).lines() {
            let (from, to): (OwnedCell, OwnedCell) = serde_json::from_str(&line?)
                .map_err(|e| fail!(Failed, "the temporary file of {} is damaged", self.header.name).because(e))?;
            sink.field(&self.from, from.as_cell())?;
            sink.field(&self.to, to.as_cell())?;
            records += 1;
            sink.end_record(Place { record: records, offset: None })?;
        }
        Ok(records)
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
        }
    }

    fn finish(self, records: u64) -> Vec<Links> {
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
            let columns = &self.shared.mapping.schema.tables[junction.table].columns;
            self.links.push(Links {
                header: TableHeader { name: backup_name.clone(), ..TableHeader::default() },
                from: columns[junction.from].name.clone(),
                to: columns[junction.to].name.clone(),
                file: BufWriter::new(tempfile::tempfile()?),
                lists: 0,
            });
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
        match duration(cell, target) {
            Some(duration) => self.sink.field(&target.name, duration.as_cell()),
            None => self.sink.field(&target.name, cell),
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
            let from = id.clone().unwrap_or(OwnedCell::Null);
            let file = &mut self.links[position].file;
            serde_json::to_writer(&mut *file, &(from, to)).map_err(std::io::Error::from)?;
            file.write_all(b"\n")?;
        }
        self.at = 0;
        self.sink.end_record(place)
    }
}
