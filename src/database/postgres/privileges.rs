//! What the connected role may not do with each table, with the GRANT that would let it (CHECKS F70).

use super::catalog::{bind, quote};
use super::session::Session;
use crate::database::{Lacking, Rights};
use crate::error::Result;
use crate::model::Schema;
use sqlx::Row;
use std::collections::BTreeSet;

const SQL: &str = "SELECT n.nspname::text, c.relname::text, current_user::text, \
    has_table_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'INSERT'), \
    has_any_column_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE') \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
      AND has_schema_privilege(n.oid, 'USAGE')";

/// Asks for the privileges on all tables.
pub(super) fn lacking(session: &mut Session) -> Result<Vec<Lacking>> {
    let rows = session.rows(SQL, bind::<i64, _>([]), "asking for privileges")?;
    let mut found = Vec::new();
    for row in &rows {
        let (schema, table, role): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let missing: Vec<&str> = ["SELECT", "INSERT", "UPDATE", "DELETE"]
            .into_iter()
            .enumerate()
            .filter(|(position, _)| !row.get::<bool, _>(3 + position))
            .map(|(_, name)| name)
            .collect();
        if !missing.is_empty() {
            let place = format!("{}.{}", quote(&schema), quote(&table));
            let privileges = missing.join(", ");
            let grant = format!("GRANT {privileges} ON {place} TO {}", quote(&role));
            found.push(Lacking { schema: Some(schema), table, privileges, grant });
        }
    }
    Ok(found)
}

/// Says which rights suffice for the tables of a schema, and what the role is beyond.
pub(super) fn rights(session: &mut Session, schema: &Schema) -> Result<Rights> {
    let sql = "SELECT rolname::text, rolsuper, rolbypassrls, rolcreaterole FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let rows = session.rows(sql, bind::<i64, _>([]), "asking for the role's rights")?;
    let Some(row) = rows.first() else { return Ok(Rights::default()) };
    let role = quote(&row.get::<String, _>(0));
    let words = ["is a superuser", "passes row security by", "may make roles"];
    let excess =
        words.iter().enumerate().filter(|(at, _)| row.get::<bool, _>(1 + at)).map(|(_, word)| (*word).to_owned());
    let places: BTreeSet<&str> = schema.tables.iter().filter_map(|t| t.schema.as_deref()).collect();
    let mut rights = Rights { excess: excess.collect(), ..Rights::default() };
    for place in places.into_iter().map(quote) {
        rights.reading.push(format!("GRANT USAGE ON SCHEMA {place} TO {role}"));
        rights.reading.push(format!("GRANT SELECT ON ALL TABLES IN SCHEMA {place} TO {role}"));
        rights.writing.push(format!("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {place} TO {role}"));
        // Counters are moved on behind the keys that a merge brings.
        rights.writing.push(format!("GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {place} TO {role}"));
    }
    Ok(rights)
}
