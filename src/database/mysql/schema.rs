//! Reading the schema from `information_schema`.

use super::catalog::{self, CatalogColumn, text};
use super::session::Session;
use super::{types, violations};
use crate::database::claims;
use crate::error::Result;
use crate::model::schema::{Check, Engine, Generated, Storage, Trigger};
use crate::model::{Column, ColumnType, ForeignKey, Schema, Table, Unique};
use sqlx::mysql::{MySqlArguments, MySqlRow};

/// Tables with whether their engine has transactions.
const TABLES: &str = "
SELECT t.TABLE_NAME, t.TABLE_TYPE, t.ENGINE, e.TRANSACTIONS, t.CREATE_OPTIONS FROM information_schema.TABLES t
LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE
WHERE t.TABLE_SCHEMA = DATABASE() ORDER BY t.TABLE_NAME";

/// How tables are divided whose partitions may have no place for a value.
const PARTITIONS: &str = "
SELECT DISTINCT TABLE_NAME, PARTITION_EXPRESSION FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = DATABASE() AND (PARTITION_METHOD LIKE 'RANGE%' OR PARTITION_METHOD LIKE 'LIST%')";

const INDEXES: &str = "
SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, CAST(SUB_PART AS CHAR) FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND NON_UNIQUE = 0
ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX";

const FOREIGN_KEYS: &str = "
SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, CAST(k.REFERENCED_TABLE_SCHEMA = DATABASE() AS CHAR), k.REFERENCED_TABLE_SCHEMA,
  k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.TABLE_NAME = k.TABLE_NAME AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION";

const TRIGGERS: &str = "
SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION)
FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() ORDER BY 1, 2";

/// Reads every table of the connected database.
pub(super) fn read(session: &mut Session) -> Result<Schema> {
    let doing = "reading the schema";
    let columns = catalog::columns(session, None)?;
    let rules = violations::rules(session, None)?;
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    let mut partitioned = false;
    for row in session.rows(TABLES, MySqlArguments::default(), doing)? {
        let name = text(&row, 0).unwrap_or_default();
        match text(&row, 1).unwrap_or_default().as_str() {
            "BASE TABLE" | "SYSTEM VERSIONED" => {}
            kind => {
                left_out.push(format!("{name}: a {}", kind.to_ascii_lowercase()));
                continue;
            }
        }
        partitioned |= is_partitioned(&row);
        tables.push(table(&row, name, &columns, &rules));
    }
    // Asked only where there are any: the answer opens every table.
    if partitioned {
        for row in session.rows(PARTITIONS, MySqlArguments::default(), doing)? {
            if let (Some(expression), Some(table)) = (text(&row, 1), named(&mut tables, &row)) {
                table.partitioned_by = claims::named(&table.columns, &expression);
            }
        }
    }
    for row in session.rows(INDEXES, MySqlArguments::default(), doing)? {
        index(&mut tables, &row);
    }
    tables.iter_mut().for_each(settle_uniques);
    for row in session.rows(FOREIGN_KEYS, MySqlArguments::default(), doing)? {
        foreign_key(&mut tables, &row);
    }
    for row in session.rows(TRIGGERS, MySqlArguments::default(), doing)? {
        if let (Some(name), Some(event), Some(table)) = (text(&row, 1), text(&row, 2), named(&mut tables, &row)) {
            table.triggers.push(Trigger { name, event });
        }
    }
    Ok(Schema { engine: Engine::Mysql, tables, left_out })
}

/// Tells of a row of [`TABLES`] whether the table is divided.
fn is_partitioned(row: &MySqlRow) -> bool {
    text(row, 4).is_some_and(|options| options.contains("partitioned"))
}

/// Finds the table that a row of the catalog is about.
fn named<'a>(tables: &'a mut [Table], row: &MySqlRow) -> Option<&'a mut Table> {
    let name = text(row, 0)?;
    tables.iter_mut().find(|t| t.name == name)
}

