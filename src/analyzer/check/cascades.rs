//! References that an engine would change by itself: a record's new value must not reach into other tables unseen.

use super::{Check, tuple};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{OwnedCell, Value};

impl Check<'_> {
    /// Blocks changes of referenced values where records refer to them with ON UPDATE CASCADE, SET NULL or SET DEFAULT.
    pub(super) fn cascades(&mut self, table: usize) -> Result<()> {
        let schema = &self.mapping.schema;
        let target = &schema.tables[table];
        let referring: Vec<(usize, usize)> = (0..schema.tables.len())
            .flat_map(|child| (0..schema.tables[child].foreign_keys.len()).map(move |f| (child, f)))
            .filter(|&(child, f)| {
                let foreign_key = &schema.tables[child].foreign_keys[f];
                foreign_key.table == Some(table)
                    && foreign_key.reaches_on_update()
                    && foreign_key.references.iter().any(|c| !target.key.contains(c))
            })
            .collect();
        if referring.is_empty() {
            return Ok(());
        }
        self.each(table, &[Class::Updated, Class::Conflict], &mut |check, page| {
            let page: Vec<_> = page.into_iter().filter(|f| !f.current_digests.is_empty()).collect();
            let records = check.complete(table, &page)?;
            for (mut finding, mut record) in page.into_iter().zip(records) {
                for field in &finding.fields {
                    record[field.column].clone_from(&field.current);
                }
                let mut reached = Vec::new();
                for &(child, position) in &referring {
                    if let Some(count) = check.reached(table, (child, position), &finding, &record)? {
                        reached.push(count);
                    }
                }
                if reached.is_empty() {
                    continue;
                }
                let note = format!("its new value would also change records that refer to it: {}", reached.join(", "));
                if finding.class == Class::Conflict {
                    finding.limits.refused = Some(note);
                    check.findings.revise(&finding)?;
                } else {
                    check.reclass(&mut finding, Class::Blocked, Reason::CheckFails, Some(note))?;
                }
            }
            Ok(())
        })
    }

    /// Says how many records of a child table would be changed by the engine.
    fn reached(
        &mut self,
        table: usize,
        (child, position): (usize, usize),
        finding: &crate::analyzer::Finding,
        record: &[Option<Value>],
    ) -> Result<Option<String>> {
        let target = &self.mapping.schema.tables[table];
        let children = &self.mapping.schema.tables[child];
        let foreign_key = &children.foreign_keys[position];
        let changes = |c: &usize| finding.fields.iter().any(|f| f.column == *c && f.backup.is_some());
        if !foreign_key.references.iter().any(changes) {
            return Ok(None);
        }
        let Some(values) = tuple(record, &foreign_key.references) else { return Ok(None) };
        let Some(cells) = self.stored(target, &foreign_key.references, &values) else { return Ok(None) };
        let wanted: [Vec<OwnedCell>; 1] = [cells];
        let count = self.snapshot.referrers(children, foreign_key, &wanted)?.into_iter().sum::<u64>();
        Ok((count > 0).then(|| format!("{count} of {} (ON UPDATE {})", children.label(), foreign_key.on_update)))
    }
}
