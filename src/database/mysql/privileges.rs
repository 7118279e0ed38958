//! What the connected user may not do with each table, with the GRANT that would let it (CHECKS F70).
//!
//! Privileges that come by a role are not listed by the server in a form to be relied on; nothing is said of them then.

use super::catalog::{quote, text};
use super::session::Session;
use crate::database::{Lacking, Rights};
use crate::error::Result;
use crate::model::Table;
use sqlx::mysql::MySqlArguments;
use std::collections::HashSet;

const SQL: &str = "SELECT CAST(PRIVILEGE_TYPE AS CHAR), '' FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = @merganser_me \
    UNION ALL SELECT CAST(PRIVILEGE_TYPE AS CHAR), '' FROM information_schema.SCHEMA_PRIVILEGES \
        WHERE GRANTEE = @merganser_me AND DATABASE() LIKE TABLE_SCHEMA \
    UNION ALL SELECT CAST(PRIVILEGE_TYPE AS CHAR), CAST(TABLE_NAME AS CHAR) FROM information_schema.TABLE_PRIVILEGES \
        WHERE GRANTEE = @merganser_me AND TABLE_SCHEMA = DATABASE() \
    UNION ALL SELECT CAST(PRIVILEGE_TYPE AS CHAR), CAST(TABLE_NAME AS CHAR) FROM information_schema.COLUMN_PRIVILEGES \
        WHERE GRANTEE = @merganser_me AND TABLE_SCHEMA = DATABASE()";

/// The user as the tables of privileges name it.
const ME: &str = "SET @merganser_me = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";

/// Asks for the privileges on all tables.
pub(super) fn lacking(session: &mut Session, tables: &[Table]) -> Result<Vec<Lacking>> {
    let doing = "asking for privileges";
    session.run(ME, doing)?;
    let about = "SELECT CAST(CURRENT_USER() AS CHAR), CAST(CURRENT_ROLE() AS CHAR), CAST(DATABASE() AS CHAR)";
    let about = session.rows(about, MySqlArguments::default(), doing)?;
    let part = |position| about.first().and_then(|row| text(row, position));
    let (Some(user), Some(database)) = (part(0), part(2)) else { return Ok(Vec::new()) };
    if part(1).is_some_and(|role| role != "NONE") {
        return Ok(Vec::new());
    }
    let rows = session.rows(SQL, MySqlArguments::default(), doing)?;
    let held: HashSet<(String, String)> = rows.iter().filter_map(|row| Some((text(row, 0)?, text(row, 1)?))).collect();
    let user = user.split('@').map(|part| format!("'{part}'")).collect::<Vec<_>>().join("@");
    let mut found = Vec::new();
    for table in tables {
        let has = |name: &str| {
            held.contains(&(name.to_owned(), String::new())) || held.contains(&(name.to_owned(), table.name.clone()))
        };
        let missing: Vec<&str> =
            ["SELECT", "INSERT", "UPDATE", "DELETE"].into_iter().filter(|name| !has(name)).collect();
        if !missing.is_empty() {
            let privileges = missing.join(", ");
            let grant = format!("GRANT {privileges} ON {}.{} TO {user}", quote(&database), quote(&table.name));
            found.push(Lacking { schema: None, table: table.name.clone(), privileges, grant });
        }
    }
    Ok(found)
}

/// Says which rights suffice for a database, and what the user may do beyond; nothing where no database is chosen.
pub(super) fn rights(session: &mut Session) -> Result<Option<Rights>> {
    let doing = "asking for the user's rights";
    let about = "SELECT CAST(CURRENT_USER() AS CHAR), CAST(DATABASE() AS CHAR)";
    let about = session.rows(about, MySqlArguments::default(), doing)?;
    let part = |position| about.first().and_then(|row| text(row, position));
    let (Some(user), Some(database)) = (part(0), part(1)) else { return Ok(None) };
    session.run(ME, doing)?;
    let sql = "SELECT CAST(PRIVILEGE_TYPE AS CHAR), CAST(IS_GRANTABLE AS CHAR) FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = @merganser_me";
    let held = session.rows(sql, MySqlArguments::default(), doing)?;
    let held: Vec<(String, String)> = held.iter().filter_map(|row| Some((text(row, 0)?, text(row, 1)?))).collect();
    let far = ["SUPER", "FILE", "CREATE USER", "SHUTDOWN", "RELOAD", "PROCESS"];
    let mut excess: Vec<String> = far
        .iter()
        .filter(|name| held.iter().any(|(h, _)| h == *name))
        .map(|name| format!("has {name} on the server"))
        .collect();
    if held.iter().any(|(_, grantable)| grantable == "YES") {
        excess.push("may give its rights to others".to_owned());
    }
    let user = user.split('@').map(|part| format!("'{part}'")).collect::<Vec<_>>().join("@");
    let place = format!("{}.*", quote(&database));
    Ok(Some(Rights {
        reading: vec![format!("GRANT SELECT ON {place} TO {user}")],
        writing: vec![format!("GRANT INSERT, UPDATE, DELETE ON {place} TO {user}")],
        excess,
    }))
}
