//! Pieces of HTML that templates can't write well: values with everything invisible made visible, marked differences,
//! count bars, times. Everything from data passes [`escape`] here, or askama's escaping after [`safe`].

use super::words;
use crate::model::change::Counts;
use crate::report::html::escape;
use crate::report::text::{age, shown};
use serde_json::Value as Json;
use similar::{ChangeTag, TextDiff};
use std::fmt::{self, Write as _};

/// HTML that is safe to put into a page as it is.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl askama::filters::HtmlSafe for Html {}

impl Html {
    /// Takes HTML whose parts from data were escaped.
    pub(super) fn made(html: String) -> Self {
        Self(html)
    }

    /// Escapes text.
    pub(super) fn text(text: &str) -> Self {
        Self(escape(text))
    }
}

/// Makes text from data fit to be shown: control and direction characters are written out; askama escapes the rest.
pub(super) fn safe(text: &str) -> String {
    shown(text)
}

/// Characters of a value that are shown before it is cut, in a list and on a record's own page.
pub(super) const IN_LIST: usize = 160;
/// See [`IN_LIST`].
pub(super) const ALONE: usize = 4_000;

/// A value as it is drawn.
enum Drawn {
    /// Something that is no text: null, empty, hidden; in words.
    Odd(String),
    /// Text, and how many characters were cut.
    Text(String, usize),
}

fn drawn(value: Option<&Json>, missing: &str, most: usize) -> Drawn {
    let odd = |text: &str| Drawn::Odd(text.to_owned());
    let text = match value {
        None => return odd(missing),
        Some(Json::Null) => return odd("NULL"),
        Some(Json::Bool(b)) => b.to_string(),
        Some(Json::Number(n)) => n.to_string(),
        Some(Json::String(s)) if s.is_empty() => return odd(words::EMPTY_TEXT),
        Some(Json::String(s)) if s.chars().all(char::is_whitespace) => {
            return Drawn::Odd(format!(words::phrase!(NOTHING_ELSE), words::plural(s.chars().count() as u64, "space")));
        }
        Some(Json::String(s)) => s.clone(),
        Some(Json::Object(map)) if map.len() == 1 => match map.iter().next() {
            Some((tag, Json::String(text))) if tag == "bytes" => return bytes(text),
            Some((tag, Json::String(text))) if tag == "redacted" => {
                return Drawn::Odd(format!("hidden {}", text.trim_start_matches("blake3:")));
            }
            Some((_, Json::String(text))) => text.clone(),
            _ => Json::Object(map.clone()).to_string(),
        },
        Some(other) => other.to_string(),
    };
    let count = text.chars().count();
    if count > most {
        return Drawn::Text(text.chars().take(most).collect(), count - most);
    }
    Drawn::Text(text, 0)
}

fn bytes(text: &str) -> Drawn {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default();
    let hex = bytes.iter().take(32).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x} ");
        out
    });
    let more = if bytes.len() > 32 { "…" } else { "" };
    Drawn::Odd(format!("{}: {hex}{more}", words::plural(bytes.len() as u64, "byte")))
}

/// Escapes text and draws spaces at its ends, which would be seen nowhere.
fn visible(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let before = text.len() - text.trim_start_matches(' ').len();
    let after = if inner.is_empty() { 0 } else { text.len() - text.trim_end_matches(' ').len() };
    let spaces = |count: usize| match count {
        0 => String::new(),
        n => format!("<span class=\"odd\" title=\"{0}\">{1}</span>", words::plural(n as u64, "space"), "␣".repeat(n)),
    };
    format!("{}{}{}", spaces(before), lines_kept(inner), spaces(after))
}

