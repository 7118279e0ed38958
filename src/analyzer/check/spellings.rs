//! Texts that the database holds equal though they are spelled differently, in columns whose collation only it can tell.
//!
//! Keys and references meet by their bytes. Of the spellings that are equal one stands for all of them in those bytes, here
//! and in the plan: the first that was seen, parents before what refers to them.

use super::{Check, tuple_bytes};
use crate::analyzer::Finding;
use crate::analyzer::join::{self, Side};
use crate::backup::Place;
use crate::database::{Database, Snapshot};
use crate::error::{Error, Result, fail};
use crate::model::change::Class;
use crate::model::schema::Collation;
use crate::model::{Key, Table, Value};
use std::collections::HashMap;

/// Spellings remembered before they are looked up again.
const REMEMBERED: usize = 100_000;

const ALL: [Class; 6] =
    [Class::New, Class::Updated, Class::Conflict, Class::Blocked, Class::Excluded, Class::CurrentOnly];

/// The spelling that stands for another, by table, column and text.
#[derive(Default)]
pub(in crate::analyzer) struct Spellings(HashMap<(usize, usize, String), String>);

/// A column whose texts name records, and the column of the table that it names them by.
struct Names {
    column: usize,
    table: usize,
    by: usize,
}

/// Tells whether only the database knows which texts of a column are equal.
pub(in crate::analyzer) fn by_database(table: &Table, column: usize) -> bool {
    table.columns[column].collation == Collation::Database
}

/// Says that a backup has two records whose keys the database holds equal.
pub(super) fn spelled_twice(table: &Table, first: &Key, second: &Finding) -> Error {
    let (label, spelled) = (table.label(), Key(second.key.clone()));
    fail!(
        BackupDamaged,
        "{label}: the backup has the key {first} twice, once more as {spelled} ({}); the database holds them equal",
        second.place
    )
    .hint("Remove one of the two from the backup, or leave the table out with --skip-tables.")
}

