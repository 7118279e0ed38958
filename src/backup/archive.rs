//! Reads backups that are many files: ZIP archives, folders, and single files that hold one table each.
//!
//! | layout | tables |
//! |---|---|
//! | RayERP: `backup-info.json`, `<collection>.json`, `uploads/` | one per collection file |
//! | Jarvis user: `user_data.json` and the user's files | users, preferences, settings, history |
//! | Django (Baby Buddy): `metadata.json`, `app/model.json` | one per model |
//! | `TABLE.ndjson`, `TABLE.jsonl`, `TABLE.csv`, `TABLE.tsv`, `TABLE.json` | one per file |

mod jarvis;

use super::crypt::unhex;
use super::csv::CsvParser;
use super::digest::{Watched, files_below};
use super::django::{DjangoReader, Fixture, Tee};
use super::json::array::{complete_record, django_header, emit_record, first_model, read_array};
use super::json::document::DocumentReader;
use super::json::record::{RecordParser, Shape};
use super::json::window::Window;
use super::metadata::Metadata;
use super::open::{Text, text_of};
use super::options::ReadOptions;
use super::source::{ByteStream, Origin, open_file};
use super::zip::{Zip, check_name};
use super::{Format, Ignore, Reader, RecordSink, Summary, TableHeader};
use crate::error::{Error, Result, fail};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// Where the files are.
pub(crate) enum Store {
    /// In a ZIP archive.
    Zip(Zip),
    /// In a folder, by name.
    Folder(Vec<(String, PathBuf)>),
}

impl Store {
    fn names(&self) -> Vec<String> {
        match self {
            Self::Zip(zip) => zip.names(),
            Self::Folder(files) => files.iter().map(|(name, _)| name.clone()).collect(),
        }
    }

    fn stream(&self, position: usize) -> Result<ByteStream> {
        match self {
            Self::Zip(zip) => zip.stream(position),
            Self::Folder(files) => Ok(Box::new(open_file(&files[position].1)?)),
        }
    }

    /// Reads a small file whole, as text.
    fn small(&self, position: usize, options: &ReadOptions) -> Result<String> {
        let read = || {
            let Text { stream, start, .. } = text_of(self.stream(position)?)?;
            let mut window = Window::new(stream, 1 << 16, start);
            let text = window.take_value(options.limits.metadata_bytes, options.limits.depth)?;
            match window.peek()? {
                None => Ok(text),
                Some(_) => Err(window.damaged("there is more after the end of the document")),
            }
        };
        read().map_err(|error: Error| error.at(self.names()[position].escape_debug()))
    }
}

/// How a file's records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    /// A JSON array, of plain or of Django records.
    Array,
    /// A JSON object a line.
    Lines,
    /// Comma-separated values.
    Csv,
}

/// A file with records.
struct Part {
    entry: usize,
    name: String,
    encoding: Encoding,
}

/// The table being read.
enum Current {
    Array(Window, RecordParser),
    Lines(Window, RecordParser),
    Csv(Window, CsvParser, Vec<String>),
    Fixture(Fixture, String),
    Ready(Vec<jarvis::Record>),
}

/// Reads the tables of an archive or folder, file after file.
pub(crate) struct ArchiveReader {
    store: Store,
    watched: Watched,
    format: Format,
    options: ReadOptions,
    window_bytes: usize,
    parts: VecDeque<Part>,
    ready: VecDeque<(String, Vec<jarvis::Record>)>,
    fixture: Option<Fixture>,
    current: Option<(String, Current)>,
    counts: HashMap<String, u64>,
    metadata: Metadata,
    whole: bool,
    notes: Vec<String>,
}

