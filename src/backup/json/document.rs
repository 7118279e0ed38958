//! Reads a JSON document that holds tables: Smart Backup, table map, Ghost's envelope.
//!
//! * Smart Backup: `{"tables":[{"tableName":"User","records":[…],"primaryKey":"id"}],"metadata":{…}}`
//! * table map: `{"metadata":{…},"data":{"name":[…]}}` or `{"name":[…]}`
//! * Ghost: `{"db":[{"meta":{…},"data":{"name":[…]}}]}`
//!
//! Keys may come in any order. Where a table's records come before its name, they are copied to a temporary file
//! and read from there; the usual order is read as it streams by.

use super::array::{django_header, first_model, read_array};
use super::record::{RecordParser, Shape};
use super::window::Window;
use crate::backup::metadata::Metadata;
use crate::backup::options::ReadOptions;
use crate::backup::source::Origin;
use crate::backup::{Format, MOST_DELETED, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Result, fail};
use crate::model::{Cell, OwnedCell};
use std::collections::{HashMap, HashSet};
use std::io::{Seek, Write};

/// What the keys or elements at a level of the document are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// The document's own object.
    Root,
    /// An object of tables by name.
    Map,
    /// The array of table objects of a Smart Backup.
    Tables,
    /// One of those.
    Table,
    /// Ghost's `db` array.
    Exports,
    /// One of those.
    Export,
}

/// A level being read, with the keys seen.
struct Open {
    level: Level,
    keys: HashSet<String>,
    elements: u64,
}

/// What is known of a Smart Backup's table object so far.
#[derive(Default)]
struct Pending {
    name: Option<String>,
    key: Option<String>,
    partial: bool,
    deleted: Option<Window>,
    records: Option<Window>,
    yielded: bool,
}

/// A table whose records come next.
struct Current {
    name: String,
    /// A copy of the records, where their name came after them.
    copy: Option<Window>,
    parser: RecordParser,
}

/// Reads tables out of a JSON document.
pub(crate) struct DocumentReader {
    origin: Origin,
    window: Window,
    window_bytes: usize,
    options: ReadOptions,
    format: Option<Format>,
    open: Vec<Open>,
    ahead: Option<TableHeader>,
    pending: Pending,
    current: Option<Current>,
    counts: HashMap<String, u64>,
    claimed_keys: Vec<(String, String)>,
    metadata: Metadata,
    own: bool,
    stream_start: u64,
    notes: Vec<String>,
}

impl DocumentReader {
    /// Opens a document whose first byte is `{`, and reads up to its first table.
    ///
    /// # Errors
    /// `UnknownFormat` when it holds no tables, `BackupDamaged`, `LimitReached`.
    pub(crate) fn open(
        origin: Origin,
        window: Window,
        window_bytes: usize,
        options: &ReadOptions,
        notes: Vec<String>,
    ) -> Result<Self> {
        let stream_start = window.offset();
        let mut reader = Self {
            origin,
            window,
            window_bytes,
            options: options.clone(),
            format: None,
            open: Vec::new(),
            ahead: None,
            pending: Pending::default(),
            current: None,
            counts: HashMap::new(),
            claimed_keys: Vec::new(),
            metadata: Metadata::default(),
            own: false,
            stream_start,
            notes,
        };
        reader.window.expect(b'{')?;
        reader.enter(Level::Root);
        reader.ahead = reader.find_table()?;
        if reader.format.is_none() {
            return Err(fail!(UnknownFormat, "the JSON document holds no tables")
                .hint("a backup looks like {\"tables\": [...]} or {\"name\": [{...}, ...]}"));
        }
        Ok(reader)
    }

    fn enter(&mut self, level: Level) {
        self.open.push(Open { level, keys: HashSet::new(), elements: 0 });
    }

