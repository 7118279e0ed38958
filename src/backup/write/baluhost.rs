//! Writes a BaluHost archive, `backup/database/baluhost.db` as tar in gzip, from a copy of an SQLite database.

use super::AtomicFile;
use crate::error::{Result, fail};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Packs a copy of an SQLite database; the file appears when it is complete.
///
/// Without a copy the archive holds the files alone. Files are added below `backup/files/` by the names given. The copy must be one that nothing writes to (made by SQLite's online backup): it goes in as it is, without a `-wal`.
///
/// # Errors
/// `Failed` when the copy can't be read or the archive not be written, `OutOfSpace`.
pub fn write_baluhost(path: &Path, database: Option<&Path>, files: &[(String, PathBuf)]) -> Result<()> {
    if let Some(database) = database
        && crate::backup::source::beside(database, "-wal").metadata().is_ok_and(|m| m.len() > 0)
    {
        return Err(fail!(Failed, "{} has a `-wal` beside it, so it is not a finished copy", database.display())
            .hint("make the copy with SQLite's online backup"));
    }
    let out = AtomicFile::create(path)?;
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(out, flate2::Compression::default()));
    if let Some(database) = database {
        append(&mut archive, "backup/database/baluhost.db", database)?;
    }
    for (name, place) in files {
        append(&mut archive, &format!("backup/files/{name}"), place)?;
    }
    archive.into_inner()?.finish()?.commit()
}

fn append<W: std::io::Write>(archive: &mut tar::Builder<W>, name: &str, place: &Path) -> Result<()> {
    let mut file = File::open(place).map_err(|e| fail!(Failed, "{} can't be read", place.display()).because(e))?;
    let metadata = file.metadata()?;
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let mut header = tar::Header::new_gnu();
    header.set_size(metadata.len());
    header.set_mode(0o600);
    header.set_mtime(modified.map_or(0, |at| at.as_secs()));
    header.set_cksum();
    // A file that grows meanwhile must not spoil what follows it; one that shrinks is an error.
    let mut content = std::io::Read::take(&mut file, metadata.len());
    archive.append_data(&mut header, name, &mut content)?;
    Ok(())
}
