//! DAG-CBOR (the IPLD codec 0x71), read strictly: what is accepted has one form only, and encodes to the same bytes again.
//!
//! The one exception is text with bad UTF-8, which the reference reads with U+FFFD for each bad sequence (records.md 7.5).

mod json;
mod link;
mod reader;
mod walk;
pub mod write;

pub use json::{longest_json, to_json};
pub(crate) use json::{push_integer, push_text};
pub use link::Link;
pub use reader::{Bad, Integer, Reader};
pub(crate) use walk::skip;
pub use walk::{MAX_DEPTH, Visitor, Walker, validate};

#[cfg(test)]
mod tests;
