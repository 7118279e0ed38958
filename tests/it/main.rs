//! The integration tests: one binary, real database servers.

mod engines;
mod proxy;
mod servers;
