//! A key's bytes, as the join compares them: equal where the database holds keys equal, in an order that follows the
//! values' where that is cheap. Not what fingerprints digest; those are the canonical bytes themselves.

use super::{FLOAT, INTEGER, TEXT, TIMESTAMP, decode, encode_value};
use crate::model::schema::Collation;
use crate::model::value::Value;

/// Appends a key part in a form whose byte order follows the value order for whole numbers and text.
///
/// The order only helps the join to see that two sides come sorted alike; equality is what it must get right.
pub fn encode_key_part(value: &Value, collation: Collation, out: &mut Vec<u8>) {
    match value {
        Value::Integer(i) => {
            out.push(INTEGER);
            let ordered = (*i as u128) ^ (1 << 127);
            match i64::try_from(*i) {
                Ok(small) => out.extend_from_slice(&((small as u64) ^ (1 << 63)).to_be_bytes()),
                Err(_) => {
                    out.push(if *i < 0 { 0 } else { u8::MAX });
                    out.extend_from_slice(&[0xff; 7]);
                    out.extend_from_slice(&ordered.to_be_bytes());
                }
            }
        }
        Value::Text(text) => {
            out.push(TEXT);
            let text = if collation == Collation::RTrim { text.trim_end_matches(' ') } else { text };
            push_terminated(
                text.bytes().map(|b| if collation == Collation::AsciiNoCase { b.to_ascii_lowercase() } else { b }),
                out,
            );
        }
        Value::Timestamp(t) => {
            out.push(TIMESTAMP);
            out.extend_from_slice(&((t.seconds as u64) ^ (1 << 63)).to_be_bytes());
            out.extend_from_slice(&t.nanos.to_be_bytes());
        }
        Value::Float(f) => {
            out.push(FLOAT);
            out.extend_from_slice(&f.to_bits().to_be_bytes());
        }
        other => {
            let mut plain = Vec::new();
            encode_value(Some(other), &mut plain);
            out.push(plain[0]);
            push_terminated(plain.into_iter(), out);
        }
    }
}

/// Appends bytes so that no key is a prefix of another: 0 becomes 0 1, the end is 0 0.
fn push_terminated(bytes: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(1);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Appends the key part of an encoded value without making a [`Value`] for the usual kinds.
pub fn encode_key_bytes(encoded: &[u8], collation: Collation, out: &mut Vec<u8>) {
    match encoded[0] {
        INTEGER => {
            out.push(INTEGER);
            let small = i64::from_le_bytes(encoded[1..9].try_into().expect("eight bytes"));
            out.extend_from_slice(&((small as u64) ^ (1 << 63)).to_be_bytes());
        }
        TEXT if collation == Collation::Binary && memchr::memchr(0, &encoded[5..]).is_none() => {
            out.push(TEXT);
            out.extend_from_slice(&encoded[5..]);
            out.extend_from_slice(&[0, 0]);
        }
        _ => {
            if let Some(value) = decode(encoded) {
                encode_key_part(&value, collation, out);
            }
        }
    }
}
