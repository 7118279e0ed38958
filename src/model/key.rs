//! What identifies a record.

use super::schema::Table;
use super::value::Value;
use std::fmt;

/// The values of a record's key columns, in the key's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Key(pub Vec<Value>);

impl Key {
    /// Returns the contract's JSON object: `{"id": 41}`.
    pub fn to_json(&self, table: &Table) -> serde_json::Value {
        let names = table.names(&table.key);
        serde_json::Value::Object(
            names.into_iter().zip(&self.0).map(|(name, value)| (name.to_owned(), value.to_json())).collect(),
        )
    }
}

impl fmt::Display for Key {
    /// Writes the parts with commas between: `41`, `7,12`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, value) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(",")?;
            }
            write!(f, "{value}")?;
        }
        Ok(())
    }
}
