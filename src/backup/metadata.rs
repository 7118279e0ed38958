//! What a JSON backup says of itself: date, version, record counts, checksum. Claims, held against what is there.

use super::options::ReadOptions;
use crate::error::{Result, fail};
use crate::model::names;
use std::collections::HashMap;

/// The claims found so far.
#[derive(Default)]
pub(crate) struct Metadata {
    pub(crate) exported_at: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) counts: Vec<(String, u64)>,
    /// Records in all, where only their sum is claimed.
    total: Option<u64>,
    checksum_seen: bool,
    /// Whether merganser wrote the file, so that tagged values are to be undone.
    pub(crate) own: bool,
    /// Tables of which not every record is carried.
    pub(crate) partial: Vec<String>,
}

impl Metadata {
    /// Tells whether a checksum was there; it held then.
    pub(crate) fn checksum_seen(&self) -> bool {
        self.checksum_seen
    }

    /// Takes a metadata object; `checksum` is that of everything before its `checksum` key, where it was followed.
    ///
    /// # Errors
    /// `BackupDamaged` when it is not JSON, has a key twice, or its checksum doesn't hold.
    pub(crate) fn object(&mut self, text: &str, checksum: Option<u128>) -> Result<()> {
        let Object(members) =
            serde_json::from_str(text).map_err(|e| fail!(BackupDamaged, "the metadata can't be read").because(e))?;
        for (key, value) in &members {
            match (key.as_str(), value) {
                ("recordCounts" | "totalRecords" | "record_counts", serde_json::Value::Object(counts)) => {
                    self.counts = counts.iter().filter_map(|(name, n)| Some((name.clone(), n.as_u64()?))).collect();
                }
                ("total_records" | "totalRecords", serde_json::Value::Number(total)) => self.total = total.as_u64(),
                ("format", serde_json::Value::String(format)) => self.own = format == "merganser/1",
                ("partialTables", serde_json::Value::Array(names)) => {
                    self.partial = names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
                }
                ("checksum", serde_json::Value::String(claimed)) if claimed.starts_with("xxh3-128:") => {
                    self.checksum_seen = true;
                    let found = checksum.map(|sum| format!("xxh3-128:{sum:032x}"));
                    if found.as_ref() != Some(claimed) {
                        return Err(fail!(BackupDamaged, "the backup's checksum does not hold")
                            .hint("the file was changed or damaged after it was written; get another copy"));
                    }
                }
                (_, value) => self.scalar(key, &value.to_string()),
            }
        }
        Ok(())
    }

    /// Takes a single value by its key, as JSON text.
    pub(crate) fn scalar(&mut self, key: &str, value: &str) {
        let text = || serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
        match key {
            "exportedAt" | "exported_at" | "exportDate" | "exported_on" | "timestamp" | "backupDate" | "createdAt"
            | "created_at" => {
                self.exported_at.get_or_insert_with(|| match value.parse::<i64>() {
                    // Ghost counts milliseconds.
                    Ok(millis) => crate::model::calendar::Timestamp::from_epoch(millis, 3).to_string(),
                    Err(_) => text(),
                });
            }
            "version" => {
                self.version.get_or_insert_with(text);
            }
            _ => {}
        }
    }

    /// Holds the claimed counts against those found, in the backup's names.
    ///
    /// # Errors
    /// `BackupDamaged` listing the differences, unless the options accept them; then it returns them.
    pub(crate) fn check_counts(&self, found: &HashMap<String, u64>, options: &ReadOptions) -> Result<Vec<String>> {
        let mut differences: Vec<String> = Vec::new();
        for (name, claimed) in &self.counts {
            // Some systems count under another spelling than they export under (`activityLogs`, `activity-logs`).
            let count = found.get(name).copied().or_else(|| {
                let folded = names::fold(name);
                found.iter().find(|(other, _)| names::fold(other) == folded).map(|(_, count)| *count)
            });
            if count.unwrap_or(0) != *claimed {
                differences.push(format!(
                    "{}: {} records, but the backup claims {claimed}",
                    name.escape_debug(),
                    count.unwrap_or(0)
                ));
            }
        }
        let total: u64 = found.values().sum();
        if let Some(claimed) = self.total.filter(|claimed| *claimed != total) {
            differences.push(format!("{total} records in all, but the backup claims {claimed}"));
        }
        if differences.is_empty() || options.accept_count_mismatch {
            return Ok(differences);
        }
        Err(fail!(BackupDamaged, "the backup does not hold what it claims: {}", differences[0])
            .details(differences)
            .hint("it may have been cut or edited; `--accept-count-mismatch` reads it all the same"))
    }
}

/// An object whose members are kept in order, and whose keys must be distinct.
struct Object(Vec<(String, serde_json::Value)>);

impl<'de> serde::Deserialize<'de> for Object {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> serde::de::Visitor<'de> for Members {
            type Value = Object;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, serde_json::Value)> = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                    if members.iter().any(|(known, _)| *known == key) {
                        return Err(serde::de::Error::custom(format_args!("the key `{key}` is there twice")));
                    }
                    members.push((key, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
