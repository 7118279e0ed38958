//! Columns as PostgreSQL's catalog describes them: what schema reading and the statements for a table are made from.

use super::session::Session;
use super::types::{self, Wire};
use crate::database::present;
use crate::error::Result;
use crate::model::Table;
use sqlx::Arguments;
use sqlx::Row;
use sqlx::postgres::{PgArguments, PgRow};

/// One column of the catalog.
#[derive(Clone, Debug)]
pub(super) struct CatalogColumn {
    /// The table's id.
    pub(super) table: i64,
    pub(super) name: String,
    /// The attribute number, which keys and constraints use.
    pub(super) number: i16,
    pub(super) not_null: bool,
    /// The type as declared, with length.
    pub(super) declared: String,
    /// The id of the type below all domains.
    pub(super) base: i64,
    pub(super) base_name: String,
    /// `b` base, `e` enum, `r` range, `c` composite …
    pub(super) base_kind: String,
    /// The length or precision of the type below all domains, -1 for none.
    pub(super) modifier: i32,
    /// The type below all domains without length, as a cast needs it.
    pub(super) cast: String,
    /// The name and kind of an array's elements.
    pub(super) element: Option<(String, String)>,
    /// The default, or the expression of a generated column.
    pub(super) expression: Option<String>,
    /// `a` always, `d` by default.
    pub(super) identity: String,
    /// `s` stored, `v` virtual.
    pub(super) generated: String,
    /// Whether the declared type is a domain.
    pub(super) domain: bool,
    pub(super) deterministic: bool,
    /// Whether and through which operator two values are equal.
    pub(super) equality: Option<String>,
}

/// Domains resolve to their base type; the equality operator is the default B-tree one, found without any search path.
const COLUMNS: &str = r#"
SELECT a.attrelid::int8 AS "table", a.attname::text AS name, a.attnum AS number,
  a.attnotnull OR coalesce(d.not_null, false) AS not_null,
  pg_catalog.format_type(a.atttypid, a.atttypmod) AS declared,
  b.oid::int8 AS base, b.typname::text AS base_name, b.typtype::text AS base_kind,
  d.modifier, pg_catalog.format_type(b.oid, -1) AS "cast",
  e.typname::text AS element_name, e.typtype::text AS element_kind,
  pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) AS expression,
  a.atttypid <> b.oid AS domain, a.attidentity::text AS identity, a.attgenerated::text AS generated,
  coalesce(co.collisdeterministic, true) AS deterministic,
  CASE WHEN b.typcategory IN ('A', 'E', 'R') OR b.oid = 1043 THEN 'pg_catalog'
       ELSE (SELECT n.nspname::text FROM pg_opclass oc
             JOIN pg_am am ON am.oid = oc.opcmethod AND am.amname = 'btree'
             JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype
                            AND ao.amoprighttype = oc.opcintype AND ao.amopstrategy = 3
             JOIN pg_operator o ON o.oid = ao.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
             WHERE oc.opcintype = b.oid AND oc.opcdefault LIMIT 1) END AS equality
