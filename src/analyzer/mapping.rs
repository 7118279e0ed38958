//! Which current table and column a name in a backup stands for (DESIGN 4), and which of them take part.
//!
//! Names from a file are only ever looked up here; what goes on is a position in the current schema.

mod asked;

pub(crate) use asked::Seen;

use super::filter::{self, Filter};
use super::graph;
use super::options::{OnUnknown, Options, VirtualKey};
use crate::error::{Error, Result, fail};
use crate::model::names::{self, Match};
use crate::model::{ColumnType, ForeignKey, Schema, Table};

/// Tables in which tools note which migrations ran: they describe the schema, not the data.
const MIGRATION_TABLES: [&str; 16] = [
    "_prisma_migrations",
    "django_migrations",
    "schema_migrations",
    "ar_internal_metadata",
    "alembic_version",
    "knex_migrations",
    "knex_migrations_lock",
    "flyway_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "__EFMigrationsHistory",
    "goose_db_version",
    "SequelizeMeta",
    "typeorm_metadata",
    "_sqlx_migrations",
    "__drizzle_migrations",
];

/// Among the tables to be skipped: all of them.
pub(crate) const EVERY: &str = "*";

/// How a table takes part in the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Its records are compared.
    Chosen,
    /// Its records are left out, but looked at in case a chosen record refers to one.
    Parent,
    /// Its records are counted as excluded.
    Excluded,
}

/// The current schema, set up for one analysis.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) schema: Schema,
    /// One per table.
    pub(crate) parts: Vec<Part>,
    /// Per table, per column: whether it is compared and written.
    pub(crate) compared: Vec<Vec<bool>>,
    /// Per table: the conditions on its records.
    pub(crate) filters: Vec<Vec<Filter>>,
    /// Columns (table, column) of primary keys where the user named another key: existing records keep them.
    pub(crate) primary_stays: Vec<(usize, usize)>,
    options: Options,
}

/// How a sentence about a column of the backup begins, and how it goes on.
const ABOUT: &str = "column ";
const ABSENT: &str = " is not in the current table ";
const AMBIGUOUS: &str = " could be ";

/// Returns the `TABLE.COLUMN` of the backup that a sentence of [`Mapping::column`] is about.
pub(crate) fn column_of(sentence: &str) -> Option<&str> {
    let rest = sentence.strip_prefix(ABOUT)?;
    [ABSENT, AMBIGUOUS].iter().find_map(|end| rest.rsplit_once(end)).map(|(name, _)| name)
}

impl Mapping {
    /// Sets up keys, timestamp columns and filters on a schema.
    pub(crate) fn new(mut schema: Schema, options: &Options) -> Result<Self> {
        let mut primary_stays: Vec<(usize, usize)> = Vec::new();
        for (table, columns) in &options.keys {
            let position = find_table(&schema, table)?;
            let key = columns.iter().map(|c| find_column(&schema.tables[position], c)).collect::<Result<Vec<_>>>()?;
            let target = &mut schema.tables[position];
            if target.key_is_primary {
                // Records are told apart otherwise; what others refer to them by must not change.
                primary_stays.extend(target.key.iter().filter(|c| !key.contains(c)).map(|&c| (position, c)));
            }
            target.key_is_primary = target.key_is_primary && target.key == key;
            target.key = key;
        }
        for (table, column) in &options.secret_columns {
            // A name that is not there is refused below.
            let Ok(position) = find_table(&schema, table) else { continue };
            let Ok(column) = find_column(&schema.tables[position], column) else { continue };
            schema.tables[position].secret.push(column);
        }
        for table in &mut schema.tables {
            table.timestamp = table.columns.iter().position(|c| c.writable() && names::is_updated_name(&c.name));
        }
        for (table, column) in &options.timestamps {
            let positions = match table {
                Some(table) => vec![find_table(&schema, table)?],
                None => (0..schema.tables.len()).collect(),
            };
            for position in positions {
                let found = match column {
                    None => None,
                    Some(column) => match (find_column(&schema.tables[position], column), table) {
                        (Ok(found), _) => Some(found),
                        // Named for every table: a table without it keeps what was found.
                        (Err(_), None) => continue,
                        (Err(error), Some(_)) => return Err(error),
                    },
                };
                schema.tables[position].timestamp = found;
            }
        }
        for virtual_key in &options.virtual_keys {
            let (table, foreign_key) = declared(&schema, virtual_key)?;
            schema.tables[table].foreign_keys.push(foreign_key);
        }
        let parts = parts(&schema, options)?;
        let compared = compared(&schema, options)?;
        let mut filters = vec![Vec::new(); schema.tables.len()];
        for condition in &options.conditions {
            let (table, condition) = filter::split(condition)?;
            let position = find_table(&schema, table)?;
            filters[position].push(Filter::parse(&schema.tables[position], condition)?);
        }
        let mapping = Self { schema, parts, compared, filters, primary_stays, options: options.clone() };
        mapping.check_current()?;
        Ok(mapping)
    }

