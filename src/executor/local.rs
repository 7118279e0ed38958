//! Opens a database of our own in the data folder: private before anything is in it, marked as ours, of a version we know.

use super::Home;
use crate::database::sqlite::error;
use crate::error::{Result, fail};
use rusqlite::Connection;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// What tells one of our databases from other files.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its file's name in the data folder.
    pub file: &'static str,
    /// What it is, as an error says it: `catalog`.
    pub name: &'static str,
    /// Its mark among SQLite files.
    pub application_id: i32,
    /// The version of its tables.
    pub version: i32,
    /// What is lost by moving it away.
    pub without: &'static str,
    /// How its tables are made.
    pub tables: &'static str,
}

/// Opens a database of this kind, making it at first use.
///
/// # Errors
/// `Failed` when it is damaged or was made by a newer version.
pub fn open(home: &Home, kind: Kind) -> Result<Connection> {
    let path = home.root().join(kind.file);
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
    let connection = Connection::open(&path).map_err(error)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(error)?;
    connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON;")
        .map_err(|e| fail!(Failed, "{} is no {}", path.display(), kind.name).because(e))?;
    // Whatever stopped the making of it left no table.
    let empty = "SELECT count(*) = 0 FROM sqlite_master";
    if connection.query_row(empty, [], |row| row.get(0)).map_err(error)? {
        let marks = format!("PRAGMA application_id = {}; PRAGMA user_version = {};", kind.application_id, kind.version);
        connection.execute_batch(&marks).map_err(error)?;
    }
    let number = |pragma: &str| connection.query_row(pragma, [], |r| r.get::<_, i32>(0)).map_err(error);
    let version = number("PRAGMA user_version")?;
    if number("PRAGMA application_id")? != kind.application_id || version != kind.version {
        let (path, name, wanted) = (path.display(), kind.name, kind.version);
        return Err(fail!(Failed, "{path} is no {name} of version {wanted} (it says {version})")
            .hint(format!("Use the version of merganser that made it, or move it away; {}.", kind.without)));
    }
    connection.execute_batch(kind.tables).map_err(error)?;
    Ok(connection)
}
