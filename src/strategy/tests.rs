//! Tests of parsing and deciding.
use super::*;

#[test]
fn built_in_strategies_parse() {
    for name in Strategy::BUILT_IN {
        Strategy::load(name).unwrap();
    }
}
