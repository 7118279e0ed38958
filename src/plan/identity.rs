//! Records that a merge writes under another key: into the current record that holds their unique key, or beside it under
//! a key made for them; and the references that follow.
//!
//! Which record gets which key is found before anything else is settled, from decisions and strategy alone, and kept in
//! the plan file, so that memory does not grow with it and every look at a record sees the same.

mod follow;
mod moved;

use super::choices::{self, Choice as Answer};
use super::decision::Decision;
use super::settle::{Settled, Strategies, Target, exists, inserted, refused};
use super::store::Stored;
use super::{Outcome, Plan, codec, lost};
use crate::analyzer::classify::instant;
use crate::analyzer::{Finding, graph, made_key, next_number};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{ForeignKey, Table, Value};
use crate::strategy::{Choice, Strategy};
use rusqlite::{OptionalExtension, params};

use follow::turn;
pub(super) use follow::{claims, follow, known};
pub(super) use moved::moved;

/// Records looked at in one go.
const PAGE: usize = 500;

/// Under which keys records of the backup are known, and under which they are written; looked up in both directions.
pub(super) const REMAPS: &str = "CREATE TABLE IF NOT EXISTS remaps (table_id INTEGER NOT NULL, columns TEXT NOT NULL,
    old BLOB NOT NULL, new_values BLOB NOT NULL, new BLOB NOT NULL, record_id INTEGER NOT NULL,
    PRIMARY KEY (table_id, columns, old)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS remaps_new ON remaps (new);
    CREATE INDEX IF NOT EXISTS remaps_record ON remaps (record_id);";

/// What the values of a table's columns become. The other queries leave the primary key alone by a plus sign: it would have them
/// read all of a table's.
const RENAMED: &str = "SELECT new_values FROM remaps WHERE table_id = ?1 AND columns = ?2 AND old = ?3";
/// What a table's columns become in a record.
const MADE_FOR: &str = "SELECT new_values FROM remaps WHERE record_id = ?1 AND +table_id = ?2 AND +columns = ?3";
/// The record that gets some values in a table's columns.
const UNDER_NEW_KEY: &str = "SELECT r.key_bytes FROM remaps m JOIN records r ON r.id = m.record_id
    WHERE +m.table_id = ?1 AND +m.columns = ?2 AND m.new = ?3 AND m.new <> m.old";
/// How many records get some values in a table's columns.
const MEETING: &str = "SELECT count(*) FROM remaps WHERE +table_id = ?1 AND +columns = ?2 AND new = ?3";

/// The arriving records that refer to a record, by table.
#[derive(Debug, Default)]
pub(super) struct Followers {
    pub(super) all: Vec<(String, u64)>,
    /// Those that can't refer to the existing record instead: another record has what they would have then.
    pub(super) hindered: Vec<Hindered>,
}

/// Records of a table that can't follow.
#[derive(Debug)]
pub(super) struct Hindered {
    pub(super) table: String,
    pub(super) count: u64,
    /// Why; of one of them.
    pub(super) why: String,
}

/// A choice about identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    IntoExisting,
    NewKey,
}

/// Returns the choice about identity that was made for a record and is possible.
pub(super) fn chosen(plan: &Plan, strategies: &Strategies, record: &Stored) -> Option<Chosen> {
    let meets_another = matches!(record.finding.reason, Reason::UniqueTaken | Reason::ReusedKey);
    if record.finding.class != Class::Conflict || !meets_another {
        return None;
    }
    let table = &plan.meta().schema.tables[record.finding.table];
    let (chosen, answer) = match &record.decision {
        Some(Decision::IntoExisting) => (Chosen::IntoExisting, Answer::IntoExisting),
        Some(Decision::NewKey) => (Chosen::NewKey, Answer::NewKey),
        Some(Decision::Backup | Decision::Current | Decision::Skip | Decision::Fields { .. } | Decision::Ask) => {
            return None;
        }
        None => match super::settle::by_strategy(plan, strategies.of_table(table), record) {
            Choice::IntoExisting => (Chosen::IntoExisting, Answer::IntoExisting),
            Choice::NewKey => (Chosen::NewKey, Answer::NewKey),
            Choice::Write(_) | Choice::Delete | Choice::Keep(_) | Choice::Skip | Choice::Ask(_) => return None,
        },
    };
    choices::refusal(plan, record, answer).is_none().then_some(chosen)
}

