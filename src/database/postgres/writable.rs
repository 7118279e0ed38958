//! What keeps a transaction from writing as it should: asked before anything is tried, and again in the transaction itself.

use super::catalog::bind;
use super::session::Session;
use crate::error::Result;
use sqlx::Row;

/// Says why nothing can be written in the open transaction; it was begun without a mode, so it has the server's.
pub(super) fn obstacle(session: &mut Session) -> Result<Option<String>> {
    let sql = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on', \
               current_setting('session_replication_role')::text";
    let row = super::first(session.rows(sql, bind::<i64, _>([]), "asking whether the server takes writes")?)?;
    let (standby, read_only, role): (bool, bool, String) = (row.get(0), row.get(1), row.get(2));
    Ok(if standby {
        Some("the server is a standby that follows another one".to_owned())
    } else if read_only {
        Some("transactions are read-only here (default_transaction_read_only)".to_owned())
    } else if role == "replica" {
        Some("session_replication_role is replica, so that foreign keys and triggers would not work".to_owned())
    } else {
        None
    })
}
