//! One connection, its runtime and its transaction.

use super::catalog::quote;
use super::errors;
use crate::database::blocking;
use crate::database::url::{ServerUrl, Tls};
use crate::error::{Result, fail};
use crate::model::Table;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How long connecting may take where the URL doesn't say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A connection. After an error it is closed: nothing more is ever sent on it.
///
/// Statements are prepared without a name, so that a pooler between here and the server does no harm.
pub(super) struct Session {
    // The connection goes before the runtime that it lives on.
    connection: Option<PgConnection>,
    pub(super) runtime: Runtime,
    role: String,
    /// What the statement at hand needs, as the GRANT that would give it.
    grant: Option<String>,
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`.
    pub(super) fn open(url: &ServerUrl) -> Result<Self> {
        // What a service names would be passed over silently, and another server written to.
        let complete = url.host.is_some() || url.socket.is_some();
        if !complete && std::env::var_os("PGSERVICE").is_some_and(|name| !name.is_empty()) {
            return Err(fail!(Usage, "PGSERVICE is set and the URL names no server; pg_service.conf is not read")
                .hint("Write host, port and database into the URL, or unset PGSERVICE."));
        }
        let runtime = blocking::runtime()?;
        let options = options(url);
        let limit = url.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
        let place = format!("connecting to PostgreSQL at {}", options.get_host());
        let connected = runtime.block_on(async { tokio::time::timeout(limit, options.connect()).await });
        let connection = match connected {
            Ok(connected) => connected.map_err(|error| errors::map(error, &place))?,
            Err(_) => return Err(fail!(Unreachable, "{place}: no answer within {} s", limit.as_secs())),
        };
        Ok(Self { connection: Some(connection), runtime, role: options.get_username().to_owned(), grant: None })
    }

    /// Lends runtime and connection.
    ///
    /// # Errors
    /// `Failed` after an earlier error: the transaction is over.
    pub(super) fn parts(&mut self) -> Result<(&Runtime, &mut PgConnection)> {
        match &mut self.connection {
            Some(connection) => Ok((&self.runtime, connection)),
            None => Err(fail!(Failed, "the database connection was closed after an earlier error")),
        }
    }

    /// Notes what the statements to come need, so that a refusal can say how to grant it.
    pub(super) fn needs(&mut self, privileges: &str, table: &Table) {
        let place = format!("{}.{}", quote(table.schema.as_deref().unwrap_or("public")), quote(&table.name));
        self.grant = Some(format!("GRANT {privileges} ON {place} TO {}", quote(&self.role)));
    }

    /// Runs statements that take no values and give no rows.
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
    pub(super) fn rows(&mut self, sql: &str, arguments: PgArguments, doing: &str) -> Result<Vec<PgRow>> {
        self.try_rows(sql, arguments)?.map_err(|error| self.fail(error, doing))
    }

    /// As [`Session::rows`], but leaves the connection open: for errors that a savepoint undoes.
    ///
    /// # Errors
    /// `Failed` after an earlier error.
    pub(super) fn try_rows(&mut self, sql: &str, arguments: PgArguments) -> Result<Result<Vec<PgRow>, sqlx::Error>> {
        let (runtime, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false);
        Ok(runtime.block_on(blocking::collect(query.fetch(connection))))
    }

    /// Runs one statement and returns how many records it touched.
    ///
    /// # Errors
    /// As the server says; the connection is closed then.
    pub(super) fn affect(&mut self, sql: &str, arguments: PgArguments, doing: &str) -> Result<u64> {
        let (runtime, connection) = self.parts()?;
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false);
        let done = runtime.block_on(query.execute(connection));
        done.map(|done| done.rows_affected()).map_err(|error| self.fail(error, doing))
    }

    /// Closes the connection and says why.
    pub(super) fn fail(&mut self, error: sqlx::Error, doing: &str) -> crate::error::Error {
        self.connection = None;
        let lacks = errors::code(&error) == Some("42501");
        let error = errors::map(error, doing);
        match &self.grant {
            Some(grant) if lacks => {
                error.hint(format!("the role lacks a privilege; an owner of the table gives it: {grant};"))
            }
            _ => error,
        }
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

/// Sets the driver's options field by field; what the URL leaves open comes from the usual `PG…` variables.
fn options(url: &ServerUrl) -> PgConnectOptions {
    // The remaining settings are made inside each transaction, where a pooler keeps them.
    let mut options =
        PgConnectOptions::new_without_pgpass().application_name("merganser").extra_float_digits(None::<i8>);
    if let Some(host) = &url.host {
        options = options.host(host);
    }
    if let Some(port) = url.port {
        options = options.port(port);
    }
    if let Some(socket) = &url.socket {
        options = options.host(&socket.to_string_lossy());
    }
    if let Some(user) = &url.user {
        options = options.username(user);
    }
    if let Some(database) = &url.database {
        options = options.database(database);
    }
    options = match url.tls {
        Tls::Disable => options.ssl_mode(PgSslMode::Disable),
        // The driver's own choice, or what PGSSLMODE says.
        Tls::Prefer => options,
        Tls::Require => options.ssl_mode(PgSslMode::Require),
        Tls::VerifyCa => options.ssl_mode(PgSslMode::VerifyCa),
        Tls::VerifyFull => options.ssl_mode(PgSslMode::VerifyFull),
    };
    if let Some(path) = &url.tls_root {
        options = options.ssl_root_cert(path);
    }
    if let Some(path) = &url.tls_certificate {
        options = options.ssl_client_cert(path);
    }
    if let Some(path) = &url.tls_key {
        options = options.ssl_client_key(path);
    }
    match &url.password {
        Some(password) => options.password(password.expose()),
        None if std::env::var_os("PGPASSWORD").is_some() => options,
        None => match super::passfile::password(&options) {
            Some(password) => options.password(&password),
            None => options,
        },
    }
}
