//! The way in: payloads one after the other, each with exactly one outcome.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::Utf8Chunk;

use crate::Arena;
use crate::document::Document;
use crate::envelope;
use crate::event::{Event, Outcome};
use crate::json::{MAX_DEPTH, Parser};
use crate::label::{self, Label};
use crate::lexicon::collection_named;
use crate::record::{self, Body};
use crate::reject::{Ignored, Reason, Reject, Unusable};

/// Decodes a batch. What it returns borrows from the payloads and from the arena.
pub struct Decoder<'a> {
    arena: &'a Arena,
    parser: Parser,
    out: String,
}

impl<'a> Decoder<'a> {
    /// Longer messages are refused: more than any the reference stores.
    pub const MAX_BYTES: usize = 16 << 20;

    pub fn new(arena: &'a Arena) -> Self {
        Self {
            arena,
            parser: Parser::default(),
            out: String::new(),
        }
    }

    /// Decodes the payload of a stream entry. `clock_ms` is now, in milliseconds since 1970. Never panics.
    pub fn event(&mut self, payload: &'a [u8], clock_ms: u64) -> Outcome<Event<'a>> {
        shielded(|| {
            let document = self.document(payload)?;
            envelope::decode(&document, clock_ms, self.arena, &mut self.out)
        })
    }

    /// Decodes the payload of an entry of the stream of labels, in either dialect. Never panics.
    pub fn labels(&mut self, payload: &'a [u8]) -> Outcome<Vec<Label<'a>>> {
        shielded(|| {
            let document = self.document(payload)?;
            label::decode(document.value, payload.len(), self.arena)
        })
    }

    /// Parses a payload; the checks that need no look at the message's members.
    fn document(&mut self, payload: &'a [u8]) -> Result<Document<'a>, Unusable> {
        if payload.is_empty() {
            return Err(Ignored::Empty.into());
        }
        if payload.len() > Self::MAX_BYTES {
            let detail = format!("{} bytes, more than {}", payload.len(), Self::MAX_BYTES);
            return Err(Reject::new(Reason::TooBig, "", detail).into());
        }
        let document = self
            .parser
            .parse(self.text(payload), self.arena)
            .map_err(|fault| Reject::new(Reason::NotJson, "", fault))?;
        if document.is_too_deep {
            let detail = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Reject::new(Reason::TooDeep, "", detail).into());
        }
        Ok(document)
    }

    /// Decodes the text of a stored record; None if it is no valid record of the collection. Never panics.
    pub fn record(&mut self, collection: &str, json: &'a str) -> Option<Body<'a>> {
        let decode = || {
            let collection = collection_named(collection)?;
            if json.len() > Self::MAX_BYTES {
                return None;
            }
            let document = self.parser.parse(json, self.arena).ok()?.of_record();
            if document.is_too_deep {
                return None;
            }
            let record = Some(document.value);
            record::decode(record, collection, &document, self.arena, &mut self.out).ok()
        };
        catch_unwind(AssertUnwindSafe(decode)).ok().flatten()
    }

    /// The text of a message, as Redis clients in JavaScript read it: U+FFFD for each bad sequence.
    fn text(&self, payload: &'a [u8]) -> &'a str {
        match std::str::from_utf8(payload) {
            Ok(text) => text,
            Err(_) => self.arena.keep_text(with_replacements(payload)),
        }
    }
}

/// A text with U+FFFD for each bad sequence, which may take three bytes for one: so it is measured first.
fn with_replacements(bytes: &[u8]) -> String {
    const REPLACEMENT: &str = "\u{fffd}";
    let is_bad = |chunk: &Utf8Chunk<'_>| !chunk.invalid().is_empty();
    let length = |chunk: Utf8Chunk<'_>| {
        chunk.valid().len() + usize::from(is_bad(&chunk)) * REPLACEMENT.len()
    };
    let mut text = String::with_capacity(bytes.utf8_chunks().map(length).sum());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if is_bad(&chunk) {
            text.push_str(REPLACEMENT);
        }
    }
    text
}

/// A fault of ours costs one message, not the batch. Each payload starts with cleared buffers, so none is left broken.
fn shielded<T>(decode: impl FnOnce() -> Result<T, Unusable>) -> Outcome<T> {
    let decoded = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let detail = format!("the decoder failed: {}", message(&*panic));
        Err(Reject::new(Reason::Crashed, "", detail).into())
    });
    decoded.into()
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_reject() {
        let outcome: Outcome<()> = shielded(|| panic!("seven of {}", 9));
        let Outcome::Reject(reject) = outcome else {
            unreachable!()
        };
        assert_eq!(reject.reason, Reason::Crashed);
        assert!(reject.detail.contains("seven of 9"));
    }
}