impl Check<'_> {
    /// Learns how keys and references are spelled in what was found, and puts each record under the bytes of its key.
    pub(super) fn spellings(&mut self, order: &[usize]) -> Result<()> {
        for &table in order {
            let names = self.names(table);
            if names.is_empty() {
                continue;
            }
            let mapping = self.mapping;
            let target = &mapping.schema.tables[table];
            let keyed = target.key.iter().any(|&c| by_database(target, c));
            self.each(table, &ALL, &mut |check, page| {
                for name in &names {
                    let texts = page.iter().flat_map(|finding| spelled_in(target, finding, name.column));
                    check.learn(name.table, name.by, texts)?;
                }
                if keyed {
                    if !mapping.proven(table) {
                        check.once_in_current(target, &page)?;
                    }
                    page.iter().try_for_each(|finding| check.settle_key(target, finding))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Lists the columns of a table by whose texts records are found: its own, and those that it refers to.
    fn names(&self, table: usize) -> Vec<Names> {
        let tables = &self.mapping.schema.tables;
        let mut names: Vec<Names> = Vec::new();
        let mut add = |column: usize, of: usize, by: usize| {
            let known = names.iter().any(|n| (n.column, n.table, n.by) == (column, of, by));
            if by_database(&tables[of], by) && !known {
                names.push(Names { column, table: of, by });
            }
        };
        tables[table].key.iter().for_each(|&c| add(c, table, c));
        for foreign_key in tables.iter().flat_map(|t| &t.foreign_keys).filter(|f| f.table == Some(table)) {
            foreign_key.references.iter().for_each(|&c| add(c, table, c));
        }
        for foreign_key in &tables[table].foreign_keys {
            let Some(parent) = foreign_key.table else { continue };
            foreign_key.columns.iter().zip(&foreign_key.references).for_each(|(&c, &by)| add(c, parent, by));
        }
        names
    }

    /// Refuses a key that a user named and that several current records have in different spellings.
    fn once_in_current(&mut self, target: &Table, page: &[Finding]) -> Result<()> {
        let keys = page.iter().filter_map(|f| self.stored(target, &target.key, &f.key).filter(|key| !key.is_empty()));
        let keys: Vec<_> = keys.collect();
        let mut found = vec![false; keys.len()];
        if keys.is_empty() {
            return Ok(());
        }
        self.snapshot.fetch(target, &target.key, &keys, &mut |position, _| match found[position] {
            true => Err(join::twice(&target.label(), Side::Current, Place::default(), Place::default())),
            false => {
                found[position] = true;
                Ok(())
            }
        })
    }

    /// Puts a record under the bytes that its key has for everybody.
    fn settle_key(&mut self, target: &Table, finding: &Finding) -> Result<()> {
        if finding.key.is_empty() {
            return Ok(());
        }
        let bytes = self.tuple_bytes(finding.table, &target.key, &finding.key)?;
        if bytes == finding.key_bytes {
            return Ok(());
        }
        if let Some(other) = self.findings.find(finding.table, &bytes)?.filter(|other| other.id != finding.id) {
            return Err(spelled_twice(target, &Key(other.key), finding));
        }
        self.findings.rename(finding.id, &finding.key, &bytes)
    }

    /// Encodes a tuple as findings are found by it: what the database holds equal has the same bytes.
    pub(super) fn tuple_bytes(&mut self, table: usize, columns: &[usize], values: &[Value]) -> Result<Vec<u8>> {
        let mapping = self.mapping;
        let target = &mapping.schema.tables[table];
        if !columns.iter().any(|&c| by_database(target, c)) {
            return Ok(tuple_bytes(target, columns, values));
        }
        let mut spelled = values.to_vec();
        for (&column, value) in columns.iter().zip(&mut spelled).filter(|(c, _)| by_database(target, **c)) {
            let Value::Text(text) = value else { continue };
            let name = (table, column, std::mem::take(text));
            if !self.spelled.0.contains_key(&name) {
                self.learn(table, column, [&Value::Text(name.2.clone())].into_iter())?;
            }
            *text = self.spelled.0.get(&name).cloned().unwrap_or(name.2);
        }
        Ok(tuple_bytes(target, columns, &spelled))
    }

    /// Finds for texts of a column the spellings that stand for them, all in one go.
    pub(super) fn learn<'v>(
        &mut self,
        table: usize,
        column: usize,
        values: impl Iterator<Item = &'v Value>,
    ) -> Result<()> {
        if self.spelled.0.len() > REMEMBERED {
            self.spelled.0.clear();
        }
        let mut texts: Vec<String> = Vec::new();
        for value in values {
            let Value::Text(text) = value else { continue };
            if !self.spelled.0.contains_key(&(table, column, text.clone())) {
                texts.push(text.clone());
            }
        }
        let forms = self.forms(table, column, &texts)?;
        for (text, form) in texts.into_iter().zip(forms) {
            let stands = self.findings.spelling(table, column, &form, &text)?;
            self.spelled.0.insert((table, column, text), stands);
        }
        Ok(())
    }

    fn forms(&mut self, table: usize, column: usize, texts: &[String]) -> Result<Vec<String>> {
        let mapping = self.mapping;
        forms(self.database, self.snapshot, (&mapping.schema.tables[table], column), texts)
    }

    /// Encodes what records claim of a unique key: the same where the database holds the claims equal.
    pub(super) fn claim_bytes(
        &mut self,
        table: usize,
        columns: &[usize],
        claims: &[Option<Vec<Value>>],
    ) -> Result<Vec<Option<Vec<u8>>>> {
        let mapping = self.mapping;
        let target = &mapping.schema.tables[table];
        let mut told = claims.to_vec();
        for (part, &column) in columns.iter().enumerate().filter(|(_, c)| by_database(target, **c)) {
            let mut values: Vec<&mut String> = Vec::new();
            for claim in told.iter_mut().flatten() {
                if let Value::Text(text) = &mut claim[part] {
                    values.push(text);
                }
            }
            let texts: Vec<String> = values.iter().map(|text| (**text).clone()).collect();
            for (text, form) in values.into_iter().zip(self.forms(table, column, &texts)?) {
                *text = form;
            }
        }
        Ok(told.into_iter().map(|claim| claim.map(|values| tuple_bytes(target, columns, &values))).collect())
    }
}

/// Asks the database for what equal texts have in common. What the column can't hold is equal to nothing else.
pub(in crate::analyzer) fn forms(
    database: &dyn Database,
    snapshot: &mut dyn Snapshot,
    (table, column): (&Table, usize),
    texts: &[String],
) -> Result<Vec<String>> {
    let store = |text: &String| database.store(&table.columns[column], &Value::Text(text.clone())).ok();
    let cells: Vec<_> = texts.iter().map(store).collect();
    let asked: Vec<_> = cells.iter().flatten().cloned().collect();
    let told = if asked.is_empty() { Vec::new() } else { snapshot.forms(table, column, &asked)? };
    let mut told = told.into_iter();
    let form = |(cell, text): (Option<_>, &String)| match cell {
        Some(_) => format!("={}", told.next().unwrap_or_default()),
        None => format!("?{text}"),
    };
    Ok(cells.into_iter().zip(texts).map(form).collect())
}

/// Lists what a finding has in a column, on any side.
fn spelled_in<'f>(target: &Table, finding: &'f Finding, column: usize) -> impl Iterator<Item = &'f Value> {
    let key = target.key.iter().position(|&k| k == column).and_then(|at| finding.key.get(at));
    let fields = finding.fields.iter().filter(move |f| f.column == column);
    key.into_iter().chain(fields.flat_map(|f| [&f.current, &f.backup].into_iter().flatten()))
}
