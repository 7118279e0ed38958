//! Which columns hold secrets, and what stands for a secret in a message.
//!
//! Whoever shows values knows more: whether a person asked to see secrets.

use super::{Table, Value, names};

/// Parts of folded column names that mark a secret.
const MARKS: [&str; 9] =
    ["password", "passwd", "passphrase", "token", "secret", "session", "apikey", "privatekey", "totp"];

/// Tells whether a column's name alone marks it as a secret.
pub fn is_secret_name(name: &str) -> bool {
    let folded = names::fold(name);
    // A count of tokens or the time of a password change is no secret.
    let harmless = ["at", "count", "expiry", "expires", "expiresat", "expire", "type", "kind", "version"];
    MARKS.iter().any(|mark| folded.contains(mark))
        && !harmless.iter().any(|end| {
            folded.ends_with(end)
                && MARKS
                    .iter()
                    .any(|mark| folded.find(mark).is_some_and(|p| p + mark.len() <= folded.len() - end.len()))
                && !folded.ends_with("hash")
        })
}

/// What a mark begins with.
pub(crate) const MARK: &str = "[secret ";

/// Returns what stands for a secret, so that two can be told apart and neither is known.
pub(crate) fn marked(value: &Value) -> String {
    format!("{MARK}{}]", digest(value))
}

/// Returns the first eight digits of a value's digest.
pub(crate) fn digest(value: &Value) -> String {
    digest_text(&value.to_string())
}

/// Returns the first eight digits of a text's digest.
pub fn digest_text(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
}

impl Table {
    /// Tells whether a column holds secrets.
    pub fn is_secret(&self, column: usize) -> bool {
        self.secret.contains(&column) || is_secret_name(&self.columns[column].name)
    }

    /// Writes a value of a column for a message: a mark where it is a secret.
    pub fn shown(&self, column: usize, value: &Value) -> String {
        if self.is_secret(column) && !value.is_null() { marked(value) } else { value.to_string() }
    }

    /// Names one of its records by its key for a message: `users/41`.
    pub fn named(&self, key: &[Value]) -> String {
        self.named_by(&self.key, key)
    }

    /// Names one of its records by the values of some columns, as [`Table::named`] does.
    pub fn named_by(&self, columns: &[usize], values: &[Value]) -> String {
        format!("{}/{}", self.label(), self.key_shown(columns, values))
    }

    /// Writes the values of some columns as a key for a message: `7,12`.
    pub fn key_shown(&self, columns: &[usize], values: &[Value]) -> String {
        columns.iter().zip(values).map(|(&c, v)| self.shown(c, v)).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::is_secret_name;

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in [
            "password",
            "passwordHash",
            "password_hash",
            "reset_token",
            "totp_secret",
            "sessionId",
            "api_key",
            "tokens",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["email", "password_changed_at", "tokens_count", "tokenExpiresAt", "name", "secretary_at"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }
}
