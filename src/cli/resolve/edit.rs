//! The line in which a value is typed, and the keys that a terminal sends.

use crate::error::Result;
use crate::model::{Table, Value};
use crate::plan::decision::typed;
use serde_json::Value as Json;

/// A key as the screens know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Delete,
    /// Ctrl-C.
    Interrupt,
}

/// A value that is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    text: Vec<char>,
    cursor: usize,
}

impl Line {
    /// Begins with what is there already; the cursor stands at its end.
    pub(super) fn with(text: &str) -> Self {
        let text: Vec<char> = text.chars().collect();
        Self { cursor: text.len(), text }
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Returns how many characters stand before the cursor.
    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::Char(c) => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
            Key::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Key::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Key::Home | Key::Up => self.cursor = 0,
            Key::End | Key::Down => self.cursor = self.text.len(),
            Key::Backspace | Key::Delete | Key::PageUp | Key::PageDown | Key::Enter | Key::Escape | Key::Interrupt => {}
        }
    }
}

/// Writes a value so that it can be edited and read again.
pub(super) fn editable(value: &Value) -> String {
    match value.to_json() {
        Json::Object(tagged) => match tagged.values().next() {
            Some(Json::String(inner)) if !matches!(value, Value::Bytes(_) | Value::RawText(_)) => inner.clone(),
            _ => Json::Object(tagged).to_string(),
        },
        other => other.to_string(),
    }
}

/// Reads what was typed: JSON, else text as it stands.
///
/// # Errors
/// `Usage` for what does not fit the column.
pub(super) fn read(text: &str, table: &Table, column: usize) -> Result<Json> {
    let json = serde_json::from_str(text).unwrap_or_else(|_| Json::String(text.to_owned()));
    typed(&json, table, column)?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::{Key, Line};

    #[test]
    fn a_line_is_edited_where_the_cursor_is() {
        let mut line = Line::with("añb");
        for key in [Key::Left, Key::Backspace, Key::Char('x'), Key::Home, Key::Delete, Key::Delete, Key::End] {
            line.press(key);
        }
        assert_eq!((line.text().as_str(), line.cursor()), ("b", 1));
        line.press(Key::Right);
        line.press(Key::Delete);
        line.press(Key::Char('\u{1F426}'));
        assert_eq!((line.text().as_str(), line.cursor()), ("b\u{1F426}", 2));
    }
}
