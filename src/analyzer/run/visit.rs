//! What becomes of rows that met: classified, counted, and stored where they are not unchanged.

use crate::analyzer::check::Storing;
use crate::analyzer::classify::{Rules, Sides, classify};
use crate::analyzer::join::Met;
use crate::analyzer::mapping::Mapping;
use crate::analyzer::options::{Options, Parents, Reach};
use crate::analyzer::rows::RowRef;
use crate::analyzer::{Finding, Findings, Limits, digests};
use crate::error::Result;
use crate::model::calendar::Timestamp;
use crate::model::change::{Class, Counts, Reason};
use crate::model::names::is_created_name;
use crate::model::{Table, encode};
use std::collections::{HashMap, HashSet};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

pub(crate) fn rules(options: &Options, table: &Table) -> Rules {
    let tolerance_nanos = i128::from(options.tolerance_millis) * 1_000_000;
    let now = chrono::Utc::now();
    Rules {
        tolerance_nanos,
        now: Timestamp { seconds: now.timestamp(), nanos: now.timestamp_subsec_nanos(), digits: 9, zoned: true },
        strict: options.strict,
        deletes: options.deletes,
        created: table.columns.iter().position(|column| is_created_name(&column.name)),
    }
}

/// Classifies what met and stores what is not unchanged.
pub(super) struct Visit<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) options: &'a Options,
    pub(super) findings: &'a mut dyn Findings,
    pub(super) table: usize,
    pub(super) target: &'a Table,
    pub(super) whole: bool,
    /// Keys of records that the backup names as deleted.
    pub(super) deleted: HashSet<Vec<u8>>,
    pub(super) chosen: bool,
    pub(super) three_way: bool,
    pub(super) rules: Rules,
    pub(super) counts: Counts,
    /// Whether only the database knows which keys are equal.
    pub(super) by_database: bool,
    /// What the backup had, as far as it may come again.
    pub(super) repeats: Repeats,
    pub(super) storing: &'a Storing<'a>,
    /// Whether the database certainly holds all that was found.
    pub(super) proven: bool,
}

/// What tells whether a new record is the second of its key.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    /// Digests of backup records that are known to change nothing though they differ from current: a base says so. The
    /// same record may come once more, when its base has met its partners already.
    unchanged: HashMap<u128, u64>,
    /// Digests of the keys that backup and current spell alike, where the database holds other spellings equal.
    met: HashSet<u64>,
    /// Whether more have met than are remembered.
    beyond: bool,
}

impl Repeats {
    /// More are not kept; 32 bytes each. A record that is repeated beyond them is refused.
    const MOST: usize = 1 << 20;
    /// More are not kept; up to 18 bytes each. Whether the backup spells a key in two ways is not known beyond them.
    const MOST_MET: usize = 1 << 21;

    fn note(&mut self, key: &[u8], body: &[u8]) {
        if self.unchanged.len() < Self::MOST {
            self.unchanged.insert(xxh3_128(key), xxh3_64(body));
        }
    }

    /// Notes the digest of a key that both sides have.
    pub(super) fn meet(&mut self, key: u64) {
        if self.met.len() < Self::MOST_MET {
            self.met.insert(key);
        } else {
            self.beyond = true;
        }
    }

    /// Notes that a record of the backup has met the current one of a key; tells whether another one had, if that is known.
    pub(crate) fn meets_again(&mut self, key: &[u8]) -> Option<bool> {
        let again = !self.met.insert(xxh3_64(key));
        (again || !self.beyond).then_some(again)
    }

    /// Tells whether a record of the backup is the same as one noted.
    pub(crate) fn has(&self, key: &[u8], body: &[u8]) -> bool {
        self.unchanged.get(&xxh3_128(key)) == Some(&xxh3_64(body))
    }
}

