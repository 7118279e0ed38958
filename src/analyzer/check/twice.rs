//! New records whose key the current database has after all: the second of a key that stands twice in the backup, or a
//! key that only the database's collation holds equal.

use super::spellings::spelled_twice;
use super::{Check, values};
use crate::analyzer::classify::{Sides, classify};
use crate::analyzer::run::Repeats;
use crate::analyzer::{Finding, digests, run};
use crate::error::{Result, fail};
use crate::model::change::{Class, Reason};
use crate::model::compare::same;
use crate::model::{Key, OwnedCell, Table, Value, encode};

impl Check<'_> {
    pub(super) fn twice(&mut self, table: usize, mut repeats: Repeats) -> Result<()> {
        // A record that the base has may stand here under another spelling; as a new one it would collide.
        self.each(table, &[Class::New, Class::Conflict], &mut |check, page| {
            let page: Vec<Finding> = page.into_iter().filter(|f| f.current_digests.is_empty()).collect();
            let target = &check.mapping.schema.tables[table];
            if target.key.is_empty() {
                return Ok(());
            }
            let mut found: Vec<Option<Vec<u8>>> = vec![None; page.len()];
            let wanted: Vec<Vec<OwnedCell>> = page
                .iter()
                .map(|f| {
                    check.stored(target, &target.key, &f.key).unwrap_or_else(|| vec![OwnedCell::Null; f.key.len()])
                })
                .collect();
            check.snapshot.fetch(target, &target.key, &wanted, &mut |position, cells| {
                let mut body = Vec::new();
                values(target, cells).iter().for_each(|v| encode::encode_value(v.as_ref(), &mut body));
                found[position] = Some(body);
                Ok(())
            })?;
            for (mut finding, current) in page.into_iter().zip(found) {
                let Some(current) = current else { continue };
                let mut backup = Vec::new();
                for column in 0..target.columns.len() {
                    let field = finding.fields.iter().find(|f| f.column == column);
                    encode::encode_value(field.and_then(|f| f.backup.as_ref()), &mut backup);
                }
                let sides = Sides {
                    base: None,
                    current: Some(&current),
                    backup: Some(&backup),
                    backup_whole: false,
                    backup_deleted: false,
                };
                let verdict =
                    classify(target, &check.mapping.compared[table], &sides, &run::rules(check.options, target));
                let current_key = run::key_values(target, &current);
                let current_bytes = super::tuple_bytes(target, &target.key, &current_key);
                if current_bytes == finding.key_bytes {
                    // The first record of this key met the current one in the join; this is the second.
                    let first = check.findings.find(table, &finding.key_bytes)?.filter(|f| f.id != finding.id);
                    let identical = match &first {
                        // With a base the first one's fields say more than two sides do: what the backup has decides.
                        Some(first) if first.fields.iter().any(|f| f.base.is_some()) => {
                            same_backup(target, first, &finding, &values_of(&current))
                        }
                        Some(first) => first.fields == verdict.fields,
                        None => verdict.class == Class::Unchanged || repeats.has(&finding.key_bytes, &backup),
                    };
                    if !identical {
                        return Err(fail!(
                            BackupDamaged,
                            "{}: the backup has the key {} twice, with different fields (the second at {})",
                            target.label(),
                            target.key_shown(&target.key, &finding.key),
                            finding.place
                        )
                        .hint("Remove one of the two from the backup, or leave the table out with --skip-tables."));
                    }
                    check.forget(&finding)?;
                    continue;
                }
                check.alone(target, &finding, (&current_key, &current_bytes))?;
                let certain = match repeats.meets_again(&current_bytes) {
                    Some(true) => return Err(spelled_twice(target, &Key(current_key), &finding)),
                    Some(false) => true,
                    None => false,
                };
                let result = check.result(table).expect("a finding's table has a result");
                result.counts.current_only = result.counts.current_only.saturating_sub(1);
                if !certain {
                    let name = format!("{}/{}", target.label(), Key(current_key));
                    let note = format!("the backup may have {name} in this spelling too; there are too many to tell");
                    check.reclass(&mut finding, Class::Blocked, Reason::UniqueTwiceInBackup, Some(note))?;
                } else if verdict.class == Class::Unchanged {
                    check.forget(&finding)?;
                    check.result(table).expect("a finding's table has a result").counts.unchanged += 1;
                } else {
                    check.findings.rename(finding.id, &current_key, &current_bytes)?;
                    (finding.key, finding.key_bytes) = (current_key, current_bytes);
                    finding.fields = verdict.fields;
                    finding.kept = verdict.kept;
                    finding.current_digests = digests(&current);
                    (finding.backup_at, finding.current_at) = (verdict.backup_at, verdict.current_at);
                    check.reclass(&mut finding, verdict.class, verdict.reason, None)?;
                }
            }
            Ok(())
        })
    }

    /// Sees to it that a record that spells the key of a current one in another way is the only one of it.
    fn alone(&mut self, target: &Table, finding: &Finding, (key, key_bytes): (&[Value], &[u8])) -> Result<()> {
        let Some(other) = self.findings.find(finding.table, key_bytes)?.filter(|f| f.id != finding.id) else {
            return Ok(());
        };
        if !matches!(other.reason, Reason::DeletedInBackup | Reason::NotInBackup) {
            return Err(spelled_twice(target, &Key(key.to_vec()), finding));
        }
        // The backup did not delete the record: it spells its key in another way than the base.
        self.findings.remove(other.id)?;
        let result = self.result(finding.table).expect("a finding's table has a result");
        *result.counts.of(other.class) -= 1;
        result.counts.current_only += 1;
        Ok(())
    }

    /// Removes a record from findings and counts.
    fn forget(&mut self, finding: &Finding) -> Result<()> {
        self.findings.remove(finding.id)?;
        let result = self.result(finding.table).expect("a finding's table has a result");
        *result.counts.of(finding.class) -= 1;
        Ok(())
    }
}

fn values_of(body: &[u8]) -> Vec<Option<Value>> {
    encode::split(body).map(encode::decode).collect()
}

/// Tells whether two findings of one key stand for the same record of the backup; where the first has no field, its
/// backup and current sides were equal.
fn same_backup(target: &Table, first: &Finding, second: &Finding, current: &[Option<Value>]) -> bool {
    let field = |finding: &Finding, column: usize| finding.fields.iter().find(|f| f.column == column).cloned();
    (0..target.columns.len()).all(|column| {
        let later = field(second, column).and_then(|f| f.backup);
        match (field(first, column), later) {
            (Some(earlier), later) => match (earlier.backup, later) {
                (Some(a), Some(b)) => same(&a, &b),
                (a, b) => a.is_none() && b.is_none(),
            },
            (None, None) => true,
            (None, Some(later)) => current.get(column).is_some_and(|c| c.as_ref().is_some_and(|c| same(c, &later))),
        }
    })
}
