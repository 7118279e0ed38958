//! Records looked up by the values of some columns.
//!
//! Where an index has the columns, each look-up is its own. Where none has, as with references that nobody indexed, every
//! look-up would read the whole table; then it is read once for many.

use super::read::{read_row, select_list};
use super::values::bound;
use super::{error, sql};
use crate::database::FetchSink;
use crate::error::Result;
use crate::model::{Column, ForeignKey, OwnedCell, Table};
use rusqlite::{Connection, params_from_iter};

/// From so many tuples on a table that has no index for them is read once, and not once for each.
const FEW: usize = 3;

/// Tuples looked for while a table is read once.
const TOGETHER: usize = 500;

/// Values that a statement may have at most, and some to spare (<https://sqlite.org/limits.html#max_variable_number>).
const MOST_VALUES: usize = 30_000;

/// Calls a function with every record that has one of the tuples, and which.
pub(super) fn fetch(
    connection: &Connection,
    table: &Table,
    columns: &[usize],
    wanted: &[Vec<OwnedCell>],
    sink: &mut FetchSink<'_>,
) -> Result<()> {
    let condition = sql::all(table, columns, "=");
    let text = format!("SELECT {} FROM {} WHERE {condition}", select_list(table), sql::quote(&table.name));
    let mut found = |position: usize, row: &rusqlite::Row<'_>| {
        let mut cells = Vec::with_capacity(table.columns.len());
        read_row(row, table, &mut cells)?;
        sink(position, &cells)
    };
    if wanted.len() >= FEW && reads_all(connection, &text)? {
        let own = |(position, column): (usize, &Column)| {
            if column.writable() { format!("t.{}", sql::quote(&column.name)) } else { format!("NULL AS n{position}") }
        };
        let list = table.columns.iter().enumerate().map(own).collect::<Vec<_>>().join(", ");
        return in_one_go(
            connection,
            table,
            columns,
            wanted,
            (&format!("{list}, w.column1"), ""),
            &mut |start, row| found(start + row.get::<_, u32>(table.columns.len()).map_err(error)? as usize, row),
        );
    }
    let mut statement = connection.prepare_cached(&text).map_err(error)?;
    for (position, tuple) in wanted.iter().enumerate() {
        let mut rows = statement.query(params_from_iter(tuple.iter().map(bound))).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            found(position, row)?;
        }
    }
    Ok(())
}

/// Counts the records that refer to each of the tuples.
pub(super) fn referrers(
    connection: &Connection,
    table: &Table,
    foreign_key: &ForeignKey,
    wanted: &[Vec<OwnedCell>],
) -> Result<Vec<u64>> {
    let condition = sql::all(table, &foreign_key.columns, "=");
    let text = format!("SELECT count(*) FROM {} WHERE {condition}", sql::quote(&table.name));
    let number = |row: &rusqlite::Row<'_>, at| Ok(u64::try_from(row.get::<_, i64>(at).map_err(error)?).unwrap_or(0));
    if wanted.len() >= FEW && reads_all(connection, &text)? {
        let mut counts = vec![0; wanted.len()];
        let selected = ("w.column1, count(*)", "GROUP BY w.column1");
        in_one_go(connection, table, &foreign_key.columns, wanted, selected, &mut |start, row| {
            counts[start + row.get::<_, u32>(0).map_err(error)? as usize] = number(row, 1)?;
            Ok(())
        })?;
        return Ok(counts);
    }
    let mut statement = connection.prepare_cached(&text).map_err(error)?;
    let count = |tuple: &Vec<OwnedCell>| {
        let mut rows = statement.query(params_from_iter(tuple.iter().map(bound))).map_err(error)?;
        rows.next().map_err(error)?.map_or(Ok(0), |row| number(row, 0))
    };
    wanted.iter().map(count).collect()
}

