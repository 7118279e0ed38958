//! What a table must be like to hold a backup's records without loss: types by the values seen, a key by their being
//! distinct. Text holds everything; a narrower type is taken only where every value allows it.

use crate::backup::{Place, RecordSink, TableHeader};
use crate::error::{Result, fail};
use crate::model::calendar::{parse_date, parse_timestamp};
use crate::model::decimal::Decimal;
use crate::model::encode::extended::extended;
use crate::model::{Cell, OwnedCell};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::xxh3_128;

/// Fields that are keys in most applications, in the order in which they are tried.
const KEYS: [&str; 6] = ["id", "_id", "pk", "uuid", "key", "username"];

/// A column's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Real,
    Datetime,
    Date,
    Text,
    Json,
    Blob,
    /// Each value as it is.
    Any,
}

impl Kind {
    const fn declared(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::Datetime => "datetime",
            Self::Date => "date",
            Self::Text => "text",
            Self::Json => "json",
            Self::Blob => "blob",
            Self::Any => "",
        }
    }

    /// Tells whether numbers and booleans are kept as the text they are spelled by.
    pub(super) const fn is_text(self) -> bool {
        matches!(self, Self::Text)
    }
}

/// Kinds of values seen in a column, one bit each.
#[derive(Clone, Copy, Default)]
struct Seen(u16);

impl Seen {
    const BOOL: u16 = 1;
    const INTEGER: u16 = 2;
    /// Numbers that a double holds exactly.
    const FLOAT: u16 = 4;
    /// Numbers beyond integers and doubles.
    const EXACT: u16 = 8;
    const DATETIME: u16 = 16;
    const DATE: u16 = 32;
    const TEXT: u16 = 64;
    const JSON: u16 = 128;
    const BYTES: u16 = 256;

    fn kind(self) -> Kind {
        match self.0 {
            Self::BOOL => Kind::Boolean,
            Self::INTEGER => Kind::Integer,
            Self::DATETIME => Kind::Datetime,
            Self::DATE => Kind::Date,
            Self::JSON => Kind::Json,
            Self::BYTES => Kind::Blob,
            seen if seen != 0 && seen & !(Self::FLOAT | Self::INTEGER) == 0 => Kind::Real,
            seen if seen & Self::BYTES != 0 => Kind::Any,
            _ => Kind::Text,
        }
    }
}

struct Column {
    name: String,
    seen: Seen,
    /// Integers that a double does not hold.
    large: bool,
    values: u64,
}

/// What is learned of one table.
pub(super) struct Guess {
    columns: Vec<Column>,
    positions: HashMap<String, usize>,
    claimed: Option<String>,
    pk_field: Option<String>,
    /// Digests of the values of columns that may be the key; none once two were equal.
    keys: HashMap<usize, Option<HashSet<u128>>>,
    records: u64,
}

/// A table as it is made.
pub(super) struct Shape {
    pub(super) create: String,
    pub(super) insert: String,
    pub(super) columns: Vec<(String, Kind)>,
    /// Columns by the backup's names.
    pub(super) positions: HashMap<String, usize>,
    pub(super) key: Option<String>,
}

impl Guess {
    pub(super) fn new(header: &TableHeader) -> Self {
        let mut guess = Self {
            columns: Vec::new(),
            positions: HashMap::new(),
            claimed: header.claimed_key.clone(),
            pk_field: header.pk_field.clone(),
            keys: HashMap::new(),
            records: 0,
        };
        for name in &header.columns {
            guess.position(name);
        }
        guess
    }

    /// Takes the key that the file claims after the records.
    pub(super) fn claim(&mut self, key: &str) {
        self.claimed.get_or_insert_with(|| key.to_owned());
    }

    fn position(&mut self, name: &str) -> usize {
        if let Some(position) = self.positions.get(name) {
            return *position;
        }
        let position = self.columns.len();
        self.columns.push(Column { name: name.to_owned(), seen: Seen::default(), large: false, values: 0 });
        self.positions.insert(name.to_owned(), position);
        if KEYS.contains(&name) || self.claimed.as_deref() == Some(name) || self.pk_field.as_deref() == Some(name) {
            self.keys.insert(position, Some(HashSet::new()));
        }
        position
    }