    /// Goes through the document until a table's records come next.
    fn find_table(&mut self) -> Result<Option<TableHeader>> {
        while let Some(open) = self.open.last() {
            let level = open.level;
            let found = match level {
                Level::Tables | Level::Exports => self.next_element(level)?,
                _ => match self.next_key()? {
                    Some(key) => self.member(level, &key)?,
                    None => self.leave(level)?,
                },
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        if let Some(byte) = self.window.peek()? {
            let error = self.window.damaged("there is more after the end of the document");
            return Err(if byte == b'{' {
                error.hint("newline-delimited JSON is read from files named TABLE.ndjson or TABLE.jsonl")
            } else {
                error
            });
        }
        Ok(None)
    }

    /// Reads the next key of the innermost object, up to its value; `None` when the object ends.
    fn next_key(&mut self) -> Result<Option<String>> {
        let open = self.open.last_mut().expect("a level is open");
        match self.window.peek()? {
            Some(b'}') => {
                self.window.advance(1);
                return Ok(None);
            }
            Some(b',') if open.elements > 0 => {
                self.window.advance(1);
                self.window.peek()?;
            }
            Some(_) if open.elements == 0 => {}
            Some(_) => return Err(self.window.damaged("`,` or `}` was expected")),
            None => return Err(self.window.truncated()),
        }
        let key = self.window.take_string(self.options.limits.key_bytes)?;
        self.window.expect(b':')?;
        if self.window.peek()?.is_none() {
            return Err(self.window.truncated());
        }
        let open = self.open.last_mut().expect("a level is open");
        open.elements += 1;
        if open.keys.len() >= self.options.limits.tables {
            return Err(fail!(LimitReached, "an object has more than {} keys", self.options.limits.tables));
        }
        if !open.keys.insert(key.clone()) {
            return Err(self
                .window
                .damaged(format_args!("the key `{}` is there twice in one object", key.escape_debug()))
                .hint("nobody can tell which of the two values was meant; mend the file"));
        }
        Ok(Some(key))
    }

    /// Enters the next object of an array of objects, or leaves the array.
    fn next_element(&mut self, level: Level) -> Result<Option<TableHeader>> {
        let first = self.open.last().is_some_and(|open| open.elements == 0);
        match self.window.peek()? {
            Some(b']') => {
                self.window.advance(1);
                self.open.pop();
                return Ok(None);
            }
            Some(b',') if !first => {
                self.window.advance(1);
            }
            Some(_) if first => {}
            Some(_) => return Err(self.window.damaged("`,` or `]` was expected")),
            None => return Err(self.window.truncated()),
        }
        self.window.expect(b'{')?;
        let open = self.open.last_mut().expect("a level is open");
        open.elements += 1;
        if open.elements > self.options.limits.tables as u64 {
            return Err(fail!(LimitReached, "there are more than {} tables", self.options.limits.tables));
        }
        if level == Level::Tables {
            self.pending = Pending::default();
            self.enter(Level::Table);
        } else {
            self.enter(Level::Export);
        }
        Ok(None)
    }

    /// Takes one member of an object; returns a table when its records come next.
    fn member(&mut self, level: Level, key: &str) -> Result<Option<TableHeader>> {
        let first = self.window.peek()?.expect("a value follows a key");
        match (level, key, first) {
            (Level::Root | Level::Export, "metadata" | "meta", b'{') => self.take_metadata(),
            (Level::Root, "tables", b'[') if self.holds_table_objects()? => {
                self.window.expect(b'[')?;
                self.format.get_or_insert(Format::SmartBackup);
                self.enter(Level::Tables);
                Ok(None)
            }
            (Level::Root, "db", b'[') if self.holds_exports()? => {
                self.window.expect(b'[')?;
                self.format.get_or_insert(Format::Ghost);
                self.enter(Level::Exports);
                Ok(None)
            }
            (Level::Root | Level::Export, "data", b'{') | (Level::Root, "tables", b'{') => {
                self.window.expect(b'{')?;
                self.format.get_or_insert(Format::TableMap);
                self.enter(Level::Map);
                Ok(None)
            }
            (Level::Root, "format", b'"') => {
                let format = self.window.take_string(self.options.limits.key_bytes)?;
                if let Some(version) = format.strip_prefix("merganser/") {
                    self.start_own(version)?;
                }
                Ok(None)
            }
            // Read before everything else, by whoever looks for a base.
            (Level::Root, "lineage", b'{') if self.own => self.skip_value(),
            (Level::Table, _, _) => self.table_member(key, first),
            (Level::Root | Level::Map, _, b'[') => {
                self.format.get_or_insert(Format::TableMap);
                self.start_table(key.to_owned(), None, None, true).map(Some)
            }
            (_, _, b'{' | b'[') => {
                self.notes.push(format!("`{}` holds no list of records and was left out", key.escape_debug()));
                self.skip_value()
            }
            (Level::Root | Level::Export, _, _) => {
                let limits = &self.options.limits;
                let value = self.window.take_value(limits.metadata_bytes, limits.depth)?;
                self.metadata.scalar(key, &value);
                Ok(None)
            }
            (_, _, _) => {
                self.notes.push(format!("`{}` holds no list of records and was left out", key.escape_debug()));
                self.skip_value()
            }
        }
    }

    fn skip_value(&mut self) -> Result<Option<TableHeader>> {
        self.window.copy_value(self.options.limits.depth, &mut std::io::sink())?;
        Ok(None)
    }

    /// Takes one member of a Smart Backup's table object.
    fn table_member(&mut self, key: &str, first: u8) -> Result<Option<TableHeader>> {
        let limits = &self.options.limits;
        match (key, first) {
            ("tableName", b'"') => {
                self.pending.name = Some(self.window.take_string(limits.key_bytes)?);
                Ok(None)
            }
            ("primaryKey", _) => {
                let text = self.window.take_value(limits.metadata_bytes, limits.depth)?;
                let key = match serde_json::from_str(&text).map_err(|e| self.window.damaged(e))? {
                    serde_json::Value::String(name) => name,
                    serde_json::Value::Array(names) => {
                        names.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>().join(",")
                    }
                    _ => return Ok(None),
                };
                if let (true, Some(name)) = (self.pending.yielded, &self.pending.name) {
                    self.claimed_keys.push((name.clone(), key.clone()));
                }
                self.pending.key = Some(key);
                Ok(None)
            }
            ("whole", b'f') if self.pending.records.is_none() && !self.pending.yielded => {
                self.pending.partial = true;
                self.skip_value()
            }
            ("deleted", b'[') if self.own && self.pending.records.is_none() && !self.pending.yielded => {
                self.pending.deleted = Some(self.copy_records()?);
                Ok(None)
            }
            ("whole", b'f') => Err(self.window.damaged("`whole` has to stand before `records`")),
            ("records", b'[') => match self.pending.name.clone() {
                Some(name) => {
                    self.pending.yielded = true;
                    let key = self.pending.key.clone();
                    self.start_table(name, key, None, !self.pending.partial).map(Some)
                }
                None => {
                    self.pending.records = Some(self.copy_records()?);
                    Ok(None)
                }
            },
            ("records" | "tableName", _) => Err(self.window.damaged(format_args!("`{key}` is of the wrong kind"))),
            _ => self.skip_value(),
        }
    }

    /// Ends an object; a table object whose records came before its name yields its table here.
    fn leave(&mut self, level: Level) -> Result<Option<TableHeader>> {
        self.open.pop();
        if level != Level::Table || self.pending.yielded {
            return Ok(None);
        }
        let pending = std::mem::take(&mut self.pending);
        match (pending.name, pending.records) {
            (Some(name), Some(copy)) => self.start_table(name, pending.key, Some(copy), !pending.partial).map(Some),
            (Some(name), None) => {
                Err(self.window.damaged(format_args!("the table `{}` has no `records`", name.escape_debug())))
            }
            (None, _) => Err(self.window.damaged("a table has no `tableName`")),
        }
    }

    /// Copies the coming array to a temporary file, to be read when its table's name is known.
    fn copy_records(&mut self) -> Result<Window> {
        let start = self.window.offset();
        let mut file = tempfile::tempfile()?;
        {
            let mut buffered = std::io::BufWriter::new(&mut file);
            // Records are read again with their own limits; here brackets nest one deeper for the array.
            self.window.copy_value(self.options.limits.depth + 1, &mut buffered)?;
            buffered.flush()?;
        }
        file.rewind()?;
        Ok(Window::part(Box::new(file), self.window_bytes, start))
    }

    fn start_table(
        &mut self,
        name: String,
        claimed_key: Option<String>,
        copy: Option<Window>,
        whole: bool,
    ) -> Result<TableHeader> {
        let mut copy = copy;
        let records = copy.as_mut().unwrap_or(&mut self.window);
        records.expect(b'[')?;
        let mut header = TableHeader { name, claimed_key, whole, ..TableHeader::default() };
        let mut parser = RecordParser::new(&self.options, Shape::Plain);
        parser.tagged = self.own;
        if let Some(mut deleted) = self.pending.deleted.take() {
            let mut keys = Keys::default();
            let mut parser = RecordParser::new(&self.options, Shape::Plain);
            parser.tagged = true;
            deleted.expect(b'[')?;
            read_array(&mut deleted, &mut parser, &self.options, &header.name, &mut keys)?;
            header.deleted = keys.found;
        }
        if !self.own
            && let Some(model) = first_model(records, &mut parser, &self.options, &header.name)?
        {
            parser = RecordParser::of_model(&self.options, &model);
            self.format = Some(Format::Django);
            header = django_header(&model);
        }
        if self.counts.len() >= self.options.limits.tables {
            return Err(fail!(LimitReached, "there are more than {} tables", self.options.limits.tables));
        }
        if self.counts.insert(header.name.clone(), 0).is_some() {
            let records = copy.as_ref().unwrap_or(&self.window);
            return Err(records
                .damaged(format_args!("the table `{}` is there twice", header.name.escape_debug()))
                .hint("put its records into one list"));
        }
        self.current = Some(Current { name: header.name.clone(), copy, parser });
        Ok(header)
    }

    fn take_metadata(&mut self) -> Result<Option<TableHeader>> {
        let limits = &self.options.limits;
        let length = self.window.value(limits.metadata_bytes, limits.depth)?;
        let text = &self.window.rest()[..length];
        // In merganser's own backups the checksum is the very last thing, over everything before it.
        let checksum = text.rfind("\"checksum\"").and_then(|at| self.window.checksum_until(at));
        self.metadata.object(text, checksum).map_err(|e| e.at(self.window.place(0)))?;
        self.window.advance(length);
        Ok(None)
    }

    fn start_own(&mut self, version: &str) -> Result<()> {
        if version != "1" {
            return Err(fail!(UnknownFormat, "the backup is of merganser's format {version}; this program reads 1")
                .hint("use a newer merganser"));
        }
        if self.open.last().is_none_or(|open| open.elements != 1) || !self.window.start_checksum(self.stream_start) {
            return Err(self.window.damaged("`format` has to be the first key"));
        }
        self.own = true;
        Ok(())
    }

    /// Looks ahead whether the coming array's first object is a table object and not a record of a table `tables`.
    fn holds_table_objects(&mut self) -> Result<bool> {
        let ahead = self.first_of_array()?;
        Ok(match ahead {
            None => true,
            Some(key) => matches!(key.as_str(), "tableName" | "records" | "primaryKey" | "whole" | "deleted"),
        })
    }

    fn holds_exports(&mut self) -> Result<bool> {
        Ok(self.first_of_array()?.is_some_and(|key| matches!(key.as_str(), "meta" | "data")))
    }

    /// Returns the first key of the first object of the coming array; `None` for an empty array.
    fn first_of_array(&mut self) -> Result<Option<String>> {
        loop {
            let rest = self.window.rest();
            let mut significant = rest.bytes().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()).skip(1);
            match significant.next() {
                Some((_, b']')) => return Ok(None),
                Some((_, b'{')) => {
                    if let Some((start, byte)) = significant.next() {
                        if byte != b'"' {
                            return Ok(Some(String::new()));
                        }
                        let mut keys = serde_json::Deserializer::from_str(&rest[start..]).into_iter::<String>();
                        match keys.next() {
                            Some(Ok(key)) => return Ok(Some(key)),
                            Some(Err(error)) if error.is_eof() => {}
                            _ => return Ok(Some(String::new())),
                        }
                    }
                }
                Some(_) => return Ok(Some(String::new())),
                None => {}
            }
            if self.window.rest().len() > self.options.limits.metadata_bytes {
                return Ok(Some(String::new()));
            }
            if !self.window.fill()? {
                return Err(self.window.truncated());
            }
        }
    }
}

/// Keeps the keys of deleted records.
#[derive(Default)]
struct Keys {
    found: Vec<Vec<(String, OwnedCell)>>,
    fields: Vec<(String, OwnedCell)>,
}

impl RecordSink for Keys {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        self.fields.push((name.to_owned(), cell.into()));
        Ok(())
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        if self.found.len() >= MOST_DELETED {
            return Err(fail!(LimitReached, "more than {MOST_DELETED} deleted records are named ({place})"));
        }
        self.found.push(std::mem::take(&mut self.fields));
        Ok(())
    }
}