/// Opens an archive, folder or single table file.
///
/// # Errors
/// `UnknownFormat` when it holds no tables, `BackupDamaged`, `LimitReached`.
pub(crate) fn open(path: &Path, options: &ReadOptions, window_bytes: usize) -> Result<Box<dyn Reader>> {
    let watched = Watched::new(path)?;
    let store = if path.is_dir() {
        Store::Folder(files_below(path)?)
    } else if is_zip(path)? {
        Store::Zip(Zip::open(path, &options.limits)?)
    } else {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Store::Folder(vec![(name.to_owned(), path.to_owned())])
    };
    let names = store.names();
    if names.len() > options.limits.entries {
        return Err(fail!(LimitReached, "there are {} files, more than {}", names.len(), options.limits.entries));
    }
    names.iter().try_for_each(|name| check_name(name))?;
    let find = |wanted: &str| names.iter().position(|name| name == wanted);
    let mut reader = ArchiveReader {
        store,
        watched,
        format: Format::JsonFiles,
        options: options.clone(),
        window_bytes,
        parts: VecDeque::new(),
        ready: VecDeque::new(),
        fixture: None,
        current: None,
        counts: HashMap::new(),
        metadata: Metadata::default(),
        whole: true,
        notes: Vec::new(),
    };
    if let Some(info) = find("backup-info.json") {
        reader.format = Format::RayErp;
        reader.take_rayerp_info(info)?;
        reader
            .list_parts(&names, |name| (!name.contains('/') && name != "backup-info.json").then(|| table_of(name))?);
    } else if let Some(data) = find("user_data.json") {
        reader.format = Format::Jarvis;
        let text = reader.store.small(data, options)?;
        reader.ready = jarvis::tables(&text, &mut reader.notes)?.into();
        reader.list_parts(&names, |_| None);
    } else {
        if let Some(info) = find("metadata.json") {
            let text = reader.store.small(info, options)?;
            reader.metadata.object(&text, None).map_err(|e| e.at("metadata.json"))?;
        }
        reader.list_parts(&names, |name| (name != "metadata.json").then(|| table_of(name))?);
        let has = |encoding| reader.parts.iter().any(|part| part.encoding == encoding);
        reader.format = match (has(Encoding::Lines), has(Encoding::Csv)) {
            (true, _) => Format::NdJson,
            (_, true) => Format::Csv,
            _ if find("metadata.json").is_some() => Format::Django,
            _ => Format::JsonFiles,
        };
    }
    let describes_itself = find("metadata.json").is_some() || reader.format == Format::RayErp;
    if reader.parts.is_empty() && reader.ready.is_empty() && !describes_itself {
        return Err(fail!(UnknownFormat, "no backup that is known: none of {} files holds records", names.len()));
    }
    match reader.parts.make_contiguous() {
        [Part { entry, encoding: Encoding::Array, .. }] if reader.format == Format::JsonFiles => {
            let entry = *entry;
            match is_plain_list(reader.store.stream(entry)?, options, window_bytes)? {
                true => Ok(Box::new(reader)),
                false => reader.open_single_document(entry),
            }
        }
        _ => Ok(Box::new(reader)),
    }
}

fn is_zip(path: &Path) -> Result<bool> {
    use std::io::Read as _;
    let mut head = Vec::new();
    open_file(path)?.take(4).read_to_end(&mut head)?;
    Ok(super::zip::MAGIC.contains(&head.as_slice()))
}

/// Returns table name and encoding of a file by its name, when it may hold records.
fn table_of(name: &str) -> Option<(String, Encoding)> {
    let file = name.rsplit('/').next()?;
    if name.starts_with("__MACOSX/") || file.starts_with('.') {
        return None;
    }
    let (stem, extension) = file.rsplit_once('.')?;
    let encoding = match extension.to_ascii_lowercase().as_str() {
        "json" => Encoding::Array,
        "ndjson" | "jsonl" | "ldjson" => Encoding::Lines,
        "csv" | "tsv" => Encoding::Csv,
        _ => return None,
    };
    (!stem.is_empty()).then(|| (stem.to_owned(), encoding))
}

/// Tells whether a file that is neither an archive nor a document holds one table, by its name.
pub(crate) fn is_table_file(path: &Path) -> bool {
    path.file_name().and_then(|name| table_of(name.to_str()?)).is_some_and(|(_, encoding)| encoding != Encoding::Array)
}

/// Tells whether a JSON file, by its name that of a table, holds a list of that table's records.
pub(crate) fn is_table_list(path: &Path, options: &ReadOptions, window_bytes: usize) -> Result<bool> {
    let named = path.file_name().and_then(|name| table_of(name.to_str()?)).is_some();
    Ok(named && is_plain_list(Box::new(open_file(path)?), options, window_bytes)?)
}

/// Tells whether a text is a list of records that are not Django's.
fn is_plain_list(stream: ByteStream, options: &ReadOptions, window_bytes: usize) -> Result<bool> {
    let Text { stream, first, start, .. } = text_of(stream)?;
    if first != Some(b'[') {
        return Ok(false);
    }
    let mut window = Window::new(stream, window_bytes, start);
    window.expect(b'[')?;
    let mut parser = RecordParser::new(options, Shape::Plain);
    // What is wrong with it is told by whoever reads it.
    let model = first_model(&mut window, &mut parser, options, "fixture");
    Ok(window.peek().is_ok_and(|byte| byte == Some(b'{')) && model.is_ok_and(|model| model.is_none()))
}

