//! Reads one record: an object whose members become fields, each cell kept as exactly as the document spells it.
//!
//! One `serde_json` pass finds keys and raw values and checks the grammar; nothing is copied but escaped strings.

use crate::backup::options::{Limits, ReadOptions};
use crate::backup::{Place, RecordSink};
use crate::error::{Error, Result, fail};
use crate::model::Cell;
use base64::Engine as _;
use memchr::memchr;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// What a record's object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Its members are the fields.
    Plain,
    /// `{"model":…,"pk":…,"fields":{…}}`: the members of `fields` are the fields, and `pk` is one.
    Django,
}

/// What became of an attempt to read a record.
pub(crate) enum Attempt {
    /// The record ends after so many bytes.
    Complete(usize),
    /// The text ends before the record does.
    NeedsMore,
    /// The text at this byte is not JSON.
    Wrong(usize, Error),
}

/// A member of an object: where key and value stand in the text.
#[derive(Clone)]
struct Member {
    key: Key,
    value: Range<usize>,
}

#[derive(Clone)]
enum Key {
    At(Range<usize>),
    /// A key with escapes, by its position in [`RecordParser::escaped`].
    Escaped(usize),
}

/// Reads records of one table; keeps its buffers from record to record.
pub(crate) struct RecordParser {
    limits: Limits,
    lenient: bool,
    /// Whether `{"bytes":…}` and the like stand for values of that type: only in documents that merganser wrote.
    pub(crate) tagged: bool,
    shape: Shape,
    members: Vec<Member>,
    escaped: Vec<String>,
    /// The keys of the record before and of its envelope: most records of a table have the same, which then need no
    /// look for repeats.
    previous: [Vec<String>; 2],
    scratch: String,
    /// The text with `NaN` and `Infinity` replaced by zeros of the same length, and where they stood.
    patched: String,
    patches: Vec<(usize, f64)>,
}

impl RecordParser {
    /// Makes a parser for records of a shape.
    pub(crate) fn new(options: &ReadOptions, shape: Shape) -> Self {
        Self {
            limits: options.limits.clone(),
            lenient: options.lenient_json,
            tagged: false,
            shape,
            members: Vec::new(),
            escaped: Vec::new(),
            previous: [const { Vec::new() }; 2],
            scratch: String::new(),
            patched: String::new(),
            patches: Vec::new(),
        }
    }

    /// Tries to read the record that `text` begins with.
    pub(crate) fn parse(&mut self, text: &str) -> Attempt {
        self.patches.clear();
        match self.members_of(text, 0) {
            Err(error) if self.lenient && !error.is_eof() => {
                if !patch(text, &mut self.patched, &mut self.patches) {
                    return wrong(text, &error);
                }
                let patched = std::mem::take(&mut self.patched);
                let attempt = self.members_of(&patched, 0);
                let result = finished(&patched, attempt);
                self.patched = patched;
                result
            }
            attempt => finished(text, attempt),
        }
    }

    /// Reads the object at a byte of the text; returns where it ends.
    fn members_of(&mut self, text: &str, start: usize) -> Result<usize, serde_json::Error> {
        self.members.clear();
        self.escaped.clear();
        let base = text.as_ptr().addr();
        let mut deserializer = serde_json::Deserializer::from_str(&text[start..]);
        let collect = Collect { base, members: &mut self.members, escaped: &mut self.escaped };
        collect.deserialize(&mut deserializer)?;
        // The pass above saw that nothing but white space stands between the last value and the closing brace.
        let inner = self.members.last().map_or(start + 1, |member| member.value.end);
        let brace = memchr(b'}', &text.as_bytes()[inner..]).expect("the object was read to its end");
        Ok(inner + brace + 1)
    }

    /// Hands the fields of the record just read to a sink.
    ///
    /// # Errors
    /// `BackupDamaged` for repeated keys and strings that are no text, `LimitReached`, and what the sink returns.
    pub(crate) fn emit(&mut self, text: &str, place: Place, sink: &mut dyn RecordSink) -> Result<()> {
        if self.patches.is_empty() {
            return self.emit_from(text, place, sink);
        }
        let patched = std::mem::take(&mut self.patched);
        let result = self.emit_from(&patched, place, sink);
        self.patched = patched;
        result
    }

    fn emit_from(&mut self, text: &str, place: Place, sink: &mut dyn RecordSink) -> Result<()> {
        match self.shape {
            Shape::Plain => self.emit_members(text, sink)?,
            Shape::Django => {
                self.check_keys(text, 1)?;
                let pk = self.member(text, "pk");
                let Some(fields) = self.member(text, "fields") else {
                    return Err(fail!(BackupDamaged, "a Django record without `fields`"));
                };
                if text.as_bytes()[fields.start] != b'{' {
                    return Err(fail!(BackupDamaged, "`fields` of a Django record is not an object"));
                }
                if let Some(pk) = pk {
                    let kind = self.cell(text, pk)?;
                    sink.field("pk", kind.get(text, &self.scratch))?;
                }
                self.members_of(text, fields.start)
                    .map_err(|e| fail!(BackupDamaged, "`fields` can't be read").because(e))?;
                self.emit_members(text, sink)?;
            }
        }
        sink.end_record(place)
    }

