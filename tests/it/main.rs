//! The integration tests: one binary, real database servers.

mod conformance;
mod engine_story;
mod engines;
mod live;
mod oracle;
mod proxy;
mod servers;
mod story;
mod world;
