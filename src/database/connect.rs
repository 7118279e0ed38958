//! From what a user writes as a target to an open database.

use super::url::ConnectUrl;
use super::{Database, mysql::Mysql, postgres::Postgres, sqlite::Sqlite};
use crate::error::Result;

/// Opens a database by its URL, in any of the usual spellings.
///
/// # Errors
/// `Usage` for a URL that can't be read, `Unreachable` for a database that can't be opened.
pub fn connect(target: &str) -> Result<Box<dyn Database>> {
    let url = ConnectUrl::parse(target)?;
    match &url {
        ConnectUrl::Sqlite(path) => Ok(Box::new(Sqlite::open(path)?)),
        ConnectUrl::Postgres(_) => Ok(Box::new(Postgres::connect(&url)?)),
        ConnectUrl::Mysql(_) => Ok(Box::new(Mysql::connect(&url)?)),
    }
}