    fn member(&self, text: &str, name: &str) -> Option<Range<usize>> {
        self.members.iter().find(|member| self.key(text, member) == name).map(|member| member.value.clone())
    }

    /// Returns the value of a string member of the record just read: a Django record's `model`.
    pub(crate) fn string_member(&self, text: &str, name: &str) -> Option<String> {
        let value = self.member(text, name)?;
        let text = if self.patches.is_empty() { text } else { &self.patched };
        serde_json::from_str(&text[value]).ok()
    }

    /// Tells whether the record just read has a member.
    pub(crate) fn has_member(&self, text: &str, name: &str) -> bool {
        self.member(text, name).is_some()
    }

    fn key<'t>(&'t self, text: &'t str, member: &Member) -> &'t str {
        match &member.key {
            Key::At(range) => &text[range.clone()],
            Key::Escaped(position) => &self.escaped[*position],
        }
    }

    fn emit_members(&mut self, text: &str, sink: &mut dyn RecordSink) -> Result<()> {
        self.check_keys(text, 0)?;
        for position in 0..self.members.len() {
            let value = self.members[position].value.clone();
            let kind = match self.cell(text, value) {
                Ok(kind) => kind,
                Err(error) => return Err(error.at(format!("field `{}`", self.key(text, &self.members[position])))),
            };
            let name = self.key(text, &self.members[position]);
            sink.field(name, kind.get(text, &self.scratch))?;
        }
        Ok(())
    }

    /// Refuses repeated, overlong and too many keys.
    fn check_keys(&mut self, text: &str, level: usize) -> Result<()> {
        let same = self.members.len() == self.previous[level].len()
            && self.members.iter().zip(&self.previous[level]).all(|(member, known)| match &member.key {
                Key::At(range) => text[range.clone()] == **known,
                Key::Escaped(position) => self.escaped[*position] == *known,
            });
        if same {
            return Ok(());
        }
        let mut keys: Vec<&str> = self.members.iter().map(|member| self.key(text, member)).collect();
        if keys.len() > self.limits.keys {
            return Err(fail!(LimitReached, "an object has {} keys, more than {}", keys.len(), self.limits.keys));
        }
        if let Some(long) = keys.iter().find(|key| key.len() > self.limits.key_bytes) {
            return Err(fail!(LimitReached, "a key is {} bytes long, over {}", long.len(), self.limits.key_bytes));
        }
        let in_order: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        keys.sort_unstable();
        if let Some(pair) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fail!(BackupDamaged, "the key `{}` is there twice in one object", pair[0].escape_debug())
                .hint("nobody can tell which of the two values was meant; mend the file"));
        }
        self.previous[level] = in_order;
        Ok(())
    }

    /// Reads a raw value; escaped strings and tagged values are put into `scratch`.
    fn cell(&mut self, text: &str, value: Range<usize>) -> Result<Kind> {
        let raw = &text[value.clone()];
        let limits = &self.limits;
        Ok(match raw.as_bytes()[0] {
            b'"' => {
                if raw.len() - 2 > limits.string_bytes {
                    return Err(fail!(LimitReached, "a string is longer than {} bytes", limits.string_bytes));
                }
                let inner = value.start + 1..value.end - 1;
                if memchr(b'\\', &text.as_bytes()[inner.clone()]).is_none() {
                    Kind::String(inner)
                } else {
                    self.scratch = serde_json::from_str(raw).map_err(|e| bad_string(raw, e))?;
                    Kind::Scratch
                }
            }
            b'{' | b'[' => {
                super::scan::check_depth(raw, limits.depth.saturating_sub(1))?;
                if raw.len() > limits.string_bytes {
                    return Err(fail!(LimitReached, "a nested value is longer than {} bytes", limits.string_bytes));
                }
                if self.patches.iter().any(|(at, _)| value.contains(at)) {
                    return Err(fail!(BackupDamaged, "NaN or Infinity inside a nested value can't be kept as JSON"));
                }
                if self.tagged && raw.starts_with("{\"") {
                    tagged(raw)?.unwrap_or(Kind::Json(value))
                } else {
                    Kind::Json(value)
                }
            }
            b't' => Kind::Bool(true),
            b'f' => Kind::Bool(false),
            b'n' => Kind::Null,
            _ => {
                if raw.len() > limits.number_digits {
                    return Err(fail!(LimitReached, "a number has more than {} digits", limits.number_digits));
                }
                match self.patches.iter().find(|(at, _)| *at == value.start) {
                    Some((_, special)) => Kind::Real(*special),
                    None => Kind::Number(value),
                }
            }
        })
    }
}

/// A cell by where its content stands.
enum Kind {
    Null,
    Bool(bool),
    Number(Range<usize>),
    String(Range<usize>),
    Scratch,
    Json(Range<usize>),
    Real(f64),
    Text(String),
    RawText(Vec<u8>),
    Bytes(Vec<u8>),
    Integer(i64),
}