/// Escapes text whose line ends are kept as such.
fn lines_kept(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

fn write(drawn: &Drawn) -> String {
    match drawn {
        Drawn::Odd(words) => format!("<span class=\"odd\">{}</span>", escape(words)),
        Drawn::Text(text, cut) => format!("<span class=\"v\">{}</span>{}", visible(text), cut_note(*cut)),
    }
}

fn cut_note(cut: usize) -> String {
    if cut == 0 {
        return String::new();
    }
    format!(" <span class=\"odd\">… {} more</span>", words::plural(cut as u64, "character"))
}

/// Draws a value; `missing` says what its absence means.
pub(super) fn value(value: Option<&Json>, missing: &str, most: usize) -> Html {
    Html(write(&drawn(value, missing, most)))
}

/// Draws the two sides of a field, with what differs marked in both.
pub(super) fn pair(current: Option<&Json>, backup: Option<&Json>, most: usize) -> (Html, Html) {
    let (left, right) =
        (drawn(current, words::NO_RECORD_IN_CURRENT, most), drawn(backup, words::NOT_CARRIED_BY_THE_BACKUP, most));
    let (Drawn::Text(a, cut_a), Drawn::Text(b, cut_b)) = (&left, &right) else {
        return (Html(write(&left)), Html(write(&right)));
    };
    if a == b || a.len() + b.len() > 20_000 {
        return (Html(write(&left)), Html(write(&right)));
    }
    let (old, new) = marked(a, b);
    let wrap = |inner: String, cut: usize| Html(format!("<span class=\"v\">{inner}</span>{}", cut_note(cut)));
    (wrap(old, *cut_a), wrap(new, *cut_b))
}

/// Marks what differs: words in longer texts, characters in short ones; nothing where almost all of it differs.
fn marked(a: &str, b: &str) -> (String, String) {
    let diff = if a.len().max(b.len()) > 60 { TextDiff::from_unicode_words(a, b) } else { TextDiff::from_chars(a, b) };
    let whole = |tag: &str, word: &str, text: &str| {
        format!("<{tag}><span class=\"hidden\">{word}: </span>{}</{tag}>", lines_kept(text))
    };
    if diff.ratio() < 0.4 {
        return (whole("del", "differs", a), whole("ins", "differs", b));
    }
    let mut sides = [String::new(), String::new()];
    for part in parts(diff.iter_all_changes().map(|c| (c.tag(), c.value()))) {
        match part {
            Part::Same(text) => sides.iter_mut().for_each(|s| s.push_str(&lines_kept(&text))),
            Part::Differs(old, new) => {
                for (side, (tag, text)) in sides.iter_mut().zip([("del", old), ("ins", new)]) {
                    if !text.is_empty() {
                        side.push_str(&whole(tag, words::ONLY_HERE, &text));
                    }
                }
            }
        }
    }
    let [old, new] = sides;
    (old, new)
}

/// A stretch of two texts.
enum Part {
    Same(String),
    Differs(String, String),
}

/// Characters that two differences are apart at most to be marked as one: islands of two letters help nobody.
const ISLAND: usize = 2;

/// Gathers changes into stretches.
fn parts<'a>(changes: impl Iterator<Item = (ChangeTag, &'a str)>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for (tag, text) in changes {
        match (tag, parts.last_mut()) {
            (ChangeTag::Equal, Some(Part::Same(same))) => same.push_str(text),
            (ChangeTag::Equal, _) => parts.push(Part::Same(text.to_owned())),
            (_, Some(Part::Differs(old, new))) => if tag == ChangeTag::Delete { old } else { new }.push_str(text),
            (ChangeTag::Delete, _) => parts.push(Part::Differs(text.to_owned(), String::new())),
            (ChangeTag::Insert, _) => parts.push(Part::Differs(String::new(), text.to_owned())),
        }
    }
    let mut joined: Vec<Part> = Vec::new();
    for part in parts {
        let before = joined.len().checked_sub(2);
        let island = matches!(joined.last(), Some(Part::Same(text)) if text.chars().count() <= ISLAND);
        match (part, before) {
            (Part::Differs(old, new), Some(before)) if island => {
                let Some(Part::Same(between)) = joined.pop() else { continue };
                if let Part::Differs(a, b) = &mut joined[before] {
                    a.push_str(&format!("{between}{old}"));
                    b.push_str(&format!("{between}{new}"));
                }
            }
            (part, _) => joined.push(part),
        }
    }
    joined
}

/// Draws a difference line by line, for texts of several lines and JSON; none where that says no more than the fields.
pub(super) fn lines(current: Option<&Json>, backup: Option<&Json>) -> Option<Html> {
    let text = |value: Option<&Json>| match value? {
        Json::String(text) => Some(text.clone()),
        Json::Object(map) => match map.get("json") {
            Some(Json::String(text)) => {
                let parsed: Json = serde_json::from_str(text).ok()?;
                serde_json::to_string_pretty(&parsed).ok()
            }
            _ => None,
        },
        _ => None,
    };
    let (a, b) = (text(current)?, text(backup)?);
    if a.lines().count().max(b.lines().count()) < 3 || a.len() + b.len() > 400_000 {
        return None;
    }
    let diff = TextDiff::from_lines(&a, &b);
    let mut html = String::from("<div class=\"lines\" tabindex=\"0\" role=\"region\" aria-label=\"Line by line\">");
    for change in diff.iter_all_changes().take(2_000) {
        let (class, sign, word) = match change.tag() {
            ChangeTag::Equal => ("", " ", ""),
            ChangeTag::Delete => ("minus", "−", "Current: "),
            ChangeTag::Insert => ("plus", "+", "Backup: "),
        };
        let line = escape(change.value().trim_end_matches('\n'));
        let _ = write!(
            html,
            "<div class=\"{class}\"><span aria-hidden=\"true\">{sign} </span><span class=\"hidden\">{word}</span>{line}</div>"
        );
    }
    html.push_str("</div>");
    Some(Html(html))
}

