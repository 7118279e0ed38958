//! Records in and out of the plan file: storing, paging, finding, deciding.

use super::action::{Action, ActionKind, Outcome};
use super::decision::{Decision, Entry};
use super::{Plan, codec, lost, sound};
use crate::analyzer::Finding;
use crate::analyzer::filter::Filter;
use crate::backup::Place;
use crate::error::{Result, fail};
use crate::model::change::{Class, Reason};
use crate::model::{Key, Value, encode, names};
use rusqlite::{OptionalExtension, Row, params};

/// A finding as the plan holds it, with what was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The finding.
    pub finding: Finding,
    /// The stable id of the record in question: the same for the same table and key in every plan.
    pub conflict_id: String,
    /// The person's answer.
    pub decision: Option<Decision>,
    /// What becomes of the record, once the plan is settled.
    pub outcome: Option<Outcome>,
    /// Why, where a person should know.
    pub why: Option<String>,
}

/// A page of records and the number to ask after for the next one.
#[derive(Clone, Debug)]
pub struct Page {
    /// The records.
    pub records: Vec<Stored>,
    /// The next page starts after this number; `None` at the end.
    pub next: Option<i64>,
}

/// Which records are meant.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// Only this table, by position.
    pub table: Option<usize>,
    /// Only these classes; empty: all.
    pub classes: Vec<Class>,
    /// Besides the classes, records of any class that wait for an answer.
    pub or_waiting: bool,
    /// Only records with this outcome.
    pub outcome: Option<Outcome>,
    /// Only these reasons; empty: all.
    pub reasons: Vec<Reason>,
    /// Only records in whose way something stands.
    pub hindered: bool,
    /// Only records with this pattern of reason and fields.
    pub pattern: Option<String>,
    /// Only records whose backup side (or current, where there is none) meets this condition.
    pub filter: Option<Filter>,
}

const COLUMNS: &str = "id, table_id, key_bytes, conflict_id, class, reason, note, key, fields, digests, clocks, place_record, place_offset, decision, outcome, why, limits";

/// A row as SQLite hands it out, before it is read as a record.
struct Raw {
    finding: Finding,
    blobs: [Vec<u8>; 4],
    conflict_id: String,
    decision: Option<String>,
    outcome: Option<Outcome>,
    why: Option<String>,
    limits: Option<String>,
}

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    let word = |position: usize| Ok::<_, rusqlite::Error>(row.get_ref(position)?.as_str()?);
    Ok(Raw {
        finding: Finding {
            id: row.get(0)?,
            table: row.get::<_, i64>(1)?.try_into().unwrap_or(usize::MAX),
            key_bytes: row.get(2)?,
            class: Class::from_word(word(4)?).unwrap_or(Class::Blocked),
            reason: Reason::from_word(word(5)?).unwrap_or(Reason::ValueNotStorable),
            note: row.get(6)?,
            key: Vec::new(),
            fields: Vec::new(),
            kept: Vec::new(),
            current_digests: Vec::new(),
            backup_at: None,
            current_at: None,
            place: Place {
                record: row.get::<_, i64>(11)?.try_into().unwrap_or(0),
                offset: row.get::<_, Option<i64>>(12)?.and_then(|o| o.try_into().ok()),
            },
            limits: Default::default(),
        },
        blobs: [row.get(7)?, row.get(8)?, row.get(9)?, row.get(10)?],
        conflict_id: row.get(3)?,
        decision: row.get(13)?,
        outcome: row.get_ref(14)?.as_str_or_null()?.and_then(Outcome::from_word),
        why: row.get(15)?,
        limits: row.get(16)?,
    })
}

