//! What a conflict looks like on a screen: plain lines of marked text, laid out for a width, then put on the terminal.
//!
//! What differs is set off by weight and inversion, not by colour alone; without colours it stands in brackets.

use super::edit::Line as Typed;
use super::marks::{Piece, compared, plain};
use super::session::{Mode, Session};
use crate::error::Result;
use crate::model::change::Field;
use crate::plan::FieldDecision;
use crate::report::text::{decided, explained, plural, quoted, shown};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    Colored,
    Plain,
}

/// How wide the column of field names is at most.
const NAMES: usize = 18;

const HELP: [&str; 20] = [
    "b    take the backup's record",
    "c    keep the current record",
    "s    write nothing for this record",
    "i    take the backup's fields into the record that holds the unique key",
    "k    insert the backup's record under a new key",
    "d    take back only what marks the current record as deleted",
    "f    decide field by field: up and down choose, b backup, c current, space",
    "     turns from one to the other, e types a value, Enter ends",
    "e    type a value for a field: JSON or plain text; null empties it",
    "a    answer all that are like this one: same table, reason and fields",
    "u    take the last answer back (one step of this session at a time)",
    "n p  the next and the previous record",
    "]    the next record that waits for an answer",
    "up, down, PgUp, PgDn  scroll a long record",
    "q    end; Ctrl-C too. Every answer is saved as soon as it is given.",
    "",
    "Marks: ! the field is in conflict; * this side will be written or kept;",
    "a part that differs is inverted, or stands in [brackets] without colours.",
    "Nothing is written to the database here: 'merganser merge' does that.",
    "Any key goes back.",
];

/// Draws the screen; returns how far the record can be scrolled.
pub(super) fn draw(frame: &mut Frame<'_>, session: &Session<'_>, palette: Palette) -> Result<usize> {
    let area = frame.area();
    let width = usize::from(area.width);
    if width < 40 || area.height < 12 {
        let text = "The window is too small:\n40 columns and 12 lines\nare needed. q ends.";
        frame.render_widget(Paragraph::new(text), area);
        return Ok(0);
    }
    if session.mode == Mode::Help {
        let lines: Vec<Line<'_>> = HELP.iter().flat_map(|l| wrapped("", &plain(l), width, palette)).collect();
        frame.render_widget(Paragraph::new(lines), area);
        return Ok(0);
    }
    let header = header(session, width, palette);
    let (lines, focus) = fields(session, width, palette);
    // A quarter of the screen is the fields', where they need it; they can be scrolled, the choices can't.
    let kept = lines.len().clamp(3, usize::from(area.height).max(12) / 4);
    let footer = footer(session, width, usize::from(area.height).saturating_sub(header.len() + kept + 2));
    let rows = Layout::vertical([
        Constraint::Length(header.len() as u16),
        Constraint::Min(3),
        Constraint::Length(footer.len() as u16 + 1),
    ])
    .split(area);
    frame.render_widget(Paragraph::new(header), rows[0]);
    let bar = Style::new().add_modifier(Modifier::DIM);
    frame.render_widget(Paragraph::new(footer).block(Block::new().borders(Borders::TOP).border_style(bar)), rows[2]);

    let body = Block::new().borders(Borders::TOP).border_style(bar);
    let inside = body.inner(rows[1]);
    frame.render_widget(body, rows[1]);
    let height = usize::from(inside.height);
    let most = lines.len().saturating_sub(height);
    let mut scroll = session.scroll.min(most);
    if let Some((first, last)) = focus {
        // The chosen field is always seen, from its first line where it is higher than the screen.
        scroll = scroll.max((last + 1).saturating_sub(height)).min(first);
    }
    let hidden = lines.len().saturating_sub(scroll + height);
    let mut seen: Vec<Line<'_>> = lines.into_iter().skip(scroll).take(height).collect();
    if hidden > 0
        && let Some(last) = seen.last_mut()
    {
        let text = format!("  … {} below (down)", plural(hidden as u64 + 1, "more line"));
        *last = Line::styled(text, Style::new().add_modifier(Modifier::DIM));
    }
    frame.render_widget(Paragraph::new(seen), inside);
    if let Mode::Edit { line, .. } = &session.mode {
        let (text, column) = typed(session, line, width);
        frame.render_widget(Paragraph::new(text), rows[2].offset_by(1));
        frame.set_cursor_position(Position::new(column, rows[2].y + 1));
    }
    Ok(most)
}

/// An area moved down by some lines.
trait OffsetBy {
    fn offset_by(self, lines: u16) -> Self;
}

impl OffsetBy for ratatui::layout::Rect {
    fn offset_by(self, lines: u16) -> Self {
        Self { y: self.y + lines, height: self.height.saturating_sub(lines).min(1), ..self }
    }
}