fn table(row: &MySqlRow, name: String, columns: &[CatalogColumn], rules: &[violations::Rule]) -> Table {
    let own: Vec<&CatalogColumn> = columns.iter().filter(|c| c.table == name).collect();
    let checks: Vec<Check> = rules
        .iter()
        .filter(|r| r.table == name)
        .map(|r| Check { name: r.name.clone(), expression: r.expression.clone() })
        .collect();
    let engine = text(row, 2).unwrap_or_else(|| "unknown".to_owned());
    let transactions = text(row, 3).is_some_and(|t| t == "YES");
    let mut notes = Vec::new();
    if is_partitioned(row) {
        notes.push("partitioned; read and written as one table".to_owned());
    }
    if text(row, 1).is_some_and(|kind| kind == "SYSTEM VERSIONED") {
        notes.push("system-versioned: every write adds to its history".to_owned());
    }
    for column in own.iter().filter(|c| c.extra.to_ascii_lowercase().contains("on update")) {
        notes.push(format!("an update that leaves out {} sets it to the present time", column.name));
    }
    Table {
        schema: None,
        columns: own.iter().map(|c| column(c, &checks)).collect(),
        key: Vec::new(),
        key_is_primary: false,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks,
        triggers: Vec::new(),
        timestamp: None,
        refused: (!transactions).then(|| {
            format!("its engine {engine} has no transactions: a failed merge could not be taken back (ALTER TABLE … ENGINE=InnoDB)")
        }),
        notes,
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
        name,
    }
}

fn column(column: &CatalogColumn, checks: &[Check]) -> Column {
    // MariaDB's JSON is a `longtext` with a check of its own.
    let valid = format!("json_valid({})", catalog::quote(&column.name));
    let json = column.data_type == "longtext" && checks.iter().any(|c| c.expression.eq_ignore_ascii_case(&valid));
    let charset = match column.charset.as_deref() {
        None | Some("utf8mb4") => String::new(),
        Some(name) => format!(" character set {name}"),
    };
    let extra = column.extra.to_ascii_lowercase();
    let serial = column.default.as_deref().is_some_and(|d| d.contains("nextval("));
    let generated = if column.expression.is_some() {
        Generated::Computed
    } else if extra.contains("auto_increment") || serial {
        Generated::Counter
    } else {
        Generated::No
    };
    Column {
        name: column.name.clone(),
        ty: if json { ColumnType::Json } else { types::of(column) },
        declared: format!("{}{charset}", column.column_type),
        storage: Storage::Native,
        nullable: column.nullable,
        default: if generated == Generated::Computed { column.expression.clone() } else { column.default.clone() },
        generated,
        collation: types::collation(column),
        enforced: true,
    }
}

/// Adds one column of a unique index; prefixes and expressions make it one that only the database can check.
fn index(tables: &mut [Table], row: &MySqlRow) {
    let (Some(name), Some(table)) = (text(row, 1), named(tables, row)) else { return };
    let position = text(row, 2).and_then(|column| table.column(&column));
    match position.filter(|_| text(row, 3).is_none()) {
        None if !table.opaque_uniques.contains(&name) => table.opaque_uniques.push(name),
        None => {}
        Some(position) => match table.uniques.iter_mut().find(|u| u.name == name) {
            Some(unique) => unique.columns.push(position),
            None => table.uniques.push(Unique {
                name,
                columns: vec![position],
                predicate: None,
                nulls_equal: false,
                deferrable: false,
                reads: Vec::new(),
            }),
        },
    }
}

/// Drops the readable halves of opaque indexes and chooses the key.
fn settle_uniques(table: &mut Table) {
    let opaque = table.opaque_uniques.clone();
    table.uniques.retain(|u| !opaque.contains(&u.name));
    claims::settle(table);
    table.key_is_primary = table.uniques.first().is_some_and(|u| u.name == "PRIMARY");
    let whole = |u: &&Unique| u.is_plain() && u.columns.iter().all(|&c| !table.columns[c].nullable);
    table.key = table.uniques.iter().find(whole).map(|u| u.columns.clone()).unwrap_or_default();
}

fn foreign_key(tables: &mut [Table], row: &MySqlRow) {
    let required = |position: usize| text(row, position).unwrap_or_default();
    let (schema, target) = (required(4), required(5));
    let own_database = required(3) == "1";
    let parent = if own_database { tables.iter().position(|t| t.name == target) } else { None };
    let reference = parent.and_then(|p| tables[p].column(&required(6)));
    let Some(table) = named(tables, row) else { return };
    let Some(column) = table.column(&required(2)) else { return };
    let name = required(1);
    if !table.foreign_keys.iter().any(|f| f.name == name) {
        table.foreign_keys.push(ForeignKey {
            name: name.clone(),
            columns: Vec::new(),
            table: parent,
            table_name: if own_database { target } else { format!("{schema}.{target}") },
            references: Vec::new(),
            deferrable: false,
            on_delete: required(7),
            on_update: required(8),
            declared: true,
            when: None,
        });
    }
    if let Some(foreign_key) = table.foreign_keys.iter_mut().find(|f| f.name == name) {
        foreign_key.columns.push(column);
        foreign_key.references.extend(reference);
    }
}
