//! The service's log: to stderr as it comes, and its last lines kept at hand for whoever looks after the service, with
//! passwords and secrets blotted out. It is kept in memory only.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Lines that are kept.
const KEPT: usize = 2_000;
/// Bytes of a line that are kept.
const LONGEST: usize = 4_096;

/// One process has one log, as it has one stderr.
static TAIL: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Writes to stderr and keeps what it wrote.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        keep(line.trim_end());
        io::stderr().write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn keep(line: &str) {
    let mut tail = TAIL.lock().unwrap_or_else(PoisonError::into_inner);
    if tail.len() == KEPT {
        tail.pop_front();
    }
    let end = (0..=LONGEST.min(line.len())).rev().find(|e| line.is_char_boundary(*e)).unwrap_or(0);
    tail.push_back(scrubbed(&line[..end]));
}

/// Returns the last lines, oldest first, scrubbed.
pub fn tail() -> String {
    let tail = TAIL.lock().unwrap_or_else(PoisonError::into_inner);
    tail.iter().fold(String::new(), |mut out, line| {
        out.push_str(line);
        out.push('\n');
        out
    })
}

/// Blots out what may be secret in a line: passwords in addresses, and the values that follow telling names.
fn scrubbed(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    // user:password@host
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(['/', '"', ' ', '\'', '\\']).unwrap_or(after.len());
        let place = &after[..end];
        match (place.rfind('@'), place.find(':')) {
            (Some(host), Some(colon)) if colon < host => {
                out.push_str(&place[..=colon]);
                out.push_str("***");
                out.push_str(&place[host..]);
            }
            _ => out.push_str(place),
        }
        rest = &after[end..];
    }
    out.push_str(rest);
    for name in ["password", "passphrase", "secret", "token", "authorization", "cookie", "AGE-SECRET-KEY-", "mgs_"] {
        out = blotted(&out, name);
    }
    out
}

/// Blots out the word that follows each place where a name stands.
fn blotted(line: &str, name: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let needle = name.to_ascii_lowercase();
    let (mut out, mut from) = (String::with_capacity(line.len()), 0);
    while let Some(found) = lower[from..].find(&needle) {
        let after = from + found + needle.len();
        let start = after + lower[after..].find(|c: char| !"\"'=: ".contains(c)).unwrap_or(lower.len() - after);
        // A name that only ends a word, as in "password reset", has no value behind it.
        let said = &lower[after..start];
        let has_value = said.contains(['=', ':']) || needle.ends_with(['-', '_']);
        let end = start + lower[start..].find(['"', '\'', ' ', ',', '}', '&']).unwrap_or(lower.len() - start);
        out.push_str(&line[from..start]);
        if has_value && end > start {
            out.push_str("***");
        } else {
            out.push_str(&line[start..end]);
        }
        from = end;
    }
    out.push_str(&line[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::{keep, scrubbed, tail};

    #[test]
    fn secrets_are_blotted_out_and_the_rest_stays() {
        for (line, expected) in [
            (r#"{"url":"postgres://app:hunter2@db:5432/app"}"#, r#"{"url":"postgres://app:***@db:5432/app"}"#),
            ("GET /setup?secret=abc&x=1", "GET /setup?secret=***&x=1"),
            (r#"{"password":"p w","user":"ada"}"#, r#"{"password":"*** w","user":"ada"}"#),
            ("the password was not right", "the password was not right"),
            ("key AGE-SECRET-KEY-1QQQ here", "key AGE-SECRET-KEY-*** here"),
            ("https://example.org/a:b@c", "https://example.org/a:b@c"),
            ("Authorization: abc", "Authorization: ***"),
        ] {
            assert_eq!(scrubbed(line), expected);
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        keep(&"ü".repeat(9_000));
        assert!(tail().lines().last().is_some_and(|l| l.len() <= super::LONGEST));
    }
}