    /// Finds the current table that a backup's table stands for.
    pub(crate) fn table(&self, name: &str) -> Found {
        if let Some((_, current)) = self.options.map_tables.iter().find(|(backup, _)| backup == name) {
            return match find_table(&self.schema, current) {
                Ok(position) => Found::At(position),
                Err(error) => Found::Unknown(error.full_message()),
            };
        }
        let labels: Vec<String> = self.schema.tables.iter().map(Table::label).collect();
        // A schema in front that this engine has no word for: `public.users`, `main.users`.
        let bare =
            name.rsplit_once('.').filter(|(schema, _)| matches!(*schema, "public" | "main" | "dbo")).map(|(_, n)| n);
        let found = match names::find(name, labels.iter().map(String::as_str)) {
            Match::None(near) => match bare.map(|n| names::find(n, labels.iter().map(String::as_str))) {
                Some(found @ (Match::Exact(_) | Match::Folded(_))) => found,
                _ => Match::None(near),
            },
            found => found,
        };
        match found {
            Match::Exact(position) | Match::Folded(position) => Found::At(position),
            Match::Ambiguous(several) => {
                let several: Vec<&str> = several.into_iter().map(|p| labels[p].as_str()).collect();
                Found::Unknown(format!("table {name:?} could be {}", several.join(" or ")))
            }
            Match::None(_) if is_left_out(&self.options, name) => Found::Skipped,
            Match::None(near) => {
                Found::Unknown(format!("table {name:?} is not in the current database{}", suggestion(&near, &labels)))
            }
        }
    }

    /// Finds the current column that a backup's column stands for.
    pub(crate) fn column(&self, table: usize, backup_table: &str, name: &str) -> Found {
        let target = &self.schema.tables[table];
        let qualified = [format!("{backup_table}.{name}"), format!("{}.{name}", target.label())];
        if let Some((_, current)) = self.options.map_columns.iter().find(|(backup, _)| qualified.contains(backup)) {
            // What is left out by the backup's name stays out, whatever it is mapped to.
            if self.options.skip_columns.iter().any(|s| s == name || qualified.contains(s)) {
                return Found::Skipped;
            }
            let column = current.rsplit_once('.').map_or(current.as_str(), |(_, column)| column);
            return match find_column(target, column) {
                Ok(position) => Found::At(position),
                Err(error) => Found::Unknown(error.full_message()),
            };
        }
        let columns: Vec<String> = target.columns.iter().map(|c| c.name.clone()).collect();
        match names::find(name, columns.iter().map(String::as_str)) {
            Match::Exact(position) | Match::Folded(position) => Found::At(position),
            _ if self.options.skip_columns.iter().any(|s| s == name || qualified.contains(s)) => Found::Skipped,
            Match::Ambiguous(several) => {
                let several: Vec<&str> = several.into_iter().map(|p| columns[p].as_str()).collect();
                Found::Unknown(format!("{ABOUT}{backup_table}.{name}{AMBIGUOUS}{}", several.join(" or ")))
            }
            Match::None(near) => Found::Unknown(format!(
                "{ABOUT}{backup_table}.{name}{ABSENT}{}{}",
                target.label(),
                suggestion(&near, &columns)
            )),
        }
    }

    /// Returns what to do with unknown tables.
    pub(crate) fn on_unknown_table(&self) -> OnUnknown {
        self.options.on_unknown_table
    }

    /// Returns what to do with unknown columns.
    pub(crate) fn on_unknown_column(&self) -> OnUnknown {
        self.options.on_unknown_column
    }
}

/// What looking a backup's name up gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The position in the current schema.
    At(usize),
    /// Left out on request.
    Skipped,
    /// Not found, or not uniquely; the sentence says so and suggests.
    Unknown(String),
}

