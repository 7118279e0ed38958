//! Whether every name that was asked for names something: an option that protects a table or a column and is misspelt
//! would otherwise protect nothing, without a word.

use super::{Mapping, find_table, names_column, suggestion};
use crate::error::{Error, ErrorKind, Result, fail};
use crate::model::Table;
use crate::model::names::{self, Match};

/// A table that the backup has, or the base, as it was met.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its name in the backup.
    pub(crate) name: String,
    /// What the backup's maker calls it, where that is another name.
    pub(crate) origin: Option<String>,
    /// The current table that it stands for, if any.
    pub(crate) table: Option<usize>,
    /// The names of its columns; `None` where no record of it was looked at.
    pub(crate) columns: Option<Vec<String>>,
}

impl Mapping {
    /// Checks what can be checked before the backup is read: names of the configuration, and the current side of a mapping.
    pub(super) fn check_current(&self) -> Result<()> {
        let schema = &self.schema;
        for name in &self.options.declared {
            let found = match name.rsplit_once('\u{0}') {
                None => find_table(schema, name).map(|_| ()),
                Some((table, column)) => {
                    find_table(schema, table).and_then(|t| super::find_column(&schema.tables[t], column).map(|_| ()))
                }
            };
            found.map_err(|error| {
                let name = name.replace('\u{0}', ".");
                fail!(Usage, "the configuration describes {name}: {}", error.full_message())
                    .hint("Correct the name in [targets.NAME.tables]; what it should protect is not protected now.")
            })?;
        }
        for (backup, current) in &self.options.map_tables {
            find_table(schema, current)
                .map_err(|error| fail!(Usage, "--map-table {backup}={current}: {}", error.full_message()))?;
        }
        for (table, column) in &self.options.timestamps {
            let (None, Some(column)) = (table, column) else { continue };
            if !schema.tables.iter().any(|t| super::find_column(t, column).is_ok()) {
                return Err(unknown("--timestamp-column", column, &column_names(schema.tables.iter())));
            }
        }
        Ok(())
    }

    /// Checks the rest, now that it is known what the backup has.
    ///
    /// # Errors
    /// `Usage` with suggestions for a name that is on neither side.
    pub(crate) fn check_asked(&self, seen: &[Seen]) -> Result<()> {
        for name in self.options.skip_tables.iter().filter(|name| *name != super::EVERY) {
            self.skipped_table(name, seen)?;
        }
        for (backup, current) in &self.options.map_tables {
            if !seen.iter().any(|s| s.is(backup)) {
                let names: Vec<String> = seen.iter().map(|s| s.name.clone()).collect();
                let error = unknown("--map-table", backup, &names);
                return Err(fail!(Usage, "{} (mapped to {current})", error.full_message())
                    .hint("The name before '=' is one of the backup's tables, spelled as there."));
            }
        }
        for (backup, current) in &self.options.map_columns {
            self.mapped_column(backup, current, seen)?;
        }
        for pattern in &self.options.skip_columns {
            self.skipped_column(pattern, seen)?;
        }
        Ok(())
    }

    fn skipped_table(&self, name: &str, seen: &[Seen]) -> Result<()> {
        let mapped = self.options.map_tables.iter().any(|(backup, _)| backup == name);
        if mapped || seen.iter().any(|s| s.is(name)) {
            return Ok(());
        }
        let labels: Vec<String> = self.schema.tables.iter().map(Table::label).collect();
        match names::find(name, labels.iter().map(String::as_str)) {
            Match::Exact(_) | Match::Folded(_) => Ok(()),
            Match::Ambiguous(several) => {
                let several: Vec<&str> = several.into_iter().map(|p| labels[p].as_str()).collect();
                Err(fail!(Usage, "--skip-tables: {name:?} could be {}", several.join(" or ")))
            }
            Match::None(_) if seen.iter().any(|s| names::fold(&s.name) == names::fold(name)) => Ok(()),
            Match::None(_) => {
                let all: Vec<String> = labels.into_iter().chain(seen.iter().map(|s| s.name.clone())).collect();
                Err(unknown("--skip-tables", name, &all))
            }
        }
    }

