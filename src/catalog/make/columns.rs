//! Rules for columns on their way into a backup: dropped, null, hashed or kept; and what never leaves unless asked for.

use crate::error::{Result, fail};
use crate::model::{Cell, ColumnType, OwnedCell, Schema, Table};
use crate::strategy::Strategy;

/// What becomes of a column on its way into a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is left out; a merge of the backup keeps what is there.
    Drop,
    /// It is null.
    Null,
    /// Text is replaced by a keyed digest: equal values stay equal, nothing can be read from it.
    Hash,
    /// It is carried as it is, whatever a rule before says.
    Keep,
}

/// Whether password hashes, tokens and the like leave where no rule says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// They are carried: a backup that is to bring an application back needs them.
    #[default]
    Carried,
    /// What the built-in strategy `environment-sync` never brings is left out.
    LeftOut,
}

/// The strategy that knows what is secret by its name.
const KNOWS_SECRETS: &str = "environment-sync";

/// Rules of a request for the columns of a schema.
pub(super) struct ColumnRules<'a> {
    given: &'a [(String, Rule)],
    secret: Option<Strategy>,
}

impl<'a> ColumnRules<'a> {
    /// Takes the rules; each has to mean a column of the schema.
    ///
    /// # Errors
    /// `Usage` for a name that no table has.
    pub(super) fn new(given: &'a [(String, Rule)], secrets: Secrets, schema: &Schema) -> Result<Self> {
        let known =
            |pattern: &str| schema.tables.iter().any(|t| t.columns.iter().any(|c| matches(pattern, t, &c.name)));
        if let Some((pattern, _)) = given.iter().find(|(pattern, _)| !known(pattern)) {
            return Err(fail!(Usage, "no table of the current database has a column {pattern:?}"));
        }
        let secret = match secrets {
            Secrets::Carried => None,
            Secrets::LeftOut => Some(Strategy::load(KNOWS_SECRETS)?),
        };
        Ok(Self { given, secret })
    }

    /// Tells whether the records of a table leave at all.
    pub(super) fn brings(&self, table: &Table) -> bool {
        let kept = |pattern: &str| pattern.rsplit_once('.').is_some_and(|(t, _)| t == table.label() || t == table.name);
        self.secret.as_ref().is_none_or(|s| s.brings_table(table))
            || self.given.iter().any(|(pattern, rule)| *rule == Rule::Keep && kept(pattern))
    }

    /// Returns one rule per column.
    ///
    /// # Errors
    /// `Usage` for a rule that the column can't follow.
    pub(super) fn of(&self, table: &Table) -> Result<Vec<Rule>> {
        let mut found = Vec::new();
        for (position, column) in table.columns.iter().enumerate() {
            let given = self.given.iter().rev().find(|(pattern, _)| matches(pattern, table, &column.name));
            let secret = || {
                self.secret.as_ref().is_some_and(|s| !s.brings_field(table, &column.name) && is_free(table, position))
            };
            let rule = match given {
                Some((_, rule)) => *rule,
                None if secret() => Rule::Drop,
                None => Rule::Keep,
            };
            let place = format!("{}.{}", table.label(), column.name);
            if rule != Rule::Keep && table.key.contains(&position) {
                return Err(fail!(Usage, "{place} is the key; without it no record could be found again"));
            }
            if rule == Rule::Null && !column.nullable {
                return Err(fail!(Usage, "{place} can't be null").hint("Drop it, or hash it if it is text."));
            }
            if rule == Rule::Hash && !matches!(column.ty, ColumnType::Text { .. } | ColumnType::Any) {
                return Err(fail!(Usage, "{place} holds no text, so that a digest does not fit").hint("Drop it."));
            }
            found.push(rule);
        }
        Ok(found)
    }
}

/// Tells whether a column can be left out without losing what holds records together.
fn is_free(table: &Table, position: usize) -> bool {
    !table.key.contains(&position) && !table.foreign_keys.iter().any(|key| key.columns.contains(&position))
}

fn matches(pattern: &str, table: &Table, column: &str) -> bool {
    match pattern.rsplit_once('.') {
        Some((in_table, name)) => (in_table == table.label() || in_table == table.name) && name == column,
        None => pattern == column,
    }
}

/// Carries out the rules of a table on its records.
pub(super) struct Ruled<'a> {
    rules: &'a [Rule],
    key: [u8; 32],
    hashed: Vec<OwnedCell>,
}

impl<'a> Ruled<'a> {
    /// Takes a table's rules and the key of its digests.
    pub(super) fn new(rules: &'a [Rule], key: [u8; 32]) -> Self {
        Self { rules, key, hashed: vec![OwnedCell::Null; rules.len()] }
    }

    /// Hands a record on as the rules leave it; columns that are dropped are left out by the writer.
    ///
    /// # Errors
    /// What `write` returns.
    pub(super) fn hand(&mut self, cells: &[Cell<'_>], write: &mut dyn FnMut(&[Cell<'_>]) -> Result<()>) -> Result<()> {
        if self.rules.iter().all(|rule| matches!(rule, Rule::Keep | Rule::Drop)) {
            return write(cells);
        }
        for (column, cell) in cells.iter().enumerate().filter(|(c, _)| self.rules[*c] == Rule::Hash) {
            self.hashed[column] = hash(*cell, &self.key);
        }
        let ruled: Vec<Cell<'_>> = cells
            .iter()
            .enumerate()
            .map(|(column, cell)| match self.rules[column] {
                Rule::Keep | Rule::Drop => *cell,
                Rule::Null => Cell::Null,
                Rule::Hash => self.hashed[column].as_cell(),
            })
            .collect();
        write(&ruled)
    }
}

fn hash(cell: Cell<'_>, key: &[u8; 32]) -> OwnedCell {
    let bytes = match cell {
        Cell::Absent | Cell::Null => return cell.into(),
        Cell::Bytes(bytes) | Cell::RawText(bytes) => bytes.to_vec(),
        Cell::Text(text) | Cell::String(text) | Cell::Number(text) | Cell::Json(text) => text.as_bytes().to_vec(),
        other => format!("{other:?}").into_bytes(),
    };
    OwnedCell::Text(blake3::keyed_hash(key, &bytes).to_hex()[..32].to_owned())
}
