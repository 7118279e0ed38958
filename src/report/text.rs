//! Text for people: the summary of an analysis, records, merges. Everything that came from data is made harmless first.

use super::{Analyzed, Merged, Secrets, Undone};
use crate::database::Identity;
use crate::model::change::{Class, Reason};
use crate::model::schema::Engine;
use crate::model::{Table, Value};
use crate::plan::choices::Offer;
use crate::plan::decision::{Decision, FieldDecision};
use crate::plan::settle::of_neither_side;
use crate::plan::{Plan, Preview, Selector, Stored};
use comfy_table::{CellAlignment, Table as Grid, presets};
use std::fmt::Write as _;

/// Makes text from data safe to print: control and direction characters are written out.
pub fn shown(text: &str) -> String {
    let risky = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if !text.contains(risky) {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 8), |mut out, c| {
        if risky(c) {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

/// Shortens text to so many characters, with a mark.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// Lays rows out in aligned columns; the first `left` columns are aligned to the left, the rest to the right.
pub fn aligned(header: &[&str], rows: &[Vec<String>], left: usize) -> String {
    let mut grid = Grid::new();
    grid.load_style(presets::NOTHING);
    if !header.is_empty() {
        grid.set_header(header.to_vec());
    }
    for row in rows {
        grid.add_row(row.iter().map(|cell| shown(cell)).collect::<Vec<_>>());
    }
    for (position, column) in grid.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if position >= left {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in grid.to_string().lines() {
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    text
}

/// Writes a length of time roughly: `2 d 20 h`.
pub fn age(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, _) => format!("{m} min"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

/// Says which database it is, wherever the reader stands: a file by its whole path.
pub fn place(database: &Identity) -> String {
    match database.engine {
        Engine::Sqlite => format!("sqlite:{}", database.id),
        _ => database.display.clone(),
    }
}

/// Writes an instant of a file for people, with its age where it can be read.
pub fn when(text: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(at) => {
            let ago = age((chrono::Utc::now() - at.to_utc()).num_seconds());
            format!("{} UTC, {ago} ago", at.to_utc().format("%Y-%m-%d %H:%M"))
        }
        Err(_) => shown(text),
    }
}

/// Writes the summary of an analysis: counts per table, what needs a person, what comes next.
pub fn summary(analyzed: &Analyzed, plan: &Plan, secrets: &Secrets, saved: Saved) -> String {
    let meta = plan.meta();
    let mut text = String::new();
    if let Some(backup) = &meta.backup {
        let name = std::path::Path::new(&backup.path).file_name().map(|n| n.to_string_lossy().into_owned());
        let exported = backup.exported_at.as_deref().map(when).map(|w| format!("  (exported {w})")).unwrap_or_default();
        let _ = writeln!(text, "Backup   {}{exported}", shown(&name.unwrap_or_else(|| backup.path.clone())));
    }
    let _ = writeln!(text, "Current  {}  (read {})", shown(&place(&meta.database)), when(&meta.created_at));
    let base = match &meta.base {
        Some(base) => format!("three-way, base {}", shown(&base.path)),
        None => "two-way (no common base known)".to_owned(),
    };
    let _ = writeln!(text, "Compare  {base}   strategy: {}\n", shown(&meta.strategy.0));
    text.push_str(&counts_table(analyzed));
    text.push('\n');
    text.push_str(&needs(analyzed, plan, secrets));
    if !analyzed.not_carried.is_empty() {
        let _ = writeln!(
            text,
            "  Not carried: {} exist only in current ({}); they keep their values.",
            plural(analyzed.not_carried.len() as u64, "column"),
            shown(&listed(&analyzed.not_carried, 6))
        );
    }
    for note in analyzed.notes.iter().take(12) {
        let _ = writeln!(text, "  Note: {}", shown(note));
    }
    if analyzed.notes.len() > 12 {
        let _ = writeln!(text, "  … and {} more notes (--json lists all)", analyzed.notes.len() - 12);
    }
    let _ = writeln!(text, "  A merge would write: {}.", writes(&analyzed.preview));
    if saved == Saved::Yes {
        let _ = writeln!(text, "\nPlan saved: {} (expires in 7 days). Nothing was changed.", analyzed.id);
        let _ = writeln!(text, "Next: {}", next(&analyzed.preview, &analyzed.name));
    }
    text
}

/// Names the next step; never a merge that would be refused.
pub fn next(preview: &Preview, name: &str) -> String {
    let name = shown(name);
    match (preview.undecided, preview.blocked, preview.writes()) {
        (1.., _, _) => format!("merganser resolve {name}"),
        (0, 1.., 0) => format!("merganser show {name} records --outcome blocked"),
        (0, 1.., _) => {
            format!("merganser show {name} records --outcome blocked   then   merganser merge {name} --on-blocked skip")
        }
        (0, 0, 0) => "nothing to do; a merge would write nothing".to_owned(),
        (0, 0, _) => format!("merganser merge {name}"),
    }
}

/// Says what is known of a record: what the comparison noted, and why nobody but a person can decide it.
pub fn because(record: &Stored) -> Option<String> {
    let note = record.finding.note.as_deref();
    // The reason stands beside it already.
    let reason = format!(" ({})", record.finding.reason);
    let why = record.why.as_deref().filter(|why| Some(*why) != note).map(|why| why.replace(&reason, ""));
    match (note, why) {
        (Some(note), Some(why)) => Some(format!("{note}; {why}")),
        (Some(note), None) => Some(note.to_owned()),
        (None, why) => why,
    }
}

/// Explains a reason in a sentence.
pub const fn explained(reason: Reason) -> &'static str {
    match reason {
        Reason::OnlyInBackup => "The record is in the backup only.",
        Reason::SameFields => "No compared field differs.",
        Reason::BackupNewer => "The backup's record was changed later than the current one.",
        Reason::CurrentNewer => "The current record was changed later than the backup's.",
        Reason::NoEvidenceEqual => "Fields differ, but both records carry the same time of change.",
        Reason::NoEvidenceMissing => "Fields differ, and on one side the time of change is missing.",
        Reason::NoEvidenceUnreadable => "Fields differ, and a time of change can't be read.",
        Reason::NoEvidenceFuture => "Fields differ, and a time of change lies in the future.",
        Reason::FillsEmpty => "The backup fills fields that are empty in current; nothing is overwritten.",
        Reason::BothDiffer => "Fields differ, and the table has no time of change that tells which is newer.",
        Reason::UniqueTaken => "The key is free, but another current record holds a value that must be unique.",
        Reason::ReusedKey => "Both sides use the key, but evidently for different things.",
        Reason::MissingParent => "The record refers to one that is neither in the backup nor in current.",
        Reason::ValueNotStorable => "A value of the backup does not fit its column.",
        Reason::NullNotAllowed => "A column that needs a value has none in the backup.",
        Reason::CheckFails => "A check of the table refuses the record, or its new value would reach into others.",
        Reason::KeyMissing => "The backup's record has no key, or a part of it is null.",
        Reason::UniqueTwiceInBackup => "Two records of the backup claim one value that must be unique.",
        Reason::TableRefused => "The table can't be written to.",
        Reason::OnlyCurrentChanged => "Since the base only current changed.",
        Reason::OnlyBackupChanged => "Since the base only the backup changed.",
        Reason::MergedFields => "Since the base both sides changed, but different fields.",
        Reason::BothChanged => "Since the base both sides changed the same fields.",
        Reason::DeletedInCurrent => "Since the base the record was deleted in current.",
        Reason::DeletedInBackup => "Since the base the record was deleted in the backup.",
        Reason::NotInBackup => "The record is only in current, and current is to become like the backup.",
        Reason::StillReferenced => "Other records refer to it, so it can't be deleted.",
        Reason::Filtered => "A filter leaves the record out.",
        Reason::OnlyInCurrent => "The record is only in current; it stays.",
    }
}

/// Whether the summary is of a plan that was just saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was.
    Yes,
    /// It is only shown.
    No,
}

fn counts_table(analyzed: &Analyzed) -> String {
    let header = ["table", "new", "updated", "conflict", "unchanged", "blocked", "excluded", "current_only"];
    let row = |name: &str, c: &crate::model::change::Counts| {
        let mut cells = vec![name.to_owned()];
        cells.extend(
            [c.new, c.updated, c.conflict, c.unchanged, c.blocked, c.excluded, c.current_only].map(|n| n.to_string()),
        );
        cells
    };
    let mut rows: Vec<Vec<String>> = analyzed.tables.iter().map(|t| row(&t.name, &t.counts)).collect();
    rows.push(row("total", &analyzed.counts));
    aligned(&header, &rows, 1)
}

fn needs(analyzed: &Analyzed, plan: &Plan, secrets: &Secrets) -> String {
    let mut lines = Vec::new();
    let undecided = analyzed.preview.undecided;
    let settled = analyzed.counts.conflict.saturating_sub(undecided);
    let mut text = String::new();
    if settled > 0 {
        let many = plural(settled, "conflict");
        let _ =
            writeln!(text, "  {many} decided already; look with   merganser show {} conflicts", shown(&analyzed.name));
    }
    if undecided > 0 {
        lines.push(format!("{}   merganser resolve {}", plural(undecided, "conflict"), shown(&analyzed.name)));
    }
    if analyzed.preview.blocked > 0 {
        let selector = Selector { outcome: Some(crate::plan::Outcome::Blocked), ..Selector::default() };
        let page = plan.page(&selector, 0, 5).map(|p| p.records).unwrap_or_default();
        for (position, record) in page.iter().enumerate() {
            let lead = if position == 0 { format!("{} blocked", analyzed.preview.blocked) } else { String::new() };
            lines.push(format!("{lead:>12}     {}", shown(&line(plan, record, secrets))));
        }
        lines.extend(page.iter().find_map(|record| completing(plan, record, &analyzed.name)));
    }
    if lines.is_empty() {
        return text;
    }
    let kinds = u64::from(undecided > 0) + u64::from(analyzed.preview.blocked > 0);
    let verb = if kinds == 1 { "thing needs" } else { "things need" };
    let _ = writeln!(text, "  {kinds} {verb} you:");
    for line in lines {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// Names the command that gives a required column its value, for a record that the strategy brings without one.
pub fn completing(plan: &Plan, record: &Stored, name: &str) -> Option<String> {
    let column = record.why.as_deref()?.strip_suffix(" needs a value, and the strategy brings none")?;
    let table = plan.meta().schema.tables[record.finding.table].label();
    Some(format!(
        "give them a value with   merganser resolve {} --table {} --class {} --set {}=VALUE",
        shown(name),
        shown(&table),
        record.finding.class,
        shown(column)
    ))
}

/// Writes one record in one line: name, class, reason and note.
pub fn line(plan: &Plan, record: &Stored, secrets: &Secrets) -> String {
    let table = &plan.meta().schema.tables[record.finding.table];
    let note = because(record);
    let note = note.map(|n| format!(": {}", secrets.scrub(table, &record.finding.fields, &n))).unwrap_or_default();
    format!(
        "{}: {}, {}{note}",
        secrets.record_name(table, &record.finding.key),
        record.finding.class,
        record.finding.reason
    )
}

/// Writes one record field by field.
pub fn record(plan: &Plan, record: &Stored, secrets: &Secrets) -> String {
    let finding = &record.finding;
    let table = &plan.meta().schema.tables[finding.table];
    let mut text = format!("{}   (id {})\n", shown(&line(plan, record, secrets)), record.conflict_id);
    let has_base = finding.fields.iter().any(|f| f.base.is_some());
    let mut header = vec!["field"];
    if has_base {
        header.push("base");
    }
    header.extend(["current", "backup"]);
    let mut written = of_neither_side(plan, record).unwrap_or_default();
    let is_mixed = !written.is_empty();
    if is_mixed {
        header.push("written");
    }
    header.push("");
    let value = |column: usize, value: Option<&Value>| match value {
        None => "—".to_owned(),
        Some(value) => short(&quoted(table, column, value, secrets), 60),
    };
    let name = |column: usize| table.columns[column].name.clone();
    let mut taken = |column: usize| {
        let at = written.iter().position(|(c, _)| *c == column)?;
        Some(value(column, Some(&written.swap_remove(at).1)))
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for f in &finding.fields {
        let mut row = vec![name(f.column)];
        if has_base {
            row.push(value(f.column, f.base.as_ref().and_then(Option::as_ref)));
        }
        row.push(value(f.column, f.current.as_ref()));
        row.push(value(f.column, f.backup.as_ref()));
        if is_mixed {
            row.push(taken(f.column).unwrap_or_default());
        }
        row.push(if f.in_conflict { "! conflict".to_owned() } else { String::new() });
        rows.push(row);
    }
    // Fields in which the sides don't differ, or that the backup does not have.
    for (column, new) in &written {
        let mut row = vec![name(*column)];
        row.resize(header.len() - 2, String::new());
        row.extend([value(*column, Some(new)), String::new()]);
        rows.push(row);
    }
    text.push_str(&aligned(&header, &rows, header.len()));
    let decision = match &record.decision {
        None => "none".to_owned(),
        Some(decision) => decided(table, decision, secrets),
    };
    let outcome = record.outcome.map_or("not settled", crate::plan::Outcome::word);
    let _ = writeln!(text, "  {}: {}", finding.reason, explained(finding.reason));
    let _ = writeln!(text, "  decision: {}   outcome: {outcome}", shown(&decision));
    if let Ok(Some(note)) = plan.decision_note(finding.id) {
        let _ = writeln!(text, "  noted beside it: {}", shown(&note));
    }
    text
}

/// Writes what can be answered and what each answer would do, and why the rest can't.
pub fn choices(offers: &[Offer]) -> String {
    let mut text = String::new();
    for offer in offers {
        let said = offer.consequence.as_deref().or(offer.why.as_deref()).unwrap_or_default();
        let no = if offer.legal { "" } else { "not possible: " };
        let _ = writeln!(text, "  {:<14} {no}{}", offer.choice.word(), shown(said));
    }
    text
}

/// Writes a decision in words.
pub fn decided(table: &Table, decision: &Decision, secrets: &Secrets) -> String {
    let fields = match decision {
        Decision::Backup => return "take the backup's record".to_owned(),
        Decision::Current => return "keep the current record".to_owned(),
        Decision::Skip => return "write nothing for it".to_owned(),
        Decision::IntoExisting => return "take the backup's fields into the existing record".to_owned(),
        Decision::NewKey => return "insert the backup's record under a new key".to_owned(),
        Decision::Fields { fields } => fields,
    };
    let one = |(name, answer): (&String, &FieldDecision)| match answer {
        FieldDecision::Backup => format!("{name} from the backup"),
        FieldDecision::Current => format!("{name} as it is in current"),
        FieldDecision::Value(_) if secrets.hides(&table.label(), name) => format!("{name} = [secret]"),
        FieldDecision::Value(value) => format!("{name} = {value}"),
    };
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Quotes text, so that empty, blank and null look different.
pub fn quoted(table: &Table, column: usize, value: &Value, secrets: &Secrets) -> String {
    let text = secrets.text(table, column, value);
    match value {
        Value::Text(_) if !text.starts_with("[secret") => format!("{text:?}"),
        _ => text,
    }
}

/// Writes what a merge would write or wrote: `3 inserted, 2 updated`.
pub fn writes(counts: &Preview) -> String {
    let mut parts = Vec::new();
    for (count, word) in [
        (counts.inserted, "inserted"),
        (counts.updated, "updated"),
        (counts.deleted, "deleted"),
        (counts.kept_newer, "kept because current is newer"),
        (counts.kept, "kept"),
        (counts.skipped, "left out"),
        (counts.undecided, "undecided"),
        (counts.blocked, "that can't be written"),
        (counts.stale, "left out as stale"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// Writes what a merge did.
pub fn merged(merged: &Merged, target: &str) -> String {
    let mut text = String::new();
    if let Some(already) = &merged.already {
        let _ = writeln!(text, "The plan was carried out before, as {already}. Nothing was changed.");
        return text;
    }
    if !merged.tables.is_empty() {
        let count = |t: &serde_json::Value, n: &str| t["counts"][n].to_string();
        let names = ["inserted", "updated", "deleted", "kept_newer", "kept", "skipped", "stale", "blocked"];
        let rows: Vec<Vec<String>> = merged
            .tables
            .iter()
            .map(|t| {
                let mut row = vec![t["name"].as_str().unwrap_or_default().to_owned()];
                row.extend(names.iter().map(|n| count(t, n)));
                row
            })
            .collect();
        let mut header = vec!["table"];
        header.extend(names);
        text.push_str(&aligned(&header, &rows, 1));
        text.push('\n');
    }
    for line in &merged.left_out {
        let _ = writeln!(text, "  left out: {}", shown(line));
    }
    for note in &merged.notes {
        let _ = writeln!(text, "  Note: {}", shown(note));
    }
    let what = writes(&merged.counts);
    let _ = match (merged.dry_run, merged.changed) {
        (true, _) => writeln!(text, "Dry run on {}: {what}. Rolled back; nothing was changed.", shown(target)),
        (false, false) if what == "nothing" => writeln!(text, "Nothing to write. Nothing was changed."),
        (false, false) => writeln!(text, "Nothing to write: {what}. Nothing was changed."),
        (false, true) => writeln!(text, "Merged into {}: {what}.", shown(target)),
    };
    if let (Some(undo), true) = (&merged.undo, merged.changed) {
        let _ = writeln!(text, "Undo: {undo}");
    }
    text
}

/// Writes the three lists of an `undo` or a `redo`.
pub fn undone(lists: &Undone, listed: usize, word: &str) -> String {
    let mut text = String::new();
    let [done, kept, blocked] = match word {
        "redo" => ["put back", "changed since the undo, stay as they are", "can't be put back"],
        _ => ["taken back", "changed since the merge, stay as they are", "can't be taken back"],
    };
    let first = if word == "redo" { "put back" } else { "reversed" };
    let kinds = [(first, &lists.reversed, done), ("kept", &lists.kept, kept), ("blocked", &lists.blocked, blocked)];
    for (position, (word, list, meaning)) in kinds.into_iter().enumerate() {
        let _ = writeln!(text, "  {:>6} {word:<9} {meaning}", lists.counts[position]);
        for line in list.iter().take(listed).filter(|_| position > 0) {
            let _ = writeln!(text, "           {}", shown(line));
        }
    }
    for note in &lists.notes {
        let _ = writeln!(text, "  Note: {}", shown(note));
    }
    text
}

/// Writes a count with its noun.
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn listed(names: &[String], most: usize) -> String {
    let mut text = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > most {
        let _ = write!(text, " and {} more", names.len() - most);
    }
    text
}

/// Returns the classes shown when records are listed without a class.
pub const LISTED: [Class; 5] = [Class::New, Class::Updated, Class::Conflict, Class::Blocked, Class::CurrentOnly];