FROM pg_attribute a
JOIN LATERAL (
  WITH RECURSIVE chain AS (
    SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, a.atttypmod AS modifier, false AS not_null, 0 AS depth
    FROM pg_type t WHERE t.oid = a.atttypid
    UNION ALL
    SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod, c.typtypmod, c.not_null OR p.typnotnull, c.depth + 1
    FROM chain c JOIN pg_type p ON p.oid = c.oid JOIN pg_type t ON t.oid = c.typbasetype WHERE c.typtype = 'd'
  ) SELECT oid, modifier, not_null FROM chain ORDER BY depth DESC LIMIT 1
) d ON true
JOIN pg_type b ON b.oid = d.oid
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
LEFT JOIN pg_collation co ON co.oid = a.attcollation
WHERE a.attrelid = ANY($1::int8[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum"#;

/// Reads the columns of tables by their ids.
///
/// # Errors
/// As the server says.
pub(super) fn columns(session: &mut Session, tables: &[i64]) -> Result<Vec<CatalogColumn>> {
    let rows = session.rows(COLUMNS, bind([tables.to_vec()]), "reading the columns")?;
    rows.iter().map(|row| column(row).map_err(|error| session.fail(error, "reading the columns"))).collect()
}

fn column(row: &PgRow) -> Result<CatalogColumn, sqlx::Error> {
    let element_name: Option<String> = row.try_get("element_name")?;
    let element_kind: Option<String> = row.try_get("element_kind")?;
    Ok(CatalogColumn {
        table: row.try_get("table")?,
        name: row.try_get("name")?,
        number: row.try_get("number")?,
        not_null: row.try_get("not_null")?,
        declared: row.try_get("declared")?,
        base: row.try_get("base")?,
        base_name: row.try_get("base_name")?,
        base_kind: row.try_get("base_kind")?,
        modifier: row.try_get("modifier")?,
        cast: row.try_get("cast")?,
        element: element_name.zip(element_kind),
        expression: row.try_get("expression")?,
        identity: row.try_get("identity")?,
        generated: row.try_get("generated")?,
        domain: row.try_get("domain")?,
        deterministic: row.try_get("deterministic")?,
        equality: row.try_get::<Option<String>, _>("equality")?.map(|s| format!("OPERATOR({}.=)", quote(&s))),
    })
}

/// Makes arguments of one type.
pub(super) fn bind<'a, T, I>(values: I) -> PgArguments
where
    T: sqlx::Encode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    I: IntoIterator<Item = T>,
{
    let mut arguments = PgArguments::default();
    for value in values {
        arguments.add(value).expect("numbers, texts and lists of them always encode");
    }
    arguments
}

/// Quotes a name.
pub(in crate::database) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column as statements use it.
#[derive(Clone, Debug)]
pub(super) struct ShapeColumn {
    pub(super) quoted: String,
    pub(super) wire: Wire,
    /// What a query selects, with `t` for the table.
    pub(super) read: String,
    pub(super) cast: String,
    /// The domain that checks values.
    pub(super) domain: Option<String>,
    pub(super) equality: Option<String>,
    /// Whether texts are equal where they are in lower case (`citext`), rather than where the collation says so.
    pub(super) folds: bool,
    pub(super) expression: Option<String>,
    pub(super) generated: bool,
    pub(super) identity: bool,
    pub(super) not_null: bool,
}

/// A table as statements use it; always read from the catalog of the connection at hand, never from a file.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// The table's id.
    pub(super) table: i64,
    /// Schema and name, quoted, with `ONLY` where the table can have inheriting tables.
    pub(super) from: String,
    /// Schema and name, quoted.
    pub(super) name: String,
    /// In the order of the [`Table`] it was made for.
    pub(super) columns: Vec<ShapeColumn>,
}

impl Shape {
    /// Reads a table's shape.
    ///
    /// # Errors
    /// `SchemaMismatch` when table or column is gone; as the server says.
    pub(super) fn read(session: &mut Session, table: &Table) -> Result<Self> {
        let doing = format!("reading the columns of {}", table.label());
        let sql = "SELECT c.oid::int8, c.relkind::text, n.nspname::text FROM pg_class c \
                   JOIN pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')";
        let schema = table.schema.as_deref().unwrap_or("public");
        let found = session.rows(sql, bind([schema, table.name.as_str()]), &doing)?;
        let row = found.first().ok_or_else(|| present::gone(&format!("table {}", table.label())))?;
        let (id, kind): (i64, String) = (row.get(0), row.get(1));
        let name = format!("{}.{}", quote(schema), quote(&table.name));
        let catalog = columns(session, &[id])?;
        let columns = present::columns(table, &catalog, |c| &c.name)?.into_iter().map(shape_column).collect();
        let from = if kind == "p" { name.clone() } else { format!("ONLY {name}") };
        Ok(Self { table: id, from, name, columns })
    }
}

fn shape_column(column: &CatalogColumn) -> ShapeColumn {
    let quoted = quote(&column.name);
    let typed = types::of(column);
    ShapeColumn {
        read: typed.read.replace("{}", &format!("t.{quoted}")),
        quoted,
        wire: typed.wire,
        cast: column.cast.clone(),
        domain: column.domain.then(|| column.declared.clone()),
        equality: column.equality.clone(),
        folds: column.base_name == "citext",
        expression: column.expression.clone(),
        generated: !column.generated.is_empty(),
        identity: !column.identity.is_empty(),
        not_null: column.not_null,
    }
}
