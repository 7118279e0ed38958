//! Looking up what a plan names in the catalog of the connection at hand, where it may be gone by now.

use crate::error::{Error, Result, fail};
use crate::model::Table;

/// Says that something is not there any more.
pub(super) fn gone(what: &str) -> Error {
    fail!(SchemaMismatch, "{what} is not in the database any more").hint("analyze again with the present schema")
}

/// Finds a table's columns among those of the catalog, in the table's order.
///
/// # Errors
/// `SchemaMismatch` naming the first that is gone.
pub(super) fn columns<'a, C>(table: &Table, catalog: &'a [C], name: fn(&C) -> &str) -> Result<Vec<&'a C>> {
    let find = |wanted: &str| catalog.iter().find(|column| name(column) == wanted);
    let found = |name: &String| find(name).ok_or_else(|| gone(&format!("column {}.{name}", table.label())));
    table.columns.iter().map(|column| found(&column.name)).collect()
}