fn suggestion(near: &[usize], names: &[String]) -> String {
    match near {
        [] => String::new(),
        near => {
            format!(" (did you mean {}?)", near.iter().map(|&p| names[p].as_str()).collect::<Vec<_>>().join(" or "))
        }
    }
}

/// Finds what a reference from the configuration means in this schema.
fn declared(schema: &Schema, given: &VirtualKey) -> Result<(usize, ForeignKey)> {
    let in_configuration = |e: Error| e.at("virtual_fks");
    let table = find_table(schema, &given.table).map_err(in_configuration)?;
    let parent = find_table(schema, &given.parent).map_err(in_configuration)?;
    let found = |table: usize, names: &[String]| {
        names
            .iter()
            .map(|n| find_column(&schema.tables[table], n))
            .collect::<Result<Vec<_>>>()
            .map_err(in_configuration)
    };
    let (columns, references) = (found(table, &given.columns)?, found(parent, &given.references)?);
    let (own, target) = (&schema.tables[table], &schema.tables[parent]);
    let name = format!("{} → {}", own.names(&columns).join("+"), target.label());
    if columns.is_empty() || columns.len() != references.len() {
        return Err(fail!(Usage, "virtual_fks of {}: {name} needs as many columns on both sides", own.label()));
    }
    let kind = |table: &Table, c: usize| std::mem::discriminant(&table.columns[c].ty);
    let unlike = columns.iter().zip(&references).find(|&(&c, &r)| {
        kind(own, c) != kind(target, r)
            && own.columns[c].ty != ColumnType::Any
            && target.columns[r].ty != ColumnType::Any
    });
    if let Some((&c, &r)) = unlike {
        let (c, r) = (&own.columns[c], &target.columns[r]);
        return Err(fail!(
            Usage,
            "virtual_fks of {}: {} ({}) can't refer to {} ({}): their types differ",
            own.label(),
            c.name,
            c.declared,
            r.name,
            r.declared
        ));
    }
    let when = match &given.when {
        None => None,
        Some((column, text)) => Some((find_column(own, column).map_err(in_configuration)?, text.clone())),
    };
    let foreign_key = ForeignKey {
        name,
        columns,
        table: Some(parent),
        table_name: target.label(),
        references,
        deferrable: false,
        on_delete: "NO ACTION".to_owned(),
        on_update: "NO ACTION".to_owned(),
        declared: false,
        when,
    };
    Ok((table, foreign_key))
}

pub(super) fn find_table(schema: &Schema, name: &str) -> Result<usize> {
    if let Some(position) = schema.table(name) {
        return Ok(position);
    }
    let labels: Vec<String> = schema.tables.iter().map(Table::label).collect();
    match names::find(name, labels.iter().map(String::as_str)) {
        Match::Exact(position) | Match::Folded(position) => Ok(position),
        Match::Ambiguous(several) => {
            let several: Vec<&str> = several.into_iter().map(|p| labels[p].as_str()).collect();
            Err(fail!(Usage, "table {name:?} could be {}", several.join(" or ")))
        }
        Match::None(near) => {
            let error = fail!(Usage, "the current database has no table {name:?}{}", suggestion(&near, &labels));
            Err(match labels.len() {
                0 => error,
                1..=20 => error.hint(format!("It has {}.", labels.join(", "))),
                more => error.hint(format!("It has {} and {} more.", labels[..20].join(", "), more - 20)),
            })
        }
    }
}

pub(super) fn find_column(table: &Table, name: &str) -> Result<usize> {
    let columns: Vec<String> = table.columns.iter().map(|c| c.name.clone()).collect();
    match names::find(name, columns.iter().map(String::as_str)) {
        Match::Exact(position) | Match::Folded(position) => Ok(position),
        Match::Ambiguous(_) => Err(fail!(Usage, "column {name:?} of {} is not unique", table.label())),
        Match::None(near) => {
            Err(fail!(Usage, "{} has no column {name:?}{}", table.label(), suggestion(&near, &columns)))
        }
    }
}

/// Tells whether a name that the current database doesn't have was left out on request.
fn is_left_out(options: &Options, name: &str) -> bool {
    let named = |list: &[String]| list.iter().any(|n| n == name || names::fold(n) == names::fold(name));
    options.skip_tables.iter().any(|name| name == EVERY)
        || named(&options.skip_tables)
        || (!options.only_tables.is_empty() && !named(&options.only_tables))
        || MIGRATION_TABLES.contains(&name)
}

