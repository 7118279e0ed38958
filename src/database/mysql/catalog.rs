//! Columns as `information_schema` describes them: what schema reading and the statements for a table are made from.

use super::session::Session;
use super::types::{self, Wire};
use crate::database::present;
use crate::error::Result;
use crate::model::Table;
use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{Arguments, Row};

/// One column of the catalog.
#[derive(Clone, Debug)]
pub(super) struct CatalogColumn {
    pub(super) table: String,
    pub(super) name: String,
    /// `int`, `varchar`, without length.
    pub(super) data_type: String,
    /// `int(10) unsigned`.
    pub(super) column_type: String,
    pub(super) charset: Option<String>,
    pub(super) collation: Option<String>,
    /// `auto_increment`, `on update current_timestamp()`, `VIRTUAL GENERATED` …
    pub(super) extra: String,
    /// The default as SQL.
    pub(super) default: Option<String>,
    pub(super) nullable: bool,
    /// The expression of a generated column.
    pub(super) expression: Option<String>,
    /// Decimal digits, bits, or fraction digits of a time.
    pub(super) precision: u32,
    pub(super) scale: u32,
    pub(super) characters: Option<u64>,
}

const COLUMNS: &str = "
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, EXTRA, COLUMN_DEFAULT,
  IS_NULLABLE, GENERATION_EXPRESSION, CAST(COALESCE(NUMERIC_PRECISION, DATETIME_PRECISION, 0) AS CHAR),
  CAST(COALESCE(NUMERIC_SCALE, 0) AS CHAR), CAST(CHARACTER_MAXIMUM_LENGTH AS CHAR), VERSION()
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()";

/// Reads the columns of one table, or of all.
///
/// # Errors
/// As the server says.
pub(super) fn columns(session: &mut Session, table: Option<&str>) -> Result<Vec<CatalogColumn>> {
    let doing = "reading the columns";
    let rows = match table {
        Some(table) => {
            let sql = format!("{COLUMNS} AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION");
            session.rows(&sql, bind([table]), doing)?
        }
        None => {
            let sql = format!("{COLUMNS} ORDER BY TABLE_NAME, ORDINAL_POSITION");
            session.rows(&sql, MySqlArguments::default(), doing)?
        }
    };
    Ok(rows.iter().map(column).filter(|c| table.is_none_or(|t| c.table == t)).collect())
}

fn column(row: &MySqlRow) -> CatalogColumn {
    let required = |position: usize| text(row, position).unwrap_or_default();
    let (data_type, extra) = (required(2).to_ascii_lowercase(), required(6));
    let nullable = required(8) == "YES";
    let mariadb = required(13).contains("MariaDB");
    let default = text(row, 7).and_then(|d| default(d, &data_type, &extra, mariadb));
    CatalogColumn {
        table: required(0),
        name: required(1),
        column_type: required(3),
        charset: text(row, 4),
        collation: text(row, 5),
        default,
        nullable,
        expression: text(row, 9).filter(|e| !e.is_empty()).map(|e| if mariadb { e } else { unescaped(&e) }),
        precision: required(10).parse().unwrap_or(0),
        scale: required(11).parse().unwrap_or(0),
        characters: text(row, 12).and_then(|c| c.parse().ok()),
        data_type,
        extra,
    }
}

/// Returns a default as SQL: MariaDB shows it so, MySQL shows a literal's content.
fn default(shown: String, data_type: &str, extra: &str, mariadb: bool) -> Option<String> {
    if shown == "NULL" && mariadb {
        return None;
    }
    let literal = !mariadb
        && !extra.contains("DEFAULT_GENERATED")
        && !shown.starts_with("CURRENT_TIMESTAMP")
        && !shown.starts_with("b'")
        && !matches!(
            data_type,
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double"
        );
    if !mariadb && extra.contains("DEFAULT_GENERATED") {
        return Some(unescaped(&shown));
    }
    Some(if literal { format!("'{}'", shown.replace('\\', "\\\\").replace('\'', "''")) } else { shown })
}

