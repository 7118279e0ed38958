//! Reading an SQLite schema by its pragmas (<https://sqlite.org/pragma.html>) and the CREATE statements it keeps.

use super::{error, sample, sql};
use crate::error::Result;
use crate::model::schema::{Collation, Engine, Generated, Trigger};
use crate::model::{Column, ColumnType, ForeignKey, Schema, Table, Unique};
use rusqlite::Connection;

/// Reads every ordinary table; views, virtual and internal tables are listed as left out.
pub(super) fn read(connection: &Connection) -> Result<Schema> {
    let mut tables = Vec::new();
    let mut left_out = Vec::new();
    for (name, kind, without_rowid, strict) in listed(connection)? {
        match kind.as_str() {
            "table" if name.starts_with("sqlite_") => {}
            "table" => tables.push(table(connection, &name, without_rowid, strict)?),
            "shadow" => left_out.push(format!("{name}: belongs to a virtual table")),
            other => left_out.push(format!("{name}: a {other}, not a table")),
        }
    }
    let names: Vec<String> = tables.iter().map(|t: &Table| t.name.clone()).collect();
    for position in 0..tables.len() {
        let keys = foreign_keys(connection, &tables, position, &names)?;
        tables[position].foreign_keys = keys;
        sample::find_styles(connection, &mut tables[position])?;
    }
    sample::follow_references(&mut tables);
    let prisma = names.iter().any(|n| n == "_prisma_migrations");
    sample::fill_empty_styles(&mut tables, prisma);
    Ok(Schema { engine: Engine::Sqlite, tables, left_out })
}

fn listed(connection: &Connection) -> Result<Vec<(String, String, bool, bool)>> {
    let mut statement = connection
        .prepare("SELECT name, type, wr, strict FROM pragma_table_list WHERE schema = 'main' ORDER BY name")
        .map_err(error)?;
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).map_err(error)?;
    rows.collect::<rusqlite::Result<_>>().map_err(error)
}

fn table(connection: &Connection, name: &str, without_rowid: bool, strict: bool) -> Result<Table> {
    let create: Option<String> = connection
        .query_row("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", [name], |r| r.get(0))
        .map_err(error)?;
    let checks = sql::checks(create.as_deref().unwrap_or_default());
    let json_checked = |column: &str| {
        let folded = column.to_ascii_lowercase();
        checks.iter().any(|c| {
            let text = c.expression.to_ascii_lowercase().replace(['"', '`', '[', ']'], "");
            text.contains(&format!("json_valid({folded})"))
        })
    };
    let mut key_order: Vec<(i64, usize)> = Vec::new();
    let mut columns = Vec::new();
    let mut statement = connection.prepare("SELECT * FROM pragma_table_xinfo(?)").map_err(error)?;
    let mut rows = statement.query([name]).map_err(error)?;
    while let Some(row) = rows.next().map_err(error)? {
        let column_name: String = row.get(1).map_err(error)?;
        let declared: String = row.get(2).map_err(error)?;
        let not_null: bool = row.get(3).map_err(error)?;
        let default: Option<String> = row.get(4).map_err(error)?;
        let key_position: i64 = row.get(5).map_err(error)?;
        let hidden: i64 = row.get(6).map_err(error)?;
        if key_position > 0 {
            key_order.push((key_position, columns.len()));
        }
        let (_, collation, ..) = connection.column_metadata(Some("main"), name, column_name.as_str()).map_err(error)?;
        let collation = collation.map_or(Collation::Binary, |c| collation_of(&c.to_string_lossy()));
        columns.push(Column {
            ty: if json_checked(&column_name) { ColumnType::Json } else { column_type(&declared, strict) },
            name: column_name,
            declared,
            storage: Default::default(),
            nullable: !not_null,
            default,
            generated: if hidden >= 2 { Generated::Computed } else { Generated::No },
            collation,
            enforced: strict,
        });
    }
    key_order.sort_unstable();
    let mut key: Vec<usize> = key_order.into_iter().map(|(_, c)| c).collect();
    let primary = key.clone();
    if let [only] = key.as_slice()
        && !without_rowid
        && columns[*only].declared.eq_ignore_ascii_case("INTEGER")
    {
        // The rowid by another name: never null, counted up where no value is given.
        columns[*only].nullable = false;
        columns[*only].generated = Generated::Counter;
    }
    let refused = key_collations(connection, name, &key, &mut columns)?;
    let (mut uniques, opaque_uniques) = uniques(connection, name, &columns)?;
    if !key.is_empty() {
        uniques.retain(|u| u.columns != key || !u.is_plain());
        uniques.insert(
            0,
            Unique {
                name: format!("{name} primary key"),
                columns: key.clone(),
                predicate: None,
                nulls_equal: false,
                deferrable: false,
                reads: Vec::new(),
            },
        );
    }
    if key.is_empty() {
        let natural = uniques.iter().find(|u| u.is_plain() && u.columns.iter().all(|&c| !columns[c].nullable));
        key = natural.map(|u| u.columns.clone()).unwrap_or_default();
    }
    let notes = if without_rowid { vec!["WITHOUT ROWID".to_owned()] } else { Vec::new() };
    let mut table = Table {
        schema: None,
        name: name.to_owned(),
        columns,
        key_is_primary: !primary.is_empty() && key == primary,
        key,
        uniques,
        opaque_uniques,
        foreign_keys: Vec::new(),
        checks,
        triggers: triggers(connection, name)?,
        timestamp: None,
        refused,
        notes,
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    };
    crate::database::claims::settle(&mut table);
    Ok(table)
}

