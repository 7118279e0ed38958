//! Names of backup files, as the guides of the five applications promise them, in a time zone that is said.

use super::Format;
use crate::backup::{Compression, FilesFormat, WriteFormat};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use std::path::Path;

/// Returns the name of a backup made at a time; `subject` is whose it is, where it is one person's.
pub fn name(format: Format, at: DateTime<Utc>, zone: Tz, subject: Option<&str>) -> String {
    let at = at.with_timezone(&zone);
    let iso = at.format("%Y-%m-%dT%H-%M-%S");
    let compact = at.format("%Y%m%d_%H%M%S");
    match format {
        Format::Records(WriteFormat::SmartBackup(compression, _)) => {
            let ending = match compression {
                Compression::None => "json",
                Compression::Gzip | Compression::GzipAt(_) => "json.gz",
                Compression::Zstd | Compression::ZstdAt(_) => "json.zst",
            };
            format!("incremental-backup-{iso}.{ending}")
        }
        Format::Records(WriteFormat::TableMap) => format!("jarvis_backup_{compact}.json"),
        Format::Records(WriteFormat::Files(FilesFormat::NdJson)) => format!("backup-{iso}.ndjson.zip"),
        Format::Records(WriteFormat::Files(FilesFormat::RayErp)) => format!("erp-backup-{iso}.zip"),
        Format::Records(WriteFormat::Files(FilesFormat::Django)) => {
            format!("backup_{}.zip", at.format("%m%d%y_%H%M%S"))
        }
        Format::Records(WriteFormat::JarvisUser) => {
            let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
            let subject: String = subject.unwrap_or("user").chars().map(safe).take(64).collect();
            format!("user_backup_{subject}_{compact}.zip")
        }
        Format::Sqlite => format!("backup-{iso}.sqlite3"),
        Format::BaluHost => format!("backup_{compact}.tar.gz"),
    }
}

/// Returns the name, numbered where a file in the folder has it already.
pub fn free(folder: &Path, name: &str) -> String {
    if !folder.join(name).exists() {
        return name.to_owned();
    }
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let numbered = |n: u32| format!("{stem}-{n}.{ending}");
    (2..).map(numbered).find(|name| !folder.join(name).exists()).expect("numbers never end")
}