impl Raw {
    fn read(self, plan: &Plan) -> Result<Stored> {
        let mut finding = self.finding;
        let [key, fields, digests, clocks] = self.blobs;
        finding.key = codec::values_from_bytes(&key)?;
        (finding.fields, finding.kept) = codec::fields_from_bytes(&fields)?;
        finding.current_digests = codec::digests_from_bytes(&digests);
        (finding.backup_at, finding.current_at) = codec::clocks_from_bytes(&clocks)?;
        if let Some(text) = &self.limits {
            finding.limits = serde_json::from_str(text).map_err(|e| {
                fail!(PlanMismatch, "the plan is damaged: the limits of record {} can't be read", finding.id).because(e)
            })?;
        }
        if !sound::is_finding_sound(&finding, &plan.meta.schema) {
            return Err(fail!(
                PlanMismatch,
                "the plan is damaged: record {} names a table or column it does not have",
                finding.id
            ));
        }
        let decision = match self.decision {
            None => None,
            Some(text) => Some(serde_json::from_str(&text).map_err(|e| {
                fail!(PlanMismatch, "the plan is damaged: the decision on record {} can't be read", finding.id)
                    .because(e)
            })?),
        };
        Ok(Stored { finding, conflict_id: self.conflict_id, decision, outcome: self.outcome, why: self.why })
    }
}

/// Writes the query of a page: parameters are the number to begin after, the largest count, and a pattern or null.
fn page_text(selector: &Selector) -> String {
    let mut conditions = vec!["id > ?1".to_owned()];
    if let Some(table) = selector.table {
        conditions.push(format!("table_id = {table}"));
    }
    match selector.classes.as_slice() {
        [] => {}
        several if selector.or_waiting => {
            let classes = words(several.iter().map(|c| c.word()));
            conditions.push(format!("(+class IN ({classes}) OR outcome = 'undecided')"));
        }
        [one] => conditions.push(format!("class = '{}'", one.word())),
        // Several classes from the index of classes would have to be sorted again for every page; the plus sign
        // keeps to the order of numbers (https://sqlite.org/optoverview.html#uplus).
        several => conditions.push(format!("+class IN ({})", words(several.iter().map(|c| c.word())))),
    }
    if let Some(outcome) = selector.outcome {
        conditions.push(format!("outcome = '{}'", outcome.word()));
    }
    if !selector.reasons.is_empty() {
        conditions.push(format!("reason IN ({})", words(selector.reasons.iter().map(|r| r.word()))));
    }
    if selector.hindered {
        conditions.push("limits IS NOT NULL".to_owned());
    }
    conditions.push("(?3 IS NULL OR pattern = ?3)".to_owned());
    format!("SELECT {COLUMNS} FROM records WHERE {} ORDER BY id LIMIT ?2", conditions.join(" AND "))
}

/// Writes the query that counts what a selector means, but for its filter; the parameter is a pattern or null.
pub(super) fn counting_text(selector: &Selector) -> String {
    let mut conditions = vec!["(?1 IS NULL OR pattern = ?1)".to_owned()];
    conditions.extend(selector.table.map(|table| format!("table_id = {table}")));
    if !selector.classes.is_empty() {
        let classes = words(selector.classes.iter().map(|c| c.word()));
        let waiting = if selector.or_waiting { " OR outcome = 'undecided'" } else { "" };
        conditions.push(format!("(class IN ({classes}){waiting})"));
    }
    if !selector.reasons.is_empty() {
        conditions.push(format!("reason IN ({})", words(selector.reasons.iter().map(|r| r.word()))));
    }
    conditions.extend(selector.outcome.map(|outcome| format!("outcome = '{}'", outcome.word())));
    format!("SELECT count(*) FROM records WHERE {}", conditions.join(" AND "))
}

/// Writes the query of a record by its table and key.
fn by_key_text() -> String {
    format!("SELECT {COLUMNS} FROM records WHERE table_id = ?1 AND key_bytes = ?2 ORDER BY id LIMIT 1")
}

fn words(words: impl Iterator<Item = String>) -> String {
    let quoted: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    quoted.join(", ")
}

impl Plan {
    pub(super) fn stored_page(&self, table: usize, classes: &[Class], after: i64, limit: usize) -> Result<Vec<Stored>> {
        let selector = Selector { table: Some(table), classes: classes.to_vec(), ..Selector::default() };
        self.select(&selector, after, limit)
    }

    /// As [`Plan::stored_page`], for records in whose way the analysis has seen something.
    pub(super) fn hindered_page(
        &self,
        table: usize,
        classes: &[Class],
        after: i64,
        limit: usize,
    ) -> Result<Vec<Stored>> {
        let classes = classes.to_vec();
        self.select(&Selector { table: Some(table), classes, hindered: true, ..Selector::default() }, after, limit)
    }

