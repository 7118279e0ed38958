//! The write transaction: set-based inserts, guarded updates and deletes, checks, commit.

use super::catalog::{Shape, ShapeColumn};
use super::outcome;
use super::params::Params;
use super::types::Wire;
use super::view::{View, batches, equal, key_values, weight};
use crate::database::{RowUpdate, Transaction};
use crate::error::{Result, fail};
use crate::model::{OwnedCell, Table};
use sqlx::Row;
use sqlx::postgres::PgArguments;

/// Splits records into runs of one pattern of absent cells, in order: a parent stays before its children.
fn runs<T, P: PartialEq>(records: &[T], pattern: impl Fn(&T) -> P) -> Vec<(usize, &[T])> {
    let mut runs = Vec::new();
    let mut start = 0;
    for position in 1..=records.len() {
        if position == records.len() || pattern(&records[position]) != pattern(&records[start]) {
            runs.push((start, &records[start..position]));
            start = position;
        }
    }
    runs
}

fn absent(cells: &[OwnedCell]) -> Vec<bool> {
    cells.iter().map(|cell| *cell == OwnedCell::Absent).collect()
}

/// Returns the condition that a column still holds a value, bit for bit where its own equality is coarser.
fn unchanged(column: &ShapeColumn, value: &str) -> String {
    match column.wire {
        Wire::Text | Wire::Printed | Wire::Array | Wire::Jsonb => {
            format!("t.{}::text COLLATE \"C\" IS NOT DISTINCT FROM ({value})::text COLLATE \"C\"", column.quoted)
        }
        _ => format!("t.{} IS NOT DISTINCT FROM {value}", column.quoted),
    }
}

impl View {
    fn insert_run(&mut self, table: &Table, shape: &Shape, columns: &[usize], batch: &[Vec<OwnedCell>]) -> Result<()> {
        let doing = format!("inserting into {}", table.label());
        self.session.needs("INSERT", table);
        let mut params = Params::default();
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (position, &column) in columns.iter().enumerate().filter(|(p, _)| batch[0][*p] != OwnedCell::Absent) {
            let column = &shape.columns[column];
            values.push(params.column(column, batch.iter().map(|record| &record[position]))?);
            names.push(column.quoted.as_str());
        }
        let stored = if names.is_empty() {
            let sql = format!("INSERT INTO {} DEFAULT VALUES", shape.name);
            let mut stored = 0;
            for _ in batch {
                stored += self.session.affect(&sql, PgArguments::default(), &doing)?;
            }
            stored
        } else {
            let sql = format!(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} ORDER BY u.place",
                shape.name,
                names.join(", "),
                values.join(", "),
                params.source()
            );
            self.session.affect(&sql, params.into_arguments(), &doing)?
        };
        let dropped = batch.len() as u64 - stored.min(batch.len() as u64);
        if dropped > 0 {
            self.session.abandon();
            return Err(fail!(Refused, "{doing}: {dropped} of {} records were not stored", batch.len())
                .hint("a trigger or rule of the table drops them"));
        }
        Ok(())
    }

    /// Deletes for each whole record one that equals it, found and locked by its place: a table without a key has no
    /// other name for it, and within one transaction a locked record stays where it is.
    fn delete_equal(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let doing = format!("deleting from {}", table.label());
        self.session.needs("SELECT, UPDATE, DELETE", table);
        let mut missed = Vec::new();
        for (position, record) in records.iter().enumerate() {
            let mut params = Params::default();
            let mut conditions = Vec::new();
            for (column, cell) in record.iter().enumerate() {
                if table.columns[column].writable() && *cell != OwnedCell::Absent {
                    let column = &shape.columns[column];
                    let value = params.column(column, std::iter::once(cell))?;
                    conditions.push(unchanged(column, &value));
                }
            }
            if conditions.is_empty() {
                missed.push(position);
                continue;
            }
            let sql = format!(
                "DELETE FROM {0} d WHERE (d.tableoid, d.ctid) = \
                 (SELECT t.tableoid, t.ctid FROM {0} t, {1} WHERE {2} LIMIT 1 FOR UPDATE OF t)",
                shape.from,
                params.source(),
                conditions.join(" AND ")
            );
            if self.session.affect(&sql, params.into_arguments(), &doing)? != 1 {
                missed.push(position);
            }
        }
        Ok(missed)
    }

    /// Runs a statement that returns the positions it found; gives those it did not.
    fn found(&mut self, sql: &str, params: Params, range: (usize, usize), doing: &str) -> Result<Vec<usize>> {
        let (start, length) = range;
        let mut found = vec![false; length];
        for row in self.session.rows(sql, params.into_arguments(), doing)? {
            let place: i64 = row.get(0);
            if let Some(slot) = usize::try_from(place - 1).ok().and_then(|p| found.get_mut(p)) {
                *slot = true;
            }
        }
        Ok(found.iter().enumerate().filter(|(_, found)| !**found).map(|(p, _)| start + p).collect())
    }
}

