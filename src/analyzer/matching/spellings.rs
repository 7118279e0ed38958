//! References to matched records in other spellings of their ids, where only the database knows what is equal.
//!
//! References are replaced while the backup is read, by their bytes. So the spellings in which they come are looked for
//! before: one more pass over the backup for each table that refers to such ids.

use super::{Ids, Open, Pass, tuple_bytes};
use crate::analyzer::check::{by_database, forms};
use crate::error::Result;
use crate::model::{Value, encode};
use std::collections::{HashMap, HashSet};

impl Pass<'_> {
    /// Adds the spellings in which a side's records refer to ids that stand for others.
    pub(super) fn spellings(&mut self, open: Open<'_>, ids: &mut Ids, renamed: &[Vec<Value>]) -> Result<()> {
        let (mapping, table) = (self.mapping, self.table);
        let target = &mapping.schema.tables[table];
        if renamed.is_empty() || !target.key.iter().any(|&c| by_database(target, c)) {
            return Ok(());
        }
        let mut known: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for page in renamed.chunks(super::PAGE) {
            for (key, form) in page.iter().zip(self.key_forms(page)?) {
                known.insert(form, tuple_bytes(target, &target.key, key));
            }
        }
        for child in 0..mapping.schema.tables.len() {
            let follows = ids.follows(&mapping.schema, child);
            for follow in follows.iter().filter(|f| f.parent == table) {
                let (mut seen, mut page) = (HashSet::new(), Vec::new());
                super::rows(mapping, child, None, open, &mut |row| {
                    let values: Vec<&[u8]> = encode::split(row.body).collect();
                    let of_kind = |(column, text): &(usize, String)| {
                        encode::decode(values[*column]).is_some_and(|v| v.to_string() == *text)
                    };
                    let value = |&c: &usize| encode::decode(values[c]).filter(|v| !v.is_null());
                    let tuple: Option<Vec<Value>> = follow.columns.iter().map(value).collect();
                    let Some(tuple) = tuple.filter(|_| follow.when.as_ref().is_none_or(of_kind)) else { return Ok(()) };
                    if seen.insert(tuple_bytes(target, &target.key, &tuple)) {
                        page.push(tuple);
                    }
                    if page.len() == super::PAGE {
                        self.spelled(&std::mem::take(&mut page), &known, ids)?;
                    }
                    Ok(())
                })?;
                self.spelled(&page, &known, ids)?;
            }
        }
        Ok(())
    }

    /// Adds those of a page of references that name a known id in another spelling.
    fn spelled(&mut self, page: &[Vec<Value>], known: &HashMap<Vec<u8>, Vec<u8>>, ids: &mut Ids) -> Result<()> {
        let table = self.table;
        let target = &self.mapping.schema.tables[table];
        for (tuple, form) in page.iter().zip(self.key_forms(page)?) {
            let bytes = tuple_bytes(target, &target.key, tuple);
            if let Some(old) = known.get(&form).filter(|old| **old != bytes) {
                ids.also(table, old, bytes);
            }
        }
        Ok(())
    }

    /// Encodes keys so that those are the same that the database holds equal.
    fn key_forms(&mut self, keys: &[Vec<Value>]) -> Result<Vec<Vec<u8>>> {
        let target = &self.mapping.schema.tables[self.table];
        let mut told = keys.to_vec();
        for (part, &column) in target.key.iter().enumerate().filter(|(_, c)| by_database(target, **c)) {
            let text = |key: &Vec<Value>| match &key[part] {
                Value::Text(text) => text.clone(),
                other => other.to_string(),
            };
            let texts: Vec<String> = told.iter().map(text).collect();
            for (key, form) in told.iter_mut().zip(forms(self.database, self.snapshot, (target, column), &texts)?) {
                key[part] = Value::Text(form);
            }
        }
        Ok(told.iter().map(|key| tuple_bytes(target, &target.key, key)).collect())
    }
}
