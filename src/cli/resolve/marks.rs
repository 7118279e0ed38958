//! Which parts of two values differ, for marking them: words in long texts, characters in short ones.

use similar::{ChangeTag, TextDiff};
use std::time::Duration;

/// A part of a value as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether the other side lacks it.
    pub(super) differs: bool,
}

/// Up to this length texts are compared by characters, beyond it by words.
const SHORT: usize = 40;
/// Equal parts that are longer are shown by their ends only.
const LONG_EQUAL: usize = 120;
/// What is shown of each end then.
const ENDS: usize = 40;
/// Comparing never takes longer; what it then has not matched counts as different.
const PATIENCE: Duration = Duration::from_millis(200);

/// Splits two texts into what they share and what differs.
pub(super) fn compared(left: &str, right: &str) -> (Vec<Piece>, Vec<Piece>) {
    let mut config = TextDiff::configure();
    config.timeout(PATIENCE);
    let by_words = left.chars().count().max(right.chars().count()) > SHORT;
    let diff = if by_words { config.diff_unicode_words(left, right) } else { config.diff_graphemes(left, right) };
    // Where hardly anything is shared, marking single characters would only confuse.
    if !by_words && diff.ratio() < 0.4 {
        return (whole(left), whole(right));
    }
    let (mut on_left, mut on_right) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes() {
        let text: &str = change.value();
        match change.tag() {
            ChangeTag::Equal => {
                push(&mut on_left, text, false);
                push(&mut on_right, text, false);
            }
            ChangeTag::Delete => push(&mut on_left, text, true),
            ChangeTag::Insert => push(&mut on_right, text, true),
        }
    }
    (shortened(on_left), shortened(on_right))
}

/// Returns a text that has no counterpart.
pub(super) fn plain(text: &str) -> Vec<Piece> {
    shortened(vec![Piece { text: text.to_owned(), differs: false }])
}

fn whole(text: &str) -> Vec<Piece> {
    if text.is_empty() { Vec::new() } else { vec![Piece { text: text.to_owned(), differs: true }] }
}

fn push(pieces: &mut Vec<Piece>, text: &str, differs: bool) {
    match pieces.last_mut() {
        Some(last) if last.differs == differs => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), differs }),
    }
}

fn shortened(pieces: Vec<Piece>) -> Vec<Piece> {
    pieces
        .into_iter()
        .map(|piece| {
            let count = piece.text.chars().count();
            if piece.differs || count <= LONG_EQUAL {
                return piece;
            }
            let first: String = piece.text.chars().take(ENDS).collect();
            let last: String = piece.text.chars().skip(count - ENDS).collect();
            let text = format!("{first} … ({} equal characters) … {last}", count - 2 * ENDS);
            Piece { text, differs: false }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Piece, compared};

    /// Writes pieces with brackets around what differs.
    fn marked(pieces: &[Piece]) -> String {
        pieces.iter().map(|p| if p.differs { format!("[{}]", p.text) } else { p.text.clone() }).collect()
    }

    fn check(left: &str, right: &str, marks: (&str, &str)) {
        let (a, b) = compared(left, right);
        assert_eq!((marked(&a).as_str(), marked(&b).as_str()), marks);
    }

    #[test]
    fn short_texts_are_marked_by_characters_and_long_ones_by_words() {
        check("ada@old.org", "ada@new.org", ("ada@[old].org", "ada@[new].org"));
        check("1.25", "1.75", ("1.[2]5", "1.[7]5"));
        check("same", "same", ("same", "same"));
        check("abc", "xyz", ("[abc]", "[xyz]"));
        let text = "The quick brown fox jumps over the lazy dog in the morning";
        check(
            text,
            &text.replace("lazy", "sleepy"),
            (
                "The quick brown fox jumps over the [lazy] dog in the morning",
                "The quick brown fox jumps over the [sleepy] dog in the morning",
            ),
        );
        check("", "x", ("", "[x]"));
    }

    #[test]
    fn equal_parts_of_long_texts_are_shown_by_their_ends() {
        let long = "word ".repeat(1_000);
        let (a, _) = compared(&format!("{long}one"), &format!("{long}two"));
        let text = marked(&a);
        assert!(text.ends_with("[one]") && text.contains("(4920 equal characters)"), "{text}");
    }
}
