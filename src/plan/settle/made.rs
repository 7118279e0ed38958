//! Values that neither side has, because a person typed them or a strategy made them: whether another record of the plan
//! has them in a unique key, or gets them.
//!
//! The analysis has looked at what the sides have. What a current record holds that is not in the plan is seen when the
//! merge begins, before it writes.

use super::rounds::Settling;
use super::{Settled, Strategies, Target, arrives, exists, settle};
use crate::error::Result;
use crate::model::{Table, Value};
use crate::plan::identity::known;
use crate::plan::store::Stored;
use crate::plan::{Outcome, Plan, codec};
use std::collections::{BTreeMap, HashMap};

/// Records looked at in one go.
const PAGE: usize = 1_000;

/// Who would have which values of which unique key: by its place in the table and the values' bytes.
type Claims = HashMap<(usize, Vec<u8>), Vec<i64>>;

/// Lists the unique keys of a record into which a value goes that neither side has, by their place in the table.
pub(in crate::plan) fn made(table: &Table, record: &Stored, settled: &Settled) -> Vec<usize> {
    if !matches!(settled.outcome, Outcome::Inserted | Outcome::Updated) {
        return Vec::new();
    }
    let sides = |column: usize, value: &Value| {
        let field = record.finding.fields.iter().find(|f| f.column == column);
        field.is_some_and(|f| {
            // Beside a record that is not there stand the values of the one that it meets.
            f.backup.as_ref() == Some(value) || (exists(record) && f.current.as_ref() == Some(value))
        })
    };
    // Keys that are made for records are made so that nobody has them.
    let makes = |c: &usize| {
        !table.key.contains(c) && settled.writes.iter().any(|(column, value)| column == c && !sides(*c, value))
    };
    let plain = table.uniques.iter().enumerate().filter(|(_, unique)| unique.is_plain());
    plain.filter(|(_, unique)| unique.columns.iter().any(makes)).map(|(at, _)| at).collect()
}

/// What a record has of a unique key, or gets: its values' bytes, whose they are, and the word for it.
struct Had {
    bytes: Vec<u8>,
    name: String,
    word: &'static str,
}

/// Names a record by its number, else by its id in the plan: a key of another kind may be a secret.
fn named(table: &Table, key: &[Value], record: &Stored) -> String {
    match key.iter().all(|part| matches!(part, Value::Integer(_))) {
        true => table.named(key),
        false if exists(record) || record.finding.key == key => {
            format!("the record {} of {}", record.conflict_id, table.label())
        }
        false => format!("another record of {}", table.label()),
    }
}

/// Tells whether a record arrives with values of a unique key.
fn writes_into(table: &Table, unique: usize, record: &Stored, settled: &Settled) -> bool {
    arrives(record) && settled.writes.iter().any(|(c, _)| table.uniques[unique].columns.contains(c))
}

impl Plan {
    /// Encodes what a record would have of a unique key; none where it is not known, or where it may stand twice.
    fn tuple(&self, table: usize, unique: usize, value: impl Fn(usize) -> Option<Value>) -> Result<Option<Vec<u8>>> {
        let columns = &self.meta().schema.tables[table].uniques[unique].columns;
        let values: Option<Vec<Value>> = columns.iter().map(|&c| value(c).filter(|v| !v.is_null())).collect();
        values.map(|values| self.tuple_bytes(table, columns, &values)).transpose()
    }

    /// Returns what a record gets of a unique key.
    fn comes_by(&self, table: &Table, unique: usize, record: &Stored, settled: &Settled) -> Result<Option<Had>> {
        if !writes_into(table, unique, record, settled) {
            return Ok(None);
        }
        let bytes = self.tuple(record.finding.table, unique, |c| known(table, record, settled, c))?;
        Ok(bytes.map(|bytes| Had { bytes, name: named(table, &record.finding.key, record), word: "gets" }))
    }

    /// Blocks records with made values that another record of the plan has or gets.
    pub(super) fn taken_by_made(&self, table: usize, settling: &mut Settling<'_>) -> Result<()> {
        let (own, strategies) = (&self.meta().schema.tables[table], settling.strategies);
        let mut claims = Claims::new();
        self.each_settled(table, strategies, &mut |record, settled| {
            for unique in made(own, record, settled) {
                if let Some(bytes) = self.tuple(table, unique, |c| known(own, record, settled, c))? {
                    claims.entry((unique, bytes)).or_default().push(record.finding.id);
                }
            }
            Ok(())
        })?;
        let uniques: std::collections::BTreeSet<usize> = claims.keys().map(|(unique, _)| *unique).collect();
        let mut taken: BTreeMap<i64, String> = BTreeMap::new();
        self.each_settled(table, strategies, &mut |record, settled| {
            for &unique in &uniques {
                let has = self.has(own, unique, record, settled)?;
                let gets = self.comes_by(own, unique, record, settled)?;
                for Had { bytes, name, word } in gets.into_iter().chain(has) {
                    let claimants = claims.get(&(unique, bytes)).into_iter().flatten();
                    for id in claimants.filter(|id| **id != record.finding.id) {
                        let columns = own.names(&own.uniques[unique].columns).join(" + ");
                        taken.entry(*id).or_insert(format!("{name} {word} the same {columns}"));
                    }
                }
            }
            Ok(())
        })?;
        for (id, why) in &taken {
            if let Some(record) = self.stored(*id)? {
                self.block(settling, &record, why)?;
            }
        }
        Ok(())
    }

    /// Returns what the record beside which a record of the plan stands has of a unique key and keeps.
    fn has(&self, table: &Table, unique: usize, record: &Stored, settled: &Settled) -> Result<Option<Had>> {
        let finding = &record.finding;
        let current = |column: usize| finding.fields.iter().find(|f| f.column == column)?.current.clone();
        let Some(bytes) = self.tuple(finding.table, unique, current)? else { return Ok(None) };
        let changes = writes_into(table, unique, record, settled);
        if exists(record) {
            let goes = record.outcome == Some(Outcome::Deleted) || (changes && settled.target == Target::Own);
            return Ok((!goes).then(|| Had { bytes, name: named(table, &finding.key, record), word: "has" }));
        }
        // The current values beside a record that is not there are those of the record that it meets.
        let Some(met) = &finding.limits.identity else { return Ok(None) };
        let own = self.stored_by_key(finding.table, &met.key_bytes)?;
        let is_written = own.is_some_and(|r| r.outcome.is_some_and(Outcome::writes));
        if is_written || (changes && matches!(settled.target, Target::Existing(..))) {
            return Ok(None);
        }
        Ok(Some(Had { bytes, name: named(table, &codec::values_from_bytes(&met.key)?, record), word: "has" }))
    }

    /// Visits every record of a table's, with what becomes of it by itself.
    fn each_settled(
        &self,
        table: usize,
        strategies: &Strategies,
        visit: &mut dyn FnMut(&Stored, &Settled) -> Result<()>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let page = self.stored_page(table, &super::together::DECIDABLE, after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.finding.id;
            for record in &page {
                let settled = match arrives(record) {
                    true => settle(self, strategies, record)?,
                    false => Settled::plain(record.outcome.unwrap_or(Outcome::Kept), None),
                };
                visit(record, &settled)?;
            }
        }
    }
}