/// Writes the line that is typed, and where its cursor stands; a secret as dots.
fn typed(session: &Session<'_>, line: &Typed, width: usize) -> (Line<'static>, u16) {
    let lead = "  value: ";
    let secret = session
        .edited()
        .is_some_and(|column| session.secrets.hides(&session.table().label(), &session.table().columns[column].name));
    let shape = |c: char| if secret { "•".to_owned() } else { shown(&c.to_string()) };
    let before: Vec<String> = line.text().chars().take(line.cursor()).map(shape).collect();
    let after: String = line.text().chars().skip(line.cursor()).map(shape).collect();
    let room = width.saturating_sub(lead.len() + 2);
    let (mut used, mut first) = (0, before.len());
    while first > 0 && used + Span::raw(before[first - 1].as_str()).width() <= room {
        first -= 1;
        used += Span::raw(before[first].as_str()).width();
    }
    let text = format!("{lead}{}{after}", before[first..].concat());
    (Line::raw(text), (lead.len() + used).min(width - 1) as u16)
}

fn header(session: &Session<'_>, width: usize, palette: Palette) -> Vec<Line<'static>> {
    let record = session.record();
    let (at, all, waiting) = session.position();
    let name = shown(&session.secrets.record_name(session.table(), &record.finding.key));
    let place = format!("{at} of {all}, {waiting} to decide");
    let room = width.saturating_sub(place.len() + 2);
    let name = crate::report::text::short(&name, room);
    let gap = width.saturating_sub(Span::raw(name.as_str()).width() + place.len());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let title = Line::from(vec![Span::styled(name, bold), Span::raw(" ".repeat(gap)), Span::raw(place)]);
    let reason = format!("{}: {}", record.finding.reason, explained(record.finding.reason));
    let mut lines = vec![title];
    lines.extend(wrapped("", &plain(&reason), width, palette));
    if let Some(because) = crate::report::text::because(record) {
        let because = crate::report::text::short(&session.scrubbed(&because), 3 * width);
        lines.extend(wrapped("", &plain(&shown(&because)), width, palette));
    }
    lines
}

/// Writes the fields, and between which lines the chosen one stands.
fn fields(session: &Session<'_>, width: usize, palette: Palette) -> (Vec<Line<'static>>, Option<(usize, usize)>) {
    let chosen = match session.mode {
        Mode::Fields { at } | Mode::Edit { at, .. } => Some(at),
        _ => None,
    };
    let fields = session.fields();
    let table = session.table();
    let names = fields.iter().map(|f| Span::raw(shown(&table.columns[f.column].name)).width()).max().unwrap_or(0);
    let names = names.clamp(4, NAMES);
    let (mut lines, mut focus) = (Vec::new(), None);
    for (at, field) in fields.into_iter().enumerate() {
        let first = lines.len();
        lines.extend(one_field(session, at, field, (names, width, chosen == Some(at)), palette));
        if chosen == Some(at) {
            focus = Some((first, lines.len() - 1));
        }
    }
    if lines.is_empty() {
        lines.push(Line::raw("  No field differs; the record is on one side only."));
    }
    (lines, focus)
}

fn one_field(
    session: &Session<'_>,
    at: usize,
    field: &Field,
    (names, width, chosen): (usize, usize, bool),
    palette: Palette,
) -> Vec<Line<'static>> {
    let table = session.table();
    let value = |value: &crate::model::Value| shown(&quoted(table, field.column, value, session.secrets));
    let current = field.current.as_ref().map(value);
    let backup = field.backup.as_ref().map(value);
    let (on_current, on_backup) = match (&current, &backup) {
        (Some(c), Some(b)) => compared(c, b),
        (c, b) => (plain(c.as_deref().unwrap_or("(no record)")), plain(b.as_deref().unwrap_or("(absent: no opinion)"))),
    };
    let answer = session.answer_of(at);
    let mut sides: Vec<(&str, Vec<Piece>, bool)> = Vec::new();
    if let Some(base) = &field.base {
        sides.push(("base", plain(&base.as_ref().map_or("(absent)".to_owned(), value)), false));
    }
    sides.push(("current", on_current, answer == Some(FieldDecision::Current)));
    sides.push(("backup", on_backup, answer == Some(FieldDecision::Backup)));
    if let Some(FieldDecision::Value(json)) = &answer {
        let secret = session.secrets.hides(&table.label(), &table.columns[field.column].name);
        let text = if secret { "[secret]".to_owned() } else { shown(&json.to_string()) };
        sides.push(("typed", plain(&text), true));
    }
    let name = crate::report::text::short(&shown(&table.columns[field.column].name), names);
    let pad = " ".repeat(names.saturating_sub(Span::raw(name.as_str()).width()));
    let cursor = if chosen { '>' } else { ' ' };
    let mark = if field.in_conflict { '!' } else { ' ' };
    let mut lines = Vec::new();
    for (position, (side, pieces, taken)) in sides.into_iter().enumerate() {
        let star = if taken { '*' } else { ' ' };
        let lead = match position {
            0 => format!("{cursor}{mark} {name}{pad}  {star}{side:<8}"),
            _ => format!("{cursor}  {}  {star}{side:<8}", " ".repeat(names)),
        };
        lines.extend(wrapped(&lead, &pieces, width, palette));
    }
    lines
}

