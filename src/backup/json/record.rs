//! Reads one record: an object whose members become fields, each cell kept as exactly as the document spells it.
//!
//! One pass finds keys and raw values and checks the grammar; nothing is copied but escaped strings.

use super::lenient::{is_special, patch};
use super::surrogate::replace_lone;
use super::tag::tagged;
use super::token::{self, Fault, Member};
use crate::backup::options::{Limits, LoneSurrogates, ReadOptions};
use crate::backup::{Place, RecordSink};
use crate::error::{Error, Result, fail};
use crate::model::{Cell, OwnedCell, emptied};
use std::borrow::Cow;
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

/// Reads records of one table; keeps its buffers from record to record.
pub(crate) struct RecordParser {
    limits: Limits,
    lenient: bool,
    lone_surrogates: LoneSurrogates,
    /// Whether `{"bytes":…}` and the like stand for values of that type: only in documents that merganser wrote.
    pub(crate) tagged: bool,
    shape: Shape,
    /// The model that every Django record must be of.
    model: Option<String>,
    members: Vec<Member>,
    /// Room for the cells of a record.
    cells: Vec<Cell<'static>>,
    /// The keys of the record before and of its envelope: most records of a table have the same, which then need no
    /// look for repeats.
    previous: [Vec<String>; 2],
    /// Whether the object just split has the keys of the one before.
    known: bool,
    scratch: String,
    /// The text with `NaN` and `Infinity` replaced by zeros of the same length, and where they stood.
    patched: String,
    patches: Vec<(usize, f64)>,
    /// Whether it was the sink that failed.
    pub(crate) sink_failed: bool,
}

impl RecordParser {
    /// Makes a parser for records of a shape.
    pub(crate) fn new(options: &ReadOptions, shape: Shape) -> Self {
        Self {
            limits: options.limits.clone(),
            lenient: options.lenient_json,
            lone_surrogates: options.lone_surrogates,
            tagged: false,
            shape,
            model: None,
            members: Vec::new(),
            cells: Vec::new(),
            previous: [const { Vec::new() }; 2],
            known: false,
            scratch: String::new(),
            patched: String::new(),
            patches: Vec::new(),
            sink_failed: false,
        }
    }

