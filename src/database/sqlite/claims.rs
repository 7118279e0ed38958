//! What records claim of indexes over expressions, with a predicate, with a collation of their own: a record is put into
//! the scratch table and the index's own SQL is asked there.

use super::error;
use super::read::{Scratch, insert, read_row, select_list};
use super::sql::{self, IndexSql};
use super::values::{bound, cell_of};
use crate::database::FetchSink;
use crate::error::Result;
use crate::model::{Cell, OwnedCell, Table, Unique};
use rusqlite::{Connection, OptionalExtension, params_from_iter};

/// Reads what an index is over; none for the indexes that a table's own constraints make.
pub(super) fn definition(connection: &Connection, name: &str) -> Result<Option<IndexSql>> {
    let text: Option<Option<String>> = connection
        .query_row("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", [name], |r| r.get(0))
        .optional()
        .map_err(error)?;
    Ok(text.flatten().as_deref().and_then(sql::index))
}

/// Returns the index's parts and predicate as SQL.
fn sql_of(connection: &Connection, table: &Table, unique: &Unique) -> Result<IndexSql> {
    Ok(match definition(connection, &unique.name)? {
        Some(index) => index,
        None => IndexSql { parts: table.names(&unique.columns).into_iter().map(sql::quote).collect(), predicate: None },
    })
}

pub(super) fn claims(
    scratch: &mut Scratch,
    source: &Connection,
    table: &Table,
    unique: &Unique,
    records: &[Vec<OwnedCell>],
) -> Result<Vec<Option<Vec<OwnedCell>>>> {
    let index = sql_of(source, table, unique)?;
    let Some(memory) = scratch.table(source, table)? else { return Ok(vec![None; records.len()]) };
    let parts: Vec<String> = index.parts.iter().map(|p| format!("({p})")).collect();
    let predicate = index.predicate.map(|p| format!(" WHERE ({p})")).unwrap_or_default();
    let text = format!("SELECT {} FROM {}{predicate}", parts.join(", "), sql::quote(&table.name));
    let ask = |record: &Vec<OwnedCell>| -> Result<Option<Vec<OwnedCell>>> {
        memory.execute_batch("SAVEPOINT claim").map_err(error)?;
        // A record that its own table refuses claims nothing; nor does one that an expression can't be asked about.
        let claim = insert(memory, table, record).and_then(|()| {
            memory
                .prepare_cached(&text)?
                .query_row([], |row| {
                    (0..parts.len())
                        .map(|p| Ok(OwnedCell::from(cell_of(row.get_ref(p)?))))
                        .collect::<rusqlite::Result<Vec<_>>>()
                })
                .optional()
        });
        memory.execute_batch("ROLLBACK TO claim; RELEASE claim").map_err(error)?;
        Ok(claim.ok().flatten().filter(|cells| !cells.contains(&OwnedCell::Null)))
    };
    records.iter().map(ask).collect()
}

pub(super) fn claimants(
    connection: &Connection,
    table: &Table,
    unique: &Unique,
    claims: &[Vec<OwnedCell>],
    sink: &mut FetchSink<'_>,
) -> Result<()> {
    let index = sql_of(connection, table, unique)?;
    let mut conditions: Vec<String> = index.parts.iter().map(|p| format!("({p}) = ?")).collect();
    conditions.extend(index.predicate.map(|p| format!("({p})")));
    let text =
        format!("SELECT {} FROM {} WHERE {}", select_list(table), sql::quote(&table.name), conditions.join(" AND "));
    let mut statement = connection.prepare_cached(&text).map_err(error)?;
    for (position, claim) in claims.iter().enumerate() {
        let mut rows = statement.query(params_from_iter(claim.iter().map(bound))).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            let mut cells: Vec<Cell<'_>> = Vec::with_capacity(table.columns.len());
            read_row(row, table, &mut cells)?;
            sink(position, &cells)?;
        }
    }
    Ok(())
}
