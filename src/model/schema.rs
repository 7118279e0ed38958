//! The shape of a database: tables, columns, keys, references. Read from the current database, never from a backup.

use super::value::Value;
use serde::{Deserialize, Serialize};

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        })
    }
}

/// What a column holds; values are compared by it, whatever their spelling.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ColumnType {
    /// True or false, also stored as 0 and 1.
    Boolean,
    /// Whole numbers from `min` to `max`.
    Integer {
        /// Smallest value the column holds.
        min: i64,
        /// Largest value the column holds.
        max: u64,
    },
    /// Exact decimals; `precision` digits in all and `scale` after the point, where declared *and enforced*.
    Decimal {
        /// Digits in all.
        precision: Option<u32>,
        /// Digits after the point.
        scale: Option<u32>,
    },
    /// IEEE doubles, or singles.
    Float {
        /// Whether the column keeps 32 bits only.
        single: bool,
    },
    /// Text; at most `max_chars` characters where enforced.
    Text {
        /// Largest number of characters.
        max_chars: Option<u64>,
    },
    /// Bytes; at most `max_bytes` where enforced.
    Bytes {
        /// Largest number of bytes.
        max_bytes: Option<u64>,
    },
    /// JSON, compared by structure.
    Json,
    /// Instants (`zoned`) or wall-clock readings.
    Timestamp {
        /// Whether the column keeps instants.
        zoned: bool,
        /// Fraction digits that the column keeps, 0–9.
        digits: u8,
    },
    /// Dates.
    Date,
    /// Times of day.
    Time {
        /// Fraction digits that the column keeps, 0–9.
        digits: u8,
    },
    /// UUIDs.
    Uuid,
    /// One of a fixed list of texts.
    Enum(Vec<String>),
    /// Anything, each value with its own type (SQLite columns without a type).
    Any,
    /// A type without rules of its own here (ranges, geometry, intervals …): compared and written as the engine's text.
    Other(String),
}

impl ColumnType {
    /// Tells whether a value is of the kind that the type holds; null is of every kind.
    pub fn holds(&self, value: &Value) -> bool {
        matches!(
            (self, value),
            (_, Value::Null)
                | (Self::Any, _)
                | (Self::Boolean, Value::Bool(_))
                | (Self::Integer { .. }, Value::Integer(_))
                | (Self::Decimal { .. }, Value::Decimal(_) | Value::Integer(_))
                | (Self::Float { .. }, Value::Float(_))
                | (Self::Text { .. } | Self::Enum(_) | Self::Other(_), Value::Text(_) | Value::RawText(_))
                | (Self::Bytes { .. }, Value::Bytes(_))
                | (Self::Json, Value::Json(_))
                | (Self::Timestamp { .. }, Value::Timestamp(_))
                | (Self::Date, Value::Date(_))
                | (Self::Time { .. }, Value::Time(_))
                | (Self::Uuid, Value::Uuid(_))
        )
    }
}

/// How a column stores values that its type alone doesn't fix: SQLite has no date or UUID type, applications choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Storage {
    /// As the engine stores the type.
    #[default]
    Native,
    /// A whole number of units since 1970-01-01 UTC, `digits` fraction digits each (0 seconds, 3 milliseconds, 6 microseconds).
    Epoch {
        /// Fraction digits of the unit.
        digits: u8,
    },
    /// A real number of seconds since 1970-01-01 UTC.
    EpochReal,
    /// A Julian day number.
    JulianDay,
    /// ISO text.
    IsoText {
        /// `T` or a space.
        separator: char,
        /// Fraction digits written.
        digits: u8,
        /// What follows.
        suffix: IsoSuffix,
        /// How seconds without a fraction are written.
        #[serde(default)]
        whole: WholeSeconds,
    },
    /// A UUID as 32 hexadecimal digits without hyphens (Django on SQLite).
    HexText,
    /// Raw bytes (a UUID as 16 bytes).
    Binary,
}

/// How an ISO timestamp text that usually has a fraction is written where the fraction is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WholeSeconds {
    /// With as many zeros.
    #[default]
    Padded,
    /// Without a fraction, as Python's `isoformat` does.
    Bare,
}

/// The end of an ISO timestamp text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IsoSuffix {
    /// Nothing: no zone is written; read as UTC.
    None,
    /// `Z`.
    Z,
    /// `+00:00`.
    Offset,
}

impl IsoSuffix {
    /// Returns the text written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Z => "Z",
            Self::Offset => "+00:00",
        }
    }
}

