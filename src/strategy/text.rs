//! Text: a three-way merge by lines, then by words where lines collide; and lists separated by commas.

use similar::{MergeResolution, TextMerge};
use std::collections::HashMap;
use std::ops::Range;

/// The most lines, or words of colliding lines, that are merged: finding differences takes quadratic time at worst.
const MOST_PIECES: usize = 5_000;

/// The longest text that a question quotes, in bytes.
const LONGEST_SHOWN_BYTES: usize = 4_096;

/// Merges the changes that current and backup made to one base text.
///
/// Symmetric, and clean or not at all.
///
/// # Errors
/// The text with marks around what both sides changed differently.
pub(super) fn merge(base: &str, current: &str, backup: &str) -> Result<String, String> {
    let texts = [base, current, backup];
    by_lines(texts).ok_or_else(|| marked(texts))
}

/// The order of sides in every array here: base, current, backup.
type Sides<T> = [T; 3];

fn by_lines(texts: Sides<&str>) -> Option<String> {
    let lines = texts.map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    merge_pieces(&lines, |collision| merge_pieces(&collision.map(|text| words(text)), |_| None))
}

/// Merges three sequences; `resolve` gets the text of each side where both changed the same pieces.
fn merge_pieces(pieces: &Sides<Vec<&str>>, resolve: impl Fn(Sides<&str>) -> Option<String>) -> Option<String> {
    if pieces.iter().any(|side| side.len() > MOST_PIECES) {
        return None;
    }
    let numbered = numbered(pieces);
    let merge = TextMerge::from_lines(&numbered[0], &numbered[1], &numbered[2]);
    let mut result = String::new();
    let text = |side: usize, range: Range<usize>| pieces[side][range].concat();
    for region in merge.regions() {
        match region.resolution() {
            MergeResolution::Unchanged => result.push_str(&text(0, region.base_range())),
            MergeResolution::Ours | MergeResolution::Both => result.push_str(&text(1, region.ours_range())),
            MergeResolution::Theirs => result.push_str(&text(2, region.theirs_range())),
            _ => {
                let collision =
                    [text(0, region.base_range()), text(1, region.ours_range()), text(2, region.theirs_range())];
                result.push_str(&resolve([&collision[0], &collision[1], &collision[2]])?);
            }
        }
    }
    Some(result)
}

/// Writes each piece as a number on a line of its own, equal pieces as equal numbers: the merge knows lines only.
fn numbered<'a>(pieces: &Sides<Vec<&'a str>>) -> Sides<String> {
    let mut numbers: HashMap<&'a str, usize> = HashMap::new();
    let mut write = |side: &Vec<&'a str>| {
        let mut text = String::new();
        for &piece in side {
            let next = numbers.len();
            text.push_str(&numbers.entry(piece).or_insert(next).to_string());
            text.push('\n');
        }
        text
    };
    [write(&pieces[0]), write(&pieces[1]), write(&pieces[2])]
}

/// Splits into words, each with the white space after it, so that changes of neighbouring words touch.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_space = false;
    for (at, c) in text.char_indices() {
        if in_space && !c.is_whitespace() {
            words.push(&text[start..at]);
            start = at;
        }
        in_space = c.is_whitespace();
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}

fn marked(texts: Sides<&str>) -> String {
    let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
    if longest > LONGEST_SHOWN_BYTES {
        return format!("both sides changed the same words of a long text (up to {longest} bytes)");
    }
    let mut merge = TextMerge::from_lines(texts[0], texts[1], texts[2]);
    merge.labels("base", "current", "backup");
    format!("both sides changed the same words:\n{merge}")
}

/// Unites two lists separated by commas: current's members in their order, then the backup's others in theirs.
///
/// # Errors
/// Why a person has to decide.
pub(super) fn union(current: &str, backup: &str) -> Result<String, String> {
    if current.contains('"') || backup.contains('"') {
        return Err("a list with quotes may hold commas inside its members".to_owned());
    }
    fn members(text: &str) -> impl Iterator<Item = &str> {
        text.split(',').map(str::trim).filter(|member| !member.is_empty())
    }
    let mut known: Vec<&str> = members(current).collect();
    if known.is_empty() {
        return Ok(backup.to_owned());
    }
    let separator = if [current, backup].iter().any(|text| text.contains(", ")) { ", " } else { "," };
    let mut result = current.trim_end().trim_end_matches(',').to_owned();
    for member in members(backup) {
        if !known.contains(&member) {
            known.push(member);
            result.push_str(separator);
            result.push_str(member);
        }
    }
    Ok(if result.len() > current.len() { result } else { current.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::{by_lines, merge, union, words};

    /// Every text of at most three pieces over two letters.
    fn texts(pieces: [&str; 2]) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..3 {
            last = last.iter().flat_map(|text| pieces.map(|piece| format!("{text}{piece}"))).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    /// 15³ merges, both ways round, for each kind of piece: lines, words, words glued into one, and a mixture.
    #[test]
    fn laws_hold_for_all_small_texts() {
        for pieces in [["a\n", "b\n"], ["a ", "b "], ["a", "b"], ["a\nb ", "b\n"]] {
            let texts = texts(pieces);
            assert_eq!(texts.len(), 15);
            for base in &texts {
                for current in &texts {
                    assert_eq!(merge(base, base, current).as_ref(), Ok(current), "only the backup changed {base:?}");
                    assert_eq!(merge(base, current, base).as_ref(), Ok(current), "only current changed {base:?}");
                    assert_eq!(merge(base, current, current).as_ref(), Ok(current), "both changed {base:?} alike");
                    for backup in &texts {
                        let (one, other) = (by_lines([base, current, backup]), by_lines([base, backup, current]));
                        assert_eq!(one, other, "swapping the sides: {base:?} {current:?} {backup:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn changes_apart_are_merged_and_changes_of_one_word_are_asked() {
        let base = "Dear guest,\nyour room is ready at noon.\nBye\n";
        let current = "Dear guest,\nyour suite is ready at noon.\nBye\n";
        let backup = "Dear guest,\nyour room is ready at three.\nBye!\n";
        let expected = "Dear guest,\nyour suite is ready at three.\nBye!\n";
        assert_eq!(merge(base, current, backup).as_deref(), Ok(expected));

        let asked = merge(base, current, &base.replace("room", "hall")).expect_err("one word, two changes");
        for part in ["<<<<<<< current\nyour suite", "=======\nyour hall", ">>>>>>> backup"] {
            assert!(asked.contains(part), "{asked}");
        }
    }

    #[test]
    fn words_keep_every_byte() {
        let text = "  two words\t\n and ümlaut ";
        assert_eq!(words(text).concat(), text);
        assert_eq!(words(text).len(), 5);
        assert!(words("").is_empty());
    }

    #[test]
    fn lists_are_united_in_order() {
        let check = |current: &str, backup: &str, expected: &str| {
            assert_eq!(union(current, backup).as_deref(), Ok(expected), "{current:?} {backup:?}");
        };
        check("b,a", "a,c", "b,a,c");
        check("b, a", "c,a,c", "b, a, c");
        check("a", "b", "a,b");
        check("", "a,b", "a,b");
        check("a,b", "", "a,b");
        check(" a , b ", "b,a", " a , b ");
        check("a,", "b", "a,b");
        assert!(union("\"a,b\"", "c").is_err());
    }
}
