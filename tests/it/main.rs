//! The integration tests: one binary, real database servers.

mod cli;
mod engines;
mod servers;