    /// Makes a parser for Django records of one model.
    pub(crate) fn of_model(options: &ReadOptions, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..Self::new(options, Shape::Django) }
    }

    /// Tries to read the record that `text` begins with.
    pub(crate) fn parse(&mut self, text: &str) -> Attempt {
        self.patches.clear();
        let level = usize::from(self.shape == Shape::Django);
        let attempt = match self.split(text, 0, level) {
            Err(Fault::Wrong(..)) if self.lenient && patch(text, &mut self.patched, &mut self.patches) => {
                let patched = std::mem::take(&mut self.patched);
                let attempt = self.split(&patched, 0, level);
                self.patched = patched;
                attempt
            }
            attempt => attempt,
        };
        match attempt {
            Ok(end) => Attempt::Complete(end),
            Err(Fault::End) => Attempt::NeedsMore,
            Err(Fault::Wrong(at, message)) => {
                let error = fail!(BackupDamaged, "not JSON: {message}");
                let special = is_special(&text.as_bytes()[at..]);
                let hint = "NaN and Infinity are no JSON; `--lenient-json` reads them";
                Attempt::Wrong(at, if special { error.hint(hint) } else { error })
            }
        }
    }

    fn split(&mut self, text: &str, start: usize, level: usize) -> Result<usize, Fault> {
        let (end, known) = token::split(text, start, &self.previous[level], &mut self.members)?;
        self.known = known;
        Ok(end)
    }

    /// Hands the fields of the record just read to a sink.
    ///
    /// # Errors
    /// `BackupDamaged` for repeated keys and strings that are no text, `LimitReached`, and what the sink returns
    /// (`sink_failed` tells).
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
            Shape::Plain => {
                self.check_keys(text, 0)?;
                // The first record is the first of its sink, whatever was read with this parser before.
                if self.known && place.record > 1 && self.emit_whole(text, place, sink)? {
                    return Ok(());
                }
                self.emit_members(text, sink)?;
            }
            Shape::Django => {
                self.check_keys(text, 1)?;
                if let Some(model) = &self.model
                    && self.string_member(text, "model").as_ref() != Some(model)
                {
                    return Err(fail!(BackupDamaged, "a record of another model among those of {model}"));
                }
                let pk = self.member(text, "pk");
                let Some(fields) = self.member(text, "fields") else {
                    return Err(fail!(BackupDamaged, "a Django record without `fields`"));
                };
                if text.as_bytes()[fields.start] != b'{' {
                    return Err(fail!(BackupDamaged, "`fields` of a Django record is not an object"));
                }
                if let Some(pk) = pk {
                    let escaped = text[pk.clone()].contains('\\');
                    let kind = self.cell(text, pk, escaped)?;
                    sink.field("pk", kind.get(text, &self.scratch)).inspect_err(|_| self.sink_failed = true)?;
                }
                if self.split(text, fields.start, 0).is_err() {
                    return Err(fail!(BackupDamaged, "`fields` of a Django record can't be read"));
                }
                self.check_keys(text, 0)?;
                self.emit_members(text, sink)?;
            }
        }
        sink.end_record(place).inspect_err(|_| self.sink_failed = true)
    }

    fn member(&self, text: &str, name: &str) -> Option<Range<usize>> {
        let found = |member: &&Member| key_of(text, member) == name;
        self.members.iter().find(found).map(|member| member.value.clone())
    }

    /// Returns the value of a string member of the record just read.
    fn string_member(&self, text: &str, name: &str) -> Option<String> {
        serde_json::from_str(&text[self.member(text, name)?]).ok()
    }

    /// Returns the model of the record just read when it is a Django record: `model`, `fields` and perhaps `pk`.
    pub(crate) fn django_model(&self, text: &str) -> Option<String> {
        let text = if self.patches.is_empty() { text } else { &self.patched };
        let fields = self.member(text, "fields")?;
        let known = |member: &Member| matches!(&*key_of(text, member), "model" | "pk" | "fields");
        let fits = self.members.iter().all(known) && text.as_bytes()[fields.start] == b'{';
        fits.then(|| self.string_member(text, "model"))?
    }

    /// Hands over a record with the keys of the one before at once, where none of its cells needs a second look; tells
    /// whether it did.
    fn emit_whole(&mut self, text: &str, place: Place, sink: &mut dyn RecordSink) -> Result<bool> {
        let mut cells = emptied(std::mem::take(&mut self.cells), Cell::Null);
        for member in &self.members {
            match self.plain_cell(text, member) {
                Some(cell) => cells.push(cell),
                None => break,
            }
        }
        let whole = cells.len() == self.members.len();
        let taken = match whole {
            true => sink.record_as_before(&self.previous[0], &cells, place).inspect_err(|_| self.sink_failed = true),
            false => Ok(()),
        };
        self.cells = emptied(cells, Cell::Null);
        taken.map(|()| whole)
    }

    fn emit_members(&mut self, text: &str, sink: &mut dyn RecordSink) -> Result<()> {
        for position in 0..self.members.len() {
            let member = &self.members[position];
            // Nearly all fields are plain; they go straight through.
            if let Some(cell) = self.plain_cell(text, member)
                && !member.key_escaped
            {
                // Known keys are at hand already.
                let key = if self.known { &self.previous[0][position] } else { &text[member.key.clone()] };
                sink.field(key, cell).inspect_err(|_| self.sink_failed = true)?;
                continue;
            }
            let (value, escaped) = (member.value.clone(), member.escaped);
            let kind = match self.cell(text, value, escaped) {
                Ok(kind) => kind,
                Err(error) => return Err(error.at(format!("field `{}`", key_of(text, &self.members[position])))),
            };
            let key = key_of(text, &self.members[position]);
            sink.field(&key, kind.get(text, &self.scratch)).inspect_err(|_| self.sink_failed = true)?;
        }
        Ok(())
    }

    /// Reads a value that needs no second look: within the limits, no escapes, nothing nested.
    fn plain_cell<'t>(&self, text: &'t str, member: &Member) -> Option<Cell<'t>> {
        let raw = &text[member.value.clone()];
        match raw.as_bytes()[0] {
            b'"' if !member.escaped && raw.len() - 2 <= self.limits.string_bytes => {
                Some(Cell::String(&raw[1..raw.len() - 1]))
            }
            b'-' | b'0'..=b'9' if self.patches.is_empty() && raw.len() <= self.limits.number_digits => {
                Some(Cell::Number(raw))
            }
            b't' => Some(Cell::Bool(true)),
            b'f' => Some(Cell::Bool(false)),
            b'n' => Some(Cell::Null),
            _ => None,
        }
    }

    /// Refuses repeated, overlong and too many keys.
    fn check_keys(&mut self, text: &str, level: usize) -> Result<()> {
        if self.known {
            return Ok(());
        }
        let keys: Vec<Cow<'_, str>> = self.members.iter().map(|member| key_of(text, member)).collect();
        if keys.len() > self.limits.keys {
            return Err(fail!(LimitReached, "an object has {} keys, more than {}", keys.len(), self.limits.keys));
        }
        if let Some(long) = keys.iter().find(|key| key.len() > self.limits.key_bytes) {
            return Err(fail!(LimitReached, "a key is {} bytes long, over {}", long.len(), self.limits.key_bytes));
        }
        let mut sorted: Vec<&str> = keys.iter().map(|key| &**key).collect();
        sorted.sort_unstable();
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fail!(BackupDamaged, "the key `{}` is there twice in one object", pair[0].escape_debug())
                .hint("nobody can tell which of the two values was meant; mend the file"));
        }
        // Keys are expected as they are spelled; an empty expectation is never met.
        let expect = |member: &Member| match member.key_escaped {
            true => String::new(),
            false => text[member.key.clone()].to_owned(),
        };
        self.previous[level] = self.members.iter().map(expect).collect();
        Ok(())
    }

    /// Reads a single JSON value as a record's field would be read.
    ///
    /// # Errors
    /// As [`Self::emit`].
    pub(crate) fn read_back(&mut self, raw: &str) -> Result<OwnedCell> {
        self.patches.clear();
        let kind = self.cell(raw, 0..raw.len(), raw.contains('\\'))?;
        Ok(kind.get(raw, &self.scratch).into())
    }

    /// Reads a raw value; escaped strings and tagged values are put into `scratch`.
    fn cell(&mut self, text: &str, value: Range<usize>, escaped: bool) -> Result<Kind> {
        let raw = &text[value.clone()];
        let limits = &self.limits;
        Ok(match raw.as_bytes()[0] {
            b'"' => {
                if raw.len() - 2 > limits.string_bytes {
                    return Err(fail!(LimitReached, "a string is longer than {} bytes", limits.string_bytes));
                }
                let inner = value.start + 1..value.end - 1;
                if !escaped {
                    Kind::String(inner)
                } else {
                    self.scratch = match (serde_json::from_str(raw), self.lone_surrogates) {
                        (Err(_), LoneSurrogates::Replace) => serde_json::from_str(&replace_lone(raw)),
                        (read, _) => read,
                    }
                    .map_err(|e| bad_string(raw, e))?;
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
                if self.tagged && raw.starts_with('{') {
                    tagged(raw)?.map_or(Kind::Json(value), Kind::Owned)
                } else if self.lone_surrogates == LoneSurrogates::Replace {
                    Kind::Owned(OwnedCell::Json(replace_lone(raw).into_owned()))
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
                    Some((_, special)) => Kind::Owned(OwnedCell::Real(*special)),
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
    Owned(OwnedCell),
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
            Self::Owned(cell) => cell.as_cell(),
        }
    }
}

fn bad_string(raw: &str, error: serde_json::Error) -> Error {
    let what = if raw.contains("\\ud") || raw.contains("\\uD") {
        "half of a surrogate pair, which is no character"
    } else {
        "a string can't be read"
    };
    let error = fail!(BackupDamaged, "{what}").because(error);
    match what.starts_with("half") {
        true => error.hint("`--lone-surrogates replace` reads each as U+FFFD"),
        false => error,
    }
}

/// Returns a member's key.
fn key_of<'t>(text: &'t str, member: &Member) -> Cow<'t, str> {
    let raw = &text[member.key.clone()];
    if !member.key_escaped {
        return Cow::Borrowed(raw);
    }
    // Half a surrogate pair is no character: such a key keeps its spelling, and nothing will be called that.
    Cow::Owned(serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_else(|_| raw.to_owned()))
}
