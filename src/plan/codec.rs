//! Findings to the plan's blobs and back; the values in them are the canonical bytes of `model::encode`.

use crate::error::{Result, fail};
use crate::model::calendar::Timestamp;
use crate::model::change::Field;
use crate::model::{Value, encode};

const HAS_BASE: u8 = 1;
const IN_CONFLICT: u8 = 2;
const IS_TIMESTAMP: u8 = 4;
const IS_KEPT: u8 = 8;

/// *Shape:* per field the column (4 bytes, little-endian), flags, then base (where known), current and backup.
pub(super) fn fields_to_bytes(fields: &[Field], kept: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    let all = fields.iter().map(|f| (f, false)).chain(kept.iter().map(|f| (f, true)));
    for (field, is_kept) in all {
        out.extend_from_slice(&(field.column as u32).to_le_bytes());
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        out.push(
            flag(field.base.is_some(), HAS_BASE)
                | flag(field.in_conflict, IN_CONFLICT)
                | flag(field.is_timestamp, IS_TIMESTAMP)
                | flag(is_kept, IS_KEPT),
        );
        if let Some(base) = &field.base {
            encode::encode_value(base.as_ref(), &mut out);
        }
        encode::encode_value(field.current.as_ref(), &mut out);
        encode::encode_value(field.backup.as_ref(), &mut out);
    }
    out
}

/// Returns the fields and those that are kept.
pub(super) fn fields_from_bytes(mut bytes: &[u8]) -> Result<(Vec<Field>, Vec<Field>)> {
    let (mut fields, mut kept) = (Vec::new(), Vec::new());
    while let Some((head, rest)) = bytes.split_first_chunk::<5>() {
        bytes = rest;
        let column = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let flags = head[4];
        let base = if flags & HAS_BASE == 0 { None } else { Some(take(&mut bytes)?) };
        let current = take(&mut bytes)?;
        let backup = take(&mut bytes)?;
        let list = if flags & IS_KEPT == 0 { &mut fields } else { &mut kept };
        list.push(Field {
            column,
            base,
            current,
            backup,
            in_conflict: flags & IN_CONFLICT != 0,
            is_timestamp: flags & IS_TIMESTAMP != 0,
        });
    }
    if bytes.is_empty() { Ok((fields, kept)) } else { Err(damaged()) }
}

fn damaged() -> crate::error::Error {
    fail!(PlanMismatch, "the plan is damaged: a record's fields can't be read")
        .hint("Make a new plan with 'merganser analyze'.")
}

fn take(bytes: &mut &[u8]) -> Result<Option<Value>> {
    let value = encode::try_decode(bytes).ok_or_else(damaged)?;
    *bytes = &bytes[encode::encoded_length(bytes)..];
    Ok(value)
}

pub(super) fn values_to_bytes(values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    values.iter().for_each(|v| encode::encode_value(Some(v), &mut out));
    out
}

pub(super) fn values_from_bytes(mut bytes: &[u8]) -> Result<Vec<Value>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(take(&mut bytes)?.ok_or_else(damaged)?);
    }
    Ok(values)
}

pub(super) fn clocks_to_bytes(backup: Option<Timestamp>, current: Option<Timestamp>) -> Vec<u8> {
    let mut out = Vec::new();
    for clock in [backup, current] {
        encode::encode_value(clock.map(Value::Timestamp).as_ref(), &mut out);
    }
    out
}

pub(super) fn clocks_from_bytes(mut bytes: &[u8]) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
    let mut next = || -> Result<Option<Timestamp>> {
        match take(&mut bytes)? {
            None => Ok(None),
            Some(Value::Timestamp(stamp)) => Ok(Some(stamp)),
            Some(_) => Err(damaged()),
        }
    };
    Ok((next()?, next()?))
}

pub(super) fn digests_to_bytes(digests: &[u64]) -> Vec<u8> {
    digests.iter().flat_map(|d| d.to_le_bytes()).collect()
}

pub(super) fn digests_from_bytes(bytes: &[u8]) -> Vec<u64> {
    bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect()
}