impl Reader for DocumentReader {
    fn format(&self) -> Format {
        self.format.unwrap_or(Format::TableMap)
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        if let Some(header) = self.ahead.take() {
            return Ok(Some(header));
        }
        if self.current.is_some() {
            self.read_records(&mut crate::backup::Ignore)?;
        }
        self.find_table()
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        self.ahead = None;
        let Some(mut current) = self.current.take() else { return Ok(0) };
        let window = current.copy.as_mut().unwrap_or(&mut self.window);
        let count = read_array(window, &mut current.parser, &self.options, &current.name, sink)?;
        if let Some(copy) = &mut current.copy
            && copy.peek()?.is_some()
        {
            let error = copy.damaged("there is more after the end of the records");
            return Err(error.at(current.name.escape_debug()));
        }
        self.counts.insert(current.name, count);
        Ok(count)
    }

    fn finish(mut self: Box<Self>) -> Result<Summary> {
        while self.next_table()?.is_some() {}
        if self.own && !self.metadata.checksum_seen() {
            return Err(fail!(BackupDamaged, "the backup lacks its checksum").hint("get a complete copy"));
        }
        let mismatches = self.metadata.check_counts(&self.counts, &self.options)?;
        let (digest, size_bytes) = self.origin.finish()?;
        Ok(Summary {
            digest,
            size_bytes,
            exported_at: self.metadata.exported_at,
            version: self.metadata.version,
            claimed_counts: self.metadata.counts,
            claimed_keys: self.claimed_keys,
            mismatches,
            says: self.metadata.says,
            notes: self.notes,
        })
    }
}
