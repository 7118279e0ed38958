//! Halves of surrogate pairs in the strings of a JSON text: no characters, but some languages write them all the same.

use std::borrow::Cow;

/// Replaces every `\ud800`–`\udfff` that is no half of a pair by `\ufffd` (CHECKS F113).
pub(super) fn replace_lone(json: &str) -> Cow<'_, str> {
    let unit = |at: usize| {
        let escape = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let mut lone = Vec::new();
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        match unit(at) {
            Some(0xd800..=0xdbff) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => at += 12,
            Some(0xd800..=0xdfff) => {
                lone.push(at);
                at += 6;
            }
            Some(_) => at += 6,
            // The escaped character may be of several bytes in what is no JSON; the next turn finds its place again.
            None => at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8),
        }
    }
    if lone.is_empty() {
        return Cow::Borrowed(json);
    }
    let mut replaced = json.to_owned();
    for at in lone {
        replaced.replace_range(at..at + 6, "\\ufffd");
    }
    Cow::Owned(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stay_and_halves_go() {
        for (json, expected) in [
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#"{"a":"\uD800x"}"#, r#"{"a":"\ufffdx"}"#),
            ("\"\\", "\"\\"),
        ] {
            assert_eq!(replace_lone(json), expected, "{json}");
        }
    }
}
