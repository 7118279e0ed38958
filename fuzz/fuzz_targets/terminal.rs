//! See `tests/it/fuzz/targets.rs`.
#![no_main]

#[path = "../../tests/it/fuzz/targets.rs"]
#[allow(dead_code, unreachable_pub)] // each target is a binary of its own
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::terminal(data));
