//! Reading JSON documents of any size with bounded memory: a window over the stream, a scanner, a record parser.

pub(crate) mod document;
pub(crate) mod record;
pub(crate) mod scan;
#[cfg(test)]
mod tests;
pub(crate) mod window;