impl Transaction for View {
    fn id(&mut self) -> Result<Option<String>> {
        outcome::name(&mut self.session).map(Some)
    }

    fn insert(&mut self, table: &Table, columns: &[usize], records: &[Vec<OwnedCell>]) -> Result<()> {
        let shape = self.shape(table)?;
        for (_, run) in runs(records, |record| absent(record)) {
            for (_, batch) in batches(run, |record| weight(record)) {
                self.insert_run(table, &shape, columns, batch)?;
            }
        }
        Ok(())
    }

    fn update(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let doing = format!("updating {}", table.label());
        self.session.needs("SELECT, UPDATE", table);
        let mut missed = Vec::new();
        for (run_start, run) in runs(updates, |update| (absent(&update.before), absent(&update.after))) {
            for (start, batch) in batches(run, |u| weight(&u.key) + weight(&u.before) + weight(&u.after)) {
                let mut params = Params::default();
                let keys = key_values(&mut params, &shape, &table.key, batch, |update| update.key.as_slice())?;
                let (mut sets, mut conditions) = (Vec::new(), vec![equal(&shape, &table.key, &keys)]);
                for (position, &column) in columns.iter().enumerate() {
                    let column = &shape.columns[column];
                    if batch[0].before[position] != OwnedCell::Absent {
                        let value = params.column(column, batch.iter().map(|u| &u.before[position]))?;
                        conditions.push(unchanged(column, &value));
                    }
                    if batch[0].after[position] != OwnedCell::Absent {
                        let value = params.column(column, batch.iter().map(|u| &u.after[position]))?;
                        sets.push(format!("{} = {value}", column.quoted));
                    }
                }
                if sets.is_empty() {
                    continue;
                }
                let sql = format!(
                    "UPDATE {} t SET {} FROM {} WHERE {} RETURNING u.place::int8",
                    shape.from,
                    sets.join(", "),
                    params.source(),
                    conditions.join(" AND ")
                );
                missed.extend(self.found(&sql, params, (run_start + start, batch.len()), &doing)?);
            }
        }
        Ok(missed)
    }

    fn delete(&mut self, table: &Table, keys: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        if table.key.is_empty() {
            return self.delete_equal(table, keys);
        }
        let shape = self.shape(table)?;
        let doing = format!("deleting from {}", table.label());
        self.session.needs("SELECT, DELETE", table);
        let mut missed = Vec::new();
        for (start, batch) in batches(keys, |key| weight(key)) {
            let mut params = Params::default();
            let values = key_values(&mut params, &shape, &table.key, batch, |key| key.as_slice())?;
            let sql = format!(
                "DELETE FROM {} t USING {} WHERE {} RETURNING u.place::int8",
                shape.from,
                params.source(),
                equal(&shape, &table.key, &values)
            );
            missed.extend(self.found(&sql, params, (start, batch.len()), &doing)?);
        }
        Ok(missed)
    }

    fn check(&mut self, _tables: &[&Table]) -> Result<()> {
        self.session.run("SET CONSTRAINTS ALL IMMEDIATE", "checking deferred constraints")
    }

    fn commit(mut self: Box<Self>) -> Result<()> {
        self.session.commit()
    }

    fn rollback(mut self: Box<Self>) -> Result<()> {
        self.session.rollback()
    }
}

#[cfg(test)]
mod tests {
    use super::runs;

    #[test]
    fn runs_keep_the_order() {
        let numbers = [1, 3, 2, 4, 5, 7];
        let expected: Vec<(usize, &[i32])> = vec![(0, &[1, 3]), (2, &[2, 4]), (4, &[5, 7])];
        assert_eq!(runs(&numbers, |n| n % 2), expected);
        assert_eq!(runs(&[] as &[i32], |n| n % 2), Vec::new());
    }
}
