//! Checks an SQLite file and what lies beside it before SQLite sees it: cut files, hot journals, broken `-wal` files.

use crate::backup::source::{beside, open_file};
use crate::error::{Result, fail};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The first bytes of a rollback journal that still has to be rolled back.
pub(super) const HOT_JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Refuses a file that is shorter than its own header says, or whose header makes no sense.
pub(super) fn check_header(file: &mut File, length: u64) -> Result<()> {
    let mut header = [0; 100];
    file.read_exact(&mut header)
        .map_err(|e| fail!(BackupDamaged, "the SQLite file ends within its header").because(e))?;
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let page_bytes = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size if size.is_power_of_two() && size >= 512 => u64::from(size),
        size => return Err(fail!(BackupDamaged, "the SQLite header gives a page size of {size}")),
    };
    // The count of pages is only valid when the two change counters agree.
    let pages = if number(24) == number(92) { u64::from(number(28)) } else { 0 };
    if length < pages * page_bytes || !length.is_multiple_of(page_bytes) {
        return Err(fail!(
            BackupDamaged,
            "the SQLite file has {length} bytes, but its header says {}",
            pages * page_bytes
        )
        .hint("it was cut off; get a complete copy"));
    }
    Ok(())
}

/// Refuses a database whose last transaction still has to be rolled back.
pub(super) fn refuse_hot_journal(path: &Path) -> Result<()> {
    let Ok(mut journal) = File::open(beside(path, "-journal")) else { return Ok(()) };
    let mut start = [0; 8];
    if journal.read_exact(&mut start).is_ok() && start == HOT_JOURNAL {
        return Err(fail!(BackupDamaged, "a `-journal` file beside the database holds an unfinished transaction")
            .hint(
                "open the database once with its application or `sqlite3`, so that it is rolled back, then copy it",
            ));
    }
    Ok(())
}

/// Refuses a `-wal` file that was cut or doesn't begin as one: its records would be missing silently.
pub(super) fn check_wal(path: &Path) -> Result<()> {
    let mut file = open_file(path)?;
    let length = file.metadata()?.len();
    let mut header = [0; 32];
    let damaged = |what: String| {
        fail!(BackupDamaged, "the `-wal` file beside the database {what}").hint("copy database and `-wal` together")
    };
    file.read_exact(&mut header).map_err(|e| damaged("ends within its header".to_owned()).because(e))?;
    let number = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let magic = number(&header);
    if magic & !1 != 0x377f_0682 {
        return Err(damaged("is none".to_owned()));
    }
    let page_bytes = u64::from(number(&header[8..]));
    let frame_bytes = page_bytes + 24;
    if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        return Err(damaged(format!("gives a page size of {page_bytes}")));
    }
    if !(length - 32).is_multiple_of(frame_bytes) {
        return Err(damaged("ends in the middle of a page".to_owned()));
    }
    if checksum(magic & 1 == 1, [0, 0], &header[..24]) != [number(&header[24..]), number(&header[28..])] {
        return Err(damaged("has a damaged header".to_owned()));
    }
    // Frames of this generation carry the header's salts. Every one must hold; SQLite itself would stop silently.
    let mut sum = [number(&header[24..]), number(&header[28..])];
    let mut frame = vec![0; usize::try_from(frame_bytes).expect("at most 65,560")];
    let mut frames = 0u64;
    file.seek(SeekFrom::Start(32))?;
    let mut file = std::io::BufReader::with_capacity(1 << 18, file);
    while file.read_exact(&mut frame).is_ok() {
        if frame[8..16] != header[16..24] {
            break;
        }
        frames += 1;
        sum = checksum(magic & 1 == 1, sum, &frame[..8]);
        sum = checksum(magic & 1 == 1, sum, &frame[24..]);
        if sum != [number(&frame[16..]), number(&frame[20..])] {
            return Err(damaged(format!("is damaged at page record {frames}")));
        }
    }
    Ok(())
}

/// Continues the checksum of a `-wal` file over more bytes, a multiple of eight.
fn checksum(big_endian: bool, [mut first, mut second]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    for pair in bytes.chunks_exact(8) {
        let word = |at: usize| {
            let bytes = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
            if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        first = first.wrapping_add(word(0)).wrapping_add(second);
        second = second.wrapping_add(word(4)).wrapping_add(first);
    }
    [first, second]
}