/// Draws an instant: machine-readable, in UTC until the script shows it in the viewer's zone.
pub(super) fn time(text: &str) -> Html {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(at) => {
            let at = at.to_utc();
            let seconds = (chrono::Utc::now() - at).num_seconds();
            let ago = if (0..5).contains(&seconds) { words::JUST_NOW.to_owned() } else { words::ago(&about(seconds)) };
            Html(format!(
                "<span class=\"when\">{}<span class=\"join\">,</span></span> <span class=\"ago\">{ago}</span>",
                machine_readable(at)
            ))
        }
        Err(_) => Html::text(text),
    }
}

/// Draws an instant without saying how long ago it was: one that is still to come, or one of many.
pub(super) fn instant(text: &str) -> Html {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(at) => Html(machine_readable(at.to_utc())),
        Err(_) => Html::text(text),
    }
}

fn machine_readable(at: chrono::DateTime<chrono::Utc>) -> String {
    format!(
        "<time datetime=\"{}\" title=\"{} UTC\">{} UTC</time>",
        at.format("%Y-%m-%dT%H:%M:%SZ"),
        at.format("%Y-%m-%d %H:%M:%S"),
        at.format("%Y-%m-%d %H:%M")
    )
}

/// Says an age as people do: without a second unit that is nought.
fn about(seconds: i64) -> String {
    let exact = age(seconds);
    exact.strip_suffix(" 0 h").or_else(|| exact.strip_suffix(" 0 min")).map_or(exact.clone(), str::to_owned)
}

/// Makes a sentence of a message: a capital at its beginning, unless that may be a name, and a full stop at its end.
pub(super) fn sentence(message: &str) -> String {
    let first = message.split(' ').next().unwrap_or_default();
    let is_word = first.len() < message.len() && first.chars().all(|c| c.is_ascii_lowercase());
    let mut text = message.to_owned();
    if let (true, Some(letter)) = (is_word, text.get_mut(..1)) {
        letter.make_ascii_uppercase();
    }
    if text.ends_with(|c: char| c.is_alphanumeric() || ")\"'".contains(c)) {
        text.push('.');
    }
    text
}

/// Draws the share of each class as a bar, named for those who don't see it.
pub(super) fn bar(counts: &Counts, most: u64) -> Html {
    let parts = [
        ("new", counts.new),
        ("updated", counts.updated),
        ("conflict", counts.conflict),
        ("blocked", counts.blocked),
        ("excluded", counts.excluded),
        ("unchanged", counts.unchanged),
    ];
    let total = counts.backup_records().max(most).max(1) as f64;
    let said: Vec<String> = parts
        .iter()
        .filter(|p| p.1 > 0)
        .map(|(word, n)| format!("{} {}", words::grouped(n), words::class(word)))
        .collect();
    let label = if said.is_empty() { words::NO_RECORDS.to_owned() } else { said.join(", ") };
    let mut html = format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\"><title>{label}</title>"
    );
    let mut at = 0.0;
    for (word, n) in parts.into_iter().filter(|p| p.1 > 0) {
        // What is there is seen, however few it is of many.
        let width = (n as f64 / total * 100.0).max(1.5).min(100.0 - at);
        let _ = write!(html, "<rect class=\"f-{word}\" x=\"{at:.2}\" width=\"{width:.2}\" height=\"4\"/>");
        at += width;
    }
    html.push_str("</svg>");
    Html(html)
}

/// Draws what is written to a table, beside what is written to the one that most is written to.
pub(super) fn amounts(inserted: u64, updated: u64, deleted: u64, most: u64) -> Html {
    let mut html =
        "<svg class=\"bar\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\">".to_owned();
    let mut at = 0.0;
    for (word, n) in [("inserted", inserted), ("updated", updated), ("deleted", deleted)] {
        if n > 0 {
            let width = (n as f64 / most.max(1) as f64 * 100.0).max(1.5).min(100.0 - at);
            let _ = write!(html, "<rect class=\"f-{word}\" x=\"{at:.2}\" width=\"{width:.2}\" height=\"4\"/>");
            at += width;
        }
    }
    html.push_str("</svg>");
    Html(html)
}

