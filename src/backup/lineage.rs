//! Where a backup comes from: the database, and the backups that it shares with others. Stands first in a Smart Backup.

use super::open::peek;
use super::options::ReadOptions;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bytes in which a lineage is looked for.
const HEAD_BYTES: u64 = 256 << 10;

/// Where a backup comes from; none of it is believed beyond finding a base.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lineage {
    /// A digest of the database's identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// BLAKE3 of the backup that an incremental one builds on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// BLAKE3 of earlier backups whose content the database held when this one was made, newest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<String>,
}

/// Reads the lineage that a backup says it has; nothing where its format has no place for one, or it can't be read.
///
/// # Errors
/// `BackupNotFound`, `Failed`.
pub fn lineage(path: &Path, options: &ReadOptions) -> Result<Option<Lineage>> {
    if path.is_dir() {
        return Ok(None);
    }
    let head = peek(path, options, HEAD_BYTES)?;
    let text = String::from_utf8_lossy(&head);
    let Some(rest) = text.trim_start().strip_prefix('{') else { return Ok(None) };
    if !rest.trim_start().starts_with("\"format\"") {
        return Ok(None);
    }
    let Some((_, after)) = rest.split_once("\"lineage\"") else { return Ok(None) };
    // The first member but one: what stands later is a record's own text.
    let Some(value) = after.trim_start().strip_prefix(':') else { return Ok(None) };
    Ok(serde_json::Deserializer::from_str(value).into_iter::<Lineage>().next().and_then(std::result::Result::ok))
}
