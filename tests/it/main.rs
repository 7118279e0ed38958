//! The integration tests: one binary, real database servers.

mod catalog;
mod data;
mod django;
mod engines;
mod exports;
mod oracle;
mod proxy;
mod servers;
mod story;
mod world;
