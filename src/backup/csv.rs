//! Reads CSV with a header line: RFC 4180 quoting, any of `,` `;` tab between fields.
//!
//! An empty field without quotes, and `\N`, are null; an empty field in quotes is the empty text: that is how
//! PostgreSQL and MySQL write them. A file cut between two lines can't be told from a complete one.

use super::json::window::Window;
use super::options::ReadOptions;
use super::{Place, RecordSink};
use crate::error::{Result, fail};
use crate::model::Cell;
use memchr::memchr3;
use std::ops::Range;

/// A field: where its content stands, and whether quotes were around it or are doubled in it.
struct Field {
    at: Range<usize>,
    quoted: bool,
    doubled: bool,
}

/// Reads the records of one CSV text.
pub(crate) struct CsvParser {
    separator: u8,
    fields: Vec<Field>,
    scratch: String,
}

impl CsvParser {
    /// Reads the header line; returns the column names.
    ///
    /// # Errors
    /// `BackupDamaged` for an empty file and for repeated names, `LimitReached`.
    pub(crate) fn header(window: &mut Window, options: &ReadOptions) -> Result<(Self, Vec<String>)> {
        // The separator is the one that the header line has most of.
        while !window.rest().contains('\n') && window.rest().len() < options.limits.metadata_bytes && window.fill()? {}
        let line = window.rest().lines().next().unwrap_or_default();
        let count = |separator: u8| line.bytes().filter(|byte| *byte == separator).count();
        let separator = [b',', b';', b'\t'].into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',');
        let mut parser = Self { separator, fields: Vec::new(), scratch: String::new() };
        let Some(length) = parser.next_line(window, options)? else {
            return Err(window.damaged("the CSV file has no header line"));
        };
        let text = window.rest();
        let columns: Vec<String> = (0..parser.fields.len()).map(|i| parser.text(text, i)).collect();
        let limits = &options.limits;
        if columns.len() > limits.keys || columns.iter().any(|column| column.len() > limits.key_bytes) {
            return Err(fail!(LimitReached, "the CSV file has {} columns, or too long a name", columns.len()));
        }
        let mut sorted: Vec<&str> = columns.iter().map(String::as_str).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(window.damaged(format_args!("the column `{}` is there twice", pair[0].escape_debug())));
        }
        window.advance(length);
        Ok((parser, columns))
    }

    /// Reads all records into a sink.
    ///
    /// # Errors
    /// `BackupDamaged` for a line with another number of fields or an open quote, and what the sink returns.
    pub(crate) fn read(
        &mut self,
        window: &mut Window,
        columns: &[String],
        options: &ReadOptions,
        sink: &mut dyn RecordSink,
    ) -> Result<u64> {
        let mut records = 0;
        while let Some(length) = self.next_line(window, options)? {
            let text = window.rest();
            let blank = self.fields.len() == 1 && self.fields[0].at.is_empty() && !self.fields[0].quoted;
            if blank && columns.len() > 1 {
                window.advance(length);
                continue;
            }
            records += 1;
            if self.fields.len() != columns.len() {
                return Err(window.damaged(format_args!(
                    "record {records} has {} fields, but there are {} columns",
                    self.fields.len(),
                    columns.len()
                )));
            }
            for (position, column) in columns.iter().enumerate() {
                let field = &self.fields[position];
                let raw = &text[field.at.clone()];
                if raw.len() > options.limits.string_bytes {
                    let place = window.place(field.at.start);
                    return Err(fail!(LimitReached, "record {records} ({place}): `{column}` is too long"));
                }
                let cell = match raw {
                    "" | "\\N" if !field.quoted => Cell::Null,
                    _ if field.doubled => {
                        self.scratch = raw.replace("\"\"", "\"");
                        Cell::String(&self.scratch)
                    }
                    _ => Cell::String(raw),
                };
                sink.field(column, cell)?;
            }
            sink.end_record(Place { record: records, offset: Some(window.offset()) })?;
            window.advance(length);
        }
        Ok(records)
    }

    fn text(&self, text: &str, position: usize) -> String {
        text[self.fields[position].at.clone()].replace("\"\"", "\"")
    }

    /// Splits the next line, which may span several where quotes are open; returns its length with its end.
    fn next_line(&mut self, window: &mut Window, options: &ReadOptions) -> Result<Option<usize>> {
        let mut complete = false;
        loop {
            if window.rest().is_empty() && !window.fill()? {
                return Ok(None);
            }
            match self.split(window.rest(), complete) {
                Ok(Some(length)) => return Ok(Some(length)),
                Ok(None) if complete => return Err(window.damaged("a quote is open at the end of the file")),
                Ok(None) if window.rest().len() > options.limits.record_bytes => {
                    return Err(fail!(LimitReached, "{}: the record is too long", window.place(0)));
                }
                Ok(None) => complete = !window.fill()?,
                Err(at) => {
                    let place = window.place(at);
                    return Err(fail!(BackupDamaged, "{place}: text follows a closing quote"));
                }
            }
        }
    }

    /// Splits one line; `None` when the text ends first. `complete`: the text goes on no further.
    fn split(&mut self, text: &str, complete: bool) -> Result<Option<usize>, usize> {
        self.fields.clear();
        let bytes = text.as_bytes();
        let mut at = 0;
        loop {
            let end = if bytes.get(at) == Some(&b'"') {
                let (mut end, mut doubled) = (at + 1, false);
                loop {
                    let Some(quote) = memchr::memchr(b'"', &bytes[end..]) else { return Ok(None) };
                    end += quote;
                    match bytes.get(end + 1) {
                        Some(b'"') => {
                            doubled = true;
                            end += 2;
                        }
                        None if !complete => return Ok(None),
                        _ => break,
                    }
                }
                self.fields.push(Field { at: at + 1..end, quoted: true, doubled });
                end + 1
            } else {
                let found = memchr3(self.separator, b'\n', b'\r', &bytes[at..]);
                let Some(end) = found.map(|length| at + length).or(complete.then_some(bytes.len())) else {
                    return Ok(None);
                };
                self.fields.push(Field { at: at..end, quoted: false, doubled: false });
                end
            };
            match bytes.get(end) {
                Some(byte) if *byte == self.separator => at = end + 1,
                Some(b'\n') => return Ok(Some(end + 1)),
                Some(b'\r') => match bytes.get(end + 1) {
                    Some(b'\n') => return Ok(Some(end + 2)),
                    None if !complete => return Ok(None),
                    _ => return Ok(Some(end + 1)),
                },
                None => return Ok(complete.then_some(end)),
                Some(_) => return Err(end),
            }
        }
    }
}