/// Lists the fields that the backup brings and the strategy does not withhold.
fn brought(table: &Table, strategy: &Strategy, record: &Stored) -> Vec<(usize, Value)> {
    let brings = |c: usize| table.columns[c].writable() && strategy.brings_field(table, &table.columns[c].name);
    let fields = record.finding.fields.iter().filter(|f| brings(f.column));
    fields.filter_map(|f| Some((f.column, f.backup.clone()?))).collect()
}

/// Returns the columns by which others refer to a table's records.
fn referred(plan: &Plan, table: usize) -> Vec<Vec<usize>> {
    let schema = &plan.meta().schema;
    let mut found: Vec<Vec<usize>> = vec![schema.tables[table].key.clone()];
    for foreign_key in schema.tables.iter().flat_map(|t| &t.foreign_keys).filter(|f| f.table == Some(table)) {
        if !found.contains(&foreign_key.references) {
            found.push(foreign_key.references.clone());
        }
    }
    found
}

/// The backup's fields go into the existing record; what it is told by stays.
pub(super) fn into_existing(plan: &Plan, strategy: &Strategy, record: &Stored) -> Settled {
    let table = &plan.meta().schema.tables[record.finding.table];
    let stays: Vec<usize> = referred(plan, record.finding.table).concat();
    let mut writes = brought(table, strategy, record);
    writes.retain(|(column, value)| {
        let current = record.finding.fields.iter().find(|f| f.column == *column).and_then(|f| f.current.as_ref());
        !stays.contains(column) && !current.is_some_and(|c| same(c, value))
    });
    if let Some(why) = refused(plan, record, &writes) {
        return Settled::plain(Outcome::Blocked, Some(why));
    }
    let Some(target) = existing(record) else { return Settled::plain(Outcome::Undecided, record.finding.note.clone()) };
    if record.decision.is_none() && is_newer(plan, table, record) {
        return Settled::plain(Outcome::KeptNewer, Some("the existing record is newer; references follow".to_owned()));
    }
    if writes.is_empty() {
        return Settled::plain(Outcome::Kept, Some("the existing record holds the same; references follow".to_owned()));
    }
    let why = format!("into {}", table.named(&target.0));
    Settled { outcome: Outcome::Updated, writes, why: Some(why), target: Target::Existing(target.0, target.1) }
}

/// Tells whether the existing record is newer than the backup's, where newer ones are to stay.
fn is_newer(plan: &Plan, table: &Table, record: &Stored) -> bool {
    let options = &plan.meta().options;
    let clock = record.finding.fields.iter().find(|f| f.is_timestamp);
    let at = |value: Option<&Value>| value.zip(clock).and_then(|(v, f)| instant(v, &table.columns[f.column]));
    let [current, backup] = [at(clock.and_then(|f| f.current.as_ref())), at(clock.and_then(|f| f.backup.as_ref()))];
    let ahead = current.zip(backup).map(|(current, backup)| current.nanos_since(backup));
    options.preserve_newer && ahead.is_some_and(|nanos| nanos > i128::from(options.tolerance_millis) * 1_000_000)
}

/// Returns the existing record's key and how it was seen.
fn existing(record: &Stored) -> Option<(Vec<Value>, Vec<u64>)> {
    let identity = record.finding.limits.identity.as_ref()?;
    Some((codec::values_from_bytes(&identity.key).ok()?, identity.digests.clone()))
}

