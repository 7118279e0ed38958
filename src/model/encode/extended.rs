//! Values that MongoDB's programs write as small documents, because JSON has no word for them.
//!
//! | document | value |
//! |---|---|
//! | `{"$oid":"65f0…"}`, `{"$uuid":"…"}` | the text |
//! | `{"$date":"2024-01-01T00:00:00Z"}`, `{"$date":{"$numberLong":"1704067200000"}}` | the instant |
//! | `{"$numberInt":"1"}`, `{"$numberLong":"1"}`, `{"$numberDouble":"1.5"}`, `{"$numberDecimal":"12.30"}` | the number |
//! | `{"$binary":{"base64":"AAEC","subType":"00"}}`, `{"$binary":"AAEC","$type":"00"}` | the bytes, in base64 |
//! | `{"low":1,"high":2097152,"unsigned":false}` | a 64-bit integer as bson's `Long` is spelled by `JSON.stringify` |
//!
//! Source: MongoDB Extended JSON (v2) specification, canonical and relaxed; FORMATS 3. A column of documents keeps them as they are.

use crate::model::calendar::Timestamp;
use crate::model::cell::OwnedCell;
use serde_json::{Map, Value as Json};

/// Longer documents are none of these, but for bytes.
const LONGEST: usize = 256;

/// Returns the value that such a document stands for; nothing for any other document.
pub(crate) fn extended(text: &str) -> Option<OwnedCell> {
    let start = text.trim_start().strip_prefix('{')?.trim_start();
    let is_candidate = start.starts_with("\"$") || start.starts_with("\"low\"");
    let is_small = text.len() <= LONGEST || start.starts_with("\"$binary\"");
    if !is_candidate || !is_small {
        return None;
    }
    let document: Map<String, Json> = serde_json::from_str(text).ok()?;
    let (first, value) = document.iter().next()?;
    match (first.as_str(), value, document.len()) {
        ("$oid" | "$uuid" | "$date" | "$numberDecimal", Json::String(text), 1) => Some(OwnedCell::String(text.clone())),
        ("$date", Json::Object(inner), 1) => {
            let millis = inner.get("$numberLong").filter(|_| inner.len() == 1)?.as_str()?.parse().ok()?;
            Some(OwnedCell::String(Timestamp::from_epoch(millis, 3).to_string()))
        }
        ("$numberInt" | "$numberLong", Json::String(text), 1) => text.parse().ok().map(OwnedCell::Int),
        ("$numberDouble", Json::String(text), 1) => match text.as_str() {
            "NaN" => Some(OwnedCell::Real(f64::NAN)),
            "Infinity" => Some(OwnedCell::Real(f64::INFINITY)),
            "-Infinity" => Some(OwnedCell::Real(f64::NEG_INFINITY)),
            text => text.parse::<f64>().ok().filter(|x| x.is_finite()).map(OwnedCell::Real),
        },
        ("$binary", Json::Object(inner), 1) => Some(OwnedCell::String(inner.get("base64")?.as_str()?.to_owned())),
        ("$binary", Json::String(text), 2) if document.contains_key("$type") => Some(OwnedCell::String(text.clone())),
        (_, _, 3) => long(&document),
        _ => None,
    }
}

/// Puts a `Long`'s halves together; the low one is signed when JavaScript writes it.
fn long(document: &Map<String, Json>) -> Option<OwnedCell> {
    let half =
        |name: &str| document.get(name)?.as_i64().filter(|n| i32::try_from(*n).is_ok() || u32::try_from(*n).is_ok());
    let (low, high) = (half("low")? as u32, half("high")? as u32);
    let bits = (u64::from(high) << 32) | u64::from(low);
    match document.get("unsigned")?.as_bool()? {
        true => Some(OwnedCell::UInt(bits)),
        false => Some(OwnedCell::Int(bits as i64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stand_for_values_or_for_themselves() {
        let text = |text: &str| Some(OwnedCell::String(text.to_owned()));
        for (document, value) in [
            (r#"{"$oid":"65f0c0ffee0c0ffee0c0ffee"}"#, text("65f0c0ffee0c0ffee0c0ffee")),
            (r#" { "$date" : "2024-01-01T00:00:00Z" }"#, text("2024-01-01T00:00:00Z")),
            (r#"{"$date":{"$numberLong":"1704067200000"}}"#, text("2024-01-01T00:00:00.000Z")),
            (r#"{"$numberLong":"9007199254740993"}"#, Some(OwnedCell::Int(9_007_199_254_740_993))),
            (r#"{"$numberInt":"-5"}"#, Some(OwnedCell::Int(-5))),
            (r#"{"$numberDouble":"1.5"}"#, Some(OwnedCell::Real(1.5))),
            (r#"{"$numberDecimal":"12.30"}"#, text("12.30")),
            (r#"{"$binary":{"base64":"AAEC","subType":"00"}}"#, text("AAEC")),
            (r#"{"$binary":"AAEC","$type":"00"}"#, text("AAEC")),
            (r#"{"low":1,"high":2097152,"unsigned":false}"#, Some(OwnedCell::Int(9_007_199_254_740_993))),
            (r#"{"low":-1,"high":-1,"unsigned":false}"#, Some(OwnedCell::Int(-1))),
            (r#"{"low":-1,"high":-1,"unsigned":true}"#, Some(OwnedCell::UInt(u64::MAX))),
            (r#"{"low":1,"high":2}"#, None),
            (r#"{"low":1,"high":2,"close":3}"#, None),
            (r#"{"low":1.5,"high":2,"unsigned":false}"#, None),
            (r#"{"$oid":5}"#, None),
            (r#"{"$oid":"a","x":1}"#, None),
            (r#"{"$numberLong":"1.5"}"#, None),
            (r#"{"a":{"$oid":"a"}}"#, None),
            (r#"["$oid"]"#, None),
        ] {
            assert_eq!(extended(document), value, "{document}");
        }
    }
}
