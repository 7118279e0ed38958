//! What is in a backup: tables, columns, counts, samples. One pass, with memory for the columns only.

use super::attached::attached;
use super::open::{Format, open};
use super::options::ReadOptions;
use super::source::stream_error;
use super::{Place, RecordSink};
use crate::error::Result;
use crate::model::{Cell, OwnedCell, names};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Characters of a sample value that are kept.
const SAMPLE_CHARS: usize = 60;

/// What a backup holds.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The format that was recognised.
    pub format: Format,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub digest: String,
    /// When it was exported, as the file says it.
    pub exported_at: Option<String>,
    /// Its format's version, as the file says it.
    pub version: Option<String>,
    /// Records in all tables.
    pub records: u64,
    /// The tables, in the file's order.
    pub tables: Vec<InspectedTable>,
    /// What else it says of itself: the application's version, the database's engine, by the file's own words.
    pub says: BTreeMap<String, String>,
    /// Files that travel with it; none where its format has no place for files.
    pub files: Option<InspectedFiles>,
    /// Things a person should know.
    pub notes: Vec<String>,
    /// Where the file contradicts itself; an analysis refuses it then unless told otherwise.
    pub problems: Vec<String>,
}

/// The files that travel with a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InspectedFiles {
    /// How many there are.
    pub files: u64,
    /// Their content, in bytes.
    pub size_bytes: u64,
}

/// What a backup holds of one table.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedTable {
    /// The backup's name for it.
    pub name: String,
    /// Records found.
    pub records: u64,
    /// Records that the file claims.
    pub claimed: Option<u64>,
    /// The key that the file claims; never believed.
    pub claimed_key: Option<String>,
    /// Whether it carries every record that the table had.
    pub whole: bool,
    /// Columns in the order in which they were met.
    pub columns: Vec<InspectedColumn>,
}

/// What a backup holds of one column.
#[derive(Clone, Debug, Serialize)]
pub struct InspectedColumn {
    /// The backup's name for it.
    pub name: String,
    /// The kinds of values seen, in the order in which they were met.
    pub kinds: Vec<&'static str>,
    /// Explicit nulls.
    pub nulls: u64,
    /// Records that don't have it.
    pub absent: u64,
    /// The first value that is neither null nor empty, shortened.
    pub sample: Option<String>,
}

/// Reads a whole backup and says what it holds.
///
/// *Complexity:* one pass; memory follows the number of columns.
///
/// # Errors
/// As [`open`] and reading; counts that don't hold become `problems`.
pub fn inspect(path: &Path, options: &ReadOptions) -> Result<Inspection> {
    let mut reader = open(path, &ReadOptions { accept_count_mismatch: true, ..options.clone() })?;
    let format = reader.format();
    let mut tables = Vec::new();
    while let Some(header) = reader.next_table()? {
        let mut sink = Columns::new(&header.columns);
        let records = reader.read_records(&mut sink)?;
        tables.push(InspectedTable {
            name: header.name,
            records,
            claimed: None,
            claimed_key: header.claimed_key,
            whole: header.whole,
            columns: sink.finish(records),
        });
    }
    let summary = reader.finish()?;
    for (name, key) in summary.claimed_keys {
        if let Some(table) = tables.iter_mut().find(|table| table.name == name) {
            table.claimed_key = Some(key);
        }
    }
    for (name, claimed) in summary.claimed_counts {
        // Some systems count under another spelling than they export under.
        let folded = names::fold(&name);
        let exact = tables.iter().position(|table| table.name == name);
        if let Some(at) = exact.or_else(|| tables.iter().position(|table| names::fold(&table.name) == folded)) {
            tables[at].claimed = Some(claimed);
        }
    }
    let mut problems = summary.mismatches;
    let files = match format {
        Format::RayErp | Format::Jarvis | Format::BaluHost if path.is_file() => match files(path, options) {
            Ok(found) => Some(found),
            // The records are shown all the same.
            Err(error) => {
                problems.push(format!("its files: {}", error.full_message()));
                None
            }
        },
        _ => None,
    };
    Ok(Inspection {
        format,
        size_bytes: summary.size_bytes,
        digest: summary.digest,
        exported_at: summary.exported_at,
        version: summary.version,
        records: tables.iter().map(|table| table.records).sum(),
        tables,
        says: summary.says.into_iter().collect(),
        files,
        notes: summary.notes,
        problems,
    })
}

/// Counts the files that travel with a backup, and reads them: their checksums hold then.
fn files(path: &Path, options: &ReadOptions) -> Result<InspectedFiles> {
    let mut found = InspectedFiles::default();
    attached(path, options, &mut |_, content| {
        found.files += 1;
        found.size_bytes += std::io::copy(content, &mut std::io::sink()).map_err(stream_error)?;
        Ok(())
    })?;
    Ok(found)
}

