//! The write transaction: inserts of many records, guarded updates and deletes, checks, commit.

use super::catalog::{Shape, bind, quote, text};
use super::params::{batches, extent, keys, push};
use super::view::{KEYS, View, pick};
use crate::database::{RowUpdate, Transaction};
use crate::error::{Quote, Result, fail};
use crate::model::encode::value_of;
use crate::model::schema::ColumnType;
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

/// How many records one statement changes at most: it looks through them for each.
const TOGETHER: usize = 64;

/// Tells whether changes of these columns can't be in each other's way, nor mean anything else when they come together:
/// one integer is the key, nothing else is unique, no trigger looks on, and the types are those that take what they are given.
fn independent(table: &Table, columns: &[usize]) -> bool {
    let taken = |column: usize| {
        let declared = table.columns[column].declared.to_ascii_lowercase();
        let known =
            ["int", "tinyint", "smallint", "mediumint", "bigint", "decimal", "varchar", "char", "text", "tinytext"]
                .into_iter()
                .chain(["mediumtext", "longtext", "date", "datetime", "timestamp", "time"])
                .any(|name| {
                    declared.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphabetic()))
                });
        known && table.columns[column].writable()
    };
    let &[key] = table.key.as_slice() else { return false };
    table.key_is_primary
        && matches!(table.columns[key].ty, ColumnType::Integer { .. })
        && !columns.contains(&key)
        && table.triggers.is_empty()
        && table.opaque_uniques.is_empty()
        && table.uniques.iter().all(|unique| unique.columns == table.key)
        && columns.iter().all(|&column| taken(column))
}

/// Tells whether a change is of whole numbers and texts only, under a whole number.
fn is_simple(update: &RowUpdate) -> bool {
    let simple = |cell: &OwnedCell| matches!(cell, OwnedCell::Null | OwnedCell::Int(_) | OwnedCell::Text(_));
    matches!(update.key.as_slice(), [OwnedCell::Int(_)]) && update.before.iter().chain(&update.after).all(simple)
}

/// Tells whether all changes give a column values of one kind: what stands in one expression gets one type.
fn same_kinds(updates: &[RowUpdate]) -> bool {
    let kind = |cell: &OwnedCell| (*cell != OwnedCell::Null).then(|| std::mem::discriminant(cell));
    let count = updates.first().map_or(0, |update| update.after.len());
    (0..count).all(|column| {
        let mut kinds = updates.iter().filter_map(|update| kind(&update.after[column]));
        kinds.next().is_none_or(|first| kinds.all(|other| other == first))
    })
}

/// Writes what keeps the columns with ON UPDATE CURRENT_TIMESTAMP as they are: only what is written keeps its value.
fn kept(shape: &Shape, columns: &[usize]) -> Vec<String> {
    let touched = shape.columns.iter().enumerate().filter(|(p, c)| c.touched && !columns.contains(p));
    touched.map(|(_, c)| format!("t.{0} = t.{0}", c.quoted)).collect()
}

impl View {
    /// Changes many records with one statement each few of them.
    fn update_together(&mut self, table: &Table, columns: &[usize], updates: &[RowUpdate]) -> Result<Vec<usize>> {
        let shape = self.shape(table)?;
        let doing = format!("updating {}", table.label());
        let key = &shape.columns[table.key[0]];
        let kept = kept(&shape, columns);
        let written = pick(&shape, columns);
        let guards = written.iter().map(|column| format!(" AND {}", column.unchanged)).collect::<String>();
        let guard = format!("(t.{} = {}{guards})", key.quoted, key.typed);
        let size = |update: &RowUpdate| {
            let ((count, after), (_, before)) = (extent(&update.after), extent(&update.before));
            (3 * count + 1, after + before)
        };
        for batch in batches(updates, TOGETHER, size).into_iter().flat_map(|(_, batch)| halves(batch)) {
            let mut arguments = MySqlArguments::default();
            let mut sets = Vec::with_capacity(columns.len() + kept.len());
            for (position, column) in written.iter().enumerate() {
                sets.push(format!(
                    "t.{} = CASE t.{}{} END",
                    column.quoted,
                    key.quoted,
                    " WHEN ? THEN ?".repeat(batch.len())
                ));
                for update in batch {
                    push(&mut arguments, &update.key[0])?;
                    push(&mut arguments, &update.after[position])?;
                }
            }
            sets.extend(kept.iter().cloned());
            for update in batch {
                update.key.iter().chain(&update.before).try_for_each(|cell| push(&mut arguments, cell))?;
            }
            let guards = vec![guard.as_str(); batch.len()].join(" OR ");
            // Of a small table the optimizer would read, and so lock, every record.
            let name = &shape.name;
            let sql = format!("UPDATE {name} t FORCE INDEX (PRIMARY) SET {} WHERE {guards}", sets.join(", "));
            let changed = self.session.affect(&sql, arguments, &doing)?;
            if changed != batch.len() as u64 {
                self.session.abandon();
                return Err(fail!(Refused, "{doing}: {changed} of {} records were as they have to be", batch.len()));
            }
            for update in batch {
                self.note_references(table, columns, &update.after);
            }
        }
        Ok(Vec::new())
    }

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
                let columns = table.names(&foreign_key.columns).into_iter().map(str::to_owned).collect();
                let (table, text) = (Some(label.clone()), format!("there is no {key}"));
                return Err(fail!(
                    Refused,
                    "{label}: a record refers through {name} to a record that {parent} does not have"
                )
                .quoting(Quote { table, columns: Some(columns), text }));
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
        if independent(table, columns) && updates.iter().all(is_simple) && same_kinds(updates) {
            return self.update_together(table, columns, updates);
        }
        let shape = self.shape(table)?;
        let doing = format!("updating {}", table.label());
        let kept = kept(&shape, columns);
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
    use super::{halves, is_simple, same_kinds};
    use crate::database::RowUpdate;
    use crate::model::OwnedCell;

    fn change(key: OwnedCell, before: OwnedCell, after: OwnedCell) -> RowUpdate {
        RowUpdate { key: vec![key], before: vec![before], after: vec![after] }
    }

    #[test]
    fn only_changes_to_values_of_one_kind_come_together() {
        let text = |text: &str| OwnedCell::Text(text.to_owned());
        let key = |key| OwnedCell::Int(key);
        assert!(is_simple(&change(key(1), OwnedCell::Null, text("a"))));
        assert!(!is_simple(&change(text("1"), OwnedCell::Null, text("a"))), "a key that is a text has a collation");
        assert!(!is_simple(&change(key(1), OwnedCell::Null, OwnedCell::Absent)), "a default is no value");
        assert!(!is_simple(&change(key(1), OwnedCell::Real(0.5), text("a"))), "doubles are spelled in other ways");
        let texts = [change(key(1), text("a"), OwnedCell::Null), change(key(2), OwnedCell::Null, text("b"))];
        assert!(same_kinds(&texts));
        let [first, second] = texts;
        assert!(!same_kinds(&[second, first.clone(), change(key(3), text("c"), OwnedCell::Int(7))]));
        assert!(same_kinds(&[first]), "nothing but NULL");
    }

    #[test]
    fn records_are_split_into_powers_of_two_in_order() {
        let records: Vec<usize> = (0..713).collect();
        let runs = halves(&records);
        assert_eq!(runs.iter().map(|r| r.len()).collect::<Vec<_>>(), [512, 128, 64, 8, 1]);
        assert_eq!(runs.concat(), records);
    }
}
