//! Secret columns: their values are shown as a short digest, so that two can be told apart and neither is known.

use crate::model::change::Field;
use crate::model::{Table, Value, names};
use crate::plan::held::Held;
use serde_json::{Value as Json, json};

/// Parts of folded column names that mark a secret.
const MARKS: [&str; 9] =
    ["password", "passwd", "passphrase", "token", "secret", "session", "apikey", "privatekey", "totp"];

/// Which columns are secret, and whether they are shown all the same.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Columns named in the configuration: table, column.
    pub columns: Vec<(String, String)>,
    /// Whether secrets are shown: asked for by the user.
    pub visible: Visible,
}

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Visible {
    /// As digests.
    #[default]
    No,
    /// As they are.
    Yes,
}

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

impl Secrets {
    /// Tells whether a column of a table is hidden.
    pub fn hides(&self, table: &str, column: &str) -> bool {
        self.visible == Visible::No
            && (is_secret_name(column) || self.columns.iter().any(|(t, c)| c == column && same_table(t, table)))
    }

    /// Returns a value in the contract's JSON form, or its digest where the column is secret.
    pub fn json(&self, table: &Table, column: usize, value: &Value) -> Json {
        if self.hides(&table.label(), &table.columns[column].name) { redacted(value) } else { value.to_json() }
    }

    /// Returns a value for people, or a mark with its digest where the column is secret.
    pub fn text(&self, table: &Table, column: usize, value: &Value) -> String {
        if self.hides(&table.label(), &table.columns[column].name) && !value.is_null() {
            format!("[secret {}]", digest(value))
        } else {
            value.to_string()
        }
    }

    /// Returns the name of a record, `users/41`, without secrets.
    pub fn record_name(&self, table: &Table, key: &[Value]) -> String {
        format!("{}/{}", table.label(), self.key_text(table, key))
    }

    /// Says which current record has a value that was typed.
    pub fn held(&self, table: &Table, held: &Held) -> String {
        let other = || format!("another record of {}", table.label());
        let name = held.key.as_ref().map_or_else(other, |key| self.record_name(table, key));
        format!("the value can't be taken: {name} has the same {}", held.columns)
    }

    /// Returns the key as people see it, without secrets.
    pub fn key_text(&self, table: &Table, key: &[Value]) -> String {
        let parts: Vec<String> = table.key.iter().zip(key).map(|(&c, v)| self.text(table, c, v)).collect();
        parts.join(",")
    }

    /// Removes the secret values of a record from a sentence about it.
    pub fn scrub(&self, table: &Table, fields: &[Field], text: &str) -> String {
        let label = table.label();
        let hidden = fields.iter().filter(|f| self.hides(&label, &table.columns[f.column].name));
        let values = hidden.flat_map(|f| [f.base.clone().flatten(), f.current.clone(), f.backup.clone()]).flatten();
        values.filter(|v| !v.is_null()).fold(text.to_owned(), |text, value| {
            let secret = value.to_string();
            if secret.len() < 3 { text } else { text.replace(&secret, &format!("[secret {}]", digest(&value))) }
        })
    }

    /// Returns the key as the contract's object, without secrets.
    pub fn key_json(&self, table: &Table, key: &[Value]) -> Json {
        let named = table.key.iter().zip(key).map(|(&c, v)| (table.columns[c].name.clone(), self.json(table, c, v)));
        Json::Object(named.collect())
    }
}

fn same_table(a: &str, b: &str) -> bool {
    a == b || names::fold(a) == names::fold(b)
}

/// Replaces a value by its digest; null stays null, for it tells nothing.
pub fn redacted(value: &Value) -> Json {
    if value.is_null() { Json::Null } else { json!({"redacted": format!("blake3:{}", digest(value))}) }
}

fn digest(value: &Value) -> String {
    digest_text(&value.to_string())
}

/// Returns the first eight digits of a text's digest.
pub fn digest_text(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..8].to_owned()
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
