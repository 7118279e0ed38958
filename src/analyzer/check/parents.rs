//! References: every record that arrives needs its parents, in the current database or among those that arrive too.

use super::mixed::{Part, parts};
use super::spellings::by_database;
use super::{Check, Step, tuple};
use crate::analyzer::{Finding, Mixed};
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{ForeignKey, Key, OwnedCell, Value};
use std::collections::{HashMap, HashSet};

/// Distinct parents remembered per foreign key before asking again.
const REMEMBERED: usize = 100_000;

/// The classes of records that need their parents, now or once somebody decides.
const REFERRING: [Class; 4] = [Class::New, Class::Updated, Class::Conflict, Class::Blocked];

/// Where a parent was found.
#[derive(Clone, PartialEq)]
enum Parent {
    Present,
    /// Not in current, but it comes with the merge: its number.
    Arriving(i64),
    /// Left out by a filter, but in the backup: can be pulled in.
    Excluded,
    Missing,
    /// In the backup, but blocked itself.
    Blocked,
}

impl Check<'_> {
    /// Checks the references of a table's records; returns whether any record changed its class.
    pub(super) fn parents(&mut self, table: usize) -> Result<bool> {
        let mut changed = false;
        let foreign_keys: Vec<ForeignKey> = self.mapping.schema.tables[table].foreign_keys.clone();
        let which = self.rounds.look(Step::Parents.of(table));
        for foreign_key in foreign_keys.iter().filter(|f| f.table.is_some()) {
            let mut remembered: HashMap<Vec<u8>, Parent> = HashMap::new();
            let mut look = |check: &mut Self, page: Vec<Finding>, note: bool| -> Result<()> {
                let concerned: Vec<Finding> = page
                    .into_iter()
                    .filter(may_arrive)
                    .filter(|f| {
                        let turned = |c: usize| {
                            foreign_key.columns.contains(&c) || foreign_key.when.as_ref().is_some_and(|(w, _)| *w == c)
                        };
                        f.current_digests.is_empty() || f.fields.iter().any(|x| turned(x.column))
                    })
                    .collect();
                if concerned.is_empty() {
                    return Ok(());
                }
                let records = check.complete(table, &concerned)?;
                let refers = |r: &Vec<Option<Value>>| {
                    tuple(r, &foreign_key.columns).filter(|_| foreign_key.applies(|c| r[c].as_ref()))
                };
                let tuples: Vec<Option<Vec<Value>>> = records.iter().map(refers).collect();
                if remembered.len() > REMEMBERED {
                    remembered.clear();
                }
                check.look_up(foreign_key, &tuples, &mut remembered)?;
                check.mixed_parents(foreign_key, &concerned, &records, &mut remembered)?;
                for (mut finding, values) in concerned.into_iter().zip(tuples) {
                    let Some(values) = values else { continue };
                    let parent = foreign_key.table.expect("filtered above");
                    let target = &check.mapping.schema.tables[parent];
                    let bytes = check.tuple_bytes(parent, &foreign_key.references, &values)?;
                    match remembered.get(&bytes).cloned() {
                        Some(Parent::Arriving(parent)) if note => {
                            check.findings.wait(Step::Parents.of(table), parent, finding.id)?;
                        }
                        Some(Parent::Present | Parent::Arriving(_)) | None => {}
                        Some(Parent::Excluded) if finding.class != Class::Blocked => {
                            let Some(mut pulled) = check.arriving(foreign_key, &values)? else { continue };
                            if pulled.class == Class::Excluded {
                                let note = format!("pulled in: {} refers to it", check.label_of(&finding));
                                check.reclass(&mut pulled, Class::New, Reason::OnlyInBackup, Some(note))?;
                                check.pulled_in.insert(pulled.table);
                                changed = true;
                            }
                            if note {
                                check.findings.wait(Step::Parents.of(table), pulled.id, finding.id)?;
                            }
                            remembered.insert(bytes, Parent::Arriving(pulled.id));
                        }
                        Some(found) => {
                            let own = &check.mapping.schema.tables[table];
                            let why = match found {
                                Parent::Missing => "is in neither backup nor current",
                                Parent::Excluded => "is left out",
                                Parent::Present | Parent::Arriving(_) | Parent::Blocked => "is blocked itself",
                            };
                            let columns = own.names(&foreign_key.columns).join("+");
                            let note =
                                format!("{columns} → {} {why}", target.named_by(&foreign_key.references, &values));
                            if matches!(finding.class, Class::Conflict | Class::Blocked) {
                                // Which side is taken is open; the backup's can't be.
                                let column = foreign_key.columns[0];
                                if matches!(found, Parent::Missing | Parent::Excluded)
                                    && mixtures(&finding, foreign_key).is_empty()
                                    && !finding.limits.unstorable.iter().any(|(c, _)| *c == column)
                                {
                                    finding.limits.unstorable.push((column, note));
                                    check.findings.revise(&finding)?;
                                }
                                continue;
                            }
                            check.reclass(&mut finding, Class::Blocked, Reason::MissingParent, Some(note))?;
                            changed = true;
                        }
                    }
                }
                Ok(())
            };
            self.visit((Step::Parents, table), &which, &REFERRING, &mut look)?;
        }
        Ok(changed)
    }

    /// Notes which parents records made of both sides would lack, or have only by this merge.
    fn mixed_parents(
        &mut self,
        foreign_key: &ForeignKey,
        page: &[Finding],
        records: &[Vec<Option<Value>>],
        remembered: &mut HashMap<Vec<u8>, Parent>,
    ) -> Result<()> {
        let (mut asked, mut tuples) = (Vec::new(), Vec::new());
        for (finding, record) in page.iter().zip(records) {
            for part in mixtures(finding, foreign_key) {
                let mixed = part.of(record, finding);
                tuples.push(tuple(&mixed, &foreign_key.columns).filter(|_| foreign_key.applies(|c| mixed[c].as_ref())));
                asked.push((finding, part));
            }
        }
        self.look_up(foreign_key, &tuples, remembered)?;
        let parent = foreign_key.table.expect("the caller has one");
        let target = &self.mapping.schema.tables[parent];
        for ((finding, part), values) in asked.into_iter().zip(tuples) {
            let Some(values) = values else { continue };
            let key_bytes = self.tuple_bytes(parent, &foreign_key.references, &values)?;
            let names = self.mapping.schema.tables[finding.table].names(&foreign_key.columns).join("+");
            let text = format!("{names} → {}", target.named_by(&foreign_key.references, &values));
            let what = match remembered.get(&key_bytes) {
                Some(Parent::Missing) => Mixed::Refused(format!("{text} is in neither backup nor current")),
                Some(Parent::Arriving(_) | Parent::Blocked) if foreign_key.references == target.key => {
                    Mixed::Needs { table: parent, key_bytes, text }
                }
                Some(Parent::Present | Parent::Arriving(_) | Parent::Blocked | Parent::Excluded) | None => continue,
            };
            self.note_mix(finding.table, &finding.key_bytes, part.gives(what))?;
        }
        Ok(())
    }

    pub(super) fn label_of(&self, finding: &Finding) -> String {
        format!("{}/{}", self.mapping.schema.tables[finding.table].label(), Key(finding.key.clone()))
    }

    /// Finds out where each parent is, asking the database for all that are not remembered in one go.
    fn look_up(
        &mut self,
        foreign_key: &ForeignKey,
        tuples: &[Option<Vec<Value>>],
        remembered: &mut HashMap<Vec<u8>, Parent>,
    ) -> Result<()> {
        let parent = foreign_key.table.expect("the caller has one");
        let target = &self.mapping.schema.tables[parent];
        let mut asked: Vec<(Vec<u8>, &Vec<Value>)> = Vec::new();
        let mut seen = HashSet::new();
        for (part, &column) in foreign_key.references.iter().enumerate().filter(|(_, c)| by_database(target, **c)) {
            self.learn(parent, column, tuples.iter().flatten().map(|values| &values[part]))?;
        }
        for values in tuples.iter().flatten() {
            let bytes = self.tuple_bytes(parent, &foreign_key.references, values)?;
            if !remembered.contains_key(&bytes) && seen.insert(bytes.clone()) {
                asked.push((bytes, values));
            }
        }
        let cells = |values: &[Value]| -> Vec<OwnedCell> {
            let stored = foreign_key.references.iter().zip(values);
            stored.map(|(&c, v)| self.database.store_any(&target.columns[c], v).unwrap_or(OwnedCell::Null)).collect()
        };
        let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|(_, values)| cells(values)).collect();
        let mut present = vec![None; asked.len()];
        self.snapshot.fetch(target, &foreign_key.references, &wanted, &mut |position, row| {
            present[position] = Some(super::values(target, row));
            Ok(())
        })?;
        for ((bytes, values), current) in asked.into_iter().zip(present) {
            let leaves = match current.as_ref().and_then(|record| tuple(record, &target.key)) {
                Some(key) => {
                    let key_bytes = self.tuple_bytes(parent, &target.key, &key)?;
                    self.findings.find(parent, &key_bytes)?.is_some_and(|f| is_deletion(&f))
                }
                None => false,
            };
            let found = if current.is_some() && !leaves {
                Parent::Present
            } else {
                let arriving = self.arriving(foreign_key, values)?;
                let may_come = arriving.as_ref().is_some_and(may_arrive);
                match arriving.map(|f| (f.class, f.id)) {
                    Some((Class::New | Class::Updated | Class::Conflict, id)) => Parent::Arriving(id),
                    Some((Class::Excluded, _)) => Parent::Excluded,
                    // Others may be taken out of its way; settling sees to what refers to it, by its key.
                    Some((Class::Blocked, id)) if may_come && foreign_key.references == target.key => {
                        Parent::Arriving(id)
                    }
                    Some((Class::Blocked, _)) => Parent::Blocked,
                    _ => Parent::Missing,
                }
            };
            remembered.insert(bytes, found);
        }
        Ok(())
    }

    /// Finds the arriving record that a reference names.
    fn arriving(&mut self, foreign_key: &ForeignKey, values: &[Value]) -> Result<Option<Finding>> {
        let parent = foreign_key.table.expect("the caller has one");
        let target = &self.mapping.schema.tables[parent];
        if foreign_key.references == target.key {
            let bytes = self.tuple_bytes(parent, &target.key, values)?;
            return Ok(self.findings.find(parent, &bytes)?.filter(|f| !is_deletion(f)));
        }
        if self.named.insert((parent, foreign_key.references.clone())) {
            self.name(parent, &foreign_key.references)?;
        }
        let name = self.name_of(parent, &foreign_key.references, values)?;
        Ok(self.findings.named(name)?.filter(|f| !is_deletion(f)))
    }

    /// Lets the records of a table that the backup brings be found by what it brings in some columns.
    fn name(&mut self, table: usize, columns: &[usize]) -> Result<()> {
        let classes = [Class::New, Class::Updated, Class::Conflict, Class::Excluded, Class::Blocked];
        self.each(table, &classes, &mut |check, page| {
            for finding in page {
                let value = |c: &usize| finding.fields.iter().find(|f| f.column == *c).and_then(|f| f.backup.clone());
                let values: Option<Vec<Value>> = columns.iter().map(value).collect();
                if let Some(values) = values {
                    let name = check.name_of(table, columns, &values)?;
                    check.findings.name(name, finding.id)?;
                }
            }
            Ok(())
        })
    }

    fn name_of(&mut self, table: usize, columns: &[usize], values: &[Value]) -> Result<[u8; 16]> {
        let mut bytes = format!("{table}:{columns:?}:").into_bytes();
        bytes.extend(self.tuple_bytes(table, columns, values)?);
        Ok(blake3::hash(&bytes).as_bytes()[..16].try_into().expect("a digest has 32 bytes"))
    }
}

/// Lists the ways of mixing what decides which record a reference names; none where that is one column.
fn mixtures(finding: &Finding, foreign_key: &ForeignKey) -> Vec<Part> {
    let kind = foreign_key.when.as_ref().map(|(column, _)| *column);
    let columns: Vec<usize> = foreign_key.columns.iter().copied().chain(kind).collect();
    if columns.len() < 2 { Vec::new() } else { parts(finding, &columns) }
}

/// Tells whether a record arrives, or would if others of the backup did not block it.
pub(super) fn may_arrive(finding: &Finding) -> bool {
    finding.class != Class::Blocked || finding.limits.otherwise.is_some()
}

/// Tells whether a finding is a current record that goes.
pub(super) fn is_deletion(finding: &Finding) -> bool {
    finding.class == Class::CurrentOnly && matches!(finding.reason, Reason::DeletedInBackup | Reason::NotInBackup)
}
