//! The pages in a real browser: protected databases, full restores, two people at one conflict, sessions that end.

// What the driver can do and where databases may be is more than these tests use.
#![allow(dead_code)]

mod chromium;
mod flow;
mod site;
