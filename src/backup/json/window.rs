//! A sliding window of text over a byte stream: UTF-8 is checked once, memory follows the largest single record.

use super::scan::Scanner;
use crate::backup::source::{ByteStream, stream_error};
use crate::error::{Error, Result, fail};
use std::io::{Read, Write};
use xxhash_rust::xxh3::Xxh3;

/// Bytes read at a time.
pub(crate) const WINDOW_BYTES: usize = 1 << 18;

/// The part of a text stream that is being looked at.
pub(crate) struct Window {
    source: ByteStream,
    size: usize,
    text: String,
    /// Where in `text` the unread part begins.
    at: usize,
    /// Fresh bytes; its first `carried` are the beginning of a character that the last read cut.
    staging: Vec<u8>,
    carried: usize,
    ended: bool,
    /// Where in the stream `text` begins, how many line ends came before, and where its line begins.
    offset: u64,
    lines: u64,
    line_start: u64,
    /// Whether the stream begins somewhere within the file, so that lines can't be counted.
    part: bool,
    checksum: Option<Box<Xxh3>>,
}

impl Window {
    /// Makes a window that reads `size` bytes at a time; `offset` is how many bytes of the file precede the stream.
    pub(crate) fn new(source: ByteStream, size: usize, offset: u64) -> Self {
        Self {
            source,
            size,
            text: String::new(),
            at: 0,
            staging: Vec::new(),
            carried: 0,
            ended: false,
            offset,
            lines: 0,
            line_start: offset,
            part: false,
            checksum: None,
        }
    }

    /// Makes a window over a part of a file that begins at a byte of it.
    pub(crate) fn part(source: ByteStream, size: usize, offset: u64) -> Self {
        Self { part: true, ..Self::new(source, size, offset) }
    }