    fn mapped_column(&self, backup: &str, current: &str, seen: &[Seen]) -> Result<()> {
        let Some((table, column)) = backup.rsplit_once('.') else {
            return Err(fail!(Usage, "--map-column: {backup:?} does not say of which table")
                .hint("Write --map-column TABLE.COLUMN=COLUMN."));
        };
        let named: Vec<&Seen> = self.all_seen_as(table, seen).collect();
        if named.is_empty() {
            let names: Vec<String> = seen.iter().map(|s| s.name.clone()).collect();
            return Err(unknown("--map-column", table, &names));
        }
        // One of the backup and one of the base may have different columns.
        let Some(found) = named.iter().find(|s| s.columns.is_none() || s.has(column)) else {
            let all = named.iter().flat_map(|s| qualified(&s.name, s.columns.as_deref().unwrap_or_default()));
            return Err(unknown("--map-column", backup, &all.collect::<Vec<_>>()));
        };
        let Some(position) = found.table else { return Ok(()) };
        let target = &self.schema.tables[position];
        let (in_table, column) = current.rsplit_once('.').map_or((None, current), |(t, c)| (Some(t), c));
        let told = |error: Error| fail!(Usage, "--map-column {backup}={current}: {}", error.full_message());
        if let Some(in_table) = in_table
            && find_table(&self.schema, in_table).map_err(told)? != position
        {
            return Err(fail!(Usage, "--map-column {backup}={current}: {table} stands for {}", target.label())
                .hint("A column is mapped to a column of the table that its table stands for."));
        }
        super::find_column(target, column).map_err(told).map(|_| ())
    }

    fn skipped_column(&self, pattern: &str, seen: &[Seen]) -> Result<()> {
        let known = |table: &Table| table.columns.iter().any(|c| names_column(&self.options, pattern, table, &c.name));
        if self.schema.tables.iter().any(known) {
            return Ok(());
        }
        let of_backup = match pattern.rsplit_once('.') {
            Some((table, column)) => self.all_seen_as(table, seen).any(|s| s.columns.is_none() || s.has(column)),
            None => seen.iter().any(|s| s.has(pattern)),
        };
        if of_backup {
            return Ok(());
        }
        let mut all = match pattern.rsplit_once('.') {
            Some(_) => self.schema.tables.iter().flat_map(|t| qualified(&t.label(), &column_names([t]))).collect(),
            None => column_names(self.schema.tables.iter()),
        };
        for table in seen {
            let columns = table.columns.clone().unwrap_or_default();
            all.extend(if pattern.contains('.') { qualified(&table.name, &columns) } else { columns });
        }
        Err(unknown("--skip-columns", pattern, &all)
            .hint("The same is said of ignore_columns and never_write in the configuration."))
    }

    /// Lists the tables of that name, and those that stand for the current table of that name.
    fn all_seen_as<'a>(&'a self, table: &'a str, seen: &'a [Seen]) -> impl Iterator<Item = &'a Seen> + 'a {
        let stands = move |s: &Seen| s.table.is_some_and(|t| self.schema.tables[t].label() == table);
        seen.iter().filter(move |s| s.is(table) || stands(s))
    }
}

impl Seen {
    fn is(&self, name: &str) -> bool {
        self.name == name || self.origin.as_deref() == Some(name)
    }

    fn has(&self, column: &str) -> bool {
        self.columns.as_ref().is_some_and(|columns| columns.iter().any(|c| c == column))
    }
}

fn column_names<'a>(tables: impl IntoIterator<Item = &'a Table>) -> Vec<String> {
    tables.into_iter().flat_map(|t| t.columns.iter().map(|c| c.name.clone())).collect()
}

fn qualified(table: &str, columns: &[String]) -> Vec<String> {
    columns.iter().map(|column| format!("{table}.{column}")).collect()
}

/// Says that a name is on neither side, with what comes near.
fn unknown(option: &str, name: &str, all: &[String]) -> Error {
    let mut all: Vec<String> = all.to_vec();
    all.sort();
    all.dedup();
    let near = match names::find(name, all.iter().map(String::as_str)) {
        Match::Exact(position) | Match::Folded(position) => vec![position],
        Match::Ambiguous(positions) => positions,
        Match::None(near) => near,
    };
    Error::new(
        ErrorKind::Usage,
        format!("{option}: neither the backup nor the current database has {name:?}{}", suggestion(&near, &all)),
    )
}