    pub(super) fn select(&self, selector: &Selector, after: i64, limit: usize) -> Result<Vec<Stored>> {
        let mut statement = self.connection.prepare_cached(&page_text(selector)).map_err(|e| lost(&self.path, e))?;
        let mut rows =
            statement.query(params![after, limit as i64, selector.pattern]).map_err(|e| lost(&self.path, e))?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(|e| lost(&self.path, e))? {
            records.push(raw(row).map_err(|e| lost(&self.path, e))?.read(self)?);
        }
        sound::goes_on(records, after, |record: &Stored| record.finding.id)
    }

    /// Returns up to `limit` records that are meant, in the order of their numbers, after a number.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn page(&self, selector: &Selector, after: i64, limit: usize) -> Result<Page> {
        let mut records = Vec::new();
        let mut from = after;
        loop {
            let chunk = self.select(selector, from, limit.max(1))?;
            let full = chunk.len() == limit.max(1);
            for record in chunk {
                from = record.finding.id;
                if self.meets(selector, &record) {
                    records.push(record);
                    if records.len() == limit {
                        return Ok(Page { records, next: Some(from) });
                    }
                }
            }
            if !full {
                return Ok(Page { records, next: None });
            }
        }
    }

    fn meets(&self, selector: &Selector, record: &Stored) -> bool {
        let Some(filter) = &selector.filter else { return true };
        let table = &self.meta.schema.tables[record.finding.table];
        let mut values: Vec<Vec<u8>> = vec![vec![0]; table.columns.len()];
        let mut put = |column: usize, value: Option<&Value>| {
            values[column].clear();
            encode::encode_value(value, &mut values[column]);
        };
        table.key.iter().zip(&record.finding.key).for_each(|(&c, v)| put(c, Some(v)));
        record.finding.fields.iter().for_each(|f| put(f.column, f.backup.as_ref().or(f.current.as_ref())));
        filter.meets(|column| &values[column])
    }

    /// Calls a function for every record that is meant.
    ///
    /// # Errors
    /// As [`Plan::page`], or what the function returns.
    pub fn each(&self, selector: &Selector, visit: &mut dyn FnMut(Stored) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.page(selector, after, 500)?;
            page.records.into_iter().try_for_each(&mut *visit)?;
            match page.next {
                Some(next) => after = next,
                None => return Ok(()),
            }
        }
    }

    pub(super) fn stored_by_key(&self, table: usize, key_bytes: &[u8]) -> Result<Option<Stored>> {
        let mut statement = self.connection.prepare_cached(&by_key_text()).map_err(|e| lost(&self.path, e))?;
        let found =
            statement.query_row(params![table as i64, key_bytes], raw).optional().map_err(|e| lost(&self.path, e))?;
        found.map(|row| row.read(self)).transpose()
    }

    /// Finds a record by `table/key` as people write it, or by its conflict id.
    ///
    /// # Errors
    /// `Usage` when the plan has no such record.
    pub fn record(&self, name: &str) -> Result<Stored> {
        let missing = || {
            fail!(Usage, "the plan has no record {name:?}; unchanged records are not in it")
                .hint("List them with 'merganser show PLAN records'.")
        };
        let (column, value, table) = match name.split_once('/') {
            Some((table, key)) => ("record", key.to_owned(), Some(self.table(table)?)),
            None => ("conflict_id", name.to_owned(), None),
        };
        let text =
            format!("SELECT {COLUMNS} FROM records WHERE {column} = ?1 AND (?2 IS NULL OR table_id = ?2) LIMIT 2");
        let found = self
            .connection
            .prepare_cached(&text)
            .and_then(|mut s| {
                s.query_map(params![value, table.map(|t| t as i64)], raw)?.collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|e| lost(&self.path, e))?;
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(only), None) => only.read(self),
            (None, _) => {
                let (Some(table), Some((_, key))) = (table, name.split_once('/')) else { return Err(missing()) };
                let bytes = self.spelled_otherwise(table, key)?;
                let found = bytes.map(|bytes| self.stored_by_key(table, &bytes)).transpose()?;
                found.flatten().ok_or_else(missing)
            }
            (Some(one), Some(other)) => Err(fail!(Usage, "{name:?} names more than one record of the plan")
                .hint(format!("Write the record's id instead: {} or {}.", one.conflict_id, other.conflict_id))),
        }
    }

    /// Finds a table of the plan by the current name, the backup's name, or either folded.
    ///
    /// # Errors
    /// `Usage` naming the tables there are.
    pub fn table(&self, name: &str) -> Result<usize> {
        let by_backup = self.meta.tables.iter().find(|t| t.backup_name == name || t.name == name).map(|t| t.table);
        if let Some(found) = by_backup.or_else(|| self.meta.schema.table(name)) {
            return Ok(found);
        }
        let labels: Vec<String> = self.meta.schema.tables.iter().map(crate::model::Table::label).collect();
        match names::find(name, labels.iter().map(String::as_str)) {
            names::Match::Exact(found) | names::Match::Folded(found) => Ok(found),
            _ => {
                let known: Vec<&str> = self.meta.tables.iter().map(|t| t.name.as_str()).collect();
                Err(fail!(Usage, "the plan has no table {name:?}").hint(format!("It has {}.", known.join(", "))))
            }
        }
    }

    /// Finds a record by its key's canonical bytes.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn by_key(&self, table: usize, key_bytes: &[u8]) -> Result<Option<Stored>> {
        self.stored_by_key(table, key_bytes)
    }

    /// Notes what becomes of a record.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn mark(&self, id: i64, outcome: Outcome, why: Option<&str>) -> Result<()> {
        self.set_outcome(id, outcome, why)
    }

    pub(super) fn set_outcome(&self, id: i64, outcome: Outcome, why: Option<&str>) -> Result<()> {
        self.connection
            .prepare_cached("UPDATE records SET outcome = ?2, why = ?3 WHERE id = ?1")
            .and_then(|mut s| s.execute(params![id, outcome.word(), why]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    /// Lists all decisions, for export.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn decisions(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.each(&Selector::default(), &mut |record| {
            if let Some(decision) = record.answer().cloned() {
                entries.push(Entry {
                    id: record.conflict_id.clone(),
                    table: self.meta.schema.tables[record.finding.table].label(),
                    key: Key(record.finding.key.clone()).to_string(),
                    seen: Some(seen(&record)),
                    note: self.decision_note(record.finding.id)?,
                    decision,
                });
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// Counts conflicts by pattern (table, reason and fields in question), most frequent first.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn patterns(&self, table: Option<usize>) -> Result<Vec<(String, u64)>> {
        let mut statement = self
            .connection
            .prepare("SELECT pattern, count(*) FROM records WHERE class = 'conflict' AND (?1 IS NULL OR table_id = ?1) GROUP BY pattern ORDER BY 2 DESC, 1")
            .map_err(|e| lost(&self.path, e))?;
        let rows = statement
            .query_map([table.map(|t| t as i64)], |r| Ok((r.get(0)?, r.get::<_, i64>(1)?.try_into().unwrap_or(0))))
            .and_then(Iterator::collect)
            .map_err(|e| lost(&self.path, e))?;
        Ok(rows)
    }

    /// Adds the exact cells that carry out a record of an undo.
    ///
    /// # Errors
    /// `OutOfSpace`.
    pub fn add_action(&mut self, action: &Action) -> Result<()> {
        let cells = serde_json::to_string(&action.cells).expect("cells always serialise");
        let columns = serde_json::to_string(&action.columns).expect("numbers always serialise");
        self.connection
            .prepare_cached("INSERT INTO actions (record_id, kind, columns, cells) VALUES (?, ?, ?, ?)")
            .and_then(|mut s| s.execute(params![action.record, action.kind.word(), columns, cells]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    /// Returns the number of the record stored last.
    pub fn last_id(&self) -> i64 {
        self.connection.last_insert_rowid()
    }

    /// Finds the exact cells that carry out a record of an undo.
    ///
    /// # Errors
    /// `PlanMismatch` for a damaged plan.
    pub fn action(&self, record: i64) -> Result<Action> {
        let damaged = || fail!(PlanMismatch, "the plan is damaged: record {record} has no action that can be read");
        let (kind, columns, cells): (String, String, String) = self
            .connection
            .prepare_cached("SELECT kind, columns, cells FROM actions WHERE record_id = ?1")
            .and_then(|mut s| s.query_row([record], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))))
            .map_err(|e| damaged().because(e))?;
        Ok(Action {
            record,
            kind: ActionKind::from_word(&kind).ok_or_else(damaged)?,
            columns: serde_json::from_str(&columns).map_err(|e| damaged().because(e))?,
            cells: serde_json::from_str(&cells).map_err(|e| damaged().because(e))?,
        })
    }

    /// Runs something that reads many records one by one; the plan's file is then locked once, not for each.
    ///
    /// # Errors
    /// What it returns.
    pub fn reading<T>(&self, read: impl FnOnce() -> Result<T>) -> Result<T> {
        self.sql("SAVEPOINT reading")?;
        let result = read();
        let released = self.sql("RELEASE reading");
        result.and_then(|value| released.map(|()| value))
    }

    /// Runs a change of many records as one: all of it is kept, or nothing.
    ///
    /// # Errors
    /// What the change returns.
    pub fn together<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.sql("SAVEPOINT together")?;
        match change(self) {
            Ok(value) => self.sql("RELEASE together").map(|()| value),
            Err(error) => {
                self.sql("ROLLBACK TO together; RELEASE together")?;
                Err(error)
            }
        }
    }
}

/// Digests what a record looked like to the person who decided it.
pub(crate) fn seen(record: &Stored) -> String {
    let bytes = codec::fields_to_bytes(&record.finding.fields, &[]);
    blake3::hash(&bytes).to_hex()[..16].to_owned()
}

/// Returns the stable id of a record: the same for the same table and key in every plan.
pub(super) fn conflict_id(label: &str, key_bytes: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(label.as_bytes()).update(&[0]).update(key_bytes);
    hasher.finalize().to_hex()[..16].to_owned()
}

impl Plan {
    /// Returns the pattern of a record, as [`Plan::patterns`] lists them and [`Selector::pattern`] takes it.
    pub fn pattern_of(&self, record: &Stored) -> String {
        self.pattern(&record.finding)
    }

    pub(super) fn pattern(&self, finding: &Finding) -> String {
        let table = &self.meta.schema.tables[finding.table];
        let columns: Vec<usize> = finding.fields.iter().filter(|f| f.in_conflict).map(|f| f.column).collect();
        format!("{} {}: {}", table.label(), finding.reason, table.names(&columns).join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_that_is_kept_is_not_prepared_anew_for_other_values() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        crate::database::sqlite::plan_once(&connection).unwrap();
        connection.execute_batch(crate::plan::TABLES).unwrap();
        connection.execute_batch(crate::plan::INDEXES).unwrap();
        let page = page_text(&Selector { table: Some(0), ..Selector::default() });
        for text in [by_key_text(), page] {
            for number in 0..5i64 {
                let mut statement = connection.prepare_cached(&text).unwrap();
                let values = params![number, number, None::<String>];
                let count = statement.parameter_count();
                let mut rows = statement.query(&values[..count]).unwrap();
                assert!(rows.next().unwrap().is_none());
                drop(rows);
                assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0, "{text}");
            }
        }
    }

    #[test]
    fn a_page_is_found_in_order_without_sorting_what_comes_after() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(crate::plan::TABLES).unwrap();
        connection.execute_batch(crate::plan::INDEXES).unwrap();
        for table in [None, Some(0)] {
            for classes in [vec![], vec![Class::New], vec![Class::New, Class::Conflict]] {
                let text = page_text(&Selector { table, classes, ..Selector::default() });
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
                let steps: Vec<String> = statement
                    .query_map(params![0, 500, None::<String>], |row| row.get(3))
                    .unwrap()
                    .collect::<rusqlite::Result<_>>()
                    .unwrap();
                assert!(steps.iter().all(|step| step.starts_with("SEARCH")), "{text}: {steps:?}");
            }
        }
    }
}
