//! What the tests of the readers and writers share.

use super::open::open_with_window;
use super::{Place, ReadOptions, Reader, RecordSink, Summary, TableHeader};
use crate::error::Result;
use crate::model::{Cell, OwnedCell};
use std::io::Write as _;
use std::path::Path;

/// A record as a list of fields.
pub(crate) type Fields = Vec<(String, OwnedCell)>;

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Keep {
    open: Fields,
    pub(crate) records: Vec<Fields>,
    pub(crate) places: Vec<Place>,
}

impl RecordSink for Keep {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        self.open.push((name.to_owned(), cell.into()));
        Ok(())
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        self.records.push(std::mem::take(&mut self.open));
        self.places.push(place);
        Ok(())
    }

    fn record_as_before(&mut self, names: &[String], cells: &[Cell<'_>], place: Place) -> Result<()> {
        let before = self.records.last().expect("a record came before");
        assert!(before.iter().map(|(name, _)| name).eq(names), "a reader said so");
        assert_eq!(names.len(), cells.len());
        self.open.extend(names.iter().zip(cells).map(|(name, cell)| (name.clone(), OwnedCell::from(*cell))));
        self.end_record(place)
    }
}

/// Everything that a backup holds.
#[derive(Debug, PartialEq)]
pub(crate) struct Content {
    pub(crate) tables: Vec<(TableHeader, Vec<Fields>)>,
    pub(crate) summary: Summary,
}

impl Content {
    /// Returns the records of a table.
    pub(crate) fn records(&self, table: &str) -> &[Fields] {
        let found = self.tables.iter().find(|(header, _)| header.name == table);
        &found.unwrap_or_else(|| panic!("no table {table}")).1
    }

    /// Lists tables and their numbers of records.
    pub(crate) fn counts(&self) -> Vec<(&str, usize)> {
        self.tables.iter().map(|(header, records)| (header.name.as_str(), records.len())).collect()
    }
}

/// Reads a whole backup through a reader.
pub(crate) fn read(mut reader: Box<dyn Reader>) -> Result<Content> {
    let mut tables = Vec::new();
    while let Some(header) = reader.next_table()? {
        let mut sink = Keep::default();
        let count = reader.read_records(&mut sink)?;
        assert_eq!(count, sink.records.len() as u64, "the reader counts what it pushes");
        tables.push((header, sink.records));
    }
    Ok(Content { tables, summary: reader.finish()? })
}

/// Reads a whole file.
pub(crate) fn read_path(path: &Path, options: &ReadOptions) -> Result<Content> {
    read(open_with_window(path, options, 1 << 16)?)
}

/// Reads bytes as a file, through a window of a given size.
pub(crate) fn read_bytes(bytes: &[u8], options: &ReadOptions, window_bytes: usize) -> Result<Content> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("backup");
    std::fs::write(&path, bytes)?;
    read(open_with_window(&path, options, window_bytes)?)
}

/// Makes a ZIP archive of names and contents.
pub(crate) fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Compresses with gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes fields as `name=value` with short marks for the kinds, to compare whole records at a glance.
pub(crate) fn shown(fields: &Fields) -> String {
    let cell = |cell: &OwnedCell| match cell {
        OwnedCell::Null => "null".to_owned(),
        OwnedCell::String(text) | OwnedCell::Text(text) => format!("'{text}'"),
        OwnedCell::Number(text) | OwnedCell::Json(text) => text.clone(),
        other => format!("{other:?}"),
    };
    fields.iter().map(|(name, value)| format!("{name}={}", cell(value))).collect::<Vec<_>>().join(" ")
}
