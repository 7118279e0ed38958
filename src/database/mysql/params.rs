//! Cells as parameters of prepared statements.

use super::catalog::ShapeColumn;
use crate::error::{Result, fail};
use crate::model::OwnedCell;
use sqlx::Arguments;
use sqlx::mysql::MySqlArguments;

/// The most placeholders one statement may have is 65,535.
const MOST_PLACEHOLDERS: usize = 60_000;
/// How many keys or records a question is about: the few sizes that its statements come in.
const SIZES: [usize; 4] = [1, 8, 64, 256];
/// How many bytes of values one statement carries.
const BATCH_BYTES: usize = 4 << 20;

/// Adds a cell as a parameter.
///
/// # Errors
/// `Failed` when it can't be sent.
pub(super) fn push(arguments: &mut MySqlArguments, cell: &OwnedCell) -> Result<()> {
    let added = match cell {
        OwnedCell::Absent | OwnedCell::Null => arguments.add(None::<&str>),
        OwnedCell::Bool(b) => arguments.add(i64::from(*b)),
        OwnedCell::Int(i) => arguments.add(*i),
        OwnedCell::UInt(u) => arguments.add(*u),
        OwnedCell::Real(r) => arguments.add(*r),
        OwnedCell::Number(s) | OwnedCell::String(s) | OwnedCell::Text(s) | OwnedCell::Json(s) => {
            arguments.add(s.as_str())
        }
        OwnedCell::RawText(b) | OwnedCell::Bytes(b) => arguments.add(b.as_slice()),
    };
    added.map_err(|error| fail!(Failed, "a value can't be sent").because(error))
}

/// Splits records into batches by number, placeholders and size.
pub(super) fn batches<T>(records: &[T], most: usize, cells: impl Fn(&T) -> (usize, usize)) -> Vec<(usize, &[T])> {
    let mut batches = Vec::new();
    let (mut start, mut placeholders, mut bytes) = (0, 0, 0);
    for (position, record) in records.iter().enumerate() {
        let (count, size) = cells(record);
        let full = position - start >= most
            || placeholders + count > MOST_PLACEHOLDERS
            || (position > start && bytes + size > BATCH_BYTES);
        if full && position > start {
            batches.push((start, &records[start..position]));
            (start, placeholders, bytes) = (position, 0, 0);
        }
        placeholders += count;
        bytes += size;
    }
    if start < records.len() {
        batches.push((start, &records[start..]));
    }
    batches
}

/// Returns how many cells there are and about how many bytes they take.
pub(super) fn extent(cells: &[OwnedCell]) -> (usize, usize) {
    let one = |cell: &OwnedCell| match cell {
        OwnedCell::Number(s) | OwnedCell::String(s) | OwnedCell::Text(s) | OwnedCell::Json(s) => s.len(),
        OwnedCell::RawText(b) | OwnedCell::Bytes(b) => b.len(),
        _ => 8,
    };
    (cells.len(), cells.iter().map(one).sum())
}

/// Returns the size of the statement that asks about so many keys or records; the rest is padding.
pub(super) fn padded(count: usize) -> usize {
    SIZES.into_iter().find(|size| *size >= count).unwrap_or(count)
}

/// Builds a table of typed keys, `w` with `place` from 1 and `k0`, `k1` …, and its parameters.
///
/// # Errors
/// As [`push`].
pub(super) fn keys(
    columns: &[&ShapeColumn],
    wanted: &[Vec<OwnedCell>],
    arguments: &mut MySqlArguments,
) -> Result<String> {
    let mut source = String::from("(");
    // A key of nulls finds nothing.
    let nothing = vec![OwnedCell::Null; columns.len()];
    for position in 0..padded(wanted.len()) {
        let key = wanted.get(position).unwrap_or(&nothing);
        source.push_str(if position > 0 { " UNION ALL SELECT " } else { "SELECT " });
        source.push_str(&(position + 1).to_string());
        if position == 0 {
            source.push_str(" AS place");
        }
        for (part, (column, cell)) in columns.iter().zip(key).enumerate() {
            source.push_str(", ");
            source.push_str(&column.typed);
            if position == 0 {
                source.push_str(&format!(" AS k{part}"));
            }
            push(arguments, cell)?;
        }
    }
    source.push_str(") w");
    Ok(source)
}

/// Returns the condition that columns of `t` equal the keys of `w`.
pub(super) fn equal(columns: &[&ShapeColumn]) -> String {
    let parts = columns.iter().enumerate().map(|(part, column)| format!("t.{} = w.k{part}", column.quoted));
    parts.collect::<Vec<_>>().join(" AND ")
}
