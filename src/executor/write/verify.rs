//! Reading back: every written record is compared with what was meant, and what it refers to is looked for.

use super::super::receipt::Image;
use super::{Writing, shown};
use crate::error::{Quote, Result, fail};
use crate::model::compare::same;
use crate::model::schema::Engine;
use crate::model::{ForeignKey, OwnedCell, Table, encode};
use crate::plan::{ActionKind, PlanKind};
use std::collections::{BTreeMap, HashMap};

/// How the notes of a merge say that a trigger changed a column.
pub const BY_A_TRIGGER: &str = "changed by a trigger";

impl Writing<'_> {
    /// Reads every written record back and compares it with what was meant.
    pub(super) fn verify(&mut self, counts_before: &HashMap<usize, u64>) -> Result<Vec<String>> {
        let mut changed_by_trigger: BTreeMap<String, u64> = BTreeMap::new();
        let mut grown: HashMap<usize, i64> = HashMap::new();
        self.receipt.begin()?;
        let mut after = 0;
        loop {
            self.progress.go_on()?;
            let images = self.receipt.page(after, self.batch)?;
            let Some(last) = images.last() else { break };
            after = last.id;
            for batch in images.chunk_by(|a, b| a.table == b.table) {
                let target = self.table(batch[0].table).clone();
                if target.key.is_empty() {
                    let by = |image: &Image| if image.kind == ActionKind::Delete { -1 } else { 1 };
                    *grown.entry(batch[0].table).or_default() += batch.iter().map(by).sum::<i64>();
                    continue;
                }
                self.verify_batch(&target, batch, &mut changed_by_trigger)?;
            }
        }
        for (table, by) in grown {
            let target = self.table(table).clone();
            let now = self.transaction.count(&target)?;
            let expected = counts_before.get(&table).copied().unwrap_or(0).saturating_add_signed(by);
            if now != expected {
                return Err(fail!(
                    Refused,
                    "{}: {now} records are there after writing, {expected} were expected",
                    target.label()
                ));
            }
        }
        Ok(changed_by_trigger
            .into_iter()
            .map(|(column, count)| format!("{column}: {BY_A_TRIGGER} in {count} records"))
            .collect())
    }

    fn verify_batch(&mut self, target: &Table, images: &[Image], by_trigger: &mut BTreeMap<String, u64>) -> Result<()> {
        let wanted: Vec<Vec<OwnedCell>> = images.iter().map(|image| image.key.clone()).collect();
        let mut found: Vec<Option<Vec<OwnedCell>>> = vec![None; images.len()];
        self.transaction.fetch(target, &target.key, &wanted, &mut |position, cells| {
            found[position] = Some(cells.iter().map(|&c| OwnedCell::from(c)).collect());
            Ok(())
        })?;
        self.references_hold(target, images, &found)?;
        for (image, found) in images.iter().zip(found) {
            let name = || shown(target, &image.key);
            let Some(found) = found else {
                if image.kind == ActionKind::Delete {
                    continue;
                }
                return Err(fail!(Refused, "{}: the record is not there after it was written", name()));
            };
            if image.kind == ActionKind::Delete {
                return Err(fail!(Refused, "{}: the record is still there after it was deleted", name()));
            }
            let mut differs = false;
            for (column, (meant, is)) in image.after.iter().zip(&found).enumerate() {
                let definition = &target.columns[column];
                if meant == is || !definition.writable() {
                    continue;
                }
                differs = true;
                // What was left to the engine is what the engine made of it.
                let values =
                    (encode::value_of(meant.as_cell(), definition), encode::value_of(is.as_cell(), definition));
                let equal = match &values {
                    (None, _) => true,
                    (Some(meant), Some(is)) => same(meant, is),
                    (Some(_), None) => false,
                };
                if equal {
                    continue;
                }
                let inserted = image.kind == ActionKind::Insert;
                let updated = !inserted || self.order.opened.contains_key(&image.id);
                let fires =
                    |event: &str| (inserted && event.contains("INSERT")) || (updated && event.contains("UPDATE"));
                // What was left to the database a trigger may set; so may it a timestamp, which tells when a record was
                // written. Of anything else the plan has promised a value, and a merge keeps its promise or is none.
                let promised = self.plan.meta().kind == PlanKind::Merge
                    && image.columns.contains(&column)
                    && target.timestamp != Some(column);
                if !promised && target.triggers.iter().any(|t| fires(&t.event)) {
                    *by_trigger.entry(format!("{}.{}", target.label(), definition.name)).or_default() += 1;
                    continue;
                }
                let text =
                    |v: &Option<crate::model::Value>| v.as_ref().map_or("nothing".to_owned(), ToString::to_string);
                return Err(fail!(Refused, "{}: {} reads back as another value than was written", name(), definition.name)
                .quoting(Quote {
                    table: Some(target.label()),
                    columns: Some(vec![definition.name.clone()]),
                    text: format!("{:?}, and {:?} was written", text(&values.1), text(&values.0)),
                })
                .hint(if target.triggers.iter().any(|t| fires(&t.event)) {
                    format!(
                        "A trigger of {0} changes what is written: leave the column out with --skip-columns {0}.{1}, or keep the current value.",
                        target.label(),
                        definition.name
                    )
                } else {
                    "The database changes this value on its way in; correct it in the backup or keep the current one."
                        .to_owned()
                }));
            }
            if differs {
                self.receipt.set_after(image, found)?;
            }
        }
        Ok(())
    }
}

