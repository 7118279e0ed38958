//! Reading the schema from PostgreSQL's catalog.

use super::catalog::{self, CatalogColumn, bind};
use super::session::Session;
use super::types;
use crate::database::claims;
use crate::error::Result;
use crate::model::schema::{Check, Collation, Engine, Generated, Storage, Trigger};
use crate::model::{Column, ColumnType, ForeignKey, Schema, Table, Unique};
use sqlx::Row;
use sqlx::postgres::PgRow;
use std::collections::HashMap;

const RELATIONS: &str = "
SELECT c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, c.relispartition, c.relrowsecurity,
  c.relpersistence::text,
  EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'),
  (SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid),
  (SELECT string_agg(i.inhparent::regclass::text, ', ') FROM pg_inherits i WHERE i.inhrelid = c.oid),
  EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'),
  (SELECT pg_get_partkeydef(p.partrelid) FROM pg_partitioned_table p WHERE p.partrelid = c.oid AND p.partstrat <> 'h')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\\_toast%' AND n.nspname NOT LIKE 'pg\\_temp%' AND ($1::text IS NULL OR n.nspname = $1)
ORDER BY n.nspname <> $2, n.nspname, c.relname";

/// Leaves expressions, predicates and exclusion constraints to be told apart by the reader.
const INDEXES: &str = "
SELECT i.indrelid::int8, coalesce(co.conname, ic.relname)::text, i.indisprimary,
  (SELECT array_agg(k ORDER BY p) FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(k, p) WHERE p <= i.indnkeyatts),
  pg_get_expr(i.indpred, i.indrelid), coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::bool, false),
  coalesce(co.condeferrable, false), coalesce(co.contype = 'x' OR (to_jsonb(co) ->> 'conperiod')::bool, false),
  EXISTS (SELECT FROM unnest(i.indcollation::oid[]) AS u(id) JOIN pg_collation l ON l.oid = u.id
          WHERE NOT l.collisdeterministic),
  (SELECT string_agg(pg_get_indexdef(i.indexrelid, p, true), ', ') FROM generate_series(1, i.indnkeyatts) p)
    || ' ' || coalesce(pg_get_expr(i.indpred, i.indrelid), '')
FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
LEFT JOIN pg_constraint co ON co.conindid = i.indexrelid AND co.contype IN ('p', 'u', 'x')
WHERE i.indrelid = ANY($1::int8[]) AND (i.indisunique OR i.indisexclusion)
ORDER BY i.indrelid, NOT i.indisprimary, 2";

const FOREIGN_KEYS: &str = "
SELECT c.conrelid::int8, c.conname::text, c.conkey, c.confrelid::int8, c.confkey, c.condeferrable, c.confdeltype::text,
  c.confupdtype::text, c.convalidated, n.nspname::text, r.relname::text
FROM pg_constraint c JOIN pg_class r ON r.oid = c.confrelid JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND c.conparentid = 0 AND c.conrelid = ANY($1::int8[]) ORDER BY c.conrelid, c.conname";

/// Checks of the tables, then those of the domains of their columns.
const CHECKS: &str = "
SELECT c.conrelid::int8, c.conname::text, pg_get_expr(c.conbin, c.conrelid) FROM pg_constraint c
WHERE c.contype = 'c' AND c.conrelid = ANY($1::int8[])
UNION ALL
SELECT a.attrelid::int8, c.conname || ' (' || a.attname || ')', pg_get_constraintdef(c.oid)
FROM pg_attribute a JOIN LATERAL (
  WITH RECURSIVE chain AS (
    SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = a.atttypid AND t.typtype = 'd'
    UNION ALL SELECT t.oid, t.typbasetype FROM chain JOIN pg_type t ON t.oid = chain.typbasetype AND t.typtype = 'd'
  ) SELECT oid FROM chain) d ON true
