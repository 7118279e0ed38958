//! What a JSON backup says of itself: date, version, record counts, checksum. Claims, held against what is there.

use super::options::ReadOptions;
use crate::error::{Result, fail};
use crate::model::names;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};

/// Further things that a file says of itself, at most.
const SAID: usize = 20;
/// Their length in characters, at most.
const SAID_CHARS: usize = 100;

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
    /// What else the file says of itself, in its own words.
    pub(crate) says: Vec<(String, String)>,
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
        for (key, raw) in members_of(text)? {
            let raw = raw.get();
            match (key.as_str(), raw.as_bytes()[0]) {
                ("recordCounts" | "totalRecords" | "record_counts", b'{') => {
                    let counts = members_of(raw)?.into_iter();
                    self.counts = counts.filter_map(|(name, n)| Some((name, n.get().parse().ok()?))).collect();
                }
                ("total_records" | "totalRecords", _) => self.total = raw.parse().ok(),
                ("format", _) if raw.starts_with("\"merganser/") => {
                    self.own = raw == "\"merganser/1\"";
                    if !self.own {
                        // What a later form means by its values is not guessed.
                        return Err(fail!(
                            UnknownFormat,
                            "the backup is of the form {raw}; this program reads merganser/1"
                        )
                        .hint("use a newer merganser"));
                    }
                }
                ("format", _) => {}
                ("partialTables", b'[') => {
                    self.partial = serde_json::from_str(raw)
                        .map_err(|e| fail!(BackupDamaged, "`partialTables` is no list of names").because(e))?;
                }
                ("checksum", b'"') if raw.starts_with("\"xxh3-128:") => {
                    self.checksum_seen = true;
                    if checksum.map(|sum| format!("\"xxh3-128:{sum:032x}\"")).as_deref() != Some(raw) {
                        return Err(fail!(BackupDamaged, "the backup's checksum does not hold")
                            .hint("the file was changed or damaged after it was written; get another copy"));
                    }
                }
                _ => self.scalar(&key, raw),
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
            // As much as a person looks at; a file may hold anything there.
            _ if self.says.len() < SAID && matches!(value.as_bytes()[0], b'"' | b'0'..=b'9' | b'-' | b't' | b'f') => {
                let said = text();
                if said.chars().count() <= SAID_CHARS && key != "generator" && key != "checksum" {
                    self.says.push((key.to_owned(), said));
                }
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

/// Splits an object into its members, in order; its keys must be distinct.
///
/// # Errors
/// `BackupDamaged`.
pub(crate) fn members_of(text: &str) -> Result<Vec<(String, Box<RawValue>)>> {
    struct Members(Vec<(String, Box<RawValue>)>);
    impl<'de> serde::Deserialize<'de> for Members {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Members;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                    let (mut members, mut keys) = (Vec::new(), HashSet::new());
                    while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                        if !keys.insert(key.clone()) {
                            return Err(serde::de::Error::custom(format_args!("the key `{key}` is there twice")));
                        }
                        members.push((key, value));
                    }
                    Ok(Members(members))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    let Members(members) = serde_json::from_str(text).map_err(|e| fail!(BackupDamaged, "{e}"))?;
    Ok(members)
}
