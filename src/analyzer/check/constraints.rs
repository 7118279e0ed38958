//! Values that don't fit, nulls where none may be, checks that refuse, unique keys that another record holds.
//!
//! A new or updated record that can't be written becomes blocked, or a conflict where another record is in its way. A
//! conflict stays one; what stands in the way of its backup side is noted, so that choosing it is known to be impossible.

use super::mixed::Part;
use super::parents::may_arrive;
use super::spellings::by_database;
use super::{Check, Step, tuple, tuple_text};
use crate::analyzer::options::Reach;
use crate::analyzer::{Finding, Findings, Holder, Mixed};
use crate::database::Violation;
use crate::error::Result;
use crate::model::change::{Class, Reason};
use crate::model::{Column, OwnedCell, Unique, Value, encode};
use std::collections::{HashMap, HashSet};

/// Claimants of one unique key that are compared with each other; more than these are compared with these.
const CLAIMANTS: usize = 16;

/// What a record would have that nobody else may have.
pub(super) struct Claim {
    /// To compare with.
    bytes: Vec<u8>,
    /// To look it up; none where the database can't hold it.
    cells: Option<Vec<OwnedCell>>,
    /// As people see it: `email = a@x`.
    text: String,
}

/// An arriving record that claims a unique key, with all that it brings for it or a part of that.
#[derive(Clone)]
struct Claimant {
    key_bytes: Vec<u8>,
    part: Part,
    /// As people see it: `users/41`.
    name: String,
    /// Whether all the others are compared with it.
    known: bool,
    /// Whether another unique key blocks it already.
    blocked: bool,
}

impl Claimant {
    /// Says to another record what this one has.
    fn claims(&self, claim: &str) -> String {
        format!("{} of the backup has {claim} too", self.name)
    }
}

impl Claim {
    fn hash(&self) -> u64 {
        xxhash_rust::xxh3::xxh3_64(&self.bytes)
    }
}

/// Says what a check refuses, and which check it is.
pub(super) fn noted(violation: Violation) -> String {
    let Violation { constraint, message } = violation;
    if message.contains(&constraint) { message } else { format!("{message} ({constraint})") }
}

/// The classes of records that arrive unless something is in their way.
const UNDISPUTED: [Class; 2] = [Class::New, Class::Updated];
const ARRIVING: [Class; 3] = [Class::New, Class::Updated, Class::Conflict];
/// With those that arrive once others of the backup do not.
const CLAIMING: [Class; 4] = [Class::New, Class::Updated, Class::Conflict, Class::Blocked];

