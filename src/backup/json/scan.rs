//! Finds where a JSON value ends, without recursion and without looking at more than brackets and strings.

use crate::error::{Result, fail};
use memchr::memchr2;

/// Follows one JSON value over any number of pieces of text.
pub(crate) struct Scanner {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    scalar: bool,
    max_depth: usize,
}

impl Scanner {
    /// Starts before a value that may nest so deep.
    pub(crate) fn new(max_depth: usize) -> Self {
        Self { open: Vec::new(), in_string: false, escaped: false, scalar: false, max_depth }
    }

    /// Takes the next piece and returns where in it the value ends, if it does.
    ///
    /// # Errors
    /// `LimitReached` when it nests too deep, `BackupDamaged` when brackets don't match.
    pub(crate) fn feed(&mut self, text: &[u8]) -> Result<Option<usize>> {
        let mut at = 0;
        while at < text.len() {
            if self.in_string {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                let Some(found) = memchr2(b'"', b'\\', &text[at..]) else { return Ok(None) };
                at += found + 1;
                if text[at - 1] == b'\\' {
                    self.escaped = true;
                } else {
                    self.in_string = false;
                    if self.open.is_empty() {
                        return Ok(Some(at));
                    }
                }
                continue;
            }
            let byte = text[at];
            if self.scalar && matches!(byte, b',' | b']' | b'}' | b':' | b' ' | b'\t' | b'\r' | b'\n') {
                return Ok(Some(at));
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => {
                    if self.open.len() >= self.max_depth {
                        return Err(fail!(LimitReached, "JSON nests deeper than {} levels", self.max_depth));
                    }
                    self.open.push(byte);
                }
                b'}' | b']' => {
                    let fits = self.open.pop().is_some_and(|open| open == byte - 2);
                    if !fits {
                        return Err(fail!(BackupDamaged, "a bracket is closed that was not opened"));
                    }
                    if self.open.is_empty() {
                        return Ok(Some(at + 1));
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => self.scalar = self.open.is_empty(),
            }
            at += 1;
        }
        Ok(None)
    }
}

/// Checks that a complete or cut-off value nests no deeper than allowed.
///
/// # Errors
/// `LimitReached`; `BackupDamaged` when brackets don't match.
pub(crate) fn check_depth(text: &str, max_depth: usize) -> Result<()> {
    // Nothing can nest deeper than it is long; most nested values are a handful of bytes.
    if text.len() <= max_depth {
        return Ok(());
    }
    Scanner::new(max_depth).feed(text.as_bytes()).map(|_| ())
}