/// When the database holds two texts equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Collation {
    /// Equal bytes.
    #[default]
    Binary,
    /// ASCII letters without case (SQLite NOCASE).
    AsciiNoCase,
    /// Trailing spaces don't count (SQLite RTRIM).
    RTrim,
    /// Only the database can tell.
    Database,
}

/// Whether the engine gives a value by itself when none is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Generated {
    /// An ordinary column.
    #[default]
    No,
    /// Computed from other columns; never written.
    Computed,
    /// An identity that refuses given values unless overridden (`GENERATED ALWAYS AS IDENTITY`).
    IdentityAlways,
    /// A counter that is used where no value is given.
    Counter,
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The database's own name, unquoted.
    pub name: String,
    /// The comparison type.
    pub ty: ColumnType,
    /// The type as declared.
    pub declared: String,
    /// How values are stored.
    pub storage: Storage,
    /// Whether null is allowed.
    pub nullable: bool,
    /// The default as SQL text.
    pub default: Option<String>,
    /// Whether and how the engine makes the value.
    pub generated: Generated,
    /// When two texts are equal.
    pub collation: Collation,
    /// Whether the engine refuses values of another type (false for SQLite tables that are not STRICT).
    pub enforced: bool,
}

impl Column {
    /// Tells whether a merge may write the column.
    pub fn writable(&self) -> bool {
        self.generated != Generated::Computed
    }

    /// Tells whether the engine pads its text with spaces, so that spaces at the end mean nothing (PostgreSQL's `character(n)`).
    pub fn is_padded(&self) -> bool {
        let pads = matches!(self.collation, Collation::RTrim | Collation::Database);
        self.enforced && pads && self.declared.starts_with("character(")
    }

    /// Tells whether a new record needs a value for it from the backup.
    pub fn required(&self) -> bool {
        !self.nullable && self.default.is_none() && self.generated == Generated::No
    }
}

/// A unique constraint or index, the primary key included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unique {
    /// The constraint's or index's name, or a made-up one where it has none.
    pub name: String,
    /// Column positions in order.
    pub columns: Vec<usize>,
    /// The predicate of a partial index, as SQL.
    pub predicate: Option<String>,
    /// Whether two nulls collide (`NULLS NOT DISTINCT`).
    pub nulls_equal: bool,
    /// Whether the engine can check it at the end of the transaction.
    pub deferrable: bool,
    /// The stored columns that decide what a record claims where `columns` alone do not: expressions, a predicate, computed
    /// columns, nulls that collide. Only the database can tell the claim then; empty: it is the values of `columns`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<usize>,
}

impl Unique {
    /// Tells whether the values of the columns are what must be unique.
    pub fn is_plain(&self) -> bool {
        self.reads.is_empty()
    }

    /// Returns the columns that decide what a record claims.
    pub fn decided_by(&self) -> &[usize] {
        if self.is_plain() { &self.columns } else { &self.reads }
    }
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The constraint's name, or a made-up one.
    pub name: String,
    /// Referring column positions.
    pub columns: Vec<usize>,
    /// Position of the referenced table in [`Schema::tables`]; `None` when the schema read does not contain it.
    pub table: Option<usize>,
    /// The referenced table's name.
    pub table_name: String,
    /// Referenced column positions, as many as `columns`.
    pub references: Vec<usize>,
    /// Whether the engine can check it at the end of the transaction.
    pub deferrable: bool,
    /// What the engine does to referring records when the referenced one is deleted, as SQL (`CASCADE`, `NO ACTION` …).
    pub on_delete: String,
    /// The same for a changed key.
    pub on_update: String,
    /// Whether the database declares it (false: from configuration).
    pub declared: bool,
    /// The column and the text in it that make this a reference (`owner_type = user`); none: it always is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<(usize, String)>,
}

impl ForeignKey {
    /// Tells whether a record's columns are this reference, by the value of the column that says so.
    pub fn applies<'a>(&self, value: impl FnOnce(usize) -> Option<&'a Value>) -> bool {
        match &self.when {
            None => true,
            Some((column, text)) => value(*column).is_some_and(|v| v.to_string() == *text),
        }
    }

    /// Tells whether a record's key says what this refers to: an order's line is told by its order.
    pub fn is_within(&self, key: &[usize]) -> bool {
        self.when.is_none() && self.columns.iter().all(|c| key.contains(c))
    }

    /// Returns what the record of a key refers to, where the key says it.
    pub fn within(&self, key: &[usize], values: &[Value]) -> Option<Vec<Value>> {
        let value = |column: &usize| values.get(key.iter().position(|k| k == column)?).cloned();
        self.columns.iter().map(value).collect::<Option<Vec<_>>>().filter(|_| self.when.is_none())
    }

    /// Tells whether the engine changes referring records by itself when what they refer to changes.
    pub fn reaches_on_update(&self) -> bool {
        ["CASCADE", "SET NULL", "SET DEFAULT"].iter().any(|action| self.on_update.eq_ignore_ascii_case(action))
    }
}

