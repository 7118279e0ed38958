//! Whether two values of one column mean the same, where their canonical bytes differ.

use super::decimal::Decimal;
use super::value::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The deepest JSON nesting that is compared by structure; deeper documents are compared as text.
const JSON_DEPTH: usize = 64;

/// Tells whether two values mean the same.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()),
        (Value::Timestamp(x), Value::Timestamp(y)) => x.same_at_coarser(*y),
        (Value::Time(x), Value::Time(y)) => {
            let unit = 10i64.pow(u32::from(9 - x.digits.min(y.digits)));
            if x.digits == y.digits { x.nanos == y.nanos } else { (x.nanos - y.nanos).abs() < unit }
        }
        (Value::Json(x), Value::Json(y)) => x == y || same_json(x, y),
        (
            Value::Integer(_) | Value::Decimal(_) | Value::Float(_),
            Value::Integer(_) | Value::Decimal(_) | Value::Float(_),
        ) => match (a.as_decimal(), b.as_decimal()) {
            (Some(x), Some(y)) => x == y,
            _ => false,
        },
        _ => a == b,
    }
}

/// Tells whether two JSON texts have one structure: keys in any order, numbers by value, strings by content.
pub fn same_json(a: &str, b: &str) -> bool {
    same_json_at(a, b, 0)
}

fn same_json_at(a: &str, b: &str, depth: usize) -> bool {
    let (a, b) = (a.trim(), b.trim());
    if a == b {
        return true;
    }
    if depth > JSON_DEPTH {
        return false;
    }
    match (a.as_bytes().first(), b.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let parse = |text| serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text);
            match (parse(a), parse(b)) {
                (Ok(x), Ok(y)) => {
                    x.len() == y.len()
                        && x.iter().zip(&y).all(|((k, v), (l, w))| k == l && same_json_at(v.get(), w.get(), depth + 1))
                }
                _ => false,
            }
        }
        (Some(b'['), Some(b'[')) => {
            let parse = |text| serde_json::from_str::<Vec<&RawValue>>(text);
            match (parse(a), parse(b)) {
                (Ok(x), Ok(y)) => {
                    x.len() == y.len() && x.iter().zip(&y).all(|(v, w)| same_json_at(v.get(), w.get(), depth + 1))
                }
                _ => false,
            }
        }
        (Some(b'"'), Some(b'"')) => match (serde_json::from_str::<String>(a), serde_json::from_str::<String>(b)) {
            (Ok(x), Ok(y)) => x == y,
            _ => false,
        },
        _ => matches!((Decimal::parse(a), Decimal::parse(b)), (Some(x), Some(y)) if x == y),
    }
}
