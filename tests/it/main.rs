//! The integration tests: one binary, real database servers.

#![allow(unreachable_pub)] // pub here means: for the other test files

mod accoreg;
mod archives;
mod asked;
mod bad_input;
mod browser;
mod cases;
mod catalog;
mod chinook;
mod cli;
mod conformance;
mod contract;
mod data;
mod django;
mod elsewhere;
mod engine_story;
mod engines;
mod exits;
mod exports;
mod faults;
mod files;
mod fuzz;
mod hostile;
mod identity;
mod interface;
mod kept;
mod keys;
mod laws;
mod live;
mod meanwhile;
mod oracle;
mod promises;
mod proxy;
mod resolver;
mod roundtrip;
mod schemas;
mod server;
mod servers;
mod story;
mod terminal;
mod tidy;
mod timetable;
mod withheld;
mod world;
mod written;