/// A check constraint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name, or a made-up one.
    pub name: String,
    /// Its expression as SQL.
    pub expression: String,
}

/// A trigger; listed so that a person sees what else a write sets off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// When it runs: `BEFORE UPDATE`, `AFTER INSERT` …
    pub event: String,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The schema (PostgreSQL) or database (MySQL) it is in, where it has one.
    pub schema: Option<String>,
    /// The database's own name, unquoted.
    pub name: String,
    /// Columns in the engine's order.
    pub columns: Vec<Column>,
    /// The columns that identify a record: primary key, else a unique not-null key, else chosen by the user; empty: none.
    pub key: Vec<usize>,
    /// Whether `key` is the primary key.
    pub key_is_primary: bool,
    /// Unique constraints, the primary key first where there is one.
    pub uniques: Vec<Unique>,
    /// Unique indexes over expressions and exclusion constraints, by name: only the database can check them.
    pub opaque_uniques: Vec<String>,
    /// Foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints.
    pub checks: Vec<Check>,
    /// Triggers.
    pub triggers: Vec<Trigger>,
    /// The position of the column that says when a record was last changed, where one was found or set.
    pub timestamp: Option<usize>,
    /// Why merging into the table is refused altogether, where it is (a non-transactional engine …).
    pub refused: Option<String>,
    /// Things a person should know: inheritance, partitions, WITHOUT ROWID …
    pub notes: Vec<String>,
    /// The columns whose values, listed or in ranges, say into which partition a record goes: any other may have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partitioned_by: Vec<usize>,
    /// Columns that hold secrets though their names do not say so: those that the configuration names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<usize>,
    /// Whether the types of its columns say all about what the table takes: no check, no domain, nothing computed, and
    /// each type one of which the adapter knows every limit. Asked of the database as it is, never kept.
    #[serde(skip)]
    pub plain: bool,
}

impl Table {
    /// Returns the name people see: `schema.name` outside the default schema.
    pub fn label(&self) -> String {
        match self.schema.as_deref() {
            None | Some("public" | "") => self.name.clone(),
            Some(schema) => format!("{schema}.{}", self.name),
        }
    }

    /// Finds a column by its exact name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// Returns the names of columns by position.
    pub fn names(&self, columns: &[usize]) -> Vec<&str> {
        columns.iter().map(|&c| self.columns[c].name.as_str()).collect()
    }

    /// Digests everything that a plan relies on, as 32 hexadecimal digits.
    ///
    /// Storage styles are left out: they come from samples of the data, not from the schema.
    pub fn digest(&self) -> String {
        let mut plain = self.clone();
        for column in &mut plain.columns {
            column.storage = Storage::Native;
            let sampled =
                matches!(column.ty, ColumnType::Timestamp { .. } | ColumnType::Uuid | ColumnType::Integer { .. });
            if sampled || matches!(column.ty, ColumnType::Text { .. }) {
                column.ty = ColumnType::Any;
            }
        }
        plain.timestamp = None;
        plain.secret.clear();
        plain.key.clear();
        plain.key_is_primary = false;
        plain.foreign_keys.retain(|f| f.declared);
        for foreign_key in &mut plain.foreign_keys {
            foreign_key.table = None;
        }
        let text = serde_json::to_vec(&plain).expect("a table always serialises");
        blake3::hash(&text).to_hex()[..32].to_owned()
    }
}

/// All tables of a database that can be merged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The engine it was read from.
    pub engine: Engine,
    /// Tables in name order.
    pub tables: Vec<Table>,
    /// Things that are not tables or not merged, with the reason: views, virtual tables, migration tables …
    pub left_out: Vec<String>,
}

impl Schema {
    /// Finds a table by label or exact name.
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|t| t.label() == name).or_else(|| {
            let mut named = self.tables.iter().enumerate().filter(|(_, t)| t.name == name);
            match (named.next(), named.next()) {
                (Some((position, _)), None) => Some(position),
                _ => None,
            }
        })
    }
}