    /// Returns the column that is the key: every record has a value, all different.
    fn key(&self) -> Option<usize> {
        let named = self.pk_field.iter().chain(&self.claimed).map(String::as_str).chain(KEYS);
        let distinct = |position: &usize| match self.keys.get(position) {
            Some(Some(values)) => values.len() as u64 == self.records && self.records > 0,
            _ => false,
        };
        let simple = |position: &usize| !matches!(self.kind(*position), Kind::Json | Kind::Any);
        named.filter_map(|name| self.positions.get(name)).copied().find(|p| distinct(p) && simple(p))
    }

    fn kind(&self, position: usize) -> Kind {
        let column = &self.columns[position];
        match column.seen.kind() {
            Kind::Real if column.large => Kind::Text,
            kind => kind,
        }
    }

    /// Decides on the table.
    pub(super) fn shape(self, table: &str) -> Result<Shape> {
        let key = self.key();
        let mut columns: Vec<(String, Kind)> = Vec::new();
        let mut folded: HashMap<String, String> = HashMap::new();
        for (position, column) in self.columns.iter().enumerate() {
            // Django's word for whatever the key is called.
            let stands_for_id = key == Some(position)
                && self.pk_field.as_deref() == Some(&column.name)
                && !self.positions.contains_key("id");
            let name = if stands_for_id { "id".to_owned() } else { column.name.clone() };
            if let Some(other) = folded.insert(name.to_ascii_lowercase(), name.clone()) {
                return Err(fail!(
                    SchemaMismatch,
                    "{table}: SQLite can't tell the columns {other:?} and {name:?} apart"
                ));
            }
            columns.push((name, self.kind(position)));
        }
        let mut lines: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(position, (name, kind))| {
                let key = if key == Some(position) { " NOT NULL PRIMARY KEY" } else { "" };
                format!("{} {}{key}", quoted(name), kind.declared())
            })
            .collect();
        if lines.is_empty() {
            lines.push("\"id\" text NOT NULL PRIMARY KEY".to_owned());
        }
        let empty = columns.is_empty();
        let names: Vec<String> = columns.iter().map(|(name, _)| quoted(name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        Ok(Shape {
            create: format!("CREATE TABLE {} ({})", quoted(table), lines.join(", ")),
            insert: match empty {
                true => format!("INSERT INTO {} DEFAULT VALUES", quoted(table)),
                false => format!("INSERT INTO {} ({}) VALUES ({marks})", quoted(table), names.join(", ")),
            },
            key: key.map(|position| columns[position].0.clone()),
            columns,
            positions: self.positions,
        })
    }
}

/// Quotes a name; a backup's name reaches SQL nowhere else, and only where a new database is made from it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl RecordSink for Guess {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let value = plain(cell);
        let cell = value.as_ref().map_or(cell, OwnedCell::as_cell);
        let position = self.position(name);
        if matches!(cell, Cell::Absent | Cell::Null) {
            return Ok(());
        }
        let column = &mut self.columns[position];
        column.values += 1;
        column.seen.0 |= seen(cell, &mut column.large);
        if let Some(Some(values)) = self.keys.get_mut(&position) {
            let digest = match cell {
                Cell::Bytes(bytes) | Cell::RawText(bytes) => xxh3_128(bytes),
                Cell::Number(text) | Cell::String(text) | Cell::Text(text) => xxh3_128(text.as_bytes()),
                other => xxh3_128(format!("{other:?}").as_bytes()),
            };
            if !values.insert(digest) {
                self.keys.insert(position, None);
            }
        }
        Ok(())
    }

    fn end_record(&mut self, _place: Place) -> Result<()> {
        self.records += 1;
        Ok(())
    }
}