impl Visit<'_> {
    pub(super) fn met(&mut self, met: &Met<'_>) -> Result<()> {
        let [base, current, backup] = met.rows;
        let beyond = current.is_some_and(|row| self.is_beyond(row));
        if let (Some(row), Some(_), true) = (current, backup, self.by_database) {
            self.repeats.meet(xxh3_64(row.key));
        }
        match (current, backup) {
            (None, None) => Ok(()),
            (Some(_), None) if beyond => Ok(()),
            (_, Some(_)) if beyond => {
                self.counts.excluded += 1;
                Ok(())
            }
            (_, Some(backup)) if backup.excluded => self.excluded(current, backup),
            (None, Some(backup)) if backup.key.is_empty() && !self.target.key.is_empty() => self.keyless(backup),
            (Some(current), Some(backup)) if self.same(base, current, backup) => {
                self.counts.unchanged += 1;
                Ok(())
            }
            (Some(_), None) if !self.chosen => Ok(()),
            // Without a key there is nothing by which a record could be deleted.
            (Some(current), None) if current.key.is_empty() || self.target.key.is_empty() => {
                self.counts.current_only += 1;
                Ok(())
            }
            _ => self.differing(base, current, backup),
        }
    }

    /// Tells whether a current record is one that whoever asked may not reach.
    fn is_beyond(&self, current: RowRef<'_>) -> bool {
        let filters = &self.mapping.filters[self.table];
        if self.options.reach == Reach::Backup || filters.is_empty() {
            return false;
        }
        let values: Vec<&[u8]> = encode::split(current.body).collect();
        !filters.iter().all(|filter| filter.meets(|column| values[column]))
    }

    /// Tells by bytes alone that nothing differs; what it does not see as equal is looked at closely.
    fn same(&self, base: Option<RowRef<'_>>, current: RowRef<'_>, backup: RowRef<'_>) -> bool {
        if self.target.key.is_empty() || current.body == backup.body {
            return true;
        }
        // With a base, fields that differ from it decide; equal sides are settled above.
        if self.three_way && base.is_some() {
            return false;
        }
        let compared = &self.mapping.compared[self.table];
        encode::split(current.body).zip(encode::split(backup.body)).enumerate().all(|(column, (c, b))| {
            c == b || encode::is_absent(b) || !compared[column] || self.target.timestamp == Some(column)
        })
    }

    fn differing(
        &mut self,
        base: Option<RowRef<'_>>,
        current: Option<RowRef<'_>>,
        backup: Option<RowRef<'_>>,
    ) -> Result<()> {
        let sides = Sides {
            base: self.three_way.then_some(base.map(|r| r.body)),
            current: current.map(|r| r.body),
            backup: backup.map(|r| r.body),
            backup_whole: self.whole,
            backup_deleted: backup.is_none() && current.is_some_and(|r| self.deleted.contains(r.key)),
        };
        let mut verdict = classify(self.target, &self.mapping.compared[self.table], &sides, &self.rules);
        if current.is_some() && !self.mapping.primary_stays.is_empty() {
            verdict.kept.retain(|f| !self.mapping.primary_stays.contains(&(self.table, f.column)));
            verdict.fields.retain(|f| !self.mapping.primary_stays.contains(&(self.table, f.column)));
            let compares = matches!(verdict.class, Class::Updated | Class::Conflict) && backup.is_some();
            if compares && verdict.fields.iter().all(|f| f.is_timestamp) {
                (verdict.class, verdict.reason) = (Class::Unchanged, Reason::SameFields);
            }
        }
        *self.counts.of(verdict.class) += 1;
        let stays = verdict.class == Class::CurrentOnly && verdict.reason == Reason::OnlyInCurrent;
        if verdict.class == Class::Unchanged || stays {
            if let (Some(_), Some(backup), true) = (base, backup, self.three_way) {
                self.repeats.note(backup.key, backup.body);
            }
            return Ok(());
        }
        let row = current.or(backup).expect("a record on one side at least");
        let finding = Finding {
            id: 0,
            table: self.table,
            key: key_values(self.target, row.body),
            key_bytes: row.key.to_vec(),
            class: verdict.class,
            reason: verdict.reason,
            note: None,
            fields: verdict.fields,
            kept: verdict.kept,
            current_digests: current.map(|r| digests(r.body)).unwrap_or_default(),
            backup_at: verdict.backup_at,
            current_at: verdict.current_at,
            place: backup.map(|r| r.place).unwrap_or_default(),
            limits: Limits::default(),
        };
        // While the readers read, the calling thread has time to see it; afterwards everybody would wait.
        self.proven = self.proven && self.storing.takes(self.target, &finding);
        self.findings.add(finding)
    }

    /// A record that a filter leaves out is kept only where a chosen one may need it as a parent.
    fn excluded(&mut self, current: Option<RowRef<'_>>, backup: RowRef<'_>) -> Result<()> {
        self.counts.excluded += 1;
        if current.is_some() || self.options.parents != Parents::Auto || backup.key.is_empty() {
            return Ok(());
        }
        self.one_sided(backup, Class::Excluded, Reason::Filtered, None)
    }

    fn keyless(&mut self, backup: RowRef<'_>) -> Result<()> {
        self.counts.blocked += 1;
        let names = self.target.names(&self.target.key).join(", ");
        let note = format!("{} has no value for its key ({names})", backup.place);
        self.one_sided(backup, Class::Blocked, Reason::KeyMissing, Some(note))
    }

    fn one_sided(&mut self, backup: RowRef<'_>, class: Class, reason: Reason, note: Option<String>) -> Result<()> {
        let sides = Sides {
            base: None,
            current: None,
            backup: Some(backup.body),
            backup_whole: self.whole,
            backup_deleted: false,
        };
        let verdict = classify(self.target, &self.mapping.compared[self.table], &sides, &self.rules);
        self.findings.add(Finding {
            id: 0,
            table: self.table,
            key: key_values(self.target, backup.body),
            key_bytes: backup.key.to_vec(),
            class,
            reason,
            note,
            fields: verdict.fields,
            kept: verdict.kept,
            current_digests: Vec::new(),
            backup_at: None,
            current_at: None,
            place: backup.place,
            limits: Limits::default(),
        })
    }
}

/// Reads the key's values out of a record's body; empty where one is missing.
pub(crate) fn key_values(table: &Table, body: &[u8]) -> Vec<crate::model::Value> {
    let values: Vec<&[u8]> = encode::split(body).collect();
    let key: Option<Vec<_>> = table.key.iter().map(|&c| encode::decode(values[c]).filter(|v| !v.is_null())).collect();
    key.unwrap_or_default()
}
