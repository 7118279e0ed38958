//! Moving sequences forward after a merge gave records with their own numbers.

use super::catalog::{bind, quote};
use super::session::Session;
use crate::error::{ErrorKind, Result};
use crate::model::Table;
use sqlx::Row;
use std::time::Duration;

/// Sequences that a column owns, and those that only its default names.
const SEQUENCES: &str = "
SELECT DISTINCT a.attname::text, n.nspname::text, s.relname::text, q.seqincrement, q.seqmin, q.seqmax
FROM pg_class t JOIN pg_namespace tn ON tn.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef ad ON ad.adrelid = t.oid AND ad.adnum = a.attnum
JOIN pg_depend d ON (d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
                     AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i'))
                 OR (d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid AND d.refclassid = 'pg_class'::regclass)
JOIN pg_class s ON s.relkind = 'S'
  AND s.oid = CASE WHEN d.classid = 'pg_attrdef'::regclass THEN d.refobjid ELSE d.objid END
JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
WHERE tn.nspname = $1 AND t.relname = $2 ORDER BY 1, 2, 3";

/// How often the lock is tried, and how long to wait in between.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// Begins a transaction in which nobody draws numbers for a table, so that a sequence never goes back between the look
/// and the move; where that is not to be had, one without.
///
/// Nobody waits for it: those who write would queue up behind a lock that waits for one of them.
fn lock(open: &dyn Fn() -> Result<Session>, session: &mut Session, name: &str, doing: &str) -> Result<()> {
    let locked = format!("BEGIN; SET LOCAL search_path = ''; LOCK TABLE {name} IN SHARE ROW EXCLUSIVE MODE NOWAIT");
    for _ in 0..TRIES {
        match session.run(&locked, doing) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Busy => std::thread::sleep(PAUSE),
            Err(error) if error.kind() == ErrorKind::Refused => break,
            Err(error) => return Err(error),
        }
        *session = open()?;
    }
    *session = open()?;
    session.run("BEGIN; SET LOCAL search_path = ''", doing)
}

/// Moves the sequences of one table; each in a transaction of its own.
pub(super) fn advance(open: &dyn Fn() -> Result<Session>, session: &mut Session, table: &Table) -> Result<()> {
    let doing = format!("advancing the sequences of {}", table.label());
    let schema = table.schema.as_deref().unwrap_or("public");
    session.run("BEGIN READ ONLY", &doing)?;
    let rows = session.rows(SEQUENCES, bind([schema, table.name.as_str()]), &doing)?;
    session.run("COMMIT", &doing)?;
    for row in rows {
        let column: String = row.get(0);
        let sequence = format!("{}.{}", quote(&row.get::<String, _>(1)), quote(&row.get::<String, _>(2)));
        let (step, min, max): (i64, i64, i64) = (row.get(3), row.get(4), row.get(5));
        let name = format!("{}.{}", quote(schema), quote(&table.name));
        let (extreme, beyond) = if step > 0 { ("max", ">") } else { ("min", "<") };
        let set = format!(
            "SELECT setval($1::regclass, m.value) FROM (SELECT {extreme}({})::int8 AS value FROM {name}) m, {sequence} s \
             WHERE m.value BETWEEN {min} AND {max} \
               AND (m.value {beyond} s.last_value OR (m.value = s.last_value AND NOT s.is_called))",
            quote(&column)
        );
        lock(open, session, &name, &doing)?;
        session.rows(&set, bind([sequence.as_str()]), &doing)?;
        session.run("COMMIT", &doing)?;
    }
    Ok(())
}
