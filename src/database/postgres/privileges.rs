//! What the connected role may not do with each table, with the GRANT that would let it (CHECKS F70).

use super::catalog::{bind, quote};
use super::session::Session;
use crate::database::Lacking;
use crate::error::Result;
use sqlx::Row;

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
