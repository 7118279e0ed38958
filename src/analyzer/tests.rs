//! Tests of the analyzer's parts.
