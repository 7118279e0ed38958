//! Many-to-many lists as records of their junction tables.
//!
//! Lists come with the records that have them but are records of a table of their own: they wait in a temporary file.

use super::fields::Junction;
use super::lookup::bytes_of;
use super::{KEYS_MOST, single_key};
use crate::backup::{Place, RecordSink, TableHeader};
use crate::database::Snapshot;
use crate::error::{Result, fail};
use crate::model::{Cell, ColumnType, OwnedCell, Schema, Table, Value, encode};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, Write};

/// The links of one field.
pub(super) struct Links {
    pub(super) header: TableHeader,
    pub(super) junction: Junction,
    /// Records whose list was there.
    pub(super) lists: u64,
    file: BufWriter<File>,
}

impl Links {
    pub(super) fn new(junction: Junction, name: &str) -> Result<Self> {
        let header = TableHeader { name: name.to_owned(), ..TableHeader::default() };
        Ok(Self { header, junction, lists: 0, file: BufWriter::new(tempfile::tempfile()?) })
    }

    pub(super) fn add(&mut self, from: &OwnedCell, to: &OwnedCell) -> Result<()> {
        serde_json::to_writer(&mut self.file, &(from, to)).map_err(std::io::Error::from)?;
        Ok(self.file.write_all(b"\n")?)
    }

    /// Gives the links out; `ids` where the engine does not make them.
    pub(super) fn replay(self, schema: &Schema, ids: Option<&LinkIds>, sink: &mut dyn RecordSink) -> Result<u64> {
        let table = &schema.tables[self.junction.table];
        let name = |column: usize| table.columns[column].name.as_str();
        let mut next = ids.map_or(0, |ids| ids.next);
        let mut file = self.file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let mut records = 0;
        for line in BufReader::new(file).lines() {
            let (from, to): (OwnedCell, OwnedCell) = serde_json::from_str(&line?)
                .map_err(|e| fail!(Failed, "the temporary file of {} is damaged", self.header.name).because(e))?;
            sink.field(name(self.junction.from), from.as_cell())?;
            sink.field(name(self.junction.to), to.as_cell())?;
            if let Some(ids) = ids
                && !ids.existing.contains(&pair(table, &self.junction, from.as_cell(), to.as_cell()))
            {
                sink.field(name(ids.key), Cell::Number(&next.to_string()))?;
                next += 1;
            }
            records += 1;
            sink.end_record(Place { record: records, offset: None })?;
        }
        Ok(records)
    }
}

/// What new links of a table need an id for that neither engine nor backup gives: its key is a plain number
/// (databases that were converted from another engine).
pub(super) struct LinkIds {
    key: usize,
    /// The links that are there.
    existing: HashSet<Vec<u8>>,
    next: i128,
}

impl LinkIds {
    /// Reads the links that are there; nothing where the engine gives ids.
    ///
    /// # Errors
    /// What the database reports; `LimitReached` for too many links.
    pub(super) fn read(schema: &Schema, junction: &Junction, snapshot: &mut dyn Snapshot) -> Result<Option<Self>> {
        let table = &schema.tables[junction.table];
        let Some(key) = single_key(table) else { return Ok(None) };
        let column = &table.columns[key];
        if !column.required() || !matches!(column.ty, ColumnType::Integer { .. }) {
            return Ok(None);
        }
        let mut ids = Self { key, existing: HashSet::new(), next: 1 };
        snapshot.scan(table, &mut |cells| {
            if let Some(Value::Integer(id)) = encode::value_of(cells[key], column) {
                ids.next = ids.next.max(id + 1);
            }
            ids.existing.insert(pair(table, junction, cells[junction.from], cells[junction.to]));
            if ids.existing.len() > KEYS_MOST {
                return Err(fail!(LimitReached, "{} has more than {KEYS_MOST} links", table.label()).hint(
                    "Give its key a default, as Django's own databases have, so that no ids have to be made up.",
                ));
            }
            Ok(())
        })?;
        Ok(Some(ids))
    }
}

fn pair(table: &Table, junction: &Junction, from: Cell<'_>, to: Cell<'_>) -> Vec<u8> {
    let mut bytes = bytes_of(from, table, junction.from);
    bytes.extend(bytes_of(to, table, junction.to));
    bytes
}
