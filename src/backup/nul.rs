//! Text with NUL characters, which PostgreSQL can't hold: taken out or replaced on the way from any reader, where the user
//! asked for it (CHECKS F110). Bytes are not text and stay.

use super::options::Nul;
use super::{Format, Place, Reader, RecordSink, Summary, TableHeader};
use crate::error::Result;
use crate::model::Cell;
use std::borrow::Cow;

/// A reader whose text has no NUL.
pub(super) struct WithoutNul {
    inner: Box<dyn Reader>,
    nul: Nul,
    /// How many values were changed.
    changed: u64,
}

impl WithoutNul {
    /// Puts itself before a reader unless NUL is kept.
    pub(super) fn over(inner: Box<dyn Reader>, nul: Nul) -> Box<dyn Reader> {
        match nul {
            Nul::Keep => inner,
            Nul::Strip | Nul::Replace => Box::new(Self { inner, nul, changed: 0 }),
        }
    }
}

impl Reader for WithoutNul {
    fn format(&self) -> Format {
        self.inner.format()
    }

    fn next_table(&mut self) -> Result<Option<TableHeader>> {
        self.inner.next_table()
    }

    fn read_records(&mut self, sink: &mut dyn RecordSink) -> Result<u64> {
        self.inner.read_records(&mut Cleaning { sink, nul: self.nul, changed: &mut self.changed })
    }

    fn finish(self: Box<Self>) -> Result<Summary> {
        let mut summary = self.inner.finish()?;
        if self.changed > 0 {
            let how = if self.nul == Nul::Strip { "taken out of" } else { "replaced in" };
            summary.notes.push(format!("NUL characters were {how} {} values", self.changed));
        }
        Ok(summary)
    }
}

struct Cleaning<'a> {
    sink: &'a mut dyn RecordSink,
    nul: Nul,
    changed: &'a mut u64,
}

impl RecordSink for Cleaning<'_> {
    fn field(&mut self, name: &str, cell: Cell<'_>) -> Result<()> {
        let put = if self.nul == Nul::Strip { "" } else { "\u{fffd}" };
        let cleaned = match cell {
            Cell::String(text) | Cell::Text(text) if text.contains('\0') => Cow::Owned(text.replace('\0', put)),
            Cell::Json(json) => without_escapes(json, put),
            _ => Cow::Borrowed(""),
        };
        let Cow::Owned(text) = cleaned else { return self.sink.field(name, cell) };
        *self.changed += 1;
        let cell = match cell {
            Cell::String(_) => Cell::String(&text),
            Cell::Json(_) => Cell::Json(&text),
            _ => Cell::Text(&text),
        };
        self.sink.field(name, cell)
    }

    fn end_record(&mut self, place: Place) -> Result<()> {
        self.sink.end_record(place)
    }
}

/// Replaces `\u0000` in the strings of a JSON text.
fn without_escapes<'t>(json: &'t str, put: &str) -> Cow<'t, str> {
    const NUL: &str = "\\u0000";
    if !json.contains(NUL) {
        return Cow::Borrowed(json);
    }
    let mut cleaned = String::with_capacity(json.len());
    let mut rest = json;
    let mut found = false;
    while let Some(at) = rest.find('\\') {
        // An escape is two characters at least; a backslash before a backslash escapes that one.
        let (before, escape) = rest.split_at(at);
        cleaned.push_str(before);
        let taken = if escape.starts_with(NUL) {
            cleaned.push_str(put);
            found = true;
            NUL.len()
        } else {
            let taken = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
            cleaned.push_str(&escape[..taken]);
            taken
        };
        rest = &escape[taken..];
    }
    cleaned.push_str(rest);
    if found { Cow::Owned(cleaned) } else { Cow::Borrowed(json) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_escape_itself_is_replaced() {
        for (json, expected) in [
            (r#"{"a":"x\u0000y"}"#, r#"{"a":"x?y"}"#),
            (r#"{"a":"x\\u0000y"}"#, r#"{"a":"x\\u0000y"}"#),
            (r#"{"a":"x\\\u0000\n"}"#, r#"{"a":"x\\?\n"}"#),
            (r#""\u0000\u0000""#, r#""??""#),
            (r#"{"a":"\u00001"}"#, r#"{"a":"?1"}"#),
            (r#"["é\u0001"]"#, r#"["é\u0001"]"#),
        ] {
            assert_eq!(without_escapes(json, "?"), expected, "{json}");
        }
    }
}