/// Returns the value of a document that stands for one, which an analysis will find there too.
pub(super) fn plain(cell: Cell<'_>) -> Option<OwnedCell> {
    match cell {
        Cell::Json(text) => extended(text),
        _ => None,
    }
}

fn seen(cell: Cell<'_>, large: &mut bool) -> u16 {
    const DOUBLE: u64 = 1 << 53;
    match cell {
        Cell::Absent | Cell::Null => 0,
        Cell::Bool(_) => Seen::BOOL,
        Cell::Int(i) => {
            *large |= i.unsigned_abs() > DOUBLE;
            Seen::INTEGER
        }
        Cell::UInt(u) if i64::try_from(u).is_err() => Seen::EXACT,
        Cell::UInt(u) => {
            *large |= u > DOUBLE;
            Seen::INTEGER
        }
        Cell::Real(_) => Seen::FLOAT,
        Cell::Number(text) => match text.parse::<i64>() {
            Ok(i) => {
                *large |= i.unsigned_abs() > DOUBLE;
                Seen::INTEGER
            }
            Err(_) => {
                let exact = Decimal::parse(text);
                let double = text.parse::<f64>().ok().filter(|x| x.is_finite()).and_then(Decimal::from_f64);
                if exact.is_some() && exact == double { Seen::FLOAT } else { Seen::EXACT }
            }
        },
        Cell::String(text) | Cell::Text(text) => {
            let ascii = text.is_ascii();
            if ascii && text.len() == 10 && parse_date(text).is_some() {
                Seen::DATE
            } else if ascii && text.len() >= 16 && text.as_bytes()[4] == b'-' && parse_timestamp(text).is_some() {
                Seen::DATETIME
            } else {
                Seen::TEXT
            }
        }
        Cell::Json(_) => Seen::JSON,
        Cell::Bytes(_) | Cell::RawText(_) => Seen::BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_as_narrow_as_every_value_allows() {
        let cases: [(&[Cell<'_>], Kind); 11] = [
            (&[Cell::Null], Kind::Text),
            (&[Cell::Bool(true), Cell::Null], Kind::Boolean),
            (&[Cell::Number("1"), Cell::Number("-2")], Kind::Integer),
            (&[Cell::Number("1"), Cell::Number("2.50")], Kind::Real),
            (&[Cell::Number("9007199254740993"), Cell::Number("2.5")], Kind::Text),
            (&[Cell::Number("0.1000000000000000000001")], Kind::Text),
            (&[Cell::Number("18446744073709551615")], Kind::Text),
            (&[Cell::String("2024-01-02T03:04:05Z"), Cell::String("2024-01-02 03:04:05.5")], Kind::Datetime),
            (&[Cell::String("2024-01-02"), Cell::String("soon")], Kind::Text),
            (&[Cell::Json("[1]"), Cell::String("x")], Kind::Text),
            (&[Cell::Bytes(b"x"), Cell::Int(1)], Kind::Any),
        ];
        for (cells, kind) in cases {
            let mut guess = Guess::new(&TableHeader::default());
            for cell in cells {
                guess.field("x", *cell).expect("takes it");
            }
            assert_eq!(guess.kind(0), kind, "{cells:?}");
        }
    }

    #[test]
    fn a_key_is_there_and_distinct() {
        let shape = |ids: &[Cell<'_>]| {
            let mut guess = Guess::new(&TableHeader { pk_field: Some("pk".to_owned()), ..TableHeader::default() });
            for id in ids {
                guess.field("pk", *id).expect("takes it");
                guess.end_record(Place::default()).expect("takes it");
            }
            guess.shape("t\"x").expect("a shape")
        };
        assert_eq!(
            shape(&[Cell::Number("1"), Cell::Number("2")]).create,
            "CREATE TABLE \"t\"\"x\" (\"id\" integer NOT NULL PRIMARY KEY)"
        );
        for ids in [[Cell::Number("1"), Cell::Number("1")], [Cell::Number("1"), Cell::Null]] {
            assert_eq!(shape(&ids).create, "CREATE TABLE \"t\"\"x\" (\"pk\" integer)");
        }
    }
}
