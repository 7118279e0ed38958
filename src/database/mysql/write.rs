//! The write transaction: inserts of many records, guarded updates and deletes, checks, commit.

use super::catalog::{bind, quote, text};
use super::params::{batches, extent, keys, push};
use super::view::{KEYS, View, pick};
use crate::database::{RowUpdate, Transaction};
use crate::error::{Result, fail};
use crate::model::encode::value_of;
use crate::model::{Key, OwnedCell, Table};
use sqlx::mysql::MySqlArguments;

/// Where a foreign key points to.
const TARGET: &str = "SELECT REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME \
    FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ? AND CONSTRAINT_NAME = ? \
    AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY ORDINAL_POSITION";

/// How many records one statement inserts at most.
const RECORDS: usize = 512;

/// Splits records into runs of 2ⁿ, in order, so that statements come in few sizes.
fn halves<T>(mut records: &[T]) -> Vec<&[T]> {
    let mut runs = Vec::new();
    while !records.is_empty() {
        let (run, rest) = records.split_at(1 << records.len().ilog2());
        runs.push(run);
        records = rest;
    }
    runs
}

impl View {
    /// Remembers what a written record refers to, for the check before the commit.
    ///
    /// A trigger may change what it refers to; the engine's own check is what holds then.
    fn note_references(&mut self, table: &Table, columns: &[usize], cells: &[OwnedCell]) {
        if !table.triggers.is_empty() {
            return;
        }
        for foreign_key in table.foreign_keys.iter().filter(|f| f.declared) {
            let cell = |c: &usize| columns.iter().position(|w| w == c).map(|position| cells[position].clone());
            let Some(tuple) = foreign_key.columns.iter().map(cell).collect::<Option<Vec<_>>>() else { continue };
            if tuple.iter().any(|c| matches!(c, OwnedCell::Null | OwnedCell::Absent)) {
                continue;
            }
            let place = (table.name.clone(), foreign_key.name.clone());
            self.references.entry(place).or_default().insert(format!("{tuple:?}"), tuple);
        }
    }

    /// Deletes for each whole record one that equals it: a table without a key has no other name for it.
    fn delete_equal(&mut self, table: &Table, records: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let doing = format!("deleting from {}", table.label());
        let mut missed = Vec::new();
        for (position, record) in records.iter().enumerate() {
            let mut arguments = MySqlArguments::default();
            let mut conditions = Vec::new();
            for (column, cell) in record.iter().enumerate() {
                if table.columns[column].writable() && *cell != OwnedCell::Absent {
                    // A deletion with a limit knows no alias.
                    let quoted = &shape.columns[column].quoted;
                    let condition = &shape.columns[column].unchanged;
                    conditions.push(condition.replacen(&format!("t.{quoted}"), quoted, 1));
                    push(&mut arguments, cell)?;
                }
            }
            let sql = format!("DELETE FROM {} WHERE {} LIMIT 1", shape.name, conditions.join(" AND "));
            if conditions.is_empty() || self.session.affect(&sql, arguments, &doing)? != 1 {
                missed.push(position);
            }
        }
        Ok(missed)
    }

    /// Makes sure that everything written under one foreign key refers to something.
    fn check_references(&mut self, table: &Table, name: &str, tuples: &[Vec<OwnedCell>]) -> Result<()> {
        let doing = format!("checking the foreign key {name} of {}", table.label());
        let Some(foreign_key) = table.foreign_keys.iter().find(|f| f.name == name) else { return Ok(()) };
        let shape = self.shape(table)?;
        let target = self.session.rows(TARGET, bind([&table.name, name]), &doing)?;
        let part = |row, position| text(row, position).map(|t| quote(&t));
        let columns: Option<Vec<String>> = target.iter().map(|row| part(row, 2)).collect();
        let place = target.first().and_then(|row| Some(format!("{}.{}", part(row, 0)?, part(row, 1)?)));
        let (Some(columns), Some(place)) = (columns, place) else { return Ok(()) };
        let key = pick(&shape, &foreign_key.columns);
        let joined: Vec<String> = columns.iter().enumerate().map(|(n, c)| format!("p.{c} = w.k{n}")).collect();
        for (_, batch) in batches(tuples, KEYS, |tuple| extent(tuple)) {
            let mut arguments = MySqlArguments::default();
            let source = keys(&key, batch, &mut arguments)?;
            let sql = format!(
                "SELECT CAST(w.place AS CHAR) FROM {source} LEFT JOIN {place} p ON {} \
                 WHERE p.{} IS NULL AND w.k0 IS NOT NULL LIMIT 1",
                joined.join(" AND "),
                columns[0]
            );
            let missing = self.session.rows(&sql, arguments, &doing)?;
            if let Some(row) = missing.first() {
                let at = text(row, 0).and_then(|p| p.parse::<usize>().ok()).unwrap_or(1);
                self.session.abandon();
                let shown = foreign_key.columns.iter().zip(&batch[at - 1]);
                let shown = shown.filter_map(|(&c, cell)| value_of(cell.as_cell(), &table.columns[c]));
                let key = Key(shown.collect());
                let (label, parent) = (table.label(), &foreign_key.table_name);
                return Err(fail!(
                    Refused,
                    "{label}: a record refers through {name} to {key}, which {parent} does not have"
                ));
            }
        }
        Ok(())
    }
}

impl Transaction for View {
    fn id(&mut self) -> Result<Option<String>> {
        Ok(None)
    }