fn parts(schema: &Schema, options: &Options) -> Result<Vec<Part>> {
    // A filter may use the backup's name of a table or the current one.
    let resolve = |name: &String| -> Result<Option<usize>> {
        let mapped = options.map_tables.iter().find(|(backup, _)| backup == name).map_or(name, |(_, current)| current);
        find_table(schema, mapped).map(Some).or_else(|error: Error| {
            // A table that only the backup has can be skipped; choosing it would choose nothing.
            if options.skip_tables.contains(name) { Ok(None) } else { Err(error) }
        })
    };
    let only = options.only_tables.iter().map(resolve).collect::<Result<Vec<_>>>()?;
    let none = options.skip_tables.iter().any(|name| name == EVERY);
    let skip = options.skip_tables.iter().filter(|name| *name != EVERY).map(resolve).collect::<Result<Vec<_>>>()?;
    let migrations = |t: &Table| MIGRATION_TABLES.contains(&t.name.as_str()) && !options.only_tables.contains(&t.name);
    let chosen: Vec<usize> = (0..schema.tables.len())
        .filter(|&t| {
            !none
                && (only.is_empty() || only.contains(&Some(t)))
                && !skip.contains(&Some(t))
                && !migrations(&schema.tables[t])
        })
        .collect();
    let needed = graph::with_ancestors(schema, &chosen);
    Ok((0..schema.tables.len())
        .map(|t| match (chosen.contains(&t), needed[t]) {
            (true, _) => Part::Chosen,
            (false, true) if options.parents == super::options::Parents::Auto => Part::Parent,
            (false, _) => Part::Excluded,
        })
        .collect())
}

/// Tells whether `table.column` or `column`, by either side's table name, names a column.
fn names_column(options: &Options, pattern: &str, table: &Table, column: &str) -> bool {
    let (in_table, name) = pattern.rsplit_once('.').map_or((None, pattern), |(t, c)| (Some(t), c));
    let in_table = in_table
        .map(|t| options.map_tables.iter().find(|(backup, _)| backup == t).map_or(t, |(_, current)| current.as_str()));
    in_table.is_none_or(|t| t == table.label() || names::fold(t) == names::fold(&table.name))
        && (name == column || names::fold(name) == names::fold(column))
}

impl Options {
    /// Tells whether nothing is ever written into a column: it is not part of a key and the configuration says so.
    pub(crate) fn never_writes(&self, table: &Table, column: usize) -> bool {
        let name = &table.columns[column].name;
        !table.key.contains(&column) && self.never_write.iter().any(|p| names_column(self, p, table, name))
    }
}

fn compared(schema: &Schema, options: &Options) -> Result<Vec<Vec<bool>>> {
    let matches = |pattern: &str, table: &Table, column: &str| names_column(options, pattern, table, column);
    for pattern in &options.only_columns {
        let known = schema.tables.iter().any(|t| t.columns.iter().any(|c| matches(pattern, t, &c.name)));
        if !known {
            let all: Vec<String> = schema
                .tables
                .iter()
                .flat_map(|t| t.columns.iter().flat_map(|c| [c.name.clone(), format!("{}.{}", t.label(), c.name)]))
                .filter(|name| name.contains('.') == pattern.contains('.'))
                .collect();
            let near = match names::find(pattern, all.iter().map(String::as_str)) {
                Match::None(near) | Match::Ambiguous(near) => near,
                Match::Exact(position) | Match::Folded(position) => vec![position],
            };
            let near = suggestion(&near, &all);
            return Err(fail!(
                Usage,
                "--only-columns: no table of the current database has a column {pattern:?}{near}"
            ));
        }
    }
    Ok(schema
        .tables
        .iter()
        .map(|table| {
            let in_table = |pattern: &&String| {
                table.columns.iter().any(|c| matches(pattern, table, &c.name)) || !pattern.contains('.')
            };
            let only: Vec<&String> = options.only_columns.iter().filter(in_table).collect();
            let positions = 0..table.columns.len();
            positions
                .map(|position| {
                    let column = &table.columns[position];
                    let always = table.key.contains(&position) || table.timestamp == Some(position);
                    let wanted = only.is_empty() || only.iter().any(|p| matches(p, table, &column.name));
                    let skipped = options.skip_columns.iter().any(|p| matches(p, table, &column.name));
                    column.writable() && (always || wanted) && (table.key.contains(&position) || !skipped)
                })
                .collect()
        })
        .collect())
}
