//! The tokens `NaN`, `Infinity` and `-Infinity`, which Python writes although they are not JSON.

/// Token, zero of the same length that takes its place, and what it means.
const TOKENS: [(&str, &str, f64); 3] =
    [("NaN", "0.0", f64::NAN), ("Infinity", "0.000000", f64::INFINITY), ("-Infinity", "-0.000000", f64::NEG_INFINITY)];

/// Tells whether one of the tokens stands at the beginning of a text.
pub(super) fn is_special(text: &[u8]) -> bool {
    TOKENS.iter().any(|(token, ..)| text.starts_with(token.as_bytes()))
}

/// Copies a text, replacing `NaN`, `Infinity` and `-Infinity` outside strings by zeros of the same length.
///
/// Returns false when there was nothing to replace.
pub(super) fn patch(text: &str, patched: &mut String, patches: &mut Vec<(usize, f64)>) -> bool {
    patched.clear();
    let bytes = text.as_bytes();
    let (mut copied, mut at, mut depth) = (0, 0, 0usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
                    at += found + 1;
                    if bytes[at - 1] == b'"' {
                        break;
                    }
                    at += 1;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b'N' | b'I' | b'-' => {
                if let Some((token, zero, value)) = TOKENS.iter().find(|(t, ..)| text[at..].starts_with(t)) {
                    patched.push_str(&text[copied..at]);
                    patched.push_str(zero);
                    patches.push((at, *value));
                    at += token.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    patched.push_str(&text[copied..]);
    !patches.is_empty()
}