/// The backup's record goes beside the existing one, under the key that was made for it.
///
/// # Errors
/// `PlanMismatch` for a damaged plan.
pub(super) fn new_key(plan: &Plan, strategy: &Strategy, record: &Stored) -> Result<Settled> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let Some(key) = plan.made_for(&record.finding)? else {
        return Ok(Settled::plain(Outcome::Undecided, record.finding.note.clone()));
    };
    let mut writes = brought(table, strategy, record);
    writes.retain(|(column, _)| !table.key.contains(column));
    writes.extend(table.key.iter().copied().zip(key.iter().cloned()));
    writes.sort_by_key(|(column, _)| *column);
    if let Some(why) = refused(plan, record, &writes) {
        return Ok(Settled::plain(Outcome::Blocked, Some(why)));
    }
    let mut settled = inserted(table, writes, Target::New);
    if settled.outcome == Outcome::Inserted {
        settled.why = Some(format!("as {}", table.named(&key)));
    }
    Ok(settled)
}

/// Returns what would be written for a record under another key, before one is made for all of them.
pub(super) fn under_another_key(plan: &Plan, strategies: &Strategies, record: &Stored) -> Option<Settled> {
    let table = &plan.meta().schema.tables[record.finding.table];
    let identity = record.finding.limits.identity.as_ref()?;
    let column = identity.generated?;
    let own = table.key.iter().position(|&k| k == column).and_then(|at| record.finding.key.get(at))?;
    let next = next_number(identity.highest);
    let key = made_key(&table.columns[column], own, &record.conflict_id, next)?;
    let mut writes = brought(table, strategies.of_table(table), record);
    writes.retain(|(c, _)| *c != column);
    writes.push((column, key));
    Some(Settled { outcome: Outcome::Inserted, writes, why: None, target: Target::New })
}

