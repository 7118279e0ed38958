//! The formats as people choose them, on the command line and in schedules: one word for each application's own file.

use super::{Format, Secrets};
use crate::backup::{Compression, FilesFormat, WriteFormat};
use serde::{Deserialize, Serialize};

/// A format by its word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// Smart Backup JSON.
    #[default]
    SmartBackup,
    /// `{"table": [records]}`.
    TableMap,
    /// A ZIP of `TABLE.ndjson`.
    Ndjson,
    /// RayERP's ZIP.
    Rayerp,
    /// A ZIP of `app/model.json`, as Django and Baby Buddy read it.
    Django,
    /// Jarvis's JSON of all users.
    JarvisSystem,
    /// Jarvis's ZIP of one user.
    JarvisUser,
    /// BaluHost's `tar.gz` with an SQLite database.
    Baluhost,
    /// An SQLite database file.
    Sqlite,
}

impl Chosen {
    /// Returns the format, compressed as kept backups are where that can be chosen.
    pub fn format(self) -> Format {
        match self {
            Self::SmartBackup => Format::Records(WriteFormat::SmartBackup(Compression::Zstd, Default::default())),
            Self::TableMap | Self::JarvisSystem => Format::Records(WriteFormat::TableMap),
            Self::Ndjson => Format::Records(WriteFormat::Files(FilesFormat::NdJson)),
            Self::Rayerp => Format::Records(WriteFormat::Files(FilesFormat::RayErp)),
            Self::Django => Format::Records(WriteFormat::Files(FilesFormat::Django)),
            Self::JarvisUser => Format::Records(WriteFormat::JarvisUser),
            Self::Baluhost => Format::BaluHost,
            Self::Sqlite => Format::Sqlite,
        }
    }

    /// Says what becomes of secrets where the format itself doesn't: Jarvis's guide promises that they stay out.
    pub fn secrets(self) -> Option<Secrets> {
        (self == Self::JarvisSystem).then_some(Secrets::LeftOut)
    }
}
