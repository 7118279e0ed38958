//! A MySQL or MariaDB connection: how it is opened.

use super::catalog;
use super::errors;
use crate::database::session::{self, Server};
use crate::database::url::{ServerUrl, Tls};
use crate::error::{Error, Result};
use sqlx::mysql::{MySqlConnectOptions, MySqlQueryResult, MySqlRow, MySqlSslMode};
use sqlx::{MySql, Row};

pub(super) type Session = session::Session<User>;

/// How many prepared statements a connection keeps. Closing one costs a pause of 40 ms on TCP: the driver sends the
/// closing and the next statement as two small packets, and the second waits for the first to be acknowledged.
/// So statements come in a few sizes only, and are kept.
const KEPT_STATEMENTS: usize = 512;

/// Whoever is connected: the server's own errors name them.
pub(super) struct User;

impl Server for User {
    type Driver = MySql;
    const KEEPS_STATEMENTS: bool = true;
    const SETTLES: &'static str = "compares the records with the receipt";

    fn explain(&self, error: sqlx::Error, doing: &str) -> Error {
        errors::map(error, doing)
    }

    fn lost(error: &sqlx::Error) -> bool {
        errors::connection_lost(error)
    }

    fn touched(done: &MySqlQueryResult) -> u64 {
        done.rows_affected()
    }

    fn weight(row: &MySqlRow) -> usize {
        (0..row.len()).filter_map(|position| catalog::bytes(row, position)).map(<[u8]>::len).sum()
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(super) fn open(url: &ServerUrl) -> Result<Self> {
        let options = options(url);
        let place = format!("connecting to MySQL or MariaDB at {}", options.get_host());
        Self::connect(&options, url, User, &place)
    }
}

/// Sets the driver's options field by field. The driver never answers a server's request for a local file.
fn options(url: &ServerUrl) -> MySqlConnectOptions {
    // The session's modes are set by us, whole; the driver is not to change them.
    let mut options = MySqlConnectOptions::new()
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None)
        .charset("utf8mb4")
        .statement_cache_capacity(KEPT_STATEMENTS)
        .host(url.host.as_deref().unwrap_or("localhost"));
    if let Some(port) = url.port {
        options = options.port(port);
    }
    if let Some(socket) = &url.socket {
        options = options.socket(socket);
    }
    let of_file = if url.password.is_none() { super::option_file::client() } else { Default::default() };
    match url.user.as_ref().or(of_file.user.as_ref()) {
        Some(user) => options = options.username(user),
        None => options = options.username(&std::env::var("USER").unwrap_or_else(|_| "root".to_owned())),
    }
    if let Some(password) = &url.password {
        options = options.password(password.expose());
    } else if let Ok(password) = std::env::var("MYSQL_PWD") {
        options = options.password(&password);
    } else if let Some(password) = of_file.password.filter(|_| url.user.is_none() || url.user == of_file.user) {
        options = options.password(password.expose());
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    options = options.ssl_mode(match url.tls {
        Tls::Disable => MySqlSslMode::Disabled,
        Tls::Prefer => MySqlSslMode::Preferred,
        Tls::Require => MySqlSslMode::Required,
        Tls::VerifyCa => MySqlSslMode::VerifyCa,
        Tls::VerifyFull => MySqlSslMode::VerifyIdentity,
    });
    if let Some(path) = &url.tls_root {
        options = options.ssl_ca(path);
    }
    if let Some(path) = &url.tls_certificate {
        options = options.ssl_client_cert(path);
    }
    if let Some(path) = &url.tls_key {
        options = options.ssl_client_key(path);
    }
    options
}
