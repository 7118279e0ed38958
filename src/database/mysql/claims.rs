//! What records claim of unique keys over computed columns: the server computes them over typed values.

use super::catalog::text;
use super::errors;
use super::params::{batches, extent};
use super::view::View;
use super::violations::{PLACE, RECORDS, source};
use crate::error::Result;
use crate::model::{OwnedCell, Table, Unique};

pub(super) fn claims(
    view: &mut View,
    table: &Table,
    unique: &Unique,
    records: &[Vec<OwnedCell>],
) -> Result<Vec<Option<Vec<OwnedCell>>>> {
    let mut claims = vec![None; records.len()];
    let members: Vec<usize> = (0..records.len()).collect();
    for (_, batch) in batches(&members, RECORDS, |&m| extent(&records[m])) {
        ask(view, table, unique, records, batch, &mut claims)?;
    }
    Ok(claims)
}

/// Asks about records together; where the server can't compute for one of them, halves until it stands alone.
fn ask(
    view: &mut View,
    table: &Table,
    unique: &Unique,
    records: &[Vec<OwnedCell>],
    members: &[usize],
    claims: &mut [Option<Vec<OwnedCell>>],
) -> Result<()> {
    let shape = view.shape(table)?;
    let parts: Vec<&str> = unique.columns.iter().map(|&c| shape.columns[c].quoted.as_str()).collect();
    let (from, arguments) = source(&shape, &parts, records, members)?;
    let cast: String = parts.iter().map(|part| format!(", CAST({part} AS CHAR)")).collect();
    let rows = match view.session.try_rows(&format!("SELECT CAST({PLACE} AS CHAR){cast} FROM {from}"), arguments)? {
        Ok(rows) => rows,
        Err(error) if errors::connection_lost(&error) || errors::number(&error) == Some(1213) => {
            return Err(view.session.fail(error, &format!("checking values for {}", table.label())));
        }
        Err(_) if members.len() > 1 => {
            let (left, right) = members.split_at(members.len() / 2);
            ask(view, table, unique, records, left, claims)?;
            return ask(view, table, unique, records, right, claims);
        }
        // What can't be computed apart from the table claims nothing that could be told; the merge itself will say.
        Err(_) => return Ok(()),
    };
    for row in &rows {
        let place = text(row, 0).and_then(|p| p.parse::<usize>().ok()).and_then(|p| members.get(p.checked_sub(1)?));
        let cells: Option<Vec<OwnedCell>> = (1..=parts.len()).map(|p| text(row, p).map(OwnedCell::Text)).collect();
        if let Some(&member) = place {
            claims[member] = cells;
        }
    }
    Ok(())
}