impl Check<'_> {
    /// Finds records whose values can't be stored.
    pub(super) fn storable(&mut self, table: usize) -> Result<()> {
        self.each(table, &ARRIVING, &mut |check, page| {
            let target = &check.mapping.schema.tables[table];
            if let Some(why) = &target.refused {
                for mut finding in page {
                    check.reclass(&mut finding, Class::Blocked, Reason::TableRefused, Some(why.clone()))?;
                }
                return Ok(());
            }
            let page: Vec<Finding> = page.into_iter().filter(|f| f.fields.iter().any(|x| x.backup.is_some())).collect();
            let asks = check.storing.asks(target);
            let records = if asks { check.complete(table, &page)? } else { check.brought(table, &page) };
            let mut probes = Vec::new();
            for (mut finding, record) in page.into_iter().zip(records) {
                // A table is checked again when a parent was pulled in.
                finding.limits = Default::default();
                let mut unstorable = Vec::new();
                let missed = |column: usize| !check.findings.withholds(table, column);
                let (cells, refusal) = check.storing.cells(target, &finding, &record, &missed, &mut unstorable);
                finding.limits.unstorable = unstorable;
                match refusal {
                    None => probes.push((finding, cells)),
                    Some(_) if finding.class == Class::Conflict => check.findings.revise(&finding)?,
                    Some((reason, note)) => check.reclass(&mut finding, Class::Blocked, reason, Some(note))?,
                }
            }
            if !asks {
                return Ok(());
            }
            let rows: Vec<Vec<OwnedCell>> = probes.iter_mut().map(|(_, cells)| std::mem::take(cells)).collect();
            let violations = check.snapshot.violations(target, &rows)?;
            let told: Vec<(Finding, Vec<OwnedCell>, bool)> =
                probes.into_iter().zip(rows).zip(&violations).map(|(((f, _), row), v)| (f, row, v.is_some())).collect();
            let mixes = check.mixed_checks(target, &told)?;
            for (((mut finding, ..), violation), mixes) in told.into_iter().zip(violations).zip(mixes) {
                let note = violation.map(noted);
                if finding.class != Class::Conflict && note.is_some() {
                    check.reclass(&mut finding, Class::Blocked, Reason::CheckFails, note)?;
                } else if note.is_some() || !mixes.is_empty() {
                    (finding.limits.refused, finding.limits.mixes) = (note, mixes);
                    check.findings.revise(&finding)?;
                }
            }
            Ok(())
        })
    }

    /// Tells whether a record brings a value of its own for one of the columns.
    fn brings(finding: &Finding, columns: &[usize]) -> bool {
        finding.fields.iter().any(|f| columns.contains(&f.column) && f.backup.is_some())
    }

    /// Returns the unique keys of a table besides the one that identifies its records.
    fn claimed_uniques(&self, table: usize) -> Vec<Unique> {
        let target = &self.mapping.schema.tables[table];
        // Without a key nobody could be named as the holder of an expression; the database refuses by itself.
        let told = |u: &&Unique| if u.is_plain() { u.columns != target.key } else { !target.key.is_empty() };
        target.uniques.iter().filter(told).cloned().collect()
    }

    /// Blocks records of the backup that claim one unique key, and notes which current records hold the claimed keys.
    pub(super) fn claims(&mut self, table: usize) -> Result<()> {
        for unique in self.claimed_uniques(table) {
            let claimed_twice = self.claimed_twice(table, &unique)?;
            let mut claimed: HashMap<u64, Vec<Claimant>> = HashMap::new();
            let mut clashes: Vec<(Claimant, Claimant, String)> = Vec::new();
            self.each(table, &CLAIMING, &mut |check, page| {
                let (page, claims) = check.claiming(table, &unique, page)?;
                let mixed = check.mixed_claims(table, &unique, &page)?;
                let whole = page.iter().zip(&claims).map(|(f, c)| (f, Part::whole(f, unique.decided_by()), c));
                for (finding, part, claim) in
                    whole.chain(mixed.iter().map(|(at, part, c)| (&page[*at], part.clone(), c)))
                {
                    let Some(claim) = claim.as_ref().filter(|c| claimed_twice.contains(&c.hash())) else { continue };
                    let others = claimed.entry(claim.hash()).or_default();
                    let (key_bytes, name) = (finding.key_bytes.clone(), check.label_of(finding));
                    let (known, blocked) = (others.len() < CLAIMANTS, finding.class == Class::Blocked);
                    let claimant = Claimant { key_bytes, part, name, known, blocked };
                    for other in others.iter().filter(|other| other.key_bytes != claimant.key_bytes) {
                        clashes.push((other.clone(), claimant.clone(), claim.text.clone()));
                    }
                    if claimant.known {
                        others.push(claimant);
                    }
                }
                check.holders(table, &unique, &page, &claims)?;
                check.mixed_holders(table, &unique, &page, mixed)
            })?;
            for (first, second, claim) in clashes {
                if first.part.is_whole() && second.part.is_whole() {
                    self.clash(table, unique.decided_by(), [first, second], &claim)?;
                    continue;
                }
                // Where one of them is made of both sides, that one gives way.
                for (own, other) in [(&first, &second), (&second, &first)] {
                    if !own.part.is_whole() {
                        let (Part { with, without }, key_bytes) = (other.part.clone(), other.key_bytes.clone());
                        let what = Mixed::Claimed { key_bytes, with, without, text: other.claims(&claim) };
                        self.note_mix(table, &own.key_bytes, own.part.clone().gives(what))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the findings that bring something for a unique key, each with what its record would claim.
    fn claiming(
        &mut self,
        table: usize,
        unique: &Unique,
        page: Vec<Finding>,
    ) -> Result<(Vec<Finding>, Vec<Option<Claim>>)> {
        let claims = |f: &Finding| may_arrive(f) && Self::brings(f, unique.decided_by());
        let page: Vec<Finding> = page.into_iter().filter(claims).collect();
        let records = self.complete(table, &page)?;
        let claims = self.claims_of(table, unique, &records)?;
        Ok((page, claims))
    }

    /// Returns what records claim of a unique key; none where they claim nothing.
    pub(super) fn claims_of(
        &mut self,
        table: usize,
        unique: &Unique,
        records: &[Vec<Option<Value>>],
    ) -> Result<Vec<Option<Claim>>> {
        let target = &self.mapping.schema.tables[table];
        if unique.is_plain() {
            let tuples: Vec<Option<Vec<Value>>> = records.iter().map(|r| tuple(r, &unique.columns)).collect();
            let bytes = self.claim_bytes(table, &unique.columns, &tuples)?;
            let claim = |(values, bytes): (&Option<Vec<Value>>, Option<Vec<u8>>)| {
                let (values, bytes) = values.as_ref().zip(bytes)?;
                let cells =
                    unique.columns.iter().zip(values).map(|(&c, v)| self.storing.store(&target.columns[c], v).ok());
                Some(Claim { bytes, cells: cells.collect(), text: tuple_text(target, &unique.columns, values) })
            };
            return Ok(tuples.iter().zip(bytes).map(claim).collect());
        }
        let cell = |column: &Column, value: &Option<Value>| match value {
            Some(value) => self.storing.store(column, value).or_else(|_| self.database.store_any(column, value)).ok(),
            None => None,
        };
        let rows: Vec<Vec<OwnedCell>> = records
            .iter()
            .map(|r| target.columns.iter().zip(r).map(|(c, v)| cell(c, v).unwrap_or(OwnedCell::Absent)).collect())
            .collect();
        let claims = if rows.is_empty() { Vec::new() } else { self.snapshot.claims(target, unique, &rows)? };
        let bytes = self.told_bytes(table, unique, &claims)?;
        // What a column is computed from may not be known (SQLite); then it speaks for itself.
        let unknown = |&c: &usize| !target.columns[c].writable() && target.columns[c].default.is_none();
        let text = |record: &Vec<Option<Value>>, cells: &[OwnedCell]| {
            let part = |c: usize, value: &Value| format!("{} = {}", target.columns[c].name, target.shown(c, value));
            let read = unique.reads.iter().filter_map(|&c| Some(part(c, record[c].as_ref()?)));
            let own = unique.columns.iter().zip(cells);
            let own =
                own.filter_map(|(&c, cell)| Some(part(c, &encode::value_of(cell.as_cell(), &target.columns[c])?)));
            match unique.columns.iter().any(unknown) && unique.columns.len() == cells.len() {
                true => format!("{} ({})", own.collect::<Vec<_>>().join(", "), unique.name),
                false => format!("{} in {}", read.collect::<Vec<_>>().join(", "), unique.name),
            }
        };
        let told = claims.into_iter().zip(bytes).map(|(cells, bytes)| cells.zip(bytes)).zip(records);
        Ok(told
            .map(|(told, r)| told.map(|(cells, bytes)| Claim { bytes, text: text(r, &cells), cells: Some(cells) }))
            .collect())
    }

    /// Encodes what the database says that records claim: the same where it holds the claims equal.
    fn told_bytes(
        &mut self,
        table: usize,
        unique: &Unique,
        claims: &[Option<Vec<OwnedCell>>],
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let target = &self.mapping.schema.tables[table];
        if !unique.columns.iter().any(|&c| by_database(target, c)) {
            return Ok(claims
                .iter()
                .map(|claim| claim.as_ref().map(|cells| format!("{cells:?}").into_bytes()))
                .collect());
        }
        let value = |cell: &OwnedCell| match cell {
            OwnedCell::Text(text) | OwnedCell::String(text) => Value::Text(text.clone()),
            OwnedCell::Null | OwnedCell::Absent => Value::Null,
            other => Value::Text(format!("{other:?}")),
        };
        let values = |claim: &Option<Vec<OwnedCell>>| claim.as_ref().map(|cells| cells.iter().map(value).collect());
        self.claim_bytes(table, &unique.columns, &claims.iter().map(values).collect::<Vec<_>>())
    }

    /// Finds the digests of a unique key that more than one arriving record claims.
    ///
    /// *Units:* 8 bytes a record, for this pass only; what is really claimed twice is looked at again by its values.
    fn claimed_twice(&mut self, table: usize, unique: &Unique) -> Result<HashSet<u64>> {
        let (mut once, mut twice) = (HashSet::new(), HashSet::new());
        self.each(table, &CLAIMING, &mut |check, page| {
            let (page, whole) = check.claiming(table, unique, page)?;
            let mixed = check.mixed_claims(table, unique, &page)?.into_iter().map(|(_, _, claim)| claim);
            for claim in whole.into_iter().chain(mixed).flatten() {
                if !once.insert(claim.hash()) {
                    twice.insert(claim.hash());
                }
            }
            Ok(())
        })?;
        Ok(twice)
    }

    /// Two records of the backup claim one unique key: they are noted as rivals, and block each other unless it is open
    /// which side is taken.
    fn clash(&mut self, table: usize, columns: &[usize], claimants: [Claimant; 2], claim: &str) -> Result<()> {
        let find = |findings: &mut dyn Findings, claimant: &Claimant| findings.find(table, &claimant.key_bytes);
        let [one, other] = claimants;
        let (Some(first), Some(second)) = (find(self.findings, &one)?, find(self.findings, &other)?) else {
            return Ok(());
        };
        let open = [&first, &second].iter().any(|f| f.class == Class::Conflict) || one.blocked || other.blocked;
        for (mut finding, own, other) in [(first, &one, &other), (second, &other, &one)] {
            let (columns, key_bytes, text) = (columns.to_vec(), other.key_bytes.clone(), other.claims(claim));
            let rival = Holder { columns, stays: false, key_bytes, text: text.clone() };
            if !finding.limits.rivals.contains(&rival) {
                finding.limits.rivals.push(rival);
            }
            // What it is without the others, unless there are some that it was not compared with.
            let blocks = !open && finding.class != Class::Blocked;
            let otherwise = if blocks { Some((finding.class, finding.reason)) } else { finding.limits.otherwise };
            finding.limits.otherwise = otherwise.filter(|_| own.known);
            if !blocks {
                self.findings.revise(&finding)?;
                continue;
            }
            self.reclass(&mut finding, Class::Blocked, Reason::UniqueTwiceInBackup, Some(text))?;
        }
        Ok(())
    }

    /// Notes on each record which current record holds the unique key that it claims.
    fn holders(&mut self, table: usize, unique: &Unique, page: &[Finding], claims: &[Option<Claim>]) -> Result<()> {
        for (finding, holder) in page.iter().zip(self.holders_of(table, unique, claims)?) {
            let Some(holder) = holder.filter(|h| h.key_bytes != finding.key_bytes) else { continue };
            // An earlier unique key of the table may have added a holder since the page was read.
            let stored = self.findings.find(table, &finding.key_bytes)?;
            let mut finding =
                Finding { limits: stored.map_or_else(|| finding.limits.clone(), |s| s.limits), ..finding.clone() };
            if !finding.limits.holders.contains(&holder) {
                finding.limits.holders.push(holder);
                self.findings.revise(&finding)?;
            }
        }
        Ok(())
    }

    /// Finds the current record that holds each claim.
    pub(super) fn holders_of(
        &mut self,
        table: usize,
        unique: &Unique,
        claims: &[Option<Claim>],
    ) -> Result<Vec<Option<Holder>>> {
        let target = &self.mapping.schema.tables[table];
        let claimed = claims.iter().enumerate().filter_map(|(position, claim)| Some((position, claim.as_ref()?)));
        let asked: Vec<(usize, &Claim, &Vec<OwnedCell>)> =
            claimed.filter_map(|(position, claim)| Some((position, claim, claim.cells.as_ref()?))).collect();
        let wanted: Vec<Vec<OwnedCell>> = asked.iter().map(|(_, _, cells)| (*cells).clone()).collect();
        let mut found: Vec<Option<Vec<Option<Value>>>> = vec![None; asked.len()];
        if !wanted.is_empty() {
            let mut sink = |position: usize, cells: &[crate::model::Cell<'_>]| {
                found[position] = Some(super::values(target, cells));
                Ok(())
            };
            match unique.is_plain() {
                true => self.snapshot.fetch(target, &unique.columns, &wanted, &mut sink)?,
                false => self.snapshot.claimants(target, unique, &wanted, &mut sink)?,
            }
        }
        let mut holders: Vec<Option<Holder>> = claims.iter().map(|_| None).collect();
        for ((position, claim, _), holder) in asked.iter().zip(found) {
            let Some(key) = holder.as_ref().and_then(|h| tuple(h, &target.key)) else { continue };
            let key_bytes = self.tuple_bytes(table, &target.key, &key)?;
            let stays = !unique.is_plain() && self.stays(table, unique, &key_bytes, claim)?;
            let text = match self.options.reach {
                Reach::Backup => format!("{} is held by {}", claim.text, target.named(&key)),
                Reach::Both => format!("{} is held by another record of {}", claim.text, target.label()),
            };
            holders[*position] = Some(Holder { columns: unique.decided_by().to_vec(), stays, key_bytes, text });
        }
        Ok(holders)
    }

    /// Finds the current record that holds what a finding's record claims.
    pub(super) fn claimant(
        &mut self,
        table: usize,
        unique: &Unique,
        finding: &Finding,
    ) -> Result<Option<Vec<OwnedCell>>> {
        let target = &self.mapping.schema.tables[table];
        let records = self.complete(table, std::slice::from_ref(finding))?;
        let claim = self.claims_of(table, unique, &records)?.pop().flatten().and_then(|c| c.cells);
        let mut found = None;
        if let Some(cells) = claim {
            self.snapshot.claimants(target, unique, &[cells], &mut |_, row| {
                found = Some(row.iter().map(|&c| OwnedCell::from(c)).collect());
                Ok(())
            })?;
        }
        Ok(found)
    }

    /// Tells whether a holder, with everything that the backup brings for it, still claims the same.
    fn stays(&mut self, table: usize, unique: &Unique, holder: &[u8], claim: &Claim) -> Result<bool> {
        let Some(found) = self.findings.find(table, holder)? else { return Ok(true) };
        let records = self.complete(table, std::slice::from_ref(&found))?;
        let claims = self.claims_of(table, unique, &records)?;
        Ok(claims.into_iter().flatten().any(|c| c.bytes == claim.bytes))
    }

    /// Turns records that claim a unique key whose holder keeps it into conflicts; returns whether there were any.
    pub(super) fn held(&mut self, table: usize) -> Result<bool> {
        let mut changed = false;
        if self.claimed_uniques(table).is_empty() {
            return Ok(changed);
        }
        self.round((Step::Held, table), &UNDISPUTED, &mut |check, page, note| {
            for mut finding in page {
                for holder in finding.limits.holders.clone() {
                    match check.moves_away(table, &holder)? {
                        Some(mover) if note => check.findings.wait(Step::Held.of(table), mover, finding.id)?,
                        Some(_) => {}
                        None => {
                            finding.fields.iter_mut().for_each(|f| f.in_conflict = holder.columns.contains(&f.column));
                            check.reclass(&mut finding, Class::Conflict, Reason::UniqueTaken, Some(holder.text))?;
                            changed = true;
                            break;
                        }
                    }
                }
            }
            Ok(())
        })?;
        Ok(changed)
    }

    /// Returns the number of a unique key's holder where the backup itself takes the key away from it: swaps and rotations.
    fn moves_away(&mut self, table: usize, holder: &Holder) -> Result<Option<i64>> {
        let Some(found) = self.findings.find(table, &holder.key_bytes)? else { return Ok(None) };
        let moves = match found.class {
            Class::Updated => !holder.stays && Self::brings(&found, &holder.columns),
            Class::Conflict => {
                !holder.stays && found.reason != Reason::UniqueTaken && Self::brings(&found, &holder.columns)
            }
            Class::CurrentOnly => super::parents::is_deletion(&found),
            Class::New | Class::Unchanged | Class::Blocked | Class::Excluded => false,
        };
        Ok(moves.then_some(found.id))
    }
}