    /// Returns the unread text that is at hand.
    pub(crate) fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Marks so many bytes as read.
    pub(crate) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Returns where in the stream the unread text begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.at as u64
    }

    /// Says where a byte of the unread text stands, for people.
    pub(crate) fn place(&self, ahead: usize) -> String {
        let end = (self.at + ahead).min(self.text.len());
        let before = &self.text.as_bytes()[..end];
        let line = self.lines + memchr::memchr_iter(b'\n', before).count() as u64 + 1;
        let line_start = memchr::memrchr(b'\n', before).map_or(self.line_start, |at| self.offset + at as u64 + 1);
        let offset = self.offset + end as u64;
        if self.part {
            return format!("byte {offset}");
        }
        format!("byte {offset}, line {line}, column {}", offset - line_start + 1)
    }

    /// Makes an error that stands at the unread text.
    pub(crate) fn damaged(&self, message: impl std::fmt::Display) -> Error {
        fail!(BackupDamaged, "{}: {message}", self.place(0))
    }

    /// Gets more text; false at the end of the stream.
    ///
    /// # Errors
    /// `BackupDamaged` where the stream is not UTF-8 or its compression is damaged, `LimitReached`.
    pub(crate) fn fill(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.forget_read();
        // A record larger than the window doubles what is held, so that looking at it again stays linear.
        let before = self.text.len();
        let goal = before + self.size.max(before);
        while !self.ended && self.text.len() < goal {
            self.read_piece()?;
        }
        Ok(self.text.len() > before)
    }

    /// Reads so many bytes as the window has, checks them and appends them to the text.
    fn read_piece(&mut self) -> Result<()> {
        let end = self.carried + self.size;
        self.staging.resize(end, 0);
        let mut filled = self.carried;
        while filled < end {
            match self.source.read(&mut self.staging[filled..]) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(stream_error(error)),
            }
        }
        let bytes = &self.staging[..filled];
        let cut = if self.ended { 0 } else { cut_character(bytes) };
        let whole = &bytes[..filled - cut];
        match simdutf8::basic::from_utf8(whole) {
            Ok(text) => self.text.push_str(text),
            Err(_) => {
                let at = std::str::from_utf8(whole).err().map_or(0, |e| e.valid_up_to());
                let offset = self.offset + (self.text.len() + at) as u64;
                return Err(fail!(BackupDamaged, "byte {offset}: the text is not UTF-8"));
            }
        }
        self.staging.copy_within(filled - cut..filled, 0);
        self.carried = cut;
        Ok(())
    }

    fn forget_read(&mut self) {
        let read = &self.text.as_bytes()[..self.at];
        if let Some(checksum) = &mut self.checksum {
            checksum.update(read);
        }
        self.lines += memchr::memchr_iter(b'\n', read).count() as u64;
        if let Some(last) = memchr::memrchr(b'\n', read) {
            self.line_start = self.offset + last as u64 + 1;
        }
        self.offset += self.at as u64;
        self.text.drain(..self.at);
        self.at = 0;
    }

    /// Skips white space and returns the byte that follows; `None` at the end.
    ///
    /// # Errors
    /// As [`Self::fill`].
    pub(crate) fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            match rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
                Some(blank) => {
                    self.at += blank;
                    return Ok(Some(rest[blank]));
                }
                None => {
                    self.at = self.text.len();
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Skips white space and one expected byte.
    ///
    /// # Errors
    /// `BackupDamaged` when something else follows.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<()> {
        match self.peek()? {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.damaged(format_args!("`{}` was expected", char::from(byte)))),
            None => Err(self.truncated()),
        }
    }

    /// Makes the error for a stream that ends too early.
    pub(crate) fn truncated(&self) -> Error {
        self.damaged("the file ends in the middle of its content").hint("it was cut off; get a complete copy")
    }

    /// Makes sure that the whole next value is at hand and returns its length.
    ///
    /// # Errors
    /// `LimitReached` when it is longer than `max_bytes` or nests too deep, `BackupDamaged` when it doesn't end.
    pub(crate) fn value(&mut self, max_bytes: usize, max_depth: usize) -> Result<usize> {
        self.peek()?;
        let mut scanner = Scanner::new(max_depth);
        let mut seen = 0;
        loop {
            if let Some(end) = scanner.feed(&self.rest().as_bytes()[seen..]).map_err(|e| e.at(self.place(0)))? {
                return Ok(seen + end);
            }
            seen = self.rest().len();
            if seen > max_bytes {
                return Err(fail!(LimitReached, "{}: a value is longer than {max_bytes} bytes", self.place(0)));
            }
            if !self.fill()? {
                return Err(self.truncated());
            }
        }
    }

    /// Reads the next value as text.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub(crate) fn take_value(&mut self, max_bytes: usize, max_depth: usize) -> Result<String> {
        let length = self.value(max_bytes, max_depth)?;
        let text = self.rest()[..length].to_owned();
        self.advance(length);
        Ok(text)
    }

    /// Reads the next value, which must be a string: an object's key or a table's name.
    ///
    /// # Errors
    /// As [`Self::value`]; `BackupDamaged` when it is no string.
    pub(crate) fn take_string(&mut self, max_bytes: usize) -> Result<String> {
        match self.peek()? {
            Some(b'"') => {}
            Some(_) => return Err(self.damaged("a string was expected")),
            None => return Err(self.truncated()),
        }
        // An escape takes at most six bytes for each byte of text; the quotes two more.
        let length = self.value(max_bytes * 6 + 2, 1)?;
        let text: String = serde_json::from_str(&self.rest()[..length]).map_err(|e| self.damaged(e))?;
        if text.len() > max_bytes {
            return Err(fail!(LimitReached, "{}: a name is longer than {max_bytes} bytes", self.place(0)));
        }
        self.advance(length);
        Ok(text)
    }

    /// Copies the next value, of any size, to a writer.
    ///
    /// # Errors
    /// As [`Self::value`], and what the writer returns.
    pub(crate) fn copy_value(&mut self, max_depth: usize, to: &mut dyn Write) -> Result<()> {
        self.peek()?;
        let mut scanner = Scanner::new(max_depth);
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let end = scanner.feed(rest).map_err(|e| e.at(self.place(0)))?;
            to.write_all(&rest[..end.unwrap_or(rest.len())])?;
            self.at += end.unwrap_or(rest.len());
            if end.is_some() {
                return Ok(());
            }
            if !self.fill()? {
                return Err(self.truncated());
            }
        }
    }

    /// Starts a checksum over the stream's text; false when its beginning is gone already.
    pub(crate) fn start_checksum(&mut self, stream_start: u64) -> bool {
        let whole = self.offset == stream_start;
        self.checksum = whole.then(|| Box::new(Xxh3::new()));
        whole
    }

    /// Returns the checksum of the stream's text up to a byte of the unread text.
    pub(crate) fn checksum_until(&self, ahead: usize) -> Option<u128> {
        let mut checksum = self.checksum.clone()?;
        checksum.update(&self.text.as_bytes()[..self.at + ahead]);
        Some(checksum.digest128())
    }
}

/// Returns how many bytes at the end are the beginning of a character that is not complete.
fn cut_character(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        if byte & 0b1100_0000 == 0b1000_0000 {
            continue;
        }
        let length = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xFF => 4,
            _ => 1,
        };
        return if length > back { back } else { 0 };
    }
    0
}
