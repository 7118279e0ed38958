//! What a PostgreSQL error means to the caller.
//!
//! *Source:* PostgreSQL manual, appendix A "Error Codes".

use crate::error::{Error, ErrorKind, fail};
use sqlx::postgres::PgDatabaseError;

/// Turns a driver's error into ours; `doing` says what was being done, to what.
pub(super) fn map(error: sqlx::Error, doing: &str) -> Error {
    let Some(server) = server_error(&error) else {
        return match error {
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                fail!(Failed, "{doing}: a value can't be sent or read").because(error)
            }
            _ => fail!(Unreachable, "{doing}: the connection to the database failed")
                .hint("check that the server is running and that the address is right")
                .because(error),
        };
    };
    let code = server.code();
    let mut message = format!("{doing}: {}", server.message());
    if let Some(constraint) = server.constraint().filter(|c| !message.contains(*c)) {
        message.push_str(&format!(" (constraint {constraint})"));
    }
    if let Some(detail) = server.detail() {
        message.push_str(&format!(": {detail}"));
    }
    let error = |kind, hint: &str| {
        let error = Error::new(kind, message.clone());
        if hint.is_empty() { error } else { error.hint(hint) }
    };
    // A pooler's own words: it takes part in the protocol, and refuses by its codes.
    if message.contains("statement pooling") {
        return error(
            ErrorKind::Refused,
            "the pooler in between lends a session for one statement only; let it pool by the transaction, or use the server's own address",
        );
    }
    match code {
        "40001" => error(ErrorKind::Busy, "serialization failure: another session changed the same records; try again")
            .retryable(),
        "40P01" => error(ErrorKind::Busy, "deadlock: another session holds what this one needs; try again").retryable(),
        "55P03" => error(ErrorKind::Busy, "another session holds the lock; try again later or raise the lock timeout"),
        "57014" => {
            error(ErrorKind::LimitReached, "the statement took longer than the limit; raise the statement timeout")
        }
        "53100" => error(ErrorKind::OutOfSpace, "the database server's disk is full"),
        "53200" => error(ErrorKind::OutOfSpace, "the database server is out of memory"),
        "53300" => error(ErrorKind::Unreachable, "the server has no connection left; try again later"),
        "3D000" => error(ErrorKind::Unreachable, "the server has no such database; check the address"),
        "25006" => error(ErrorKind::Refused, "the server is read-only; use the address of the primary server"),
        "42501" => {
            error(ErrorKind::Refused, "the role lacks a privilege; GRANT it, or use a role that owns the tables")
        }
        _ => match &code[..2] {
            "28" => error(ErrorKind::Unreachable, "check user name and password"),
            "08" | "57" => error(ErrorKind::Unreachable, "the server ended the connection; try again when it is up"),
            _ => Error::new(ErrorKind::Refused, format!("{message} [{code}]")),
        },
    }
}

/// Tells whether the connection ended, so that a commit's outcome is not known.
pub(super) fn connection_lost(error: &sqlx::Error) -> bool {
    match server_error(error) {
        Some(server) => matches!(&server.code()[..2], "08" | "57"),
        None => true,
    }
}

/// Tells whether the values at hand are what the server refused: data exceptions and constraint violations.
pub(super) fn about_values(error: &sqlx::Error) -> Option<(String, String)> {
    let server = server_error(error)?;
    matches!(&server.code()[..2], "22" | "23").then(|| {
        let constraint = server.constraint().unwrap_or_else(|| server.data_type().unwrap_or("type"));
        (constraint.to_owned(), server.message().to_owned())
    })
}

/// Returns the five-character code of the server's error.
pub(super) fn code(error: &sqlx::Error) -> Option<&str> {
    server_error(error).map(PgDatabaseError::code)
}

fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}
