//! What a PostgreSQL error means to the caller.
//!
//! *Source:* PostgreSQL manual, appendix A "Error Codes".

use crate::error::{Error, ErrorKind, Quote, fail};
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
    let (said, quote) = words(server);
    let mut message = format!("{doing}: {said}");
    if let Some(constraint) = server.constraint().filter(|c| !message.contains(*c)) {
        message.push_str(&format!(" (constraint {constraint})"));
    }
    let new = |kind, message: &str| match &quote {
        Some(quote) => Error::new(kind, message).quoting(quote.clone()),
        None => Error::new(kind, message),
    };
    let error = |kind, hint: &str| new(kind, &message).hint(hint);
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
            _ => new(ErrorKind::Refused, &format!("{message} [{code}]")),
        },
    }
}

/// Classes of errors whose messages name tables, columns and constraints only; a data exception (22) quotes values, and
/// what a function raises says anything.
const PLAIN: [&str; 15] = ["08", "0A", "23", "25", "28", "3D", "40", "42", "44", "53", "54", "55", "57", "58", "XX"];

/// Returns what the server said that quotes no values, and the rest.
fn words(server: &PgDatabaseError) -> (String, Option<Quote>) {
    let raised = server.routine() == Some("exec_stmt_raise");
    let about = |columns, text| Some(Quote { table: server.table().map(str::to_owned), columns, text });
    if raised || !PLAIN.contains(&&server.code()[..2]) {
        let said = if raised { "a trigger or a function refused it" } else { "a value was refused" };
        let detail = server.detail().map(|d| format!(": {d}")).unwrap_or_default();
        return (said.to_owned(), about(None, format!("{}{detail}", server.message())));
    }
    match server.detail() {
        Some(detail) => (server.message().to_owned(), about(key_columns(detail), detail.to_owned())),
        None => (server.message().to_owned(), None),
    }
}

/// Reads which columns a detail is about: `Key (a, b)=(1, 2) already exists.`; none where they are not plain columns.
fn key_columns(detail: &str) -> Option<Vec<String>> {
    let (names, _) = detail.strip_prefix("Key (")?.split_once(")=(")?;
    let plain = |name: &str| !name.contains(['(', ')', ':', ' ']);
    let names: Vec<&str> = names.split(", ").collect();
    names.iter().all(|n| plain(n)).then(|| names.iter().map(|n| n.trim_matches('"').to_owned()).collect())
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
        // What of a value is wrong with it is said without it.
        let (said, _) = words(server);
        (constraint.to_owned(), said)
    })
}

/// Returns the five-character code of the server's error.
pub(super) fn code(error: &sqlx::Error) -> Option<&str> {
    server_error(error).map(PgDatabaseError::code)
}

fn server_error(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()
}

#[cfg(test)]
mod tests {
    use super::key_columns;

    #[test]
    fn the_columns_of_a_detail_are_known_where_they_are_plain() {
        let check = |detail: &str, expected: Option<&[&str]>| {
            let found = key_columns(detail);
            let found: Option<Vec<&str>> = found.as_ref().map(|f| f.iter().map(String::as_str).collect());
            assert_eq!(found.as_deref(), expected, "{detail}");
        };
        check("Key (email)=(a@x) already exists.", Some(&["email"]));
        check("Key (a, \"B\")=(1, 2) is not present in table \"t\".", Some(&["a", "B"]));
        check("Key (lower(email))=(a@x) already exists.", None);
        check("Key ((email)::text)=(a@x) already exists.", None);
        check("Failing row contains (1, x).", None);
    }
}
