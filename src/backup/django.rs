//! Reads a Django fixture: one JSON array of `{"model":"app.model","pk":…,"fields":{…}}` (`dumpdata`, FORMATS 2.1).
//!
//! Records of one model may be interleaved with others. A first pass checks the whole file and notes where runs of one
//! model stand; then each model's runs are read in turn. Compressed input is copied to a temporary file for that.
//! `pk` comes out as a field of that name; natural keys and many-to-many lists as nested JSON: what they refer to is
//! only known with the schema.

use super::json::array::{complete_record, django_header, emit_record, read_array};
use super::json::record::{RecordParser, Shape};
use super::json::window::{WINDOW_BYTES, Window};
use super::options::ReadOptions;
use super::source::{ByteStream, Origin};
use super::{Format, Ignore, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Result, fail};
use crate::model::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

/// Records of one model that stand one after another.
#[derive(Clone, Copy)]
struct Run {
    model: u32,
    start: u64,
    end: u64,
    records: u64,
}

/// Where the records of each model stand in a fixture.
pub(crate) struct Fixture {
    file: File,
    models: Vec<String>,
    runs: Vec<Run>,
    options: ReadOptions,
    window_bytes: usize,
}

impl Fixture {
    /// Reads a whole array of Django records and notes where each model's are; `file` holds the text from then on.
    ///
    /// # Errors
    /// `UnknownFormat` when the records are no Django records, `BackupDamaged`, `LimitReached`.
    pub(crate) fn index(mut window: Window, file: File, options: &ReadOptions, window_bytes: usize) -> Result<Self> {
        let mut fixture = Self { file, models: Vec::new(), runs: Vec::new(), options: options.clone(), window_bytes };
        let mut positions: HashMap<String, u32> = HashMap::new();
        let mut parser = RecordParser::new(options, Shape::Django);
        let mut number = 0;
        window.expect(b'[')?;
        let mut after_comma = false;
        loop {
            match window.peek()? {
                Some(b']') if !after_comma => break,
                Some(b',') if number > 0 && !after_comma => {
                    window.advance(1);
                    after_comma = true;
                }
                Some(b'{') if number == 0 || after_comma => {
                    number += 1;
                    after_comma = false;
                    let length = complete_record(&mut window, &mut parser, options, "fixture", number)?;
                    let Some(model) = parser.django_model(window.rest()) else {
                        return Err(not_django(&window, number));
                    };
                    let model = *positions.entry(model).or_insert_with_key(|model| {
                        fixture.models.push(model.clone());
                        u32::try_from(fixture.models.len() - 1).unwrap_or(u32::MAX)
                    });
                    if fixture.models.len() > options.limits.tables {
                        return Err(fail!(LimitReached, "there are more than {} models", options.limits.tables));
                    }
                    // Checks strings and keys now, so that nothing is wrong with a record when its turn comes.
                    emit_record(&window, &mut parser, "fixture", number, &mut Ignore)?;
                    fixture.add(model, window.offset(), length as u64);
                    window.advance(length);
                }
                Some(_) if number == 0 => return Err(not_django(&window, 1)),
                Some(_) => return Err(window.damaged("`,` or `]` was expected")),
                None => return Err(window.truncated()),
            }
        }
        window.advance(1);
        if window.peek()?.is_some() {
            return Err(window.damaged("there is more after the end of the array"));
        }
        // Stable: the runs of a model stay in the file's order.
        fixture.runs.sort_by_key(|run| run.model);
        fixture.runs.reverse();
        fixture.models.reverse();
        Ok(fixture)
    }

    fn add(&mut self, model: u32, start: u64, length: u64) {
        match self.runs.last_mut() {
            Some(run) if run.model == model => {
                run.end = start + length;
                run.records += 1;
            }
            _ => self.runs.push(Run { model, start, end: start + length, records: 1 }),
        }
    }

    /// Goes to the next model.
    pub(crate) fn next_model(&mut self) -> Option<String> {
        self.models.pop()
    }

