//! The adapters against real servers: every type, every schema feature, locks, errors, counters.

mod postgres;

use merganser::database::{Database, Snapshot};
use merganser::model::encode::value_of;
use merganser::model::{Cell, OwnedCell, Schema, Table};

/// Returns a table of a schema by its label.
fn table<'a>(schema: &'a Schema, name: &str) -> &'a Table {
    let position = schema.table(name).unwrap_or_else(|| panic!("no table {name} in {:?}", labels(schema)));
    &schema.tables[position]
}

fn labels(schema: &Schema) -> Vec<String> {
    schema.tables.iter().map(Table::label).collect()
}

/// Reads all records of a table.
fn scan(snapshot: &mut dyn Snapshot, table: &Table) -> Vec<Vec<OwnedCell>> {
    let mut records = Vec::new();
    let mut sink = |cells: &[Cell<'_>]| {
        records.push(cells.iter().map(|c| OwnedCell::from(*c)).collect());
        Ok(())
    };
    snapshot.scan(table, &mut sink).unwrap_or_else(|error| panic!("{error:?}"));
    records
}

/// Fetches by the columns given, sorted by what was wanted.
fn fetch(
    snapshot: &mut dyn Snapshot,
    table: &Table,
    columns: &[usize],
    wanted: &[Vec<OwnedCell>],
) -> Vec<(usize, Vec<OwnedCell>)> {
    let mut records = Vec::new();
    let mut sink = |place: usize, cells: &[Cell<'_>]| {
        records.push((place, cells.iter().map(|c| OwnedCell::from(*c)).collect()));
        Ok(())
    };
    snapshot.fetch(table, columns, wanted, &mut sink).unwrap_or_else(|error| panic!("{error:?}"));
    records.sort_by_key(|(place, _): &(usize, Vec<OwnedCell>)| *place);
    records
}

fn text(text: &str) -> OwnedCell {
    OwnedCell::Text(text.to_owned())
}

fn all_columns(table: &Table) -> Vec<usize> {
    (0..table.columns.len()).collect()
}

/// Reads each record, turns every cell into its value and back, and compares with what was read.
///
/// Then writes the values into an empty copy of the table and reads them again: what `store` gives is what the engine
/// gives back.
fn round_trip(database: &mut dyn Database, from: &str, to: &str) {
    let schema = database.schema().expect("the schema");
    let (from, to) = (table(&schema, from), table(&schema, to));
    let records = scan(&mut *database.snapshot().expect("a snapshot"), from);
    assert!(!records.is_empty());
    let stored: Vec<Vec<OwnedCell>> = records
        .iter()
        .map(|record| {
            let store = |(cell, column): (&OwnedCell, _)| {
                let value = value_of(cell.as_cell(), column).expect("a value");
                database.store(column, &value).unwrap_or_else(|why| panic!("{} {value:?}: {why}", column.name))
            };
            record.iter().zip(&from.columns).map(store).collect()
        })
        .collect();
    let mut transaction = database.begin(&Default::default()).expect("a transaction");
    transaction.insert(to, &all_columns(to), &stored).expect("inserted");
    transaction.check(&[to]).expect("checked");
    transaction.commit().expect("committed");
    let again = scan(&mut *database.snapshot().expect("a snapshot"), to);
    assert_eq!(format!("{records:?}"), format!("{again:?}"));
}
