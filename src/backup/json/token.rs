//! Splits one JSON object into its members in a single pass, eight bytes at a time where there is something to gain.
//!
//! Grammar: RFC 8259, every rule of it. Nested values are left to `serde_json`; a test holds the rest against it.

use serde_json::value::RawValue;
use std::ops::Range;

/// A member of an object: where key and value stand in the text, without the quotes of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) key: Range<usize>,
    pub(crate) key_escaped: bool,
    pub(crate) value: Range<usize>,
    /// Whether the value is a string with escapes in it.
    pub(crate) escaped: bool,
}

/// Why an object could not be split.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text ends first.
    End,
    /// The byte here can't be.
    Wrong(usize, &'static str),
}

/// Splits the object whose brace stands at `start`; returns where it ends.
///
/// `expected` are keys that are likely, in order and without escapes; an empty one is never met. Returns too whether exactly those were found.
pub(crate) fn split(
    text: &str,
    start: usize,
    expected: &[String],
    members: &mut Vec<Member>,
) -> Result<(usize, bool), Fault> {
    members.clear();
    let bytes = text.as_bytes();
    let mut at = blank(bytes, start + 1);
    let mut as_expected = true;
    if byte_at(bytes, at)? == b'}' {
        return Ok((at + 1, expected.is_empty()));
    }
    loop {
        if byte_at(bytes, at)? != b'"' {
            return Err(Fault::Wrong(at, "a key in quotes was expected"));
        }
        let key_start = at + 1;
        let known = expected.get(members.len()).map_or(&b""[..], |key| key.as_bytes());
        let key_end = key_start + known.len();
        let (key, key_escaped) = if as_expected
            && !known.is_empty()
            && bytes.get(key_end) == Some(&b'"')
            && bytes[key_start..key_end] == *known
        {
            (key_start..key_end, false)
        } else {
            as_expected = false;
            let (end, escaped) = string_end(bytes, key_start)?;
            (key_start..end, escaped)
        };
        at = blank(bytes, key.end + 1);
        if byte_at(bytes, at)? != b':' {
            return Err(Fault::Wrong(at, "`:` was expected"));
        }
        at = blank(bytes, at + 1);
        let (end, escaped) = value_end(text, at)?;
        members.push(Member { key, key_escaped, value: at..end, escaped });
        at = blank(bytes, end);
        match byte_at(bytes, at)? {
            b',' => at = blank(bytes, at + 1),
            b'}' => return Ok((at + 1, as_expected && members.len() == expected.len())),
            _ => return Err(Fault::Wrong(at, "`,` or `}` was expected")),
        }
    }
}

fn byte_at(bytes: &[u8], at: usize) -> Result<u8, Fault> {
    bytes.get(at).copied().ok_or(Fault::End)
}

/// Skips white space.
fn blank(bytes: &[u8], mut at: usize) -> usize {
    const SPACES: [u8; 8] = [b' '; 8];
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
            _ => return at,
        }
        // Indented documents are mostly spaces.
        while bytes.get(at..).and_then(|rest| rest.first_chunk()) == Some(&SPACES) {
            at += 8;
        }
    }
}

/// Finds the closing quote of a string whose content begins at `at`; tells whether it has escapes.
fn string_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), Fault> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut escaped = false;
    // Longer texts are plain for the most part: compilers make a handful of vector instructions of this.
    let plain = |chunk: &[u8; 16]| !chunk.iter().fold(false, |odd, &b| odd | (b == b'"') | (b == b'\\') | (b < 0x20));
    loop {
        while bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()).is_some_and(plain) {
            at += 16;
        }
        // A byte of `x` is zero where its high bit ends up set in `(x - ONES) & !x & HIGHS`; borrows reach only
        // bytes above the lowest match, and only that one is used (Hacker's Delight, 6-1).
        if let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let quote = word ^ (ONES * b'"' as u64);
            let backslash = word ^ (ONES * b'\\' as u64);
            let found = ((quote.wrapping_sub(ONES) & !quote)
                | (backslash.wrapping_sub(ONES) & !backslash)
                | (word.wrapping_sub(ONES * 0x20) & !word))
                & HIGHS;
            if found == 0 {
                at += 8;
                continue;
            }
            at += found.trailing_zeros() as usize / 8;
        }
        match byte_at(bytes, at)? {
            b'"' => return Ok((at, escaped)),
            b'\\' => {
                escaped = true;
                at = escape_end(bytes, at + 1)?;
            }
            0..0x20 => return Err(Fault::Wrong(at, "a control character in a string has to be escaped")),
            _ => at += 1,
        }
    }
}