impl Writing<'_> {
    /// Checks that what was written refers to something, and that nothing refers to what went or changed, where the engine
    /// itself says so only at the commit: a dry run would not see it.
    fn references_hold(&mut self, target: &Table, images: &[Image], found: &[Option<Vec<OwnedCell>>]) -> Result<()> {
        let schema = &self.plan.meta().schema;
        if schema.engine != Engine::Sqlite {
            return Ok(());
        }
        for foreign_key in target.foreign_keys.iter().filter(|f| f.declared) {
            let Some(parent) = foreign_key.table.map(|p| &schema.tables[p]) else { continue };
            let mut asked: Vec<(usize, Vec<OwnedCell>)> = Vec::new();
            for (position, (image, found)) in images.iter().zip(found).enumerate() {
                let touched =
                    image.kind == ActionKind::Insert || foreign_key.columns.iter().any(|c| image.columns.contains(c));
                let Some(found) = found.as_ref().filter(|_| touched && image.kind != ActionKind::Delete) else {
                    continue;
                };
                let tuple: Vec<OwnedCell> = foreign_key.columns.iter().map(|&c| found[c].clone()).collect();
                if !tuple.contains(&OwnedCell::Null) {
                    asked.push((position, tuple));
                }
            }
            let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|(_, tuple)| tuple.clone()).collect();
            let mut present = vec![false; asked.len()];
            self.transaction.fetch(parent, &foreign_key.references, &wanted, &mut |position, _| {
                present[position] = true;
                Ok(())
            })?;
            if let Some(missing) = present.iter().position(|p| !p) {
                let (position, _) = asked[missing];
                return Err(fail!(
                    Refused,
                    "{}: {} refers to no record of {}",
                    shown(target, &images[position].key),
                    target.names(&foreign_key.columns).join("+"),
                    parent.label()
                ));
            }
        }
        self.left_behind(target, images)
    }

    /// Checks that nothing refers to what a record was or had, where no other record has it now.
    fn left_behind(&mut self, target: &Table, images: &[Image]) -> Result<()> {
        let schema = &self.plan.meta().schema;
        for child in &schema.tables {
            let to =
                |f: &&ForeignKey| f.declared && f.table.is_some_and(|p| schema.tables[p].label() == target.label());
            for foreign_key in child.foreign_keys.iter().filter(to) {
                let columns = &foreign_key.references;
                let given_up = |i: &&Image| match i.kind {
                    ActionKind::Delete => true,
                    ActionKind::Update => columns.iter().any(|&c| i.before[c] != i.after[c]),
                    ActionKind::Insert => false,
                };
                let given_up: Vec<&Image> = images.iter().filter(given_up).collect();
                let wanted: Vec<Vec<OwnedCell>> =
                    given_up.iter().map(|i| columns.iter().map(|&c| i.before[c].clone()).collect()).collect();
                if wanted.is_empty() {
                    continue;
                }
                let mut counts = self.transaction.referrers(child, foreign_key, &wanted)?;
                if counts.iter().any(|&count| count > 0) {
                    self.transaction.fetch(target, columns, &wanted, &mut |position, _| {
                        counts[position] = 0;
                        Ok(())
                    })?;
                }
                if let Some(left) = counts.iter().position(|&c| c > 0) {
                    return Err(fail!(
                        Refused,
                        "{}: {} records of {} still refer to it",
                        shown(target, &given_up[left].key),
                        counts[left],
                        child.label()
                    ));
                }
            }
        }
        Ok(())
    }
}