/// Maps a declared type to what applications mean by it; SQLite itself looks at less (<https://sqlite.org/datatype3.html>).
fn column_type(declared: &str, strict: bool) -> ColumnType {
    let upper = declared.to_ascii_uppercase();
    let has = |word: &str| upper.contains(word);
    let any_integer = ColumnType::Integer { min: i64::MIN, max: i64::MAX as u64 };
    if strict {
        return match upper.as_str() {
            "INT" | "INTEGER" => any_integer,
            "REAL" => ColumnType::Float { single: false },
            "BLOB" => ColumnType::Bytes { max_bytes: None },
            "ANY" => ColumnType::Any,
            _ => ColumnType::Text { max_chars: None },
        };
    }
    if upper.is_empty() {
        ColumnType::Any
    } else if has("BOOL") {
        ColumnType::Boolean
    } else if has("DATETIME") || has("TIMESTAMP") {
        ColumnType::Timestamp { zoned: true, digits: 9 }
    } else if has("JSON") {
        ColumnType::Json
    } else if has("UUID") || has("UNIQUEIDENTIFIER") {
        ColumnType::Uuid
    } else if has("INT") {
        any_integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        ColumnType::Text { max_chars: None }
    } else if has("BLOB") || has("BINARY") || has("BYTEA") {
        ColumnType::Bytes { max_bytes: None }
    } else if has("DATE") {
        ColumnType::Date
    } else if has("TIME") {
        ColumnType::Time { digits: 9 }
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        ColumnType::Float { single: false }
    } else if has("DEC") || has("NUM") || has("MONEY") {
        ColumnType::Decimal { precision: None, scale: None }
    } else {
        ColumnType::Any
    }
}

fn collation_of(name: &str) -> Collation {
    match name.to_ascii_uppercase().as_str() {
        "BINARY" => Collation::Binary,
        "NOCASE" => Collation::AsciiNoCase,
        "RTRIM" => Collation::RTrim,
        _ => Collation::Database,
    }
}

