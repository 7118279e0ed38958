//! The integration tests: one binary, real database servers.

mod cli;
mod engines;
mod oracle;
mod proxy;
mod servers;
mod story;
mod world;