JOIN pg_constraint c ON c.contypid = d.oid AND c.contype = 'c'
WHERE a.attrelid = ANY($1::int8[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2";

const TRIGGERS: &str = "
SELECT tgrelid::int8, tgname::text, tgtype::int4 FROM pg_trigger
WHERE NOT tgisinternal AND tgenabled <> 'D' AND tgrelid = ANY($1::int8[]) ORDER BY tgrelid, tgname";

const LABELS: &str = "SELECT enumtypid::int8, enumlabel::text FROM pg_enum ORDER BY enumtypid, enumsortorder";

struct Relation {
    id: i64,
    schema: String,
    name: String,
    kind: String,
    /// By which columns or expressions its partitions list values or ranges.
    divided: Option<String>,
    notes: Vec<String>,
}

/// Reads every table of the wanted schema, or of all with the default schema's first.
pub(super) fn read(session: &mut Session, only: Option<&str>, default: &str) -> Result<Schema> {
    let doing = "reading the schema";
    let mut arguments = bind([only.map(str::to_owned)]);
    sqlx::Arguments::add(&mut arguments, default).expect("text always encodes");
    let rows = session.rows(RELATIONS, arguments, doing)?;
    let mut left_out = Vec::new();
    let relations: Vec<Relation> = rows.iter().filter_map(|row| relation(row, &mut left_out)).collect();
    let ids: Vec<i64> = relations.iter().map(|r| r.id).collect();
    let mut labels: HashMap<i64, Vec<String>> = HashMap::new();
    for row in session.rows(LABELS, bind::<i64, _>([]), doing)? {
        labels.entry(row.get(0)).or_default().push(row.get(1));
    }
    let mut columns: HashMap<i64, Vec<CatalogColumn>> = HashMap::new();
    for column in catalog::columns(session, &ids)? {
        columns.entry(column.table).or_default().push(column);
    }
    let mut parts = HashMap::new();
    for (name, sql) in [("index", INDEXES), ("foreign", FOREIGN_KEYS), ("check", CHECKS), ("trigger", TRIGGERS)] {
        let mut by_table: HashMap<i64, Vec<PgRow>> = HashMap::new();
        for row in session.rows(sql, bind([ids.clone()]), doing)? {
            by_table.entry(row.get(0)).or_default().push(row);
        }
        parts.insert(name, by_table);
    }
    // Another encoding has no place for most characters.
    let encoding = session.rows("SELECT current_setting('server_encoding')", bind::<i64, _>([]), doing)?;
    let any_text = encoding.first().is_some_and(|row| row.get::<String, _>(0) == "UTF8");
    let tables = relations
        .iter()
        .map(|relation| {
            let rows = |name: &str| parts[name].get(&relation.id).map_or(&[][..], Vec::as_slice);
            let table = table(relation, &relations, &columns, &labels, rows);
            Table { plain: table.plain && any_text, ..table }
        })
        .collect();
    Ok(Schema { engine: Engine::Postgres, tables, left_out })
}

fn relation(row: &PgRow, left_out: &mut Vec<String>) -> Option<Relation> {
    let (id, schema, name, kind): (i64, String, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
    let label = if schema == "public" { name.clone() } else { format!("{schema}.{name}") };
    let reason = match kind.as_str() {
        "v" => Some("a view"),
        "m" => Some("a materialized view"),
        "f" => Some("a foreign table"),
        _ if row.get(7) => Some("it belongs to an extension"),
        _ => None,
    };
    if let Some(reason) = reason {
        left_out.push(format!("{label}: {reason}"));
        return None;
    }
    // A partition's records are its parent's.
    if row.get(4) {
        return None;
    }
    let mut notes = Vec::new();
    let children: i64 = row.get(8);
    if kind == "p" {
        notes.push(format!("partitioned into {children}; read and written as one table"));
    } else if children > 0 {
        notes.push(format!("{children} tables inherit from it; their records are not counted as its own"));
    }
    if let Some(parents) = row.get::<Option<String>, _>(9) {
        notes.push(format!("inherits from {parents}"));
    }
    if row.get(5) {
        notes.push("row security is on: a role that it filters is refused".to_owned());
    }
    if row.get::<String, _>(6) == "u" {
        notes.push("unlogged: emptied after a crash of the server".to_owned());
    }
    if row.get(10) {
        notes.push("rewrite rules change what is written".to_owned());
    }
    Some(Relation { id, schema, name, kind, divided: row.get(11), notes })
}

/// Returns the position of a column by its attribute number.
fn position(columns: &[CatalogColumn], number: i16) -> Option<usize> {
    columns.iter().position(|c| c.number == number)
}

fn table<'a>(
    relation: &Relation,
    relations: &[Relation],
    columns: &HashMap<i64, Vec<CatalogColumn>>,
    labels: &HashMap<i64, Vec<String>>,
    rows: impl Fn(&str) -> &'a [PgRow],
) -> Table {
    let none = Vec::new();
    let own = columns.get(&relation.id).unwrap_or(&none);
    let mut table = Table {
        schema: Some(relation.schema.clone()),
        name: relation.name.clone(),
        columns: own.iter().map(|c| column(c, labels)).collect(),
        key: Vec::new(),
        key_is_primary: false,
        uniques: Vec::new(),
        opaque_uniques: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        triggers: Vec::new(),
        timestamp: None,
        refused: None,
        notes: relation.notes.clone(),
        partitioned_by: Vec::new(),
        secret: Vec::new(),
        plain: false,
    };
    if let Some(divided) = &relation.divided {
        table.partitioned_by = claims::named(&table.columns, divided);
    }
    for row in rows("index") {
        index(&mut table, own, row);
    }
    claims::settle(&mut table);
    if !table.key_is_primary {
        let whole = |u: &&Unique| u.is_plain() && u.columns.iter().all(|&c| !table.columns[c].nullable);
        table.key = table.uniques.iter().find(whole).map(|u| u.columns.clone()).unwrap_or_default();
    }
    for row in rows("foreign") {
        foreign_key(&mut table, own, relations, columns, row);
    }
    table.checks = rows("check").iter().map(|r| Check { name: r.get(1), expression: r.get(2) }).collect();
    let base = |c: &CatalogColumn| !c.domain && c.generated.is_empty() && types::is_plain(c);
    table.plain = relation.kind == "r" && table.checks.is_empty() && own.iter().all(base);
    table.triggers = rows("trigger").iter().map(|r| Trigger { name: r.get(1), event: event(r.get(2)) }).collect();
    if relation.kind == "p" && table.columns.is_empty() {
        table.notes.push("has no columns".to_owned());
    }
    table
}

fn column(column: &CatalogColumn, labels: &HashMap<i64, Vec<String>>) -> Column {
    let typed = types::of(column);
    let ty = match typed.ty {
        ColumnType::Enum(_) => ColumnType::Enum(labels.get(&column.base).cloned().unwrap_or_default()),
        ty => ty,
    };
    let serial = column.expression.as_deref().is_some_and(|e| e.contains("nextval("));
    let generated = match (column.identity.as_str(), column.generated.as_str()) {
        ("a", _) => Generated::IdentityAlways,
        ("d", _) => Generated::Counter,
        (_, "s" | "v") => Generated::Computed,
        _ if serial => Generated::Counter,
        _ => Generated::No,
    };
    Column {
        name: column.name.clone(),
        ty,
        declared: column.declared.strip_prefix("public.").unwrap_or(&column.declared).to_owned(),
        storage: Storage::Native,
        nullable: !column.not_null,
        default: column.expression.clone(),
        generated,
        collation: typed.collation,
        enforced: true,
    }
}

fn index(table: &mut Table, own: &[CatalogColumn], row: &PgRow) {
    let name: String = row.get(1);
    let numbers: Vec<i16> = row.get(3);
    let columns: Option<Vec<usize>> = numbers.iter().map(|&n| position(own, n)).collect();
    let (exclusion, loose): (bool, bool) = (row.get(7), row.get(8));
    // An index whose collation is looser than the column's holds more texts equal than comparing the column tells.
    let collated = |c: &Vec<usize>| c.iter().any(|&c| table.columns[c].collation == Collation::Database);
    if exclusion || (loose && !columns.as_ref().is_some_and(collated)) {
        table.opaque_uniques.push(name);
        return;
    }
    let predicate: Option<String> = row.get(4);
    // Expressions and a predicate are the database's to evaluate; what they read is known by name.
    let reads = match (&columns, &predicate) {
        (Some(_), None) => Vec::new(),
        _ => claims::named(&table.columns, &row.get::<String, _>(9)),
    };
    let columns = columns.unwrap_or_default();
    if row.get(2) {
        table.key = columns.clone();
        table.key_is_primary = true;
    }
    let (nulls_equal, deferrable) = (row.get(5), row.get(6));
    let unique = Unique { name, columns, predicate, nulls_equal, deferrable, reads };
    table.uniques.push(unique);
}

fn foreign_key(
    table: &mut Table,
    own: &[CatalogColumn],
    relations: &[Relation],
    columns: &HashMap<i64, Vec<CatalogColumn>>,
    row: &PgRow,
) {
    let name: String = row.get(1);
    let (from, to): (Vec<i16>, Vec<i16>) = (row.get(2), row.get(4));
    let referenced: i64 = row.get(3);
    let (schema, target): (String, String) = (row.get(9), row.get(10));
    let parent = columns.get(&referenced).map_or(&[][..], Vec::as_slice);
    if !row.get::<bool, _>(8) {
        table.notes.push(format!("the foreign key {name} was never validated: older records may refer to nothing"));
    }
    let action = |letter: String| {
        let word = match letter.as_str() {
            "r" => "RESTRICT",
            "c" => "CASCADE",
            "n" => "SET NULL",
            "d" => "SET DEFAULT",
            _ => "NO ACTION",
        };
        word.to_owned()
    };
    table.foreign_keys.push(ForeignKey {
        columns: from.iter().filter_map(|&n| position(own, n)).collect(),
        table: relations.iter().position(|r| r.id == referenced),
        table_name: if schema == "public" { target } else { format!("{schema}.{target}") },
        references: to.iter().filter_map(|&n| position(parent, n)).collect(),
        deferrable: row.get(5),
        on_delete: action(row.get(6)),
        on_update: action(row.get(7)),
        declared: true,
        when: None,
        name,
    });
}

/// Reads the bits of `pg_trigger.tgtype` (`trigger.h`): row 1, before 2, insert 4, delete 8, update 16, truncate 32, instead 64.
fn event(bits: i32) -> String {
    let moment = match bits & (2 | 64) {
        2 => "BEFORE",
        64 => "INSTEAD OF",
        _ => "AFTER",
    };
    let events: Vec<&str> = [(4, "INSERT"), (16, "UPDATE"), (8, "DELETE"), (32, "TRUNCATE")]
        .iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, word)| *word)
        .collect();
    format!("{moment} {}", events.join(" OR "))
}