/// Lines of a message that are shown.
const SAID: usize = 4;

/// Writes what stands below the fields, in so many lines where that can be.
fn footer(session: &Session<'_>, width: usize, room: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let message = session.message.as_deref().map(|message| {
        let mut said = wrapped("", &plain(&shown(message)), width, Palette::Colored);
        said.truncate(SAID);
        said.into_iter().map(|line| line.style(bold)).collect::<Vec<_>>()
    });
    if let Mode::Edit { .. } = session.mode {
        lines.push(Line::raw(""));
        lines.extend(message.unwrap_or_else(|| vec![Line::raw("  JSON or plain text; null empties the field")]));
        lines.push(Line::raw("Enter takes the value   Esc back"));
        return lines;
    }
    let answer = match session.record().answer() {
        None => "none yet".to_owned(),
        Some(decision) => decided(session.table(), decision, session.secrets),
    };
    lines.push(Line::raw(crate::report::text::short(&format!("Answer: {}", shown(&answer)), width)));
    lines.extend(message.unwrap_or_else(|| vec![Line::raw(crate::report::text::short(&consequence(session), width))]));
    let keys = match &session.mode {
        Mode::Record => "e edit  a all alike  u undo  n next  p previous  ] undecided  ? help  q end".to_owned(),
        Mode::Fields { .. } => {
            "up/down field   b backup   c current   space other   e edit   u undo   Enter done".to_owned()
        }
        Mode::Alike { records } => {
            format!("All {} like this one that wait: b backup  c current  s skip  Esc back", records.len())
        }
        Mode::Help | Mode::Edit { .. } => "Any key goes back".to_owned(),
    };
    let keys = wrapped("", &plain(&keys), width, Palette::Colored);
    if session.mode == Mode::Record {
        let room = room.saturating_sub(lines.len() + keys.len());
        lines.extend(super::offers::lines(session, width, room));
    }
    lines.extend(keys);
    lines
}

/// Says what a merge would do with the record as it is answered.
fn consequence(session: &Session<'_>) -> String {
    let table = session.table();
    let Ok(settled) = session.result(session.record().decision.clone()) else {
        return "A merge would refuse the answer.".to_owned();
    };
    let written: Vec<usize> = settled.writes.iter().map(|(c, _)| *c).collect();
    let what = match settled.outcome {
        crate::plan::Outcome::Updated => format!("writes {}", table.names(&written).join(", ")),
        crate::plan::Outcome::Inserted => "inserts the record".to_owned(),
        crate::plan::Outcome::Deleted => "deletes the current record".to_owned(),
        crate::plan::Outcome::Undecided => "waits for your answer".to_owned(),
        crate::plan::Outcome::Blocked => "can't write it".to_owned(),
        crate::plan::Outcome::Kept | crate::plan::Outcome::KeptNewer => "leaves the current record as it is".to_owned(),
        crate::plan::Outcome::Skipped | crate::plan::Outcome::Stale => "writes nothing for it".to_owned(),
    };
    // Why a person is asked stands above the record already.
    let why = settled.why.filter(|_| settled.outcome != crate::plan::Outcome::Undecided);
    let why = why.map(|w| format!(": {}", session.scrubbed(&w))).unwrap_or_default();
    shown(&format!("A merge {what}{why}"))
}

/// Lays pieces out in lines of a width, after a lead; further lines are indented by the lead's width.
pub(super) fn wrapped(lead: &str, pieces: &[Piece], width: usize, palette: Palette) -> Vec<Line<'static>> {
    let differs = match palette {
        Palette::Colored => Style::new().fg(Color::Yellow).add_modifier(Modifier::REVERSED | Modifier::BOLD),
        Palette::Plain => Style::new().add_modifier(Modifier::BOLD),
    };
    let indent = Span::raw(lead).width();
    let room = width.saturating_sub(indent).max(8);
    let mut lines = Vec::new();
    let mut spans = vec![Span::raw(lead.to_owned())];
    let mut used = 0;
    for piece in pieces {
        let style = if piece.differs { differs } else { Style::new() };
        let text = match (piece.differs, palette) {
            (true, Palette::Plain) => format!("[{}]", piece.text),
            _ => piece.text.clone(),
        };
        for word in words(&text) {
            let size = Span::raw(word).width();
            if used > 0 && used + size > room && size <= room {
                lines.push(Line::from(std::mem::replace(&mut spans, vec![Span::raw(" ".repeat(indent))])));
                used = 0;
            }
            for c in word.chars() {
                let text = c.to_string();
                let size = Span::raw(text.as_str()).width();
                if used + size > room {
                    lines.push(Line::from(std::mem::replace(&mut spans, vec![Span::raw(" ".repeat(indent))])));
                    used = 0;
                }
                used += size;
                match spans.last_mut() {
                    Some(last) if last.style == style => last.content.to_mut().push(c),
                    _ => spans.push(Span::styled(text, style)),
                }
            }
        }
    }
    lines.push(Line::from(spans));
    lines
}

/// Splits a text after its blanks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}
