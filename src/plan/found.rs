//! The plan file as the analysis fills it: what is found is stored, and looked at again until all classes are known.

use super::store::{Selector, Stored, conflict_id};
use super::{Plan, codec, lost};
use crate::analyzer::{Finding, Findings};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{Key, Schema, Value};
use rusqlite::{OptionalExtension, params};

/// Writes down what stands in a record's way; most records have nothing.
fn limits(finding: &Finding) -> Option<String> {
    let none = finding.limits == Default::default();
    (!none).then(|| serde_json::to_string(&finding.limits).expect("limits always serialise"))
}

/// Encodes key, fields, digests and timestamps.
fn bytes(finding: &Finding) -> [Vec<u8>; 4] {
    [
        codec::values_to_bytes(&finding.key),
        codec::fields_to_bytes(&finding.fields, &finding.kept),
        codec::digests_to_bytes(&finding.current_digests),
        codec::clocks_to_bytes(finding.backup_at, finding.current_at),
    ]
}

impl Findings for Plan {
    fn about(&mut self, schema: &Schema) {
        self.meta.schema = schema.clone();
    }

    fn add(&mut self, mut finding: Finding) -> Result<()> {
        self.withheld.take_out(&mut finding);
        let label = self.meta.schema.tables[finding.table].label();
        let conflict_id = conflict_id(&label, &finding.key_bytes);
        let record = Stored { finding, conflict_id, decision: None, outcome: None, why: None };
        let settled = self.settle_found(&record)?;
        let finding = &record.finding;
        let key = Key(finding.key.clone()).to_string();
        let pattern = if finding.class == Class::Conflict { self.pattern(finding) } else { String::new() };
        let [key_values, fields, digests, clocks] = bytes(finding);
        self.connection
            .prepare_cached(
                "INSERT INTO records (table_id, key_bytes, record, conflict_id, class, reason, note, key, fields, digests, clocks,
                 place_record, place_offset, pattern, outcome, why)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    finding.table as i64,
                    finding.key_bytes,
                    key,
                    record.conflict_id,
                    finding.class.word(),
                    finding.reason.word(),
                    finding.note,
                    key_values,
                    fields,
                    digests,
                    clocks,
                    finding.place.record as i64,
                    finding.place.offset.map(|o| o as i64),
                    pattern,
                    settled.as_ref().map(|s| s.outcome.word()),
                    settled.as_ref().and_then(|s| s.why.as_deref()),
                ])
            })
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn page(&mut self, table: usize, classes: &[Class], after: i64, limit: usize) -> Result<Vec<Finding>> {
        self.index()?;
        Ok(self.stored_page(table, classes, after, limit)?.into_iter().map(|s| s.finding).collect())
    }

    fn conflicts(&mut self, table: usize, reasons: &[Reason], after: i64, limit: usize) -> Result<Vec<Finding>> {
        self.index()?;
        let (classes, reasons) = (vec![Class::Conflict], reasons.to_vec());
        let selector = Selector { table: Some(table), classes, reasons, ..Selector::default() };
        Ok(self.select(&selector, after, limit)?.into_iter().map(|s| s.finding).collect())
    }

    fn find(&mut self, table: usize, key_bytes: &[u8]) -> Result<Option<Finding>> {
        self.index()?;
        Ok(self.stored_by_key(table, key_bytes)?.map(|s| s.finding))
    }

    fn revise(&mut self, finding: &Finding) -> Result<()> {
        self.early.iter_mut().for_each(|early| early.forget(finding.table));
        let finding = &*self.withheld.without(finding);
        let pattern = if finding.class == Class::Conflict { self.pattern(finding) } else { String::new() };
        let [key_values, fields, digests, clocks] = bytes(finding);
        self.connection
            .prepare_cached(
                "UPDATE records SET class = ?2, reason = ?3, note = ?4, key = ?5, fields = ?6, digests = ?7, clocks = ?8, pattern = ?9, limits = ?10 WHERE id = ?1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    finding.id,
                    finding.class.word(),
                    finding.reason.word(),
                    finding.note,
                    key_values,
                    fields,
                    digests,
                    clocks,
                    pattern,
                    limits(finding),
                ])
            })
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn withholds(&self, table: usize, column: usize) -> bool {
        self.withheld.has(table, column)
    }

    fn remove(&mut self, id: i64) -> Result<()> {
        self.early = None;
        self.connection.execute("DELETE FROM records WHERE id = ?", [id]).map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn rename(&mut self, id: i64, key: &[Value], key_bytes: &[u8]) -> Result<()> {
        self.put_under(id, key, key_bytes)
    }

    fn spelling(&mut self, table: usize, column: usize, form: &str, text: &str) -> Result<String> {
        self.spell(table, column, form, text)
    }

    fn wait(&mut self, step: usize, awaited: i64, id: i64) -> Result<()> {
        Plan::wait(self, step, awaited, id)
    }

    fn is_awaited(&mut self, id: i64) -> Result<bool> {
        Plan::is_awaited(self, id)
    }

    fn waiters(&mut self, step: usize, awaited: &[i64]) -> Result<Vec<Finding>> {
        let ids = Plan::waiters(self, step, awaited)?;
        let records = ids.into_iter().map(|id| self.stored(id)).collect::<Result<Vec<_>>>()?;
        Ok(records.into_iter().flatten().map(|record| record.finding).collect())
    }

    fn name(&mut self, name: [u8; 16], id: i64) -> Result<()> {
        if !std::mem::replace(&mut self.names_begun, true) {
            self.sql("CREATE TEMP TABLE names (name BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID")?;
        }
        self.connection
            .prepare_cached("INSERT INTO temp.names VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .and_then(|mut s| s.execute(params![name, id]))
            .map_err(|e| lost(&self.path, e))?;
        Ok(())
    }

    fn named(&mut self, name: [u8; 16]) -> Result<Option<Finding>> {
        if !self.names_begun {
            return Ok(None);
        }
        let id = self
            .connection
            .prepare_cached("SELECT id FROM temp.names WHERE name = ?1")
            .and_then(|mut s| s.query_row([name], |r| r.get(0)).optional())
            .map_err(|e| lost(&self.path, e))?;
        let record = id.map(|id| self.stored(id)).transpose()?.flatten();
        Ok(record.map(|record| record.finding))
    }
}
