//! Records made of both sides: what a constraint over several columns makes of some of the backup's fields beside the
//! current record's others.
//!
//! A strategy or a person may take one field of a record and not another. What a constraint says of the result depends on
//! the columns that it names and on no other, so each way of mixing those is looked at and noted on the finding.

use super::Check;
use super::constraints::Claim;
use crate::analyzer::{Finding, Mix, Mixed};
use crate::database::claims::named;
use crate::error::Result;
use crate::model::change::Field;
use crate::model::compare::same;
use crate::model::{OwnedCell, Table, Unique, Value};

/// A constraint with more differing columns than this is left to the database: their mixtures double with each.
const MOST: usize = 4;

/// Which of a constraint's differing fields come from the backup, and which stay.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) with: Vec<usize>,
    pub(super) without: Vec<usize>,
}

impl Part {
    /// Returns the one of all that a record brings for some columns.
    pub(super) fn whole(finding: &Finding, columns: &[usize]) -> Self {
        let brought = finding.fields.iter().filter(|f| columns.contains(&f.column) && brings(f));
        Self { with: brought.map(|f| f.column).collect(), without: Vec::new() }
    }

    /// Tells whether all come from the backup.
    pub(super) fn is_whole(&self) -> bool {
        self.without.is_empty()
    }

    /// Says what comes of it.
    pub(super) fn gives(self, what: Mixed) -> Mix {
        Mix { with: self.with, without: self.without, what }
    }

    /// Returns the record as it is mixed, given the one with all of the backup's fields.
    pub(super) fn of(&self, record: &[Option<Value>], finding: &Finding) -> Vec<Option<Value>> {
        let mut mixed = record.to_vec();
        for field in finding.fields.iter().filter(|f| self.without.contains(&f.column)) {
            mixed[field.column].clone_from(&field.current);
        }
        mixed
    }
}

/// Tells whether the backup has a value of its own for a field.
fn brings(field: &Field) -> bool {
    match (&field.backup, &field.current) {
        (Some(backup), Some(current)) => !same(backup, current),
        (backup, None) => backup.is_some(),
        (None, Some(_)) => false,
    }
}

/// Lists the ways of mixing a record's fields of some columns; none where no current record is.
pub(super) fn parts(finding: &Finding, columns: &[usize]) -> Vec<Part> {
    let brought = Part::whole(finding, columns).with;
    if finding.current_digests.is_empty() || brought.len() > MOST {
        return Vec::new();
    }
    let part = |mask: u32| {
        let (with, without) = (0..brought.len()).partition(|n| mask & (1 << n) != 0);
        let columns = |places: Vec<usize>| places.into_iter().map(|n| brought[n]).collect();
        Part { with: columns(with), without: columns(without) }
    };
    (1..1 << brought.len()).map(part).collect()
}

impl Check<'_> {
    /// Finds what the checks of a table refuse of a record that is made of both sides; `cells` are those of the record with
    /// all of the backup's fields.
    ///
    /// A check over a single differing column says the same of every mixture, so it is asked only where the whole record
    /// was refused.
    pub(super) fn mixed_checks(
        &mut self,
        target: &Table,
        refused: &[(Finding, Vec<OwnedCell>, bool)],
    ) -> Result<Vec<Vec<Mix>>> {
        let (mut asked, mut rows) = (Vec::new(), Vec::new());
        for (position, (finding, cells, whole_is_refused)) in refused.iter().enumerate() {
            for check in &target.checks {
                let parts = parts(finding, &named(&target.columns, &check.expression));
                if parts.len() == 1 && !whole_is_refused {
                    continue;
                }
                for part in parts {
                    let mut row = cells.clone();
                    // Only the check's own columns are the backup's: what else is wrong with it is another matter.
                    for field in finding.fields.iter().filter(|f| !part.with.contains(&f.column)) {
                        let column = &target.columns[field.column];
                        let current = field.current.as_ref().unwrap_or(&Value::Null);
                        row[field.column] = self.database.store_any(column, current).unwrap_or(OwnedCell::Absent);
                    }
                    asked.push((position, part));
                    rows.push(row);
                }
            }
        }
        let mut found: Vec<Vec<Mix>> = refused.iter().map(|_| Vec::new()).collect();
        if rows.is_empty() {
            return Ok(found);
        }
        for ((position, part), violation) in asked.into_iter().zip(self.snapshot.violations(target, &rows)?) {
            found[position].extend(violation.map(|v| part.gives(Mixed::Refused(super::constraints::noted(v)))));
        }
        Ok(found)
    }

    /// Lists what records made of both sides would claim of a unique key: the place in the page, the mixture, the claim.
    pub(super) fn mixed_claims(
        &mut self,
        table: usize,
        unique: &Unique,
        page: &[Finding],
    ) -> Result<Vec<(usize, Part, Option<Claim>)>> {
        let columns = unique.decided_by();
        let is_mixed = |f: &Finding| columns.len() > 1 && parts(f, columns).len() > 1;
        let places: Vec<usize> = (0..page.len()).filter(|&at| is_mixed(&page[at])).collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let whole: Vec<Finding> = places.iter().map(|&at| page[at].clone()).collect();
        let records = self.complete(table, &whole)?;
        let (mut asked, mut rows) = (Vec::new(), Vec::new());
        for ((at, finding), record) in places.into_iter().zip(&whole).zip(&records) {
            for part in parts(finding, columns).into_iter().filter(|p| !p.is_whole()) {
                rows.push(part.of(record, finding));
                asked.push((at, part));
            }
        }
        let claims = self.claims_of(table, unique, &rows)?;
        Ok(asked.into_iter().zip(claims).map(|((at, part), claim)| (at, part, claim)).collect())
    }

    /// Notes which current record holds what records made of both sides would claim.
    pub(super) fn mixed_holders(
        &mut self,
        table: usize,
        unique: &Unique,
        page: &[Finding],
        mixed: Vec<(usize, Part, Option<Claim>)>,
    ) -> Result<()> {
        let (asked, claims): (Vec<(usize, Part)>, Vec<Option<Claim>>) =
            mixed.into_iter().map(|(at, part, claim)| ((at, part), claim)).unzip();
        for ((at, part), holder) in asked.into_iter().zip(self.holders_of(table, unique, &claims)?) {
            let own = &page[at].key_bytes;
            if let Some(holder) = holder.filter(|h| h.key_bytes != *own) {
                self.note_mix(table, own, part.gives(Mixed::Held(holder)))?;
            }
        }
        Ok(())
    }

    /// Notes on a finding, as it is stored by now, what comes of a mixture.
    pub(super) fn note_mix(&mut self, table: usize, key_bytes: &[u8], mix: Mix) -> Result<()> {
        if let Some(mut stored) = self.findings.find(table, key_bytes)?
            && !stored.limits.mixes.contains(&mix)
        {
            stored.limits.mixes.push(mix);
            self.findings.revise(&stored)?;
        }
        Ok(())
    }
}
