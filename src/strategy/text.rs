//! Text: a three-way merge by lines, then by words where lines collide; and lists separated by commas.

use similar::{MergeResolution, TextMerge};
use std::collections::HashMap;
use std::ops::Range;

/// Merges the changes that current and backup made to one base text.
///
/// Symmetric, and clean or not at all.
///
/// # Errors
/// The text with marks around what both sides changed differently.
pub(super) fn merge(base: &str, current: &str, backup: &str) -> Result<String, String> {
    let texts = [base, current, backup];
    // The diff behind the merge may settle a draw by the order of its arguments; a merge that depends on the order of
    // the sides is no merge.
    match (by_lines(texts), by_lines([base, backup, current])) {
        (Some(one), Some(other)) if one == other => Ok(one),
        _ => Err(marked(texts)),
    }
}

/// The order of sides in every array here: base, current, backup.
type Sides<T> = [T; 3];

fn by_lines(texts: Sides<&str>) -> Option<String> {
    let lines = texts.map(|text| text.split_inclusive('\n').collect::<Vec<_>>());
    merge_pieces(&lines, |collision| merge_pieces(&collision.map(|text| words(text)), |_| None))
}

/// Merges three sequences; `resolve` gets the text of each side where both changed the same pieces.
fn merge_pieces(pieces: &Sides<Vec<&str>>, resolve: impl Fn(Sides<&str>) -> Option<String>) -> Option<String> {
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
