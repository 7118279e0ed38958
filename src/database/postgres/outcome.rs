//! How a transaction ended whose connection was lost.
//!
//! *Source:* PostgreSQL manual, "Transaction ID and Snapshot Information Functions".

use super::catalog::bind;
use super::errors;
use super::session::Session;
use crate::error::{Result, fail};
use sqlx::Row;
use std::time::{Duration, Instant};

/// How long a vanished connection may take until the server has settled its transaction.
const SETTLE_TIME: Duration = Duration::from_secs(5);
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// The line of history that a server writes: a standby that takes over begins a new one, on which a transaction's number
/// that got lost may be given again. Where a service hides it, it is empty.
const TIMELINE: &str = "SELECT substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)::text";

/// Names the open transaction: its number, and the timeline it is on.
pub(super) fn name(session: &mut Session) -> Result<String> {
    let doing = "asking for the transaction's id";
    let rows = session.rows("SELECT pg_current_xact_id()::text", bind::<i64, _>([]), doing)?;
    let number: String = super::first(rows)?.get(0);
    session.run("SAVEPOINT merganser_timeline", doing)?;
    let timeline = match session.try_rows(TIMELINE, bind::<i64, _>([]))? {
        Ok(rows) => format!("{}/", super::first(rows)?.get::<String, _>(0)),
        Err(error) if errors::connection_lost(&error) => return Err(session.fail(error, doing)),
        Err(_) => String::new(),
    };
    session.run("ROLLBACK TO SAVEPOINT merganser_timeline; RELEASE SAVEPOINT merganser_timeline", doing)?;
    Ok(format!("{timeline}{number}"))
}

/// Says whether a transaction was committed, by its name; `None` where this server can't know: it never had it, or has
/// forgotten it.
pub(super) fn of(open: impl Fn() -> Result<Session>, id: &str) -> Result<Option<bool>> {
    let doing = "asking for a transaction's outcome";
    let end = Instant::now() + SETTLE_TIME;
    let mut session = open()?;
    session.run("BEGIN READ ONLY", doing)?;
    if super::first(session.rows("SELECT pg_is_in_recovery()", bind::<i64, _>([]), doing)?)?.get(0) {
        session.close();
        return Err(fail!(Refused, "{doing}: the server is a standby, which may not have heard of it yet")
            .hint("use the address of the server that takes writes"));
    }
    let number = match id.split_once('/') {
        Some((timeline, number)) => {
            let now: String = super::first(session.rows(TIMELINE, bind::<i64, _>([]), doing)?)?.get(0);
            if now != timeline {
                session.close();
                return Ok(None);
            }
            number
        }
        None => id,
    };
    loop {
        let sql = "SELECT pg_xact_status($1::text::xid8)";
        let status = match session.try_rows(sql, bind([number]))? {
            Ok(rows) => super::first(rows)?.get::<Option<String>, _>(0),
            // A number that was not given yet: the server was set up again from an older copy.
            Err(error) if errors::code(&error) == Some("22023") => None,
            Err(error) => return Err(session.fail(error, doing)),
        };
        match status.as_deref() {
            Some("committed") => return Ok(Some(true)),
            Some("aborted") => return Ok(Some(false)),
            Some("in progress") if Instant::now() < end => std::thread::sleep(PAUSE),
            _ => return Ok(None),
        }
    }
}