/// Escapes text and marks where it holds another, whatever the case of its letters.
pub(super) fn found(text: &str, sought: &str) -> Html {
    let (mut html, mut rest) = (String::new(), text);
    let needle: Vec<char> = sought.chars().flat_map(char::to_lowercase).collect();
    while let Some((start, end)) = next_match(rest, &needle) {
        let _ = write!(html, "{}<mark>{}</mark>", escape(&rest[..start]), escape(&rest[start..end]));
        rest = &rest[end..];
    }
    html.push_str(&escape(rest));
    Html(html)
}

/// Finds the first place of a text in small letters; nothing where the text is empty.
fn next_match(text: &str, needle: &[char]) -> Option<(usize, usize)> {
    let (first, others) = needle.split_first()?;
    let small = |c: char| c.to_lowercase().next().unwrap_or(c);
    text.char_indices().filter(|(_, c)| small(*c) == *first).find_map(|(start, c)| {
        let mut end = start + c.len_utf8();
        let mut after = text[end..].chars();
        for wanted in others {
            let c = after.next().filter(|c| small(*c) == *wanted)?;
            end += c.len_utf8();
        }
        Some((start, end))
    })
}

/// Draws one share.
pub(super) fn share(part: u64, of: u64) -> Html {
    let width = part as f64 / of.max(1) as f64 * 100.0;
    Html(format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 4\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"f-conflict\" width=\"{:.2}\" height=\"4\"/></svg>",
        width.max(1.0)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn u42_null_empty_space_zero_false_and_missing_look_different() {
        let values = [Some(json!(null)), Some(json!("")), Some(json!(" ")), Some(json!(0)), Some(json!(false)), None];
        let drawn: std::collections::BTreeSet<String> =
            values.iter().map(|v| value(v.as_ref(), "missing", IN_LIST).to_string()).collect();
        assert_eq!(drawn.len(), values.len(), "{drawn:?}");
    }

    #[test]
    fn u41_hostile_text_is_shown_and_does_nothing() {
        let nasty = json!("<script>alert(1)</script>\u{202e}txt\u{200b}\u{7}\"'");
        let html = value(Some(&nasty), "missing", ALONE).to_string();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("\\u{202e}") && html.contains("\\u{200b}") && html.contains("\\u{7}"), "{html}");
        let (old, new) = pair(Some(&nasty), Some(&json!("<script>alert(2)</script>")), ALONE);
        assert!(!old.to_string().contains("<script") && !new.to_string().contains("<script"), "{old} {new}");
        let long = json!("x".repeat(1_000_000));
        assert!(value(Some(&long), "missing", IN_LIST).to_string().len() < 400);
        let label = value(Some(&json!("  a ")), "missing", IN_LIST).to_string();
        assert!(label.contains("␣␣") && label.contains("2 spaces"), "{label}");
    }

    #[test]
    fn differing_characters_are_marked_with_words() {
        let (old, new) = pair(Some(&json!("anna@example.org")), Some(&json!("anne@example.org")), ALONE);
        assert!(old.to_string().contains("<del><span class=\"hidden\">only here: </span>a</del>"), "{old}");
        assert!(new.to_string().contains("<ins><span class=\"hidden\">only here: </span>e</ins>"), "{new}");
        assert!(lines(Some(&json!("a\nb\nc\n")), Some(&json!("a\nx\nc\n"))).is_some());
    }

    #[test]
    fn messages_become_sentences_and_names_stay_names() {
        for (message, said) in [
            ("the backup does not fit", "The backup does not fit."),
            ("broken.json: the file ends", "broken.json: the file ends."),
            ("users/4: changed", "users/4: changed."),
            ("there is no analysis \"p\"", "There is no analysis \"p\"."),
            ("Type shop.", "Type shop."),
            ("order_lines has none", "order_lines has none."),
        ] {
            assert_eq!(sentence(message), said);
        }
        assert_eq!((sentence(""), sentence("users")), (String::new(), "users.".to_owned()));
    }

    #[test]
    fn what_is_found_is_marked_and_escaped() {
        assert_eq!(found("Harbour <b>", "HARB").to_string(), "<mark>Harb</mark>our &lt;b&gt;");
        assert_eq!(found("äÄ<", "ä").to_string(), "<mark>ä</mark><mark>Ä</mark>&lt;");
        assert_eq!(found("a&b", "").to_string(), "a&amp;b");
    }

    #[test]
    fn an_age_names_no_unit_of_which_there_is_none() {
        assert_eq!([about(3), about(172_800), about(7_200), about(5_400)], ["3 s", "2 d", "2 h", "1 h 30 min"]);
    }
}