/// Turns an expression of MySQL's catalog into SQL: it shows `_utf8mb4\'it\\\'s\'` for `_utf8mb4'it\'s'`.
pub(super) fn unescaped(shown: &str) -> String {
    let mut expression = String::with_capacity(shown.len());
    let mut characters = shown.chars();
    while let Some(character) = characters.next() {
        expression.push(match character {
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        });
    }
    expression
}

/// Returns a value as the server sent it.
pub(super) fn bytes(row: &MySqlRow, position: usize) -> Option<&[u8]> {
    row.try_get_unchecked::<Option<&[u8]>, _>(position).ok().flatten()
}

/// Reads a text of the catalog, whatever type the server gives it.
pub(super) fn text(row: &MySqlRow, position: usize) -> Option<String> {
    bytes(row, position).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// Makes arguments of texts.
pub(super) fn bind<const N: usize>(values: [&str; N]) -> MySqlArguments {
    let mut arguments = MySqlArguments::default();
    for value in values {
        arguments.add(value).expect("text always encodes");
    }
    arguments
}

/// Quotes a name.
pub(in crate::database) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A column as statements use it.
#[derive(Clone, Debug)]
pub(super) struct ShapeColumn {
    pub(super) quoted: String,
    pub(super) wire: Wire,
    /// A placeholder with the column's own type and collation.
    pub(super) typed: String,
    /// What is the same where the collation holds texts equal, `{}` standing for one: its weights, padded where the
    /// collation pads (<https://mariadb.com/kb/en/weight_string/>).
    pub(super) form: String,
    /// The condition that the column of `t` holds exactly the placeholder's value.
    pub(super) unchanged: String,
    pub(super) default: Option<String>,
    pub(super) expression: Option<String>,
    pub(super) counter: bool,
    pub(super) nullable: bool,
    /// Whether an update that leaves it out sets it to the present time.
    pub(super) touched: bool,
}

/// A table as statements use it; always read from the catalog of the connection at hand, never from a file.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The table's name, quoted.
    pub(super) name: String,
    /// In the order of the [`Table`] it was made for.
    pub(super) columns: Vec<ShapeColumn>,
    /// The unique indexes of whole columns: the name, quoted, and the columns as the names in `columns` are quoted.
    uniques: Vec<(String, Vec<String>)>,
}

const UNIQUES: &str = "
SELECT INDEX_NAME, COALESCE(COLUMN_NAME, ''), SUB_PART IS NOT NULL FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND NON_UNIQUE = 0 ORDER BY INDEX_NAME = 'PRIMARY' DESC, INDEX_NAME, SEQ_IN_INDEX";

impl Shape {
    /// Reads a table's shape.
    ///
    /// # Errors
    /// `SchemaMismatch` when table or column is gone; as the server says.
    pub(super) fn read(session: &mut Session, table: &Table) -> Result<Self> {
        let catalog = columns(session, Some(&table.name))?;
        if catalog.is_empty() {
            return Err(present::gone(&format!("table {}", table.label())));
        }
        let columns = present::columns(table, &catalog, |c| &c.name)?.into_iter().map(shape_column).collect();
        let mut uniques: Vec<(String, Vec<String>)> = Vec::new();
        let mut partial = Vec::new();
        for row in session.rows(UNIQUES, bind([&table.name]), "reading the unique keys")? {
            let part = |position| text(&row, position).unwrap_or_default();
            let (index, column) = (quote(&part(0)), quote(&part(1)));
            if part(2) != "0" || part(1).is_empty() {
                partial.push(index.clone());
            }
            match uniques.last_mut().filter(|last| last.0 == index) {
                Some(last) => last.1.push(column),
                None => uniques.push((index, vec![column])),
            }
        }
        uniques.retain(|unique| !partial.contains(&unique.0));
        Ok(Self { name: quote(&table.name), columns, uniques })
    }

    /// Names the unique index by which a record with these values is found without looking at another one.
    pub(super) fn unique_among(&self, columns: &[usize]) -> Option<&str> {
        let has = |name: &String| columns.iter().any(|&c| self.columns[c].quoted == *name);
        self.uniques.iter().find(|(_, parts)| parts.iter().all(has)).map(|(name, _)| name.as_str())
    }
}