/// Tells whether SQLite reads the whole table for a look-up.
fn reads_all(connection: &Connection, text: &str) -> Result<bool> {
    let mut statement = connection.prepare_cached(&format!("EXPLAIN QUERY PLAN {text}")).map_err(error)?;
    let mut steps = statement.raw_query();
    while let Some(step) = steps.next().map_err(error)? {
        if step.get_ref(3).map_err(error)?.as_str().is_ok_and(|step| step.starts_with("SCAN")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads a table once for many tuples: what is selected may name the table as `t` and the place of a tuple, counted from
/// the first of its batch, as `w.column1`.
fn in_one_go(
    connection: &Connection,
    table: &Table,
    columns: &[usize],
    wanted: &[Vec<OwnedCell>],
    (selected, rest): (&str, &str),
    found: &mut dyn FnMut(usize, &rusqlite::Row<'_>) -> Result<()>,
) -> Result<()> {
    let names: Vec<String> = columns.iter().map(|&c| format!("t.{}", sql::quote(&table.columns[c].name))).collect();
    let width = columns.len();
    let together = (MOST_VALUES / width).clamp(1, TOGETHER);
    for (batch, tuples) in wanted.chunks(together).enumerate() {
        let marks = |at: usize| (1..=width).map(|p| format!("?{}", at * width + p)).collect::<Vec<_>>().join(", ");
        let list = |one: &dyn Fn(usize) -> String| (0..tuples.len()).map(one).collect::<Vec<_>>().join(", ");
        // The first condition is a look-up in a list that SQLite sorts; what it lets through is few.
        let among = match names.as_slice() {
            [name] => format!("{name} IN ({})", list(&|at| marks(at))),
            names => format!("({}) IN (VALUES {})", names.join(", "), list(&|at| format!("({})", marks(at)))),
        };
        let equal = names.iter().enumerate().map(|(p, name)| format!("{name} = w.column{}", p + 2));
        let text = format!(
            "SELECT {selected} FROM {} AS t CROSS JOIN (VALUES {}) AS w WHERE {among} AND {} {rest}",
            sql::quote(&table.name),
            list(&|at| format!("({at}, {})", marks(at))),
            equal.collect::<Vec<_>>().join(" AND ")
        );
        let mut statement = connection.prepare(&text).map_err(error)?;
        let mut rows = statement.query(params_from_iter(tuples.iter().flatten().map(bound))).map_err(error)?;
        while let Some(row) = rows.next().map_err(error)? {
            found(batch * together, row)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::sqlite::Sqlite;
    use crate::database::{Database, Snapshot};
    use crate::model::Cell;

    const COUNT: usize = 1_200;

    /// A table with an index on one of two columns that hold the same.
    fn database(folder: &std::path::Path) -> (Table, Box<dyn Snapshot>) {
        let path = folder.join("c.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = OFF; CREATE TABLE p (id INTEGER PRIMARY KEY);
                 CREATE TABLE w (id INTEGER PRIMARY KEY, column1 TEXT COLLATE NOCASE, \"in d\" TEXT COLLATE NOCASE,
                 n NUMERIC REFERENCES p, m NUMERIC REFERENCES p, double INTEGER GENERATED ALWAYS AS (id * 2));
                 CREATE INDEX by_in_d ON w (\"in d\");
                 CREATE INDEX by_m ON w (m);",
            )
            .unwrap();
        connection.execute_batch("BEGIN").unwrap();
        for id in 0..COUNT {
            let text = (id % 7 != 0).then(|| format!("Text {}", id / 2));
            connection
                .execute(
                    "INSERT INTO w VALUES (?1, ?2, ?2, ?3, ?3)",
                    rusqlite::params![id as i64, text, (id / 3) as i64],
                )
                .unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        let mut database = Sqlite::open(&path).unwrap();
        let schema = database.schema().unwrap();
        let table = schema.tables[schema.table("w").unwrap()].clone();
        (table, database.snapshot().unwrap())
    }

    fn found(
        view: &mut dyn Snapshot,
        table: &Table,
        columns: &[&str],
        wanted: &[Vec<OwnedCell>],
    ) -> Vec<(usize, String)> {
        let columns: Vec<usize> = columns.iter().map(|c| table.column(c).unwrap()).collect();
        let mut found = Vec::new();
        let mut sink = |position: usize, cells: &[Cell<'_>]| {
            found.push((position, format!("{cells:?}")));
            Ok(())
        };
        view.fetch(table, &columns, wanted, &mut sink).unwrap();
        found.sort();
        found
    }

    #[test]
    fn records_found_without_an_index_are_those_found_with_one() {
        let folder = tempfile::tempdir().unwrap();
        let (table, mut view) = database(folder.path());
        // More than are looked for in one go; in other letters, twice, as other types, not there, and null.
        let texts: Vec<OwnedCell> = (0..1_100).map(|n| OwnedCell::Text(format!("tEXT {}", n % 640))).collect();
        let mut texts: Vec<Vec<OwnedCell>> = texts.into_iter().map(|t| vec![t]).collect();
        texts.push(vec![OwnedCell::Null]);
        let by_text = found(view.as_mut(), &table, &["column1"], &texts);
        assert_eq!(by_text, found(view.as_mut(), &table, &["in d"], &texts));
        assert!(by_text.len() > 1_500, "{}", by_text.len());
        let numbers = [OwnedCell::Int(5), OwnedCell::Text("7".to_owned()), OwnedCell::Real(9.0), OwnedCell::Null];
        let numbers: Vec<Vec<OwnedCell>> = numbers.into_iter().map(|n| vec![n]).collect();
        let by_number = found(view.as_mut(), &table, &["n"], &numbers);
        assert_eq!(by_number, found(view.as_mut(), &table, &["m"], &numbers));
        assert_eq!(by_number.len(), 9);
        let pair = |text: usize, number: i64| vec![OwnedCell::Text(format!("text {text}")), OwnedCell::Int(number)];
        let pairs = vec![pair(4, 2), pair(4, 3), pair(5, 3), pair(5, 3)];
        let by_pair = found(view.as_mut(), &table, &["column1", "n"], &pairs);
        assert_eq!(by_pair, found(view.as_mut(), &table, &["in d", "m"], &pairs));
        assert_eq!(by_pair.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [0, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn a_table_is_read_as_a_whole_only_where_no_index_has_the_columns() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, UNIQUE (a, b))").unwrap();
        for (condition, all) in [("id = ?", false), ("a = ?", false), ("a = ? AND b = ?", false), ("b = ?", true)] {
            let text = format!("SELECT * FROM t WHERE {condition}");
            assert_eq!(reads_all(&connection, &text).unwrap(), all, "{condition}");
        }
    }

    #[test]
    fn records_that_refer_to_others_are_counted_alike_with_an_index_and_without() {
        let folder = tempfile::tempdir().unwrap();
        let (table, mut view) = database(folder.path());
        let wanted: Vec<Vec<OwnedCell>> = (0..700).map(|n| vec![OwnedCell::Int(n % 450)]).collect();
        let mut count = |column: &str| {
            let columns = [table.column(column).unwrap()];
            let foreign_key = table.foreign_keys.iter().find(|f| f.columns == columns).unwrap();
            view.referrers(&table, foreign_key, &wanted).unwrap()
        };
        let counts = count("n");
        assert_eq!(counts, count("m"));
        assert_eq!((counts[0], counts[399], counts[400], counts[450]), (3, 3, 0, 3));
    }
}