    fn insert(&mut self, table: &Table, columns: &[usize], records: &[Vec<OwnedCell>]) -> Result<()> {
        let shape = self.shape(table)?;
        let doing = format!("inserting into {}", table.label());
        let names: Vec<&str> = columns.iter().map(|&c| shape.columns[c].quoted.as_str()).collect();
        for batch in batches(records, RECORDS, |record| extent(record)).into_iter().flat_map(|(_, batch)| halves(batch))
        {
            let mut arguments = MySqlArguments::default();
            let mut tuples = Vec::with_capacity(batch.len());
            for record in batch {
                let mut values = Vec::with_capacity(record.len());
                for cell in record {
                    if *cell == OwnedCell::Absent {
                        values.push("DEFAULT");
                    } else {
                        push(&mut arguments, cell)?;
                        values.push("?");
                    }
                }
                tuples.push(format!("({})", values.join(", ")));
            }
            let sql = format!("INSERT INTO {} ({}) VALUES {}", shape.name, names.join(", "), tuples.join(", "));
            let stored = self.session.affect(&sql, arguments, &doing)?;
            if stored != batch.len() as u64 {
                self.session.abandon();
                return Err(fail!(Refused, "{doing}: {stored} of {} records were stored", batch.len()));
            }
            for record in batch {
                self.note_references(table, columns, record);
            }
        }
        Ok(())
    }

    fn update(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let doing = format!("updating {}", table.label());
        // A column with ON UPDATE CURRENT_TIMESTAMP keeps its value only if it is written.
        let kept = shape.columns.iter().enumerate().filter(|(p, c)| c.touched && !columns.contains(p));
        let kept: Vec<String> = kept.map(|(_, c)| format!("t.{0} = t.{0}", c.quoted)).collect();
        let mut missed = Vec::new();
        for (position, update) in updates.iter().enumerate() {
            let mut arguments = MySqlArguments::default();
            let (mut sets, mut conditions) = (Vec::new(), Vec::new());
            for (column, after) in pick(&shape, columns).into_iter().zip(&update.after) {
                if *after != OwnedCell::Absent {
                    sets.push(format!("t.{} = ?", column.quoted));
                    push(&mut arguments, after)?;
                }
            }
            if sets.is_empty() {
                continue;
            }
            sets.extend(kept.iter().cloned());
            for (column, part) in pick(&shape, &table.key).into_iter().zip(&update.key) {
                conditions.push(format!("t.{} = {}", column.quoted, column.typed));
                push(&mut arguments, part)?;
            }
            for (column, before) in pick(&shape, columns).into_iter().zip(&update.before) {
                if *before != OwnedCell::Absent {
                    conditions.push(column.unchanged.clone());
                    push(&mut arguments, before)?;
                }
            }
            let sql = format!("UPDATE {} t SET {} WHERE {}", shape.name, sets.join(", "), conditions.join(" AND "));
            if self.session.affect(&sql, arguments, &doing)? == 0 {
                missed.push(position);
                continue;
            }
            self.note_references(table, columns, &update.after);
        }
        Ok(missed)
    }

    fn delete(&mut self, table: &Table, keys_wanted: &[Vec<OwnedCell>]) -> Result<Vec<usize>> {
        if table.key.is_empty() {
            return self.delete_equal(table, keys_wanted);
        }
        let shape = self.shape(table)?;
        let doing = format!("deleting from {}", table.label());
        let key = pick(&shape, &table.key);
        let conditions: Vec<String> = key.iter().map(|c| format!("t.{} = {}", c.quoted, c.typed)).collect();
        let sql = format!("DELETE t FROM {} t WHERE {}", shape.name, conditions.join(" AND "));
        let mut missed = Vec::new();
        for (position, wanted) in keys_wanted.iter().enumerate() {
            let mut arguments = MySqlArguments::default();
            wanted.iter().try_for_each(|part| push(&mut arguments, part))?;
            if self.session.affect(&sql, arguments, &doing)? == 0 {
                missed.push(position);
            }
        }
        Ok(missed)
    }

    /// InnoDB checks every foreign key as it writes; this asks again for what was written, and whether checks were on.
    /// References that were broken before the merge are not looked for.
    fn check(&mut self, tables: &[&Table]) -> Result<()> {
        let sql = "SELECT CAST(@@SESSION.foreign_key_checks + 0 AS CHAR)";
        let rows = self.session.rows(sql, MySqlArguments::default(), "checking foreign keys")?;
        if rows.first().and_then(|row| text(row, 0)).as_deref() != Some("1") {
            self.session.abandon();
            return Err(fail!(Refused, "foreign key checks were switched off while writing"));
        }
        for table in tables {
            for foreign_key in &table.foreign_keys {
                let place = (table.name.clone(), foreign_key.name.clone());
                let tuples: Vec<_> =
                    self.references.get(&place).into_iter().flat_map(|t| t.values().cloned()).collect();
                self.check_references(table, &foreign_key.name, &tuples)?;
            }
        }
        Ok(())
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
    use super::halves;

    #[test]
    fn records_are_split_into_powers_of_two_in_order() {
        let records: Vec<usize> = (0..713).collect();
        let runs = halves(&records);
        assert_eq!(runs.iter().map(|r| r.len()).collect::<Vec<_>>(), [512, 128, 64, 8, 1]);
        assert_eq!(runs.concat(), records);
    }
}