fn shape_column(column: &CatalogColumn) -> ShapeColumn {
    let quoted = quote(&column.name);
    let wire = types::wire(column);
    let own = format!("t.{quoted}");
    let text = || {
        let charset = column.charset.as_deref().unwrap_or("utf8mb4");
        let collation = column.collation.as_deref().unwrap_or("utf8mb4_bin");
        format!("CONVERT(? USING {charset}) COLLATE {collation}")
    };
    let (digits, precision, scale) = (column.precision, column.precision, column.scale);
    let (typed, unchanged) = match wire {
        Wire::Integer { unsigned: false } | Wire::Flag => ("CAST(? AS SIGNED)".to_owned(), format!("{own} <=> ?")),
        Wire::Integer { unsigned: true } | Wire::Year => ("CAST(? AS UNSIGNED)".to_owned(), format!("{own} <=> ?")),
        Wire::Bits | Wire::BitFlag => ("CAST(? AS UNSIGNED)".to_owned(), format!("{own} + 0 <=> ?")),
        Wire::Float => ("(? + 0e0)".to_owned(), format!("{own} <=> ?")),
        Wire::Decimal => {
            let typed = format!("CAST(? AS DECIMAL({precision}, {scale}))");
            let unchanged = format!("{own} <=> {typed}");
            (typed, unchanged)
        }
        // By bytes: the collation may hold texts equal that are not the same.
        Wire::Text => (text(), format!("CAST(CONVERT({own} USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)")),
        Wire::Json => ("CAST(? AS JSON)".to_owned(), format!("CAST({own} AS CHAR) <=> ?")),
        Wire::Printed => (format!("CAST(? AS {})", column.data_type), format!("CAST({own} AS CHAR) <=> ?")),
        Wire::Bytes => ("CAST(? AS BINARY)".to_owned(), format!("{own} <=> CAST(? AS BINARY)")),
        Wire::Geometry => ("CAST(? AS BINARY)".to_owned(), format!("HEX({own}) <=> HEX(?)")),
        Wire::Date => ("CAST(? AS DATE)".to_owned(), format!("CAST({own} AS CHAR) <=> ?")),
        Wire::DateTime(_) => (format!("CAST(? AS DATETIME({digits}))"), format!("CAST({own} AS CHAR) <=> ?")),
        Wire::Time(_) => (format!("CAST(? AS TIME({digits}))"), format!("CAST({own} AS CHAR) <=> ?")),
    };
    ShapeColumn {
        quoted,
        wire,
        form: form(column),
        typed,
        unchanged,
        default: column.default.clone(),
        expression: column.expression.clone(),
        counter: column.extra.contains("auto_increment"),
        nullable: column.nullable,
        touched: column.extra.to_ascii_lowercase().contains("on update"),
    }
}

/// Characters that are compared by their weights; a longer text, which no index holds, only equals itself.
const WEIGHED: u64 = 4096;

fn form(column: &CatalogColumn) -> String {
    let pads = !column.collation.as_deref().is_some_and(|name| name.contains("_nopad_") || name.contains("_0900_"));
    let characters = column.characters.unwrap_or(WEIGHED).clamp(1, WEIGHED);
    let padding = if pads { format!(" AS CHAR({characters})") } else { String::new() };
    format!("IF(CHAR_LENGTH({{}}) > {characters}, HEX({{}}), SHA2(WEIGHT_STRING({{}}{padding}), 256))")
}

#[cfg(test)]
mod tests {
    use super::{default, unescaped};

    #[test]
    fn expressions_of_mysql_are_sql_again() {
        assert_eq!(
            unescaped(r"(`state` in (_utf8mb4\'a\',_utf8mb4\'it\\\'s\'))"),
            r"(`state` in (_utf8mb4'a',_utf8mb4'it\'s'))"
        );
        assert_eq!(unescaped("(`n` > 0)"), "(`n` > 0)");
        let shown = |text: &str, extra: &str| default(text.to_owned(), "varchar", extra, false);
        assert_eq!(shown(r"concat(_utf8mb4\'a\',1)", "DEFAULT_GENERATED").as_deref(), Some("concat(_utf8mb4'a',1)"));
        assert_eq!(shown("it's", "").as_deref(), Some("'it''s'"));
    }
}
