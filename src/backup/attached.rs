//! Files that travel with a backup: Jarvis's `<username>/**`, RayERP's `uploads/**` and `public-uploads/**`, BaluHost's
//! `backup/files/**`. They are handed out as streams with the name they have below the application's folder.

use super::crypt::{self, Encryption};
use super::open::head_of;
use super::options::ReadOptions;
use super::source::{ByteStream, Source, open_file, stream_error};
use super::zip::{self, Zip, check_name};
use crate::error::{Result, fail};
use std::collections::HashSet;
use std::io::Read;
use std::path::Path;

/// Archives of the ZIP kind note the time of day of some zone, which they do not name; no two clocks differ by more.
const ZONES_SECONDS: i64 = 14 * 3600;

/// When a file was changed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Changed {
    /// Seconds since 1970-01-01 UTC.
    pub at: i64,
    /// By how many seconds that may be wrong.
    pub doubt_seconds: i64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its path below the application's folder, with slashes.
    pub path: String,
    /// When it was changed last, where the archive says so.
    pub changed: Option<Changed>,
}

/// Takes a file's name and content.
pub(crate) type Take<'a> = dyn FnMut(&Attached, &mut dyn Read) -> Result<()> + 'a;

/// Hands out every file that travels with a backup; returns whether the backup says that it holds only what changed.
///
/// # Errors
/// `Usage` for a format that has no files; `BackupDamaged`, `LimitReached`; what `take` returns.
pub fn attached(path: &Path, options: &ReadOptions, take: &mut Take<'_>) -> Result<bool> {
    read(path, options, take).map_err(|error| error.at(path.display()))
}

fn read(path: &Path, options: &ReadOptions, take: &mut Take<'_>) -> Result<bool> {
    let head = head_of(open_file(path)?)?;
    let (source, raw) = Source::open(path)?;
    let Some(encryption) = Encryption::of(&head) else {
        return match zip::MAGIC.iter().any(|magic| head.starts_with(magic)) {
            true => zipped(path, options, take),
            false => packed(&source, raw, &head, options, take),
        };
    };
    let (mut stream, _) = crypt::decrypted(encryption, path, raw, &options.keys)?;
    let mut copy = tempfile::NamedTempFile::new()?;
    let limit = options.limits.expanded_bytes;
    if std::io::copy(&mut stream.by_ref().take(limit), &mut copy).map_err(stream_error)? == limit {
        return Err(fail!(LimitReached, "the file holds more than {limit} bytes"));
    }
    read(copy.path(), options, take)
}

fn zipped(path: &Path, options: &ReadOptions, take: &mut Take<'_>) -> Result<bool> {
    let zip = Zip::open(path, &options.limits)?;
    let names = zip.names();
    if names.iter().collect::<HashSet<_>>().len() != names.len() {
        return Err(fail!(BackupDamaged, "the archive has two entries of one name"));
    }
    let position = |wanted: &str| names.iter().position(|name| name == wanted);
    let text = |position: usize| -> Result<String> {
        let mut text = String::new();
        zip.stream(position)?
            .take(options.limits.metadata_bytes as u64)
            .read_to_string(&mut text)
            .map_err(stream_error)?;
        Ok(text)
    };
    let (folders, incremental): (Vec<String>, bool) = match (position("backup-info.json"), position("user_data.json")) {
        (Some(info), _) => {
            let info: serde_json::Value = serde_json::from_str(&text(info)?)
                .map_err(|e| fail!(BackupDamaged, "backup-info.json can't be read").because(e))?;
            (vec!["uploads/".to_owned(), "public-uploads/".to_owned()], info["backupType"] == "incremental")
        }
        (None, Some(user)) => {
            let user: serde_json::Value = serde_json::from_str(&text(user)?)
                .map_err(|e| fail!(BackupDamaged, "user_data.json can't be read").because(e))?;
            // Only the user's own folder: an archive that brings another's is not what it says.
            let name = user["user"]["username"].as_str().unwrap_or_default().to_owned();
            if name.is_empty() || name.contains('/') || name == "." {
                return Err(fail!(BackupDamaged, "user_data.json names no user whose files these could be"));
            }
            (vec![format!("{name}/")], false)
        }
        (None, None) => return Err(none()),
    };
    for (position, name) in names.iter().enumerate() {
        if folders.iter().any(|folder| name.starts_with(folder)) {
            let changed = zip
                .changed(position)
                .map(|(at, named)| Changed { at, doubt_seconds: if named { 0 } else { ZONES_SECONDS } });
            let mut stream = zip.stream(position)?;
            take(&Attached { path: name.clone(), changed }, &mut stream)?;
        }
    }
    Ok(incremental)
}

fn packed(source: &Source, raw: ByteStream, head: &[u8], options: &ReadOptions, take: &mut Take<'_>) -> Result<bool> {
    let (stream, compressed) = super::open::decompressed(raw, head, source, options)?;
    if !compressed {
        return Err(none());
    }
    let mut archive = tar::Archive::new(stream);
    let mut names = HashSet::new();
    for entry in archive.entries().map_err(stream_error)? {
        let mut entry = entry.map_err(stream_error)?;
        let Ok(name) = String::from_utf8(entry.path_bytes().into_owned()) else {
            return Err(fail!(BackupDamaged, "the archive has a name that is not UTF-8"));
        };
        check_name(&name)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        if !kind.is_file() {
            let shown = name.escape_debug();
            return Err(fail!(BackupDamaged, "the entry `{shown}` is a link or a device, not a file"));
        }
        if !names.insert(name.clone()) || names.len() > options.limits.entries {
            return Err(fail!(BackupDamaged, "the entry `{}` is one too many", name.escape_debug()));
        }
        let Some(path) = name.strip_prefix("backup/files/") else { continue };
        let at = entry.header().mtime().ok().and_then(|at| i64::try_from(at).ok());
        let changed = at.map(|at| Changed { at, doubt_seconds: 0 });
        take(&Attached { path: path.to_owned(), changed }, &mut entry)?;
    }
    // A stream that was cut shows it only here.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink()).map_err(stream_error)?;
    Ok(false)
}

fn none() -> crate::error::Error {
    fail!(Usage, "no files travel with a backup of this kind")
        .hint("Files are in RayERP's and Jarvis's ZIP and in BaluHost's tar.gz; leave --files out.")
}
