//! What a field of a Django model is in the schema: a column, a reference, or a list of links.

use super::super::mapping::{Found, Mapping};
use super::{reference, single_key};
use crate::backup::TableHeader;
use crate::model::Table;
use std::collections::HashMap;

/// Models of Django's own applications whose tables are not called `app_model` (their `Meta.db_table`).
const RENAMED: [(&str, &str); 6] = [
    ("contenttypes.contenttype", "django_content_type"),
    ("sessions.session", "django_session"),
    ("admin.logentry", "django_admin_log"),
    ("sites.site", "django_site"),
    ("flatpages.flatpage", "django_flatpage"),
    ("redirects.redirect", "django_redirect"),
];

/// A table of links between records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Junction {
    pub(super) table: usize,
    /// The column that refers to the records with the list.
    pub(super) from: usize,
    /// The column that refers to what is listed.
    pub(super) to: usize,
    /// The table listed.
    pub(super) to_table: Option<usize>,
}

/// What a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The record's key, whatever its column is called.
    Key,
    /// A column, and the table it refers to.
    Column(usize, Option<usize>),
    /// Links, by their position in [`Model::junctions`].
    Links(usize),
    /// Nothing that the schema has: the analyzer says so.
    Unknown,
}

/// A model's place in the schema.
pub(super) struct Model {
    /// The table that its records go to.
    pub(super) table: usize,
    /// The column that `pk` stands for.
    pub(super) key: Option<usize>,
    /// The tables of links that its lists go to, with the field and the backup's name for each.
    pub(super) junctions: Vec<(Junction, String)>,
    backup_table: String,
    /// The model's own name: `child` of `core.child`.
    name: String,
    pk_field: String,
    known: HashMap<String, Target>,
}

impl Model {
    /// Finds the table of a Django model; none for a table that is no model's, or that the schema does not have.
    pub(super) fn find(mapping: &Mapping, header: &TableHeader) -> Option<Self> {
        let (pk_field, origin) = (header.pk_field.clone()?, header.origin.as_deref()?);
        let Found::At(table) = mapping.table(&header.name) else { return None };
        let name = origin.rsplit('.').next().unwrap_or(origin).to_ascii_lowercase();
        let key = single_key(&mapping.schema.tables[table]);
        let backup_table = header.name.clone();
        Some(Self { table, key, junctions: Vec::new(), backup_table, name, pk_field, known: HashMap::new() })
    }

    /// Says what a field is.
    pub(super) fn target(&mut self, mapping: &Mapping, field: &str) -> Target {
        if let Some(target) = self.known.get(field) {
            return target.clone();
        }
        let target = self.look_up(mapping, field);
        self.known.insert(field.to_owned(), target.clone());
        target
    }

    fn look_up(&mut self, mapping: &Mapping, field: &str) -> Target {
        let table = &mapping.schema.tables[self.table];
        if field == self.pk_field && table.column(field).is_none() {
            return if self.key.is_some() { Target::Key } else { Target::Unknown };
        }
        let exact = table.column(field).or_else(|| table.column(&format!("{field}_id")));
        if let Some(column) = exact {
            return Target::Column(column, reference(&mapping.schema.tables, table, column));
        }
        let links = format!("{}_{field}", self.backup_table);
        if let Some(junction) = junction(mapping, self.table, &self.name, &links) {
            self.junctions.push((junction, links));
            return Target::Links(self.junctions.len() - 1);
        }
        match mapping.column(self.table, &self.backup_table, field) {
            Found::At(column) => Target::Column(column, reference(&mapping.schema.tables, table, column)),
            Found::Skipped | Found::Unknown(_) => Target::Unknown,
        }
    }
}

/// Gives a table of Django's own applications its real name, where the schema has no table of the usual one.
pub(super) fn real_name(mapping: &Mapping, header: TableHeader) -> TableHeader {
    let called = header.origin.as_deref().unwrap_or(&header.name);
    let renamed = RENAMED.iter().find(|(model, _)| *model == called);
    match renamed {
        Some((_, name))
            if matches!(mapping.table(&header.name), Found::Unknown(_)) && mapping.schema.table(name).is_some() =>
        {
            TableHeader { name: (*name).to_owned(), ..header }
        }
        _ => header,
    }
}

/// Finds the table of a many-to-many field: besides its own id it has two columns, one of which refers back.
fn junction(mapping: &Mapping, from_table: usize, model: &str, name: &str) -> Option<Junction> {
    let Found::At(position) = mapping.table(name) else { return None };
    let table = &mapping.schema.tables[position];
    let links: Vec<usize> =
        (0..table.columns.len()).filter(|c| table.key.len() != 1 || !table.key.contains(c)).collect();
    let &[first, second] = links.as_slice() else { return None };
    let from =
        [first, second].into_iter().find(|&c| refers_back(&mapping.schema.tables, table, c, from_table, model))?;
    let to = if from == first { second } else { first };
    Some(Junction { table: position, from, to, to_table: reference(&mapping.schema.tables, table, to) })
}

/// Tells whether a column of a junction table refers to the table with the list: by its foreign key, and where both
/// do (a list of the same model) or none is declared, by Django's name for it.
fn refers_back(tables: &[Table], table: &Table, column: usize, from_table: usize, model: &str) -> bool {
    let back = |c: usize| reference(tables, table, c) == Some(from_table);
    let several = (0..table.columns.len()).filter(|&c| back(c)).count() != 1;
    if !several {
        return back(column);
    }
    let name = table.columns[column].name.as_str();
    name == format!("from_{model}_id") || name == format!("{model}_id")
}
