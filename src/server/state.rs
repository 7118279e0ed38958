//! The service's own database, `state.db` in the data folder: users, sessions, tokens, operations, and which requests were
//! answered already. Passwords, sessions and tokens are kept as digests only.

use crate::database::sqlite::error;
use crate::error::Result;
use crate::executor::{Home, local};
use rusqlite::Connection;
use std::sync::{Mutex, PoisonError};

/// What tells the state from other files; its mark is `mgst`.
const KIND: local::Kind = local::Kind {
    file: "state.db",
    name: "state of the service",
    application_id: 0x6d67_7374,
    version: 1,
    without: "users have to be made again then",
    tables: TABLES,
};

const TABLES: &str = "CREATE TABLE IF NOT EXISTS users (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, folded TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL, password TEXT NOT NULL, created_at TEXT NOT NULL, own TEXT) STRICT;
    CREATE TABLE IF NOT EXISTS sessions (digest TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    made_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, address TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS tokens (id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name TEXT NOT NULL, digest TEXT NOT NULL, scopes TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT NOT NULL,
    used_at TEXT) STRICT;
    CREATE TABLE IF NOT EXISTS operations (id TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL,
    started_at TEXT NOT NULL, operation TEXT NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS operations_by_time ON operations (started_at);
    CREATE TABLE IF NOT EXISTS answers (user_id TEXT NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    operation TEXT NOT NULL, answer TEXT, made_at TEXT NOT NULL, PRIMARY KEY (user_id, route, key)) STRICT;
    CREATE TABLE IF NOT EXISTS approvals (subject TEXT NOT NULL, user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    revision TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (subject, user_id)) STRICT;
    CREATE TABLE IF NOT EXISTS brought (backup TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (backup, user_id)) STRICT;
    CREATE TABLE IF NOT EXISTS facts (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT;";

/// The open state database.
pub struct State(Mutex<Connection>);

impl State {
    /// Opens the state, making it at first use.
    ///
    /// # Errors
    /// `Failed` when it is damaged or was made by a newer version.
    pub fn open(home: &Home) -> Result<Self> {
        let connection = local::open(home, KIND)?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Uses the database; one at a time.
    ///
    /// # Errors
    /// What the use meets, as one of our errors.
    pub fn with<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&connection).map_err(error)
    }
}

/// Makes a secret that nobody guesses: so many random bytes in hexadecimal digits.
///
/// # Errors
/// `Failed` where the system has no randomness.
pub fn secret(bytes: usize) -> Result<String> {
    let mut random = vec![0u8; bytes];
    std::fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut random))?;
    Ok(hex(&random))
}

/// Writes bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, b| text + &format!("{b:02x}"))
}

/// Digests a secret (SHA-256), as it is kept.
pub fn digest(secret: &str) -> String {
    use sha2::Digest;
    hex(&sha2::Sha256::digest(secret.as_bytes()))
}

/// Returns the time as the state keeps it.
pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
