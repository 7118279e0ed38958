//! Rows that wait on disk, partitioned by key so that each partition can be joined in memory.

use super::join::{Emit, Join, Side};
use super::rows::RowRef;
use crate::backup::Place;
use crate::error::{Result, fail};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Partitions of one level; with rows of 150 bytes, 64 partitions hold 100 M rows within the memory bound.
const PARTITIONS: usize = 64;
/// Marks a row that a filter leaves out, in the byte of the side.
const EXCLUDED: u8 = 0x80;
/// The deepest level of splitting a partition that is still too large.
const LEVELS: u64 = 4;

/// Temporary files, removed when dropped.
pub(super) struct Spill {
    level: u64,
    files: Vec<(BufWriter<std::fs::File>, u64)>,
}

fn lost(error: std::io::Error) -> crate::error::Error {
    let kind = crate::error::Error::from(error);
    kind.at("temporary files of the analysis")
        .hint("Free space in the temporary folder, or set TMPDIR to a larger one.")
}

impl Spill {
    pub(super) fn new() -> Result<Self> {
        Self::at_level(0)
    }

    fn at_level(level: u64) -> Result<Self> {
        let files = (0..PARTITIONS)
            .map(|_| Ok((BufWriter::with_capacity(32 * 1024, tempfile::tempfile().map_err(lost)?), 0)))
            .collect::<Result<_>>()?;
        Ok(Self { level, files })
    }

    /// Writes one row to its partition.
    ///
    /// *Shape:* side, record number, offset (`u64::MAX`: none), lengths of key and body, key, body; little-endian.
    pub(super) fn put(&mut self, side: Side, row: RowRef<'_>) -> Result<()> {
        // The upper bits: the hash tables use the lower ones.
        let hash = xxh3_64_with_seed(row.key, self.level + 1);
        let (file, bytes) = &mut self.files[(hash >> 58) as usize % PARTITIONS];
        let mut head = [0u8; 25];
        head[0] = side as u8 | if row.excluded { EXCLUDED } else { 0 };
        head[1..9].copy_from_slice(&row.place.record.to_le_bytes());
        head[9..17].copy_from_slice(&row.place.offset.unwrap_or(u64::MAX).to_le_bytes());
        head[17..21].copy_from_slice(&(row.key.len() as u32).to_le_bytes());
        head[21..25].copy_from_slice(&(row.body.len() as u32).to_le_bytes());
        file.write_all(&head)
            .and_then(|()| file.write_all(row.key))
            .and_then(|()| file.write_all(row.body))
            .map_err(lost)?;
        *bytes += (head.len() + row.key.len() + row.body.len()) as u64;
        Ok(())
    }

    /// Joins every partition.
    pub(super) fn join(self, join: &Join, table: &str, emit: &mut Emit<'_>) -> Result<()> {
        let level = self.level;
        for (file, bytes) in self.files {
            let mut file = file.into_inner().map_err(|e| lost(e.into_error()))?;
            file.seek(SeekFrom::Start(0)).map_err(lost)?;
            // In memory a row costs about twice its bytes on disk.
            if bytes * 2 > join.budget_bytes as u64 && level < LEVELS {
                let mut finer = Self::at_level(level + 1)?;
                read_rows(&file, &mut |side, row| finer.put(side, row))?;
                drop(file);
                finer.join(join, table, emit)?;
            } else {
                join.join_partition(table, |sink| read_rows(&file, sink), emit)?;
            }
        }
        Ok(())
    }
}

fn read_rows(file: &std::fs::File, sink: &mut dyn FnMut(Side, RowRef<'_>) -> Result<()>) -> Result<()> {
    let mut reader = BufReader::with_capacity(128 * 1024, file);
    let mut bytes = Vec::new();
    let mut head = [0u8; 25];
    loop {
        match reader.read_exact(&mut head) {
            Ok(()) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(lost(e)),
        }
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        let length = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four bytes")) as usize;
        let (key, body) = (length(17), length(21));
        bytes.resize(key + body, 0);
        reader.read_exact(&mut bytes).map_err(lost)?;
        let offset = Some(number(9)).filter(|&o| o != u64::MAX);
        let side = match head[0] & !EXCLUDED {
            0 => Side::Base,
            1 => Side::Current,
            2 => Side::Backup,
            other => return Err(fail!(Failed, "a temporary file of the analysis was changed (side {other})")),
        };
        sink(
            side,
            RowRef {
                key: &bytes[..key],
                body: &bytes[key..],
                place: Place { record: number(1), offset },
                excluded: head[0] & EXCLUDED != 0,
            },
        )?;
    }
}
