//! One connection, its runtime and its settings.

use super::errors;
use crate::database::blocking;
use crate::database::url::{ServerUrl, Tls};
use crate::error::{Result, fail};
use sqlx::mysql::{MySqlArguments, MySqlConnectOptions, MySqlConnection, MySqlRow, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long connecting may take where the URL doesn't say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How many prepared statements a connection keeps. Closing one costs a pause of 40 ms on TCP: the driver sends the
/// closing and the next statement as two small packets, and the second waits for the first to be acknowledged.
/// So statements come in a few sizes only, and are kept.
const KEPT_STATEMENTS: usize = 512;

/// A connection. After an error it is closed: a deadlock ends the transaction silently, and what came next would be
/// committed by itself.
pub(super) struct Session {
    // The connection goes before the runtime that it lives on.
    connection: Option<MySqlConnection>,
    pub(super) runtime: Runtime,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(super) fn open(url: &ServerUrl) -> Result<Self> {
        let runtime = blocking::runtime()?;
        let options = options(url);
        let limit = url.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let place = format!("connecting to MySQL or MariaDB at {}", options.get_host());
        let connected = runtime.block_on(async { tokio::time::timeout(limit, options.connect()).await });
        let connection = match connected {
            Ok(connected) => connected.map_err(|error| errors::map(error, &place))?,
            Err(_) => return Err(fail!(Unreachable, "{place}: no answer within {} s", limit.as_secs())),
        };
        Ok(Self { connection: Some(connection), runtime })
    }

    /// Lends runtime and connection.
    ///
    /// # Errors
    /// `Failed` after an earlier error: the transaction is over.
    pub(super) fn parts(&mut self) -> Result<(&Runtime, &mut MySqlConnection)> {
        match &mut self.connection {
            Some(connection) => Ok((&self.runtime, connection)),
            None => Err(fail!(Failed, "the database connection was closed after an earlier error")),
        }
    }

    /// Runs one statement that takes no values and gives no rows.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn run(&mut self, sql: &str, doing: &str) -> Result<()> {
        let (runtime, connection) = self.parts()?;
        let done = runtime.block_on(connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))));
        match done {
            Ok(_) => Ok(()),
            Err(error) => Err(self.fail(error, doing)),
        }
    }

    /// Runs one statement and returns its rows, which are few.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn rows(&mut self, sql: &str, arguments: MySqlArguments, doing: &str) -> Result<Vec<MySqlRow>> {
        self.try_rows(sql, arguments)?.map_err(|error| self.fail(error, doing))
    }

    /// As [`Session::rows`], but leaves the connection open: for questions whose failing is an answer.
    ///
    /// # Errors
    /// `Failed` after an earlier error.
    pub(super) fn try_rows(
        &mut self,
        sql: &str,
        arguments: MySqlArguments,
    ) -> Result<Result<Vec<MySqlRow>, sqlx::Error>> {
        let (runtime, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments);
        Ok(runtime.block_on(blocking::collect(query.fetch(connection))))
    }

    /// Runs one statement and returns how many records it found, changed by it or not.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn affect(&mut self, sql: &str, arguments: MySqlArguments, doing: &str) -> Result<u64> {
        let (runtime, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments);
        let done = runtime.block_on(query.execute(connection));
        done.map(|done| done.rows_affected()).map_err(|error| self.fail(error, doing))
    }

    /// Closes the connection and says why.
    pub(super) fn fail(&mut self, error: sqlx::Error, doing: &str) -> crate::error::Error {
        self.connection = None;
        errors::map(error, doing)
    }

    /// Closes the connection at once, without a farewell: a stream on it was not read to its end.
    pub(super) fn abandon(&mut self) {
        self.connection = None;
    }

    /// Closes the connection; the server rolls back what is open.
    pub(super) fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            // A failed farewell changes nothing: the socket is closed either way.
            let _ = self.runtime.block_on(connection.close());
        }
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
