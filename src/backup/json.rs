//! Reading JSON documents of any size with bounded memory: a window over the stream, a scanner, a record parser.

pub(crate) mod array;
pub(crate) mod document;
mod lenient;
pub(crate) mod record;
pub(crate) mod scan;
mod surrogate;
pub(crate) mod tag;
#[cfg(test)]
mod tests;
mod token;
pub(crate) mod window;