impl ArchiveReader {
    /// Lists the files with records; the others are counted in a note.
    fn list_parts(&mut self, names: &[String], table: impl Fn(&str) -> Option<(String, Encoding)>) {
        let mut others = 0u64;
        for (entry, name) in names.iter().enumerate() {
            match table(name) {
                Some((table, encoding)) => {
                    let name = if encoding == Encoding::Array { name.clone() } else { table };
                    self.parts.push_back(Part { entry, name, encoding });
                }
                None if matches!(name.as_str(), "backup-info.json" | "user_data.json" | "metadata.json") => {}
                None => others += 1,
            }
        }
        if others > 0 {
            self.notes.push(format!("{others} other files in the backup hold no records and were left out"));
        }
    }

    fn take_rayerp_info(&mut self, entry: usize) -> Result<()> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Info {
            #[serde(default)]
            backup_type: Option<String>,
            #[serde(default)]
            is_encrypted: bool,
        }
        let text = self.store.small(entry, &self.options)?;
        self.metadata.object(&text, None).map_err(|e| e.at("backup-info.json"))?;
        let info: Info = serde_json::from_str(&text)
            .map_err(|e| fail!(BackupDamaged, "backup-info.json can't be read").because(e))?;
        // Collections that are not encrypted after all are read as they are.
        if info.is_encrypted && self.options.keys.passphrase()?.is_none() {
            return Err(fail!(WrongKey, "the archive's collections are encrypted, and no passphrase was given")
                .hint("Give the server's encryption key with --passphrase-file FILE."));
        }
        self.whole = info.backup_type.as_deref() != Some("incremental");
        Ok(())
    }

    /// A single JSON file in an archive may be any document: it is read as if it weren't packed.
    fn open_single_document(self, entry: usize) -> Result<Box<dyn Reader>> {
        let Text { stream, first, start, mut notes } = text_of(self.store.stream(entry)?)?;
        notes.extend(self.notes);
        let origin = Origin::Watched(self.watched);
        if first == Some(b'[') {
            let (tee, file) = Tee::new(stream)?;
            let window = Window::new(Box::new(tee), self.window_bytes, 0);
            let fixture = Fixture::index(window, file, &self.options, self.window_bytes)?;
            return Ok(Box::new(DjangoReader::new(fixture, origin, notes)));
        }
        let window = Window::new(stream, self.window_bytes, start);
        Ok(Box::new(DocumentReader::open(origin, window, self.window_bytes, &self.options, notes)?))
    }

    /// Opens the next file's table, or the next model of a fixture.
    fn advance(&mut self) -> Result<Option<TableHeader>> {
        if let Some((name, records)) = self.ready.pop_front() {
            let positional = name == jarvis::HISTORY;
            let widest = records.iter().map(Vec::len).max().unwrap_or(0);
            let columns = if positional { (1..=widest).map(jarvis::unnamed).collect() } else { Vec::new() };
            let header = TableHeader { name, columns, positional, whole: false, ..TableHeader::default() };
            return self.start(header, Current::Ready(records));
        }
        if let Some(mut fixture) = self.fixture.take()
            && let Some(model) = fixture.next_model()
        {
            return self.start(django_header(&model), Current::Fixture(fixture, model));
        }
        let Some(part) = self.parts.pop_front() else { return Ok(None) };
        self.open_part(&part).map_err(|error| error.at(part.name.escape_debug()))
    }

    /// Opens a file with records, decrypted where RayERP encrypted it.
    fn content(&mut self, entry: usize) -> Result<ByteStream> {
        let stream = self.store.stream(entry)?;
        if self.format != Format::RayErp {
            return Ok(stream);
        }
        let (stream, encrypted) = unhex(stream, &self.options.keys)?;
        let note = "the collections are encrypted without authentication (AES-256-CBC): nobody can tell whether they were changed";
        if encrypted && !self.notes.iter().any(|known| known == note) {
            self.notes.push(note.to_owned());
        }
        Ok(stream)
    }

    fn open_part(&mut self, part: &Part) -> Result<Option<TableHeader>> {
        let Text { stream, first, start, notes } = text_of(self.content(part.entry)?)?;
        self.notes.extend(notes);
        let mut parser = RecordParser::new(&self.options, Shape::Plain);
        parser.tagged = self.metadata.own;
        let plain = |name: &str, whole| TableHeader { name: name.to_owned(), whole, ..TableHeader::default() };
        match part.encoding {
            Encoding::Csv => {
                let mut window = Window::new(stream, self.window_bytes, start);
                let (parser, columns) = CsvParser::header(&mut window, &self.options)?;
                let header = TableHeader { columns: columns.clone(), ..plain(&part.name, self.whole) };
                self.start(header, Current::Csv(window, parser, columns))
            }
            Encoding::Lines => {
                let window = Window::new(stream, self.window_bytes, start);
                self.start(plain(&part.name, self.whole), Current::Lines(window, parser))
            }
            Encoding::Array => {
                if first != Some(b'[') {
                    return Err(fail!(UnknownFormat, "the file holds no list of records"));
                }
                // `core/tag.json` whose first record is a `core.tag` is that model's file; others are fixtures.
                let model = part.name.trim_end_matches(".json").replace('/', ".");
                let mut window = Window::new(stream, self.window_bytes, start);
                window.expect(b'[')?;
                match first_model(&mut window, &mut parser, &self.options, &part.name)? {
                    None => {
                        let (table, _) = table_of(&part.name).unwrap_or((part.name.clone(), Encoding::Array));
                        if self.format == Format::Django && window.peek()? == Some(b']') {
                            return self.start(django_header(&model), Current::Array(window, parser));
                        }
                        self.start(plain(&table, self.whole), Current::Array(window, parser))
                    }
                    Some(found) if found == model => {
                        let mut parser = RecordParser::of_model(&self.options, &model);
                        parser.tagged = self.metadata.own;
                        self.start(django_header(&model), Current::Array(window, parser))
                    }
                    Some(_) => {
                        let stream = text_of(self.content(part.entry)?)?.stream;
                        let (tee, file) = Tee::new(stream)?;
                        let window = Window::new(Box::new(tee), self.window_bytes, 0);
                        self.fixture = Some(Fixture::index(window, file, &self.options, self.window_bytes)?);
                        self.advance()
                    }
                }
            }
        }
    }

    fn start(&mut self, mut header: TableHeader, current: Current) -> Result<Option<TableHeader>> {
        header.whole &= !self.metadata.partial.contains(&header.name);
        if self.counts.insert(header.name.clone(), 0).is_some() {
            return Err(fail!(BackupDamaged, "the table `{}` is there twice", header.name.escape_debug())
                .hint("two files of the backup are for one table; leave one of them out"));
        }
        if self.counts.len() > self.options.limits.tables {
            return Err(fail!(LimitReached, "there are more than {} tables", self.options.limits.tables));
        }
        self.current = Some((header.name.clone(), current));
        Ok(Some(header))
    }
}

