//! Stream messages of a Bluesky-compatible AppView, from bytes to values that PostgreSQL accepts.
//!
//! [`Decoder`] is the way in: one payload becomes one [`Outcome`], whatever its bytes are. Nothing here knows Python,
//! databases or Redis. Section names in comments ("records.md 3.1") refer to the specification of the reference's behaviour.

#![forbid(unsafe_code)]

mod arena;
pub mod at_uri;
pub mod car;
pub mod cid;
pub mod dag_cbor;
mod data_model;
mod decoder;
mod document;
mod envelope;
mod event;
pub mod fault;
mod format_names;
pub mod formats;
pub mod frame;
pub mod graphemes;
mod json;
mod label;
mod lexicon;
mod members;
mod mst;
mod nesting;
mod number;
mod print;
mod record;
mod reject;
pub mod repository;
mod scan;
mod source;
mod string;
mod text;
pub mod tid;
pub mod timestamp;
mod tree;
mod value;
mod word;

pub use arena::Arena;
pub use decoder::Decoder;
pub use event::{Event, Kind, Outcome, RecordEvent};
pub use format_names::has_format;
pub use json::{JsonFault, MAX_DEPTH};
pub use label::Label;
pub use lexicon::{COLLECTIONS, Collection, collection_named};
pub use record::Body;
pub use reject::{Ignored, Reason, Reject};
pub use text::{Text, sanitize, sanitize_bytes, sanitize_utf16};
pub use value::{Array, Blob, Bytes, Fault, Link, Member, Object, Value};