fn columns_text(columns: &[usize]) -> String {
    columns.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

impl Plan {
    /// Finds which records are written under another key, and makes the keys.
    ///
    /// # Errors
    /// As [`Plan::settle`].
    pub(super) fn assign_keys(&mut self, strategies: &Strategies) -> Result<()> {
        // A plan of an earlier version has no such table, or no such indexes.
        self.sql(REMAPS)?;
        self.sql("DELETE FROM remaps")?;
        self.remapped.clear();
        let planned: Vec<usize> = self.meta().tables.iter().map(|t| t.table).collect();
        // Parents first: what is told by a reference to one that gets another key follows that, and gets none of its own.
        for table in graph::order(&self.meta().schema).tables.into_iter().filter(|t| planned.contains(t)) {
            let mut number: Option<i64> = None;
            let mut after = 0;
            loop {
                let page = self.identity_page(table, after)?;
                let Some((last, _)) = page.last() else { break };
                after = *last;
                for (_, key_bytes) in page {
                    let Some(record) = self.stored_by_key(table, &key_bytes)? else { continue };
                    if moved(self, &record)?.is_some() {
                        continue;
                    }
                    if let Some(chosen) = chosen(self, strategies, &record) {
                        self.assign(&record, chosen, &mut number)?;
                    }
                }
            }
        }
        self.spread()
    }

    /// Finds the records whose own key holds a reference that turns, so that what refers to those follows as well.
    fn spread(&mut self) -> Result<()> {
        if !self.has_remaps() {
            return Ok(());
        }
        let schema = self.meta().schema.clone();
        for table in graph::order(&schema).tables {
            let own = &schema.tables[table];
            let turns = |f: &ForeignKey| {
                f.table.is_some_and(|p| self.remapped(p)) && f.columns.iter().any(|c| own.key.contains(c))
            };
            let referred_to = schema.tables.iter().flat_map(|t| &t.foreign_keys).any(|f| f.table == Some(table));
            if !referred_to || !own.foreign_keys.iter().any(turns) {
                continue;
            }
            let mut after = 0;
            loop {
                let page = self.stored_page(table, &[Class::New, Class::Updated, Class::Conflict], after, PAGE)?;
                let Some(last) = page.last() else { break };
                after = last.finding.id;
                for record in page {
                    let record = match moved(self, &record)? {
                        Some(Ok(moved)) => moved,
                        None if record.finding.class == Class::New => record,
                        Some(Err(_)) | None => continue,
                    };
                    let fields = record.finding.fields.iter().filter_map(|f| Some((f.column, f.backup.clone()?)));
                    let mut settled = inserted(own, fields.collect(), Target::Own);
                    let old = settled.writes.clone();
                    if turn(self, &record, &mut settled)? == Ok(true) {
                        let value = |writes: &[(usize, Value)], c: usize| {
                            writes.iter().find(|(w, _)| *w == c).map(|(_, v)| v.clone())
                        };
                        self.remap(&record, &|c| value(&old, c), &|c| value(&settled.writes, c))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds which tables have records under another key, as the plan was settled last.
    pub(super) fn load_remapped(&mut self) -> Result<()> {
        let there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'remaps'";
        let tables = self.connection.query_row(there, [], |r| r.get::<_, i64>(0)).and_then(|there| {
            if there == 0 {
                return Ok(Vec::new());
            }
            let mut statement = self.connection.prepare("SELECT DISTINCT table_id FROM remaps")?;
            statement.query_map([], |r| r.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()
        });
        let tables = tables.map_err(|e| lost(&self.path, e))?;
        self.remapped = tables.into_iter().filter_map(|t| usize::try_from(t).ok()).collect();
        Ok(())
    }

    /// Lists conflicts about identity: number and key.
    fn identity_page(&self, table: usize, after: i64) -> Result<Vec<(i64, Vec<u8>)>> {
        let page = self
            .connection
            .prepare_cached(
                "SELECT id, key_bytes FROM records WHERE table_id = ?1 AND class = 'conflict' AND id > ?2
                 AND reason IN ('unique_taken', 'reused_key') ORDER BY id LIMIT ?3",
            )
            .and_then(|mut s| {
                s.query_map(params![table as i64, after, PAGE as i64], |r| Ok((r.get(0)?, r.get(1)?)))?
                    .collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|e| lost(&self.path, e))?;
        super::sound::goes_on(page, after, |(number, _)| *number)
    }

    fn assign(&mut self, record: &Stored, chosen: Chosen, number: &mut Option<i64>) -> Result<()> {
        let finding = &record.finding;
        let table = self.meta().schema.tables[finding.table].clone();
        let backup = |column: usize| {
            let own = table.key.iter().position(|&k| k == column).and_then(|at| finding.key.get(at).cloned());
            own.or_else(|| finding.fields.iter().find(|f| f.column == column).and_then(|f| f.backup.clone()))
        };
        let Some(identity) = &finding.limits.identity else { return Ok(()) };
        let made = match (chosen, identity.generated) {
            (Chosen::NewKey, Some(column)) => {
                let Some(old) = backup(column) else { return Ok(()) };
                let next = next_number(number.or(identity.highest));
                let Some(new) = made_key(&table.columns[column], &old, &record.conflict_id, next) else {
                    return Ok(());
                };
                if matches!(new, Value::Integer(_)) {
                    *number = next;
                }
                Some((column, new))
            }
            _ => None,
        };
        let existing = codec::values_from_bytes(&identity.key)?;
        let renamed = |column: usize| match chosen {
            Chosen::NewKey => match &made {
                Some((generated, new)) if *generated == column => Some(new.clone()),
                _ => backup(column),
            },
            Chosen::IntoExisting => {
                let key = table.key.iter().position(|&k| k == column).and_then(|at| existing.get(at).cloned());
                key.or_else(|| finding.fields.iter().find(|f| f.column == column).and_then(|f| f.current.clone()))
            }
        };
        self.remap(record, &backup, &renamed)
    }

    /// Notes under which keys a record is known, and under which it is written.
    fn remap(
        &mut self,
        record: &Stored,
        backup: &dyn Fn(usize) -> Option<Value>,
        renamed: &dyn Fn(usize) -> Option<Value>,
    ) -> Result<()> {
        let finding = &record.finding;
        let table = self.meta().schema.tables[finding.table].clone();
        for columns in referred(self, finding.table) {
            let old: Option<Vec<Value>> = columns.iter().map(|&c| backup(c)).collect();
            let new: Option<Vec<Value>> = columns.iter().map(|&c| renamed(c)).collect();
            let (Some(old), Some(new)) = (old, new) else { continue };
            let bytes = self.tuple_bytes(finding.table, &columns, &old)?;
            let new_bytes = self.tuple_bytes(finding.table, &columns, &new)?;
            let stays = columns != table.key && new_bytes == bytes;
            if stays || old.iter().any(|v| v.is_null()) {
                continue;
            }
            self.connection
                .prepare_cached("INSERT INTO remaps VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
                .and_then(|mut s| {
                    s.execute(params![
                        finding.table as i64,
                        columns_text(&columns),
                        bytes,
                        codec::values_to_bytes(&new),
                        new_bytes,
                        finding.id,
                    ])
                })
                .map_err(|e| lost(&self.path, e))?;
        }
        self.remapped.insert(finding.table);
        Ok(())
    }

    /// Tells whether any record is written under another key.
    pub(super) fn has_remaps(&self) -> bool {
        !self.remapped.is_empty()
    }

    /// Tells whether records of a table are written under another key.
    pub(super) fn remapped(&self, table: usize) -> bool {
        self.remapped.contains(&table)
    }

    /// Returns what a reference to a record that is written under another key becomes.
    fn renamed(&self, parent: usize, foreign_key: &ForeignKey, tuple: &[Value]) -> Result<Option<Vec<Value>>> {
        let bytes = self.tuple_bytes(parent, &foreign_key.references, tuple)?;
        let found: Option<Vec<u8>> = self
            .connection
            .prepare_cached(RENAMED)
            .and_then(|mut s| {
                s.query_row(params![parent as i64, columns_text(&foreign_key.references), bytes], |r| r.get(0))
                    .optional()
            })
            .map_err(|e| lost(&self.path, e))?;
        found.map(|bytes| codec::values_from_bytes(&bytes)).transpose()
    }

    /// Returns the key under which a record is written.
    fn made_for(&self, record: &Finding) -> Result<Option<Vec<Value>>> {
        if !self.remapped(record.table) {
            return Ok(None);
        }
        let key = columns_text(&self.meta.schema.tables[record.table].key);
        let found: Option<Vec<u8>> = self
            .connection
            .prepare_cached(MADE_FOR)
            .and_then(|mut s| s.query_row(params![record.id, record.table as i64, key], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))?;
        found.map(|bytes| codec::values_from_bytes(&bytes)).transpose()
    }

    /// Finds the record that is written under another key, by that key.
    pub(super) fn under_new_key(&self, table: usize, references: &[usize], bytes: &[u8]) -> Result<Option<Stored>> {
        if !self.remapped(table) {
            return Ok(None);
        }
        let key: Option<Vec<u8>> = self
            .connection
            .prepare_cached(UNDER_NEW_KEY)
            .and_then(|mut s| {
                s.query_row(params![table as i64, columns_text(references), bytes], |r| r.get(0)).optional()
            })
            .map_err(|e| lost(&self.path, e))?;
        match key {
            Some(key) => self.stored_by_key(table, &key),
            None => Ok(None),
        }
    }

    /// Says why a record can't go into the existing one: something else of this merge does too.
    pub(super) fn met_twice(&self, record: &Stored, settled: &Settled) -> Result<Option<String>> {
        let Target::Existing(key, _) = &settled.target else { return Ok(None) };
        let table = record.finding.table;
        let target = &self.meta().schema.tables[table];
        let bytes = self.tuple_bytes(table, &target.key, key)?;
        let name = target.named(key);
        if self.stored_by_key(table, &bytes)?.is_some_and(|r| r.outcome.is_some_and(Outcome::writes)) {
            return Ok(Some(format!("the backup's own record {name} is written too")));
        }
        let count: i64 = self
            .connection
            .prepare_cached(MEETING)
            .and_then(|mut s| s.query_row(params![table as i64, columns_text(&target.key), bytes], |r| r.get(0)))
            .map_err(|e| lost(&self.path, e))?;
        Ok((count > 1).then(|| format!("{count} records of the backup would go into {name}")))
    }

    /// Counts the arriving records that refer to a record of the backup by its key, by table.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub(super) fn followers(&self, record: &Stored) -> Result<Followers> {
        let schema = &self.meta().schema;
        let (table, target) = (record.finding.table, &schema.tables[record.finding.table]);
        let mut followers = Followers::default();
        for (position, child) in schema.tables.iter().enumerate() {
            let (mut count, mut hindered) = (0, Hindered { table: child.label(), count: 0, why: String::new() });
            for foreign_key in
                child.foreign_keys.iter().filter(|f| f.table == Some(table) && f.references == target.key)
            {
                let selector = super::Selector {
                    table: Some(position),
                    classes: vec![Class::New, Class::Updated, Class::Conflict, Class::Blocked],
                    ..super::Selector::default()
                };
                self.each(&selector, &mut |other| {
                    let own_key = |c: &usize| {
                        let told = exists(&other) && foreign_key.is_within(&child.key);
                        child
                            .key
                            .iter()
                            .position(|k| k == c)
                            .filter(|_| told)
                            .and_then(|at| other.finding.key.get(at).cloned())
                    };
                    let value = |c: &usize| {
                        let brought =
                            other.finding.fields.iter().find(|f| f.column == *c).and_then(|f| f.backup.clone());
                        brought.or_else(|| moved::alike(&other.finding, *c)).or_else(|| own_key(c))
                    };
                    let tuple: Option<Vec<Value>> = foreign_key.columns.iter().map(value).collect();
                    let kind = foreign_key.when.as_ref().and_then(|(c, _)| value(c));
                    let bytes = tuple.map(|t| self.tuple_bytes(table, &target.key, &t)).transpose()?;
                    let refers =
                        foreign_key.applies(|_| kind.as_ref()) && bytes.as_ref() == Some(&record.finding.key_bytes);
                    count += u64::from(refers);
                    let mut turned = other.finding.limits.turned.iter();
                    let turned = turned.find(|t| t.holder.columns.iter().any(|c| foreign_key.columns.contains(c)));
                    if let Some(turned) = turned.filter(|_| refers) {
                        hindered.count += 1;
                        hindered.why.clone_from(&turned.holder.text);
                    }
                    Ok(())
                })?;
            }
            if count > 0 {
                followers.all.push((child.label(), count));
            }
            if hindered.count > 0 {
                followers.hindered.push(hindered);
            }
        }
        Ok(followers)
    }
}

/// Tells whether a new key can be made for a record.
pub(super) fn can_make(table: &Table, column: usize, record: &Stored, highest: Option<i64>) -> bool {
    let own = table.key.iter().position(|&k| k == column).and_then(|at| record.finding.key.get(at));
    own.is_some_and(|old| made_key(&table.columns[column], old, &record.conflict_id, next_number(highest)).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_records_are_found_by_indexes_in_both_directions() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::plan::TABLES).unwrap();
        connection.execute_batch(REMAPS).unwrap();
        for (text, index) in [
            (RENAMED, "PRIMARY KEY (table_id=? AND columns=? AND old=?)"),
            (MADE_FOR, "remaps_record (record_id=?)"),
            (UNDER_NEW_KEY, "remaps_new (new=?)"),
            (MEETING, "remaps_new (new=?)"),
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
            let steps: Vec<String> = statement
                .query_map(params![0, 0, 0], |row| row.get(3))
                .unwrap()
                .collect::<rusqlite::Result<_>>()
                .unwrap();
            assert!(steps.iter().any(|step| step.ends_with(index)), "{text}: {steps:?}");
            assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{text}: {steps:?}");
        }
    }
}
