//! What a reference names, in a form in which a record's own name and the references to it can be compared.

use crate::model::schema::Collation;
use crate::model::{OwnedCell, Schema, Value, encode};

/// A table and some of its columns.
pub(super) type Place<'a> = (usize, &'a [usize]);

/// Returns a digest of what a record's columns name in another table, or of its own name there; none where a part is null.
///
/// Where only the database can tell whether two texts are equal, those that differ in case alone have one digest: a
/// reference too many is seen rather than one too few.
pub(super) fn name(schema: &Schema, cells: &[OwnedCell], own: Place<'_>, named: Place<'_>) -> Option<u128> {
    let mut bytes = format!("{}:{:?}:", named.0, named.1).into_bytes();
    for (&column, &named_column) in own.1.iter().zip(named.1) {
        let value = encode::value_of(cells.get(column)?.as_cell(), &schema.tables[own.0].columns[column])?;
        let collation = schema.tables[named.0].columns[named_column].collation;
        let value = match value {
            Value::Null => return None,
            Value::Text(text) if collation == Collation::Database => Value::Text(text.trim_end().to_lowercase()),
            value => value,
        };
        encode::encode_key_part(&value, collation, &mut bytes);
    }
    let digest = blake3::hash(&bytes);
    Some(u128::from_be_bytes(digest.as_bytes()[..16].try_into().expect("a digest has 32 bytes")))
}
