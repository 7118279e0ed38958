//! A receipt under the schema as it is now: what the merge wrote is found again by the names of tables and columns, so
//! that an undo still works after a migration, and says what the migration made impossible (CHECKS F99).
//!
//! Nothing is guessed: a column of another name is another column.

use crate::database::Database;
use crate::error::{Result, fail};
use crate::executor::receipt::Image;
use crate::model::schema::Generated;
use crate::model::{ForeignKey, OwnedCell, Schema, Table, encode};
use crate::plan::ActionKind;

/// The schema as it is now, addressed as the receipt addresses it.
pub(super) struct Fitted {
    /// The tables of the receipt at the receipt's positions, then those that came since.
    pub(super) schema: Schema,
    /// Per table of the receipt: where each of its columns is now. `None`: the table is gone.
    columns: Vec<Option<Vec<Option<usize>>>>,
}

impl Fitted {
    /// Finds a receipt's tables and columns in the schema as it is now.
    pub(super) fn new(then: &Schema, now: Schema) -> Self {
        let found: Vec<Option<usize>> = then.tables.iter().map(|t| now.table(&t.label())).collect();
        let place = |position: usize| match found.iter().position(|f| *f == Some(position)) {
            Some(place) => place,
            None => found.len() + (0..position).filter(|p| !found.contains(&Some(*p))).count(),
        };
        let mut tables: Vec<Table> = now.tables.clone();
        for foreign_key in tables.iter_mut().flat_map(|t| &mut t.foreign_keys) {
            foreign_key.table = foreign_key.table.map(place);
        }
        let mut columns = Vec::new();
        let mut placed = Vec::new();
        for (old, position) in then.tables.iter().zip(&found) {
            let Some(position) = *position else {
                columns.push(None);
                placed.push(Table { foreign_keys: Vec::new(), ..old.clone() });
                continue;
            };
            let mut table = tables[position].clone();
            let moved: Vec<Option<usize>> = old.columns.iter().map(|c| table.column(&c.name)).collect();
            as_set_up(old, &moved, &mut table);
            columns.push(Some(moved));
            placed.push(table);
        }
        placed.extend((0..tables.len()).filter(|p| !found.contains(&Some(*p))).map(|p| tables[p].clone()));
        Self { schema: Schema { tables: placed, ..now }, columns }
    }

    /// Checks that a table is still there.
    ///
    /// # Errors
    /// `SchemaMismatch`.
    pub(super) fn there(&self, table: usize, merge: &str) -> Result<()> {
        if self.columns[table].is_some() {
            return Ok(());
        }
        let name = self.schema.tables[table].label();
        Err(fail!(SchemaMismatch, "the table {name}, which {merge} wrote to, is no longer in the database")
            .hint("Take the other tables back with --only-tables."))
    }

    /// Returns what is left of an image's record before: one cell per column as they are now.
    pub(super) fn carried(&self, image: &Image) -> Vec<OwnedCell> {
        let mut fitted = vec![OwnedCell::Absent; self.schema.tables[image.table].columns.len()];
        let moved = self.columns[image.table].iter().flatten();
        for (now, cell) in moved.zip(&image.before).filter_map(|(now, cell)| Some((now.as_ref()?, cell))) {
            fitted[*now] = cell.clone();
        }
        fitted
    }

    /// Addresses an image by the columns as they are now; says why that is impossible, where it is.
    ///
    /// Columns that came since were empty when the merge wrote a new record, and nobody's business in others.
    pub(super) fn image(
        &self,
        then: &Table,
        image: Image,
        database: &dyn Database,
    ) -> std::result::Result<Image, (Image, String)> {
        let table = &self.schema.tables[image.table];
        let moved = self.columns[image.table].as_ref().expect("tables that are gone are refused");
        if table.columns == then.columns {
            return Ok(image);
        }
        let mut lost = Vec::new();
        let mut carry = |cells: &[OwnedCell], needed: &dyn Fn(usize) -> bool| {
            if cells.is_empty() {
                return Vec::new();
            }
            let mut fitted = vec![OwnedCell::Absent; table.columns.len()];
            for (column, cell) in cells.iter().enumerate() {
                match moved[column].map(|now| (now, refit(then, column, cell, table, now, database))) {
                    Some((now, Some(cell))) => fitted[now] = cell,
                    _ if needed(column) => lost.push(then.columns[column].name.clone()),
                    _ => {}
                }
            }
            fitted
        };
        let written = |column: usize| image.kind == ActionKind::Update && image.columns.contains(&column);
        let held = |column: usize| {
            image.kind == ActionKind::Delete
                && then.columns[column].writable()
                && !matches!(image.before[column], OwnedCell::Null | OwnedCell::Absent)
        };
        let before = carry(&image.before, &|c| written(c) || held(c));
        let mut after = carry(&image.after, &|c| written(c));
        let mut key = Vec::new();
        for (&column, cell) in then.key.iter().zip(&image.key) {
            match moved[column].and_then(|now| refit(then, column, cell, table, now, database)) {
                Some(cell) => key.push(cell),
                None => lost.push(then.columns[column].name.clone()),
            }
        }
        let came = (0..table.columns.len()).filter(|now| !moved.contains(&Some(*now)));
        for column in came {
            let made = &table.columns[column];
            if image.kind == ActionKind::Delete && made.required() {
                lost.push(format!("{} (new, and it needs a value)", made.name));
            } else if image.kind == ActionKind::Insert && made.default.is_none() && made.generated == Generated::No {
                after[column] = OwnedCell::Null;
            }
        }
        let columns = image.columns.iter().filter_map(|&c| moved[c]).collect();
        lost.sort();
        lost.dedup();
        if lost.is_empty() {
            return Ok(Image { key, before, after, columns, ..image });
        }
        let why = format!("columns changed since, so that it can't be put back: {}", lost.join(", "));
        Err((image, why))
    }
}

/// Carries over to a table what was chosen when it was merged: its key, its timestamp, references that the database does
/// not declare.
fn as_set_up(then: &Table, moved: &[Option<usize>], table: &mut Table) {
    let all = |columns: &[usize]| columns.iter().map(|&c| moved[c]).collect::<Option<Vec<usize>>>();
    if let Some(key) = all(&then.key) {
        table.key = key;
        table.key_is_primary = then.key_is_primary;
    }
    table.timestamp = then.timestamp.and_then(|c| moved[c]);
    let configured = then.foreign_keys.iter().filter(|f| !f.declared);
    table.foreign_keys.extend(configured.filter_map(|f| {
        let when = match &f.when {
            Some((column, text)) => Some((moved[*column]?, text.clone())),
            None => None,
        };
        Some(ForeignKey { columns: all(&f.columns)?, when, ..f.clone() })
    }));
}

/// Makes a cell of a column one of the column as it is now; `None` where that does not hold it.
fn refit(
    then: &Table,
    column: usize,
    cell: &OwnedCell,
    table: &Table,
    now: usize,
    database: &dyn Database,
) -> Option<OwnedCell> {
    let (old, new) = (&then.columns[column], &table.columns[now]);
    if matches!(cell, OwnedCell::Null | OwnedCell::Absent) || old.declared == new.declared {
        return Some(cell.clone());
    }
    database.store(new, &encode::value_of(cell.as_cell(), old)?).ok()
}