struct Seen {
    column: InspectedColumn,
    present: u64,
}

/// Gathers what is said of columns.
struct Columns {
    seen: Vec<Seen>,
    positions: HashMap<String, usize>,
    /// Where the next field is looked for first: records mostly have the same fields in the same order.
    next: usize,
}

impl Columns {
    fn new(listed: &[String]) -> Self {
        let mut columns = Self { seen: Vec::new(), positions: HashMap::new(), next: 0 };
        for name in listed {
            columns.position(name);
        }
        columns
    }

    fn position(&mut self, name: &str) -> usize {
        if self.seen.get(self.next).is_some_and(|seen| seen.column.name == name) {
            return self.next;
        }
        if let Some(position) = self.positions.get(name) {
            return *position;
        }
        let column = InspectedColumn { name: name.to_owned(), kinds: Vec::new(), nulls: 0, absent: 0, sample: None };
        self.positions.insert(name.to_owned(), self.seen.len());
        self.seen.push(Seen { column, present: 0 });
        self.seen.len() - 1
    }

    fn finish(self, records: u64) -> Vec<InspectedColumn> {
        self.seen
            .into_iter()
            .map(|seen| InspectedColumn { absent: records.saturating_sub(seen.present), ..seen.column })
            .collect()
    }
}

impl RecordSink for Columns {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let position = self.position(name);
        self.next = position + 1;
        let Seen { column, present } = &mut self.seen[position];
        *present += 1;
        if cell == Cell::Null {
            column.nulls += 1;
            return Ok(());
        }
        let kind = kind_of(cell);
        if column.kinds.last() != Some(&kind) && !column.kinds.contains(&kind) {
            column.kinds.push(kind);
        }
        if column.sample.is_none() {
            column.sample = sample_of(cell);
        }
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        self.next = 0;
        Ok(())
    }
}

fn kind_of(cell: Cell<'_>) -> &'static str {
    match cell {
        Cell::Absent => "absent",
        Cell::Null => "null",
        Cell::Bool(_) => "boolean",
        Cell::Int(_) | Cell::UInt(_) => "integer",
        Cell::Real(_) => "float",
        Cell::Number(text) if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') => "integer",
        Cell::Number(_) => "number",
        Cell::String(_) | Cell::Text(_) => "text",
        Cell::RawText(_) => "text that is not UTF-8",
        Cell::Bytes(_) => "bytes",
        Cell::Json(_) => "json",
    }
}

fn sample_of(cell: Cell<'_>) -> Option<String> {
    let text = match OwnedCell::from(cell) {
        OwnedCell::Absent | OwnedCell::Null => return None,
        OwnedCell::Bool(value) => value.to_string(),
        OwnedCell::Int(value) => value.to_string(),
        OwnedCell::UInt(value) => value.to_string(),
        OwnedCell::Real(value) => value.to_string(),
        OwnedCell::Number(text) | OwnedCell::String(text) | OwnedCell::Text(text) | OwnedCell::Json(text) => text,
        OwnedCell::RawText(bytes) | OwnedCell::Bytes(bytes) => {
            bytes.iter().take(SAMPLE_CHARS / 2).map(|byte| format!("{byte:02x}")).collect()
        }
    };
    match text.char_indices().nth(SAMPLE_CHARS) {
        _ if text.is_empty() => None,
        Some((cut, _)) => Some(format!("{}…", &text[..cut])),
        None => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inspection_says_what_is_there_and_what_was_claimed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = r#"{"tables":[{"tableName":"A","records":[{"id":1,"s":"","n":null},{"id":2,"n":1.5,"s":"x"},
            {"n":"t","id":3}],"primaryKey":"id"}],"metadata":{"version":"1.0","recordCounts":{"A":4}}}"#;
        std::fs::write(file.path(), text).unwrap();
        let found = inspect(file.path(), &ReadOptions::default()).unwrap();
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["format"], "smart-backup");
        assert_eq!(json["records"], 3);
        let table = &json["tables"][0];
        assert_eq!((&table["claimed"], &table["claimed_key"]), (&4.into(), &"id".into()));
        let columns = table["columns"].as_array().unwrap();
        assert_eq!(columns.iter().map(|c| c["name"].as_str().unwrap()).collect::<Vec<_>>(), ["id", "s", "n"]);
        assert_eq!(columns[1]["absent"], 1);
        assert_eq!(columns[1]["sample"], "x");
        assert_eq!(columns[2]["kinds"], serde_json::json!(["number", "text"]));
        assert_eq!(columns[2]["nulls"], 1);
        assert_eq!(found.problems, ["A: 3 records, but the backup claims 4"]);
    }
}