/// Reads a record a line into a sink.
fn read_lines(
    window: &mut Window,
    parser: &mut RecordParser,
    options: &ReadOptions,
    table: &str,
    sink: &mut dyn RecordSink,
) -> Result<u64> {
    let mut count = 0;
    while let Some(byte) = window.peek()? {
        if byte != b'{' {
            return Err(window.damaged("every line is one record: {\"column\": value}"));
        }
        let length = complete_record(window, parser, options, table, count + 1)?;
        emit_record(window, parser, table, count + 1, sink)?;
        window.advance(length);
        count += 1;
    }
    Ok(count)
}

fn nothing_follows(window: &mut Window) -> Result<()> {
    match window.peek()? {
        None => Ok(()),
        Some(_) => Err(window.damaged("there is more after the end of the records")),
    }
}

impl Reader for ArchiveReader {
    fn format(&self) -> Format {
        self.format
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        if self.current.is_some() {
            self.read_records(&mut Ignore)?;
        }
        self.advance()
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        let Some((table, current)) = self.current.take() else { return Ok(0) };
        let options = &self.options;
        let at_table = |error: Error| if error.is_of_backup() { error.at(table.escape_debug()) } else { error };
        let count = match current {
            Current::Array(mut window, mut parser) => {
                let count = read_array(&mut window, &mut parser, options, &table, sink)?;
                nothing_follows(&mut window).map_err(at_table)?;
                count
            }
            Current::Lines(mut window, mut parser) => {
                read_lines(&mut window, &mut parser, options, &table, sink).map_err(at_table)?
            }
            Current::Csv(mut window, mut parser, columns) => {
                parser.read(&mut window, &columns, options, sink).map_err(at_table)?
            }
            Current::Fixture(mut fixture, model) => {
                let count = fixture.read_model(&model, sink)?;
                self.fixture = Some(fixture);
                count
            }
            Current::Ready(records) => jarvis::push(&records, sink)?,
        };
        self.counts.insert(table, count);
        Ok(count)
    }

    fn finish(mut self: Box<Self>) -> Result<Summary> {
        while self.next_table()?.is_some() {}
        let mismatches = self.metadata.check_counts(&self.counts, &self.options)?;
        let (digest, size_bytes) = self.watched.finish()?;
        Ok(Summary {
            digest,
            size_bytes,
            exported_at: self.metadata.exported_at,
            version: self.metadata.version,
            claimed_counts: self.metadata.counts,
            claimed_keys: Vec::new(),
            mismatches,
            says: self.metadata.says,
            notes: self.notes,
        })
    }
}

#[cfg(test)]
mod tests;