impl Kind {
    fn get<'t>(&'t self, text: &'t str, scratch: &'t str) -> Cell<'t> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Number(range) => Cell::Number(&text[range.clone()]),
            Self::String(range) => Cell::String(&text[range.clone()]),
            Self::Scratch => Cell::String(scratch),
            Self::Json(range) => Cell::Json(&text[range.clone()]),
            Self::Real(value) => Cell::Real(*value),
            Self::Text(value) => Cell::Text(value),
            Self::RawText(value) => Cell::RawText(value),
            Self::Bytes(value) => Cell::Bytes(value),
            Self::Integer(value) => Cell::Int(*value),
        }
    }
}

/// Reads the tagged values of merganser's own backups: `{"bytes":"…"}`, `{"float":"NaN"}` and the like.
fn tagged(raw: &str) -> Result<Option<Kind>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    enum Tag {
        Bytes(String),
        RawText(String),
        Text(String),
        Float(String),
        Integer(i64),
    }
    let Ok(tag) = serde_json::from_str::<Tag>(raw) else { return Ok(None) };
    let decode = |text: &str| {
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|e| fail!(BackupDamaged, "a tagged value is not base64").because(e))
    };
    Ok(Some(match tag {
        Tag::Bytes(text) => Kind::Bytes(decode(&text)?),
        Tag::RawText(text) => Kind::RawText(decode(&text)?),
        Tag::Text(text) => Kind::Text(text),
        Tag::Integer(value) => Kind::Integer(value),
        Tag::Float(text) => {
            Kind::Real(text.parse().map_err(|e| fail!(BackupDamaged, "a tagged value is no number").because(e))?)
        }
    }))
}

fn bad_string(raw: &str, error: serde_json::Error) -> Error {
    let what = if raw.contains("\\ud") || raw.contains("\\uD") {
        "half of a surrogate pair, which is no character"
    } else {
        "a string can't be read"
    };
    fail!(BackupDamaged, "{what}").because(error)
}

fn finished(text: &str, attempt: Result<usize, serde_json::Error>) -> Attempt {
    match attempt {
        Ok(end) => Attempt::Complete(end),
        Err(error) if error.is_eof() => Attempt::NeedsMore,
        Err(error) => wrong(text, &error),
    }
}

fn wrong(text: &str, error: &serde_json::Error) -> Attempt {
    // serde_json counts lines and columns within the text it was given.
    let line_start = match error.line() {
        0 | 1 => 0,
        line => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(0, |at| at + 1),
    };
    let at = (line_start + error.column().saturating_sub(1)).min(text.len());
    let token = &text.as_bytes()[at.saturating_sub(1)..];
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    let special = ["NaN", "Infinity", "-Infinity"].iter().any(|name| {
        token.starts_with(name.as_bytes()) || token.get(1..).is_some_and(|token| token.starts_with(name.as_bytes()))
    });
    let error = fail!(BackupDamaged, "not JSON: {message}");
    let error = if special { error.hint("NaN and Infinity are no JSON; `--lenient-json` reads them") } else { error };
    Attempt::Wrong(at, error)
}

/// Copies a text, replacing `NaN`, `Infinity` and `-Infinity` outside strings by zeros of the same length.
///
/// Returns false when there was nothing to replace.
fn patch(text: &str, patched: &mut String, patches: &mut Vec<(usize, f64)>) -> bool {
    const TOKENS: [(&str, &str, f64); 3] = [
        ("NaN", "0.0", f64::NAN),
        ("Infinity", "0.000000", f64::INFINITY),
        ("-Infinity", "-0.000000", f64::NEG_INFINITY),
    ];
    patched.clear();
    let bytes = text.as_bytes();
    let (mut copied, mut at, mut depth) = (0, 0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
                    at += found + 1;
                    if bytes[at - 1] == b'"' {
                        break;
                    }
                    at += 1;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b'N' | b'I' | b'-' => {
                if let Some((token, zero, value)) = TOKENS.iter().find(|(t, ..)| text[at..].starts_with(t)) {
                    patched.push_str(&text[copied..at]);
                    patched.push_str(zero);
                    patches.push((at, *value));
                    at += token.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    patched.push_str(&text[copied..]);
    !patches.is_empty()
}

/// Collects an object's members without copying them.
struct Collect<'m> {
    base: usize,
    members: &'m mut Vec<Member>,
    escaped: &'m mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed { base: self.base, escaped: self.escaped })? {
            let value: &'de RawValue = map.next_value()?;
            let start = value.get().as_ptr().addr() - self.base;
            self.members.push(Member { key, value: start..start + value.get().len() });
        }
        Ok(())
    }
}

struct KeySeed<'m> {
    base: usize,
    escaped: &'m mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key, E> {
        let start = key.as_ptr().addr() - self.base;
        Ok(Key::At(start..start + key.len()))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        self.escaped.push(key.to_owned());
        Ok(Key::Escaped(self.escaped.len() - 1))
    }
}
