//! The choices of the record on the screen: their keys, what each would do, and why another is not possible.

use super::draw::{Palette, wrapped};
use super::marks::plain;
use super::session::Session;
use crate::plan::choices::{Choice, Offer, impossible};
use crate::report::text::{short, shown};
use ratatui::text::Line;

/// The choices with their keys, in the order in which they are shown.
const KEYS: [(Choice, &str); 7] = [
    (Choice::Backup, "b backup"),
    (Choice::Current, "c current"),
    (Choice::IntoExisting, "i into existing"),
    (Choice::NewKey, "k new key"),
    (Choice::Undelete, "d undelete"),
    (Choice::Fields, "f fields"),
    (Choice::Skip, "s skip"),
];

/// How wide the column of keys is.
const WORDS: usize = 18;

/// Writes the choices in so many lines: in full, or shortened to a line each, or only their keys.
pub(super) fn lines(session: &Session<'_>, width: usize, room: usize) -> Vec<Line<'static>> {
    let told: Vec<(String, String)> = told(session);
    let lead = |word: &str| format!("{word:<WORDS$}");
    let full: Vec<Line<'_>> =
        told.iter().flat_map(|(word, said)| wrapped(&lead(word), &plain(said), width, Palette::Colored)).collect();
    if full.len() <= room {
        return full;
    }
    if told.len() <= room {
        return told.iter().map(|(word, said)| Line::raw(short(&format!("{}{said}", lead(word)), width))).collect();
    }
    let keys: Vec<&str> = told.iter().map(|(word, _)| word.as_str()).collect();
    wrapped("", &plain(&keys.join("  ")), width, Palette::Colored)
}

fn told(session: &Session<'_>) -> Vec<(String, String)> {
    let reason = session.record().finding.reason;
    let matters = |offer: &Offer| {
        let usual = matches!(offer.choice, Choice::Backup | Choice::Current | Choice::Fields | Choice::Skip);
        let meets = matches!(offer.choice, Choice::IntoExisting | Choice::NewKey);
        offer.legal || usual || (meets && impossible(reason, offer.choice).is_none())
    };
    let offers = session.offers();
    let found = KEYS.into_iter().filter_map(|(choice, word)| {
        let offer = offers.iter().find(|o| o.choice == choice).filter(|o| matters(o))?;
        let said = offer.consequence.as_deref().or(offer.why.as_deref()).unwrap_or_default();
        let said = shown(&session.scrubbed(said));
        Some(if offer.legal { (word.to_owned(), said) } else { (format!("({word})"), format!("not possible: {said}")) })
    });
    found.collect()
}