    /// Reads the records of the model gone to last; they come off the end of `runs`.
    ///
    /// # Errors
    /// `BackupDamaged` when the file is another than when it was indexed, and what the sink returns.
    pub(crate) fn read_model(&mut self, model: &str, sink: &mut dyn RecordSink) -> Result<u64> {
        let Some(position) = self.runs.last().map(|run| run.model) else { return Ok(0) };
        let mut parser = RecordParser::of_model(&self.options, model);
        let mut sink = Renumber { sink, records: 0 };
        while let Some(run) = self.runs.pop_if(|run| run.model == position) {
            self.file.seek(SeekFrom::Start(run.start))?;
            let length = run.end - run.start;
            let size = usize::try_from(length).unwrap_or(usize::MAX).min(self.window_bytes);
            // A run lacks the bracket that ends an array; with it, it is one.
            let text: ByteStream = Box::new(self.file.try_clone()?.take(length).chain(&b"]"[..]));
            let mut window = Window::part(text, size, run.start);
            let found = read_array(&mut window, &mut parser, &self.options, model, &mut sink)?;
            if found != run.records {
                return Err(fail!(BackupDamaged, "the fixture changed while it was read"));
            }
        }
        Ok(sink.records)
    }
}

fn not_django(window: &Window, number: u64) -> crate::error::Error {
    let error = fail!(
        UnknownFormat,
        "{}: element {number} of the array is no Django record ({{\"model\":…,\"pk\":…,\"fields\":{{…}}}})",
        window.place(0)
    );
    error.hint("an array of plain records needs its table's name: {\"users\": [...]}, or a file named users.json")
}

/// Numbers the records of a model through all its runs.
struct Renumber<'s> {
    sink: &'s mut dyn RecordSink,
    records: u64,
}

impl RecordSink for Renumber<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        self.sink.field(name, cell)
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        self.records += 1;
        self.sink.end_record(Place { record: self.records, ..place })
    }
}

/// Copies what passes through to a file.
pub(crate) struct Tee {
    pub(crate) from: ByteStream,
    pub(crate) to: std::io::BufWriter<File>,
}

impl Tee {
    /// Copies a stream to a temporary file while it is read; returns the file too.
    ///
    /// # Errors
    /// `OutOfSpace`, `Failed`.
    pub(crate) fn new(from: ByteStream) -> Result<(Self, File)> {
        let file = tempfile::tempfile()?;
        let to = std::io::BufWriter::with_capacity(WINDOW_BYTES, file.try_clone()?);
        Ok((Self { from, to }, file))
    }
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(buffer)?;
        let copied = if count == 0 { self.to.flush() } else { self.to.write_all(&buffer[..count]) };
        // A full disk here says nothing about the backup.
        copied.map_err(|error| std::io::Error::other(crate::error::Error::from(error)))?;
        Ok(count)
    }
}

/// Reads a Django fixture file.
pub(crate) struct DjangoReader {
    fixture: Fixture,
    current: Option<String>,
    origin: Origin,
    notes: Vec<String>,
}

impl DjangoReader {
    /// Reads a fixture that was indexed.
    pub(crate) fn new(fixture: Fixture, origin: Origin, notes: Vec<String>) -> Self {
        Self { fixture, current: None, origin, notes }
    }
}

impl Reader for DjangoReader {
    fn format(&self) -> Format {
        Format::Django
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        if self.current.is_some() {
            self.read_records(&mut Ignore)?;
        }
        self.current = self.fixture.next_model();
        Ok(self.current.as_deref().map(django_header))
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        match self.current.take() {
            Some(model) => self.fixture.read_model(&model, sink),
            None => Ok(0),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Summary> {
        while self.next_table()?.is_some() {}
        let (digest, size_bytes) = self.origin.finish()?;
        Ok(Summary { digest, size_bytes, notes: self.notes, ..Summary::default() })
    }
}

#[cfg(test)]
mod tests;