/// Finds the end of an escape whose letter stands at `at`.
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Fault> {
    match byte_at(bytes, at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => {
            for digit in at + 1..at + 5 {
                if !byte_at(bytes, digit)?.is_ascii_hexdigit() {
                    return Err(Fault::Wrong(digit, "`\\u` needs four hexadecimal digits"));
                }
            }
            Ok(at + 5)
        }
        _ => Err(Fault::Wrong(at, "there is no such escape")),
    }
}

/// Finds the end of a value; tells whether it is a string with escapes.
fn value_end(text: &str, at: usize) -> Result<(usize, bool), Fault> {
    let bytes = text.as_bytes();
    match byte_at(bytes, at)? {
        b'"' => string_end(bytes, at + 1).map(|(end, escaped)| (end + 1, escaped)),
        b'-' | b'0'..=b'9' => number_end(bytes, at).map(|end| (end, false)),
        b't' => word_end(bytes, at, b"true"),
        b'f' => word_end(bytes, at, b"false"),
        b'n' => word_end(bytes, at, b"null"),
        b'{' | b'[' => {
            let mut nested = serde_json::Deserializer::from_str(&text[at..]).into_iter::<&RawValue>();
            match nested.next() {
                Some(Ok(value)) => Ok((at + value.get().len(), false)),
                Some(Err(error)) if !error.is_eof() => {
                    Err(Fault::Wrong(at + error_offset(&text[at..], &error), "a nested value is not JSON"))
                }
                _ => Err(Fault::End),
            }
        }
        _ => Err(Fault::Wrong(at, "a value was expected")),
    }
}

/// Finds where `serde_json` found an error: it counts lines and columns.
fn error_offset(text: &str, error: &serde_json::Error) -> usize {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(0, |at| at + 1),
    };
    (line_start + error.column().saturating_sub(1)).min(text.len())
}

fn word_end(bytes: &[u8], at: usize, word: &[u8]) -> Result<(usize, bool), Fault> {
    let found = &bytes[at..bytes.len().min(at + word.len())];
    if found == word {
        Ok((at + word.len(), false))
    } else if word.starts_with(found) {
        Err(Fault::End)
    } else {
        Err(Fault::Wrong(at, "a value was expected"))
    }
}

/// Finds the end of a number; one that reaches the end of the text may go on.
fn number_end(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    let digits = |mut at: usize| {
        let start = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == bytes.len() {
            Err(Fault::End)
        } else if at == start {
            Err(Fault::Wrong(at, "a digit was expected"))
        } else {
            Ok(at)
        }
    };
    if bytes[at] == b'-' {
        at += 1;
    }
    let start = at;
    at = digits(at)?;
    if bytes[start] == b'0' && at > start + 1 {
        return Err(Fault::Wrong(start, "a number begins with a zero"));
    }
    if bytes[at] == b'.' {
        at = digits(at + 1)?;
    }
    if matches!(bytes[at], b'e' | b'E') {
        at += 1;
        at += usize::from(matches!(byte_at(bytes, at)?, b'+' | b'-'));
        at = digits(at)?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str) {
        let mut members = Vec::new();
        let ours = split(text, 0, &[], &mut members);
        let values: Result<Vec<_>, _> = {
            let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
            stream.by_ref().take(1).collect()
        };
        match (&ours, &values) {
            (Ok((end, _)), Ok(values)) if !values.is_empty() => {
                assert_eq!(*end, values[0].get().len(), "{text}");
                for member in &members {
                    assert!(serde_json::from_str::<&RawValue>(&text[member.value.clone()]).is_ok(), "{text}");
                }
            }
            // They differ in when they call a number or an escape that is cut wrong rather than incomplete.
            (Err(_), Err(_)) => {}
            _ => panic!("{text}: {ours:?} but serde_json says {values:?}"),
        }
    }

    #[test]
    fn the_grammar_is_that_of_serde_json_for_every_short_object() {
        let alphabet =
            ["\"a\"", "\"", ":", ",", "}", "1", "0", "-", ".", "e", "+", "\\u0041", "\\", "null", " ", "[]", "{"];
        for first in alphabet {
            for second in alphabet {
                for third in alphabet {
                    for fourth in ["", "}", "1}", "\"}"] {
                        check(&format!("{{\"k\":{first}{second}{third}{fourth}"));
                        check(&format!("{{{first}{second}{third}{fourth}"));
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn strings_end_where_serde_json_ends_them(text in "[\"\\\\a-c\u{0}-\u{22}é\u{1f600}u0-9]{0,40}") {
            check(&format!("{{\"k\":\"{text}\"}}"));
        }
    }
}
