//! Secret columns: their values are shown as a short digest, so that two can be told apart and neither is known.

use crate::model::change::Field;
use crate::model::secret::{MARK, digest, marked};
pub use crate::model::secret::{digest_text, is_secret_name};
use crate::model::{Table, Value, names};
use crate::plan::held::Held;
use serde_json::{Value as Json, json};

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

impl Secrets {
    /// Tells whether a column of a table is hidden.
    pub fn hides(&self, table: &str, column: &str) -> bool {
        self.visible == Visible::No
            && (is_secret_name(column) || self.columns.iter().any(|(t, c)| c == column && same_table(t, table)))
    }

    /// Tells whether a column is hidden, by its name, by the configuration or by that of whoever made the plan.
    fn hidden(&self, table: &Table, column: usize) -> bool {
        let marked = self.visible == Visible::No && table.is_secret(column);
        marked || self.hides(&table.label(), &table.columns[column].name)
    }

    /// Returns a value in the contract's JSON form, or its digest where the column is secret.
    pub fn json(&self, table: &Table, column: usize, value: &Value) -> Json {
        if self.hidden(table, column) { redacted(value) } else { value.to_json() }
    }

    /// Returns a value for people, or a mark with its digest where the column is secret.
    pub fn text(&self, table: &Table, column: usize, value: &Value) -> String {
        if self.hidden(table, column) && !value.is_null() { marked(value) } else { value.to_string() }
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
        let hidden = fields.iter().filter(|f| self.hidden(table, f.column));
        let values = hidden.flat_map(|f| {
            let sides = [f.base.clone().flatten(), f.current.clone(), f.backup.clone()];
            sides.into_iter().flatten().filter(|v| !v.is_null()).map(|v| (table.columns[f.column].name.as_str(), v))
        });
        let secrets: Vec<Secret<'_>> = values.map(|(column, value)| Secret::of(column, &value)).collect();
        if secrets.is_empty() { text.to_owned() } else { without(text, &secrets) }
    }

    /// Returns the key as the contract's object, without secrets.
    pub fn key_json(&self, table: &Table, key: &[Value]) -> Json {
        let named = table.key.iter().zip(key).map(|(&c, v)| (table.columns[c].name.clone(), self.json(table, c, v)));
        Json::Object(named.collect())
    }
}

/// The length from which a part of a secret is one, in characters.
const TELLING: usize = 5;

/// A value that is not to be said.
struct Secret<'a> {
    column: &'a str,
    text: String,
    mark: String,
}

impl<'a> Secret<'a> {
    fn of(column: &'a str, value: &Value) -> Self {
        Self { column, text: value.to_string(), mark: marked(value) }
    }

    /// Returns how many bytes a text begins with that are the secret, or a telling part of it.
    fn starts(&self, text: &str) -> usize {
        let is_whole = self.text.chars().count() >= 3 && text.starts_with(&self.text);
        if is_whole { self.text.len() } else { part_of(text, &self.text) }
    }
}

/// Replaces secrets in a sentence: whole values, what `column = …` says of them, and parts of them, for a sentence may have
/// shortened a value or say of a document what is in it.
fn without(text: &str, secrets: &[Secret<'_>]) -> String {
    let told = secrets.iter().filter(|s| !s.text.is_empty()).fold(text.to_owned(), |text, secret| {
        text.replace(&format!("{} = {}", secret.column, secret.text), &format!("{} = {}", secret.column, secret.mark))
    });
    let (mut out, mut rest) = (String::with_capacity(told.len()), told.as_str());
    while let Some(first) = rest.chars().next() {
        let named = secrets.iter().map(|s| s.column).find(|c| !c.is_empty() && rest.starts_with(c));
        let found = secrets.iter().map(|s| (s.starts(rest), s)).max_by_key(|(length, _)| *length);
        let (kept, hidden, mark) = match (named, found) {
            // Of a mark, and of a column's name, nothing is a secret.
            _ if rest.starts_with(MARK) => (rest.find(']').map_or(1, |end| end + 1), 0, ""),
            (Some(name), Some((length, _))) if length <= name.len() => (name.len(), 0, ""),
            (_, Some((length, secret))) if length > 0 => (0, length, secret.mark.as_str()),
            _ => (first.len_utf8(), 0, ""),
        };
        out.push_str(&rest[..kept]);
        out.push_str(if out.ends_with(mark) { "" } else { mark });
        rest = &rest[kept + hidden..];
    }
    out
}

/// Returns how many bytes a text begins with that are a telling part of a secret.
fn part_of(text: &str, secret: &str) -> usize {
    let mut ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).skip(TELLING - 1);
    let mut longest = 0;
    while let Some(end) = ends.next().filter(|&end| secret.contains(&text[..end])) {
        longest = end;
    }
    longest
}

fn same_table(a: &str, b: &str) -> bool {
    a == b || names::fold(a) == names::fold(b)
}

/// Replaces a value by its digest; null stays null, for it tells nothing.
pub fn redacted(value: &Value) -> Json {
    if value.is_null() { Json::Null } else { json!({"redacted": format!("blake3:{}", digest(value))}) }
}

#[cfg(test)]
mod tests {
    use super::{Secret, without};
    use crate::model::Value;

    #[test]
    fn a_secret_is_taken_out_of_a_sentence_whole_and_in_parts() {
        let check = |text: &str, secret: &str, expected: &str| {
            let value = Value::Text(secret.to_owned());
            let mark = super::marked(&value);
            let told = without(text, &[Secret::of("pin", &value)]);
            assert_eq!(told, expected.replace('*', &mark), "{text} {secret}");
        };
        check("pin = 1 is held by users/11", "1", "pin = * is held by users/11");
        check("token = abc is held", "abc", "token = * is held");
        check("text (a very long sec) does not fit", "a very long secret that goes on", "text (*) does not fit");
        check("/k is \"s3cret-1\", not \"x\"", "{\"k\":\"s3cret-1\"}", "/k is *, not \"x\"");
        check("nothing of it", "s3cret", "nothing of it");
        check("ключ-от-всего, ключ", "ключ-от-всего", "*, ключ");
        check("a", "", "a");
        check("pin: mysecret, [secret 01234567]", "mysecret", "pin: *, [secret 01234567]");
        check("pin, unpinned", "unpinned!", "pin, *");
    }
}
