//! Makes UTF-8 of UTF-16, as Windows tools write it.

use super::source::ByteStream;
use crate::error::fail;
use std::io::{self, Read};

/// Makes UTF-8 of UTF-16, as Windows tools write it.
pub(crate) struct Utf16 {
    inner: ByteStream,
    big_endian: bool,
    /// Bytes that don't make a whole character yet.
    raw: Vec<u8>,
    /// Bytes of the file that are characters by now.
    done_bytes: u64,
    /// Characters made and not handed out yet.
    ready: Vec<u8>,
    handed_out: usize,
}

impl Utf16 {
    /// Wraps a stream that stands after its byte order mark.
    pub(crate) fn new(inner: ByteStream, big_endian: bool) -> Self {
        Self { inner, big_endian, raw: Vec::new(), done_bytes: 0, ready: Vec::new(), handed_out: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        let kept = self.raw.len();
        self.raw.resize(kept + (1 << 16), 0);
        let count = self.inner.read(&mut self.raw[kept..])?;
        self.raw.truncate(kept + count);
        let units: Vec<u16> = self
            .raw
            .chunks_exact(2)
            .map(|pair| [pair[0], pair[1]])
            .map(|pair| if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
            .collect();
        // The first half of a surrogate pair waits for its second half, unless the file ends here.
        let waits = count > 0 && units.last().is_some_and(|unit| (0xD800..0xDC00).contains(unit));
        let whole = units.len() - usize::from(waits);
        if count == 0 && !self.raw.len().is_multiple_of(2) {
            let at = self.done_bytes + self.raw.len() as u64;
            return Err(io::Error::other(fail!(
                BackupDamaged,
                "the UTF-16 text ends in the middle of a character, at byte {at}"
            )));
        }
        self.ready.clear();
        self.handed_out = 0;
        for character in char::decode_utf16(units[..whole].iter().copied()) {
            let at = self.done_bytes;
            let character = character.map_err(|e| {
                io::Error::other(fail!(BackupDamaged, "the UTF-16 text is not valid at byte {at}").because(e))
            })?;
            self.done_bytes += 2 * character.len_utf16() as u64;
            self.ready.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        self.raw.drain(..whole * 2);
        Ok(())
    }
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.handed_out == self.ready.len() {
            self.refill()?;
            if self.ready.is_empty() && self.raw.is_empty() {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.ready.len() - self.handed_out);
        buffer[..count].copy_from_slice(&self.ready[self.handed_out..self.handed_out + count]);
        self.handed_out += count;
        Ok(count)
    }
}