/// Takes the collations by which the primary key's own index compares, `PRIMARY KEY (name COLLATE NOCASE)`, for those of
/// its columns; says why the table is refused where records could not be found by them.
fn key_collations(
    connection: &Connection,
    table: &str,
    key: &[usize],
    columns: &mut [Column],
) -> Result<Option<String>> {
    let mut statement = connection
        .prepare(
            "SELECT x.cid, x.coll FROM pragma_index_list(?) l, pragma_index_xinfo(l.name) x WHERE l.origin = 'pk' AND x.key",
        )
        .map_err(error)?;
    let parts = statement
        .query_map([table], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(error)?;
    for (cid, collation) in parts {
        let Some(column) = usize::try_from(cid).ok().filter(|c| key.contains(c)).map(|c| &mut columns[c]) else {
            continue;
        };
        let own = collation_of(&collation);
        if own == column.collation {
            continue;
        }
        if column.collation != Collation::Binary {
            return Ok(Some(format!(
                "its primary key tells {} apart by {collation}, the column itself by another collation",
                column.name
            )));
        }
        column.collation = own;
    }
    Ok(None)
}

/// Returns the unique indexes, and the names of those whose definition can't be read. What an index over expressions, with
/// a predicate or with another collation is over, only the database can tell of a record.
fn uniques(connection: &Connection, table: &str, columns: &[Column]) -> Result<(Vec<Unique>, Vec<String>)> {
    let mut found = Vec::new();
    let mut opaque = Vec::new();
    let mut indexes = connection
        .prepare("SELECT name, partial FROM pragma_index_list(?) WHERE \"unique\" AND origin <> 'pk' ORDER BY seq DESC")
        .map_err(error)?;
    let listed = indexes
        .query_map([table], |r| Ok((r.get::<_, String>(0)?, r.get::<_, bool>(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(error)?;
    for (name, partial) in listed {
        let mut parts = connection
            .prepare("SELECT cid, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno")
            .map_err(error)?;
        let cids = parts
            .query_map([&name], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?)))
            .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
            .map_err(error)?;
        let positions: Option<Vec<usize>> =
            cids.iter().map(|(cid, _)| usize::try_from(*cid).ok().filter(|&c| c < columns.len())).collect();
        let alike = |position: &usize, collation: &str| columns[*position].collation == collation_of(collation);
        let positions = positions.filter(|p| p.iter().zip(&cids).all(|(position, (_, coll))| alike(position, coll)));
        match positions {
            Some(columns) if !partial => {
                let shown = if name.starts_with("sqlite_autoindex_") { format!("unique in {table}") } else { name };
                let (predicate, reads) = (None, Vec::new());
                found.push(Unique { name: shown, columns, predicate, nulls_equal: false, deferrable: false, reads });
            }
            _ => match super::claims::definition(connection, &name)? {
                Some(index) => {
                    let text = format!("{} {}", index.parts.join(", "), index.predicate.as_deref().unwrap_or_default());
                    let reads = crate::database::claims::named(columns, &text);
                    let (nulls_equal, deferrable, predicate) = (false, false, index.predicate);
                    found.push(Unique { name, columns: Vec::new(), predicate, nulls_equal, deferrable, reads });
                }
                None => opaque.push(name),
            },
        }
    }
    Ok((found, opaque))
}

fn foreign_keys(
    connection: &Connection,
    tables: &[Table],
    position: usize,
    names: &[String],
) -> Result<Vec<ForeignKey>> {
    let table = &tables[position];
    let mut statement = connection
        .prepare("SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq")
        .map_err(error)?;
    let rows = statement
        .query_map([&table.name], |r| {
            let part: (i64, String, String, Option<String>, String, String) =
                (r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?);
            Ok(part)
        })
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(error)?;
    let mut found: Vec<(i64, ForeignKey)> = Vec::new();
    for (id, parent, from, to, on_update, on_delete) in rows {
        let parent_position = names.iter().position(|n| n.eq_ignore_ascii_case(&parent));
        let own = |name: &str| table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        if found.last().is_none_or(|(last, _)| *last != id) {
            let foreign_key = ForeignKey {
                name: String::new(),
                columns: Vec::new(),
                table: parent_position,
                table_name: parent.clone(),
                references: Vec::new(),
                deferrable: true,
                on_delete,
                on_update,
                declared: true,
                when: None,
            };
            found.push((id, foreign_key));
        }
        let (_, foreign_key) = found.last_mut().expect("pushed above");
        let Some(own) = own(&from) else { continue };
        let referenced = parent_position.and_then(|p| match &to {
            Some(to) => tables[p].columns.iter().position(|c| c.name.eq_ignore_ascii_case(to)),
            // No column named: the parent's primary key, part by part.
            None => tables[p].key.get(foreign_key.columns.len()).copied(),
        });
        foreign_key.columns.push(own);
        match referenced {
            Some(column) => foreign_key.references.push(column),
            None => foreign_key.table = None,
        }
    }
    Ok(found
        .into_iter()
        .map(|(_, mut foreign_key)| {
            foreign_key.name =
                format!("{}({}) → {}", table.name, table.names(&foreign_key.columns).join(","), foreign_key.table_name);
            foreign_key
        })
        .collect())
}

fn triggers(connection: &Connection, table: &str) -> Result<Vec<Trigger>> {
    let mut statement = connection
        .prepare(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE ORDER BY name",
        )
        .map_err(error)?;
    let rows = statement
        .query_map([table], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(error)?;
    Ok(rows
        .into_iter()
        .map(|(name, create)| {
            let words: Vec<String> = create.split_whitespace().map(str::to_ascii_uppercase).collect();
            let when =
                ["BEFORE", "AFTER", "INSTEAD"].iter().find(|w| words.iter().any(|x| x == *w)).unwrap_or(&"BEFORE");
            let what = words.iter().find(|w| matches!(w.as_str(), "INSERT" | "UPDATE" | "DELETE"));
            Trigger { name, event: format!("{when} {}", what.map_or("", String::as_str)) }
        })
        .collect())
}
