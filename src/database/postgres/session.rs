//! A PostgreSQL connection: how it is opened, and what its errors mean.

use super::catalog::quote;
use super::errors;
use crate::database::session::{self, Server};
use crate::database::url::{ServerUrl, Tls};
use crate::error::{Error, Result, fail};
use crate::model::Table;
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgSslMode};
use sqlx::{Postgres, Row};

pub(super) type Session = session::Session<Role>;

/// Who is connected, and what the statement at hand needs.
pub(super) struct Role {
    name: String,
    /// The GRANT that would give it.
    grant: Option<String>,
}

impl Server for Role {
    type Driver = Postgres;
    const KEEPS_STATEMENTS: bool = false;
    const SETTLES: &'static str = "asks the database";

    fn explain(&self, error: sqlx::Error, doing: &str) -> Error {
        let lacks = errors::code(&error) == Some("42501");
        let error = errors::map(error, doing);
        match &self.grant {
            Some(grant) if lacks => {
                error.hint(format!("the role lacks a privilege; an owner of the table gives it: {grant};"))
            }
            _ => error,
        }
    }

    fn lost(error: &sqlx::Error) -> bool {
        errors::connection_lost(error)
    }

    fn touched(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }

    fn weight(row: &PgRow) -> usize {
        let size = |position| row.try_get_raw(position).ok()?.as_bytes().map(<[u8]>::len).ok();
        (0..row.len()).filter_map(size).sum()
    }
}

impl Session {
    /// Connects.
    ///
    /// # Errors
    /// `Unreachable`; `Usage` for a server that only the environment names.
    pub(super) fn open(url: &ServerUrl) -> Result<Self> {
        // What a service names would be passed over silently, and another server written to.
        let complete = url.host.is_some() || url.socket.is_some();
        if !complete && std::env::var_os("PGSERVICE").is_some_and(|name| !name.is_empty()) {
            return Err(fail!(Usage, "PGSERVICE is set and the URL names no server; pg_service.conf is not read")
                .hint("Write host, port and database into the URL, or unset PGSERVICE."));
        }
        let options = options(url);
        let role = Role { name: options.get_username().to_owned(), grant: None };
        let place = format!("connecting to PostgreSQL at {}", options.get_host());
        Self::connect(&options, url, role, &place)
    }

    /// Notes what the statements to come need, so that a refusal can say how to grant it.
    pub(super) fn needs(&mut self, privileges: &str, table: &Table) {
        let place = format!("{}.{}", quote(table.schema.as_deref().unwrap_or("public")), quote(&table.name));
        self.server.grant = Some(format!("GRANT {privileges} ON {place} TO {}", quote(&self.server.name)));
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
