//! What a MySQL or MariaDB error means to the caller.
//!
//! *Source:* MariaDB knowledge base, "MariaDB Error Code Reference"; MySQL manual, "Server Error Message Reference".

use crate::error::{Error, ErrorKind, Quote, fail};
use sqlx::mysql::MySqlDatabaseError;

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
    let (said, quote) = words(server.number(), server.message());
    let (number, message) = (server.number(), format!("{doing}: {said}"));
    let (kind, hint) = match number {
        1205 | 3572 => (ErrorKind::Busy, "another session holds the lock; try again later or raise the lock timeout"),
        1213 | 1614 => (ErrorKind::Busy, "deadlock: another session holds what this one needs; try again"),
        1020 => (ErrorKind::Busy, "serialization failure: another session changed the same records; try again"),
        1969 | 3024 => {
            (ErrorKind::LimitReached, "the statement took longer than the limit; raise the statement timeout")
        }
        1021 | 1114 | 1037 | 1038 | 3 | 1041 => (ErrorKind::OutOfSpace, "the database server's disk or memory is full"),
        1040 | 1203 | 1226 => (ErrorKind::Unreachable, "the server has no connection left; try again later"),
        1049 => (ErrorKind::Unreachable, "the server has no such database; check the address"),
        1045 | 1698 | 1251 | 2059 => (ErrorKind::Unreachable, "check user name and password"),
        1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1317 | 1927 => {
            (ErrorKind::Unreachable, "the server ended the connection; try again when it is up")
        }
        1044 | 1142 | 1143 | 1227 | 1370 => {
            (ErrorKind::Refused, "the user lacks a privilege; GRANT it, or use a user that has it")
        }
        1290 | 1792 | 1836 => (ErrorKind::Refused, "the server is read-only; use the address of the primary server"),
        1153 => (ErrorKind::Refused, "a value is larger than the server's max_allowed_packet; raise it"),
        _ => {
            let error = Error::new(ErrorKind::Refused, format!("{message} [{number}]"));
            return match quote {
                Some(text) => error.quoting(Quote { table: None, columns: None, text }),
                None => error,
            };
        }
    };
    let error = Error::new(kind, message);
    let error = match grant(server.message()) {
        Some(grant) if matches!(number, 1142 | 1143) => {
            error.hint(format!("the user lacks a privilege; an administrator gives it: {grant};"))
        }
        _ => error.hint(hint),
    };
    // The server gave up this transaction for another one's sake, or for what another one changed.
    if matches!(number, 1213 | 1614 | 1020) { error.retryable() } else { error }
}

/// Returns what the server said that quotes no values, and its whole words where they do.
fn words(number: u16, message: &str) -> (String, Option<String>) {
    let whole = Some(message.to_owned());
    match number {
        // `Duplicate entry 'a@x' for key 'email'`: the value may hold quotes itself, the name comes last.
        1062 | 1586 => match message.rfind("' for key ") {
            Some(end) => (format!("duplicate entry{}", &message[end + 1..]), whole),
            None => ("duplicate entry".to_owned(), whole),
        },
        // `Incorrect integer value: 'x' for column 'n' at row 1`
        1292 | 1300 | 1366 | 1411 | 1525 => {
            let kind = message.split_once(": '").map_or("a value was refused", |(kind, _)| kind);
            let column = message.rfind("' for column ").map_or("", |end| &message[end + 1..]);
            (format!("{kind}{column}"), whole)
        }
        // What a trigger signals says anything, under any number that the server has no fixed words for.
        number if is_fixed(number) => (message.to_owned(), None),
        _ => ("the server or a trigger refused it".to_owned(), whole),
    }
}

/// Tells whether an error's message names tables, columns, constraints and the server's own state only.
fn is_fixed(number: u16) -> bool {
    matches!(
        number,
        3 | 1020..=1022 | 1037 | 1038 | 1040..=1056 | 1064 | 1077..=1080 | 1109 | 1114 | 1115 | 1128..=1130 | 1142 | 1143
            | 1146 | 1148 | 1152 | 1153 | 1158..=1161 | 1193 | 1203 | 1205 | 1213 | 1216 | 1217 | 1226 | 1227 | 1235 | 1251
            | 1264 | 1265 | 1267 | 1273 | 1290 | 1295 | 1305 | 1317 | 1356 | 1364 | 1370 | 1406 | 1442 | 1449 | 1451 | 1452
            | 1461 | 1466 | 1524 | 1614 | 1615 | 1698 | 1792 | 1820 | 1836 | 1862 | 1927 | 1969 | 2059 | 3024 | 3572 | 3819
            | 4025
    )
}

/// Turns `INSERT command denied to user 'u'@'h' for table `d`.`t`` into the GRANT that gives it.
fn grant(message: &str) -> Option<String> {
    let (privileges, rest) = message.split_once(" command denied to user ")?;
    let (user, place) = rest.split_once(" for table ")?;
    // MySQL writes the names in plain quotes and without the database.
    let place = if place.starts_with('`') { place.to_owned() } else { format!("`{}`", place.trim_matches('\'')) };
    Some(format!("GRANT {privileges} ON {place} TO {user}"))
}

/// Tells whether the connection ended, so that a commit's outcome is not known.
pub(super) fn connection_lost(error: &sqlx::Error) -> bool {
    match number(error) {
        Some(number) => matches!(number, 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1317 | 1927),
        None => true,
    }
}

/// Returns the server's error number.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    server_error(error).map(MySqlDatabaseError::number)
}

fn server_error(error: &sqlx::Error) -> Option<&MySqlDatabaseError> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()
}

#[cfg(test)]
mod tests {
    use super::{grant, words};

    #[test]
    fn what_quotes_values_is_told_apart() {
        let said = |number, message: &str| words(number, message).0;
        assert_eq!(said(1062, "Duplicate entry 'it's' for key 'token'"), "duplicate entry for key 'token'");
        let incorrect = "Incorrect integer value: 'x' for column `d`.`t`.`n` at row 1";
        assert_eq!(said(1366, incorrect), "Incorrect integer value for column `d`.`t`.`n` at row 1");
        assert_eq!(said(1292, "Truncated incorrect DOUBLE value: 'abc'"), "Truncated incorrect DOUBLE value");
        assert_eq!(words(1048, "Column 'a' cannot be null"), ("Column 'a' cannot be null".to_owned(), None));
        let (said, whole) = words(1644, "no s3cret here");
        assert!(!said.contains("s3cret") && whole.is_some_and(|w| w.contains("s3cret")));
    }

    #[test]
    fn a_denied_command_names_its_grant() {
        let told = "INSERT, UPDATE command denied to user 'app'@'localhost' for table `shop`.`users`";
        assert_eq!(grant(told).as_deref(), Some("GRANT INSERT, UPDATE ON `shop`.`users` TO 'app'@'localhost'"));
        let mysql = "SELECT command denied to user 'app'@'%' for table 'users'";
        assert_eq!(grant(mysql).as_deref(), Some("GRANT SELECT ON `users` TO 'app'@'%'"));
        assert_eq!(grant("Access denied"), None);
    }
}
