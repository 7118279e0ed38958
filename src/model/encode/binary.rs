//! The bytes that a document means: JSON has no kind of its own for them, so each program writes them its own way.

use base64::Engine as _;

/// Reads the bytes that a document's string stands for: `\x…`, `0x…`, or base64 (standard or URL alphabet).
pub fn document_bytes(text: &str) -> Option<Vec<u8>> {
    if let Some(hex) = text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x")) {
        return from_hex(hex);
    }
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .or_else(|_| base64::engine::general_purpose::URL_SAFE.decode(text))
        .or_else(|_| base64::engine::general_purpose::STANDARD_NO_PAD.decode(text))
        .ok()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let bytes = hex.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    bytes.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Reads Node's `{"type":"Buffer","data":[…]}` and our own `{"bytes":"base64"}`.
pub(super) fn buffer_bytes(text: &str) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Buffer {
        #[serde(rename = "type")]
        kind: String,
        data: Vec<u8>,
    }
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tagged {
        bytes: String,
    }
    if text.len() < 10 || !(text.contains("\"Buffer\"") || text.starts_with("{\"bytes\"")) {
        return None;
    }
    if let Ok(buffer) = serde_json::from_str::<Buffer>(text) {
        return (buffer.kind == "Buffer").then_some(buffer.data);
    }
    document_bytes(&serde_json::from_str::<Tagged>(text).ok()?.bytes)
}
