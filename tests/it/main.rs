//! The integration tests: one binary, real database servers.

#![allow(unreachable_pub)] // pub here means: for the other test files

mod accoreg;
mod bad_input;
mod chinook;
mod engines;
mod faults;
mod laws;
mod oracle;
mod proxy;
mod servers;
mod story;
mod tidy;
mod world;
