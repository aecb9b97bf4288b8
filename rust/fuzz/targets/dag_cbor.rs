//! What is accepted has one form: written again, it is the same bytes. JSON text is JSON, and takes no more memory than it may.
#![no_main]

use indexer_core::Arena;
use indexer_core::Decoder;
use indexer_core::dag_cbor::write::{self, Head};
use indexer_core::dag_cbor::{
    Bad, Integer, Link, MAX_DEPTH, Reader, Visitor, Walker, longest_json, to_json, validate,
};
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Writes what it sees.
struct Again(Vec<u8>);

impl<'a> Visitor<'a> for Again {
    type Error = Bad;

    fn null(&mut self) -> Result<(), Bad> {
        write::null(&mut self.0);
        Ok(())
    }
    fn boolean(&mut self, truth: bool) -> Result<(), Bad> {
        write::boolean(truth, &mut self.0);
        Ok(())
    }
    fn integer(&mut self, integer: Integer) -> Result<(), Bad> {
        write::integer(integer, &mut self.0);
        Ok(())
    }
    fn float(&mut self, float: f64) -> Result<(), Bad> {
        write::float(float, &mut self.0);
        Ok(())
    }
    fn text(&mut self, text: &'a [u8]) -> Result<(), Bad> {
        write::head(Head::Text, text.len() as u64, &mut self.0);
        self.0.extend_from_slice(text);
        Ok(())
    }
    fn bytes(&mut self, bytes: &'a [u8]) -> Result<(), Bad> {
        write::bytes(bytes, &mut self.0);
        Ok(())
    }
    fn link(&mut self, link: Link<'a>) -> Result<(), Bad> {
        write::link(link.bytes(), &mut self.0);
        Ok(())
    }
    fn array_starts(&mut self, count: u64) -> Result<(), Bad> {
        write::head(Head::Array, count, &mut self.0);
        Ok(())
    }
    fn array_ends(&mut self) -> Result<(), Bad> {
        Ok(())
    }
    fn map_starts(&mut self, count: u64) -> Result<(), Bad> {
        write::head(Head::Map, count, &mut self.0);
        Ok(())
    }
    fn key(&mut self, key: &'a [u8]) -> Result<(), Bad> {
        self.text(key)
    }
    fn map_ends(&mut self) -> Result<(), Bad> {
        Ok(())
    }
}

fuzz_target!(|data: &[u8]| {
    let valid = validate(data, MAX_DEPTH);
    if let Err(bad) = valid {
        assert!(bad.at <= data.len());
    }
    let mut again = Again(Vec::new());
    let mut reader = Reader::new(data);
    let walked = Walker::default()
        .walk(&mut reader, &mut again, MAX_DEPTH)
        .and_then(|()| reader.finish());
    assert_eq!(walked, valid);
    if valid.is_ok() {
        assert_eq!(again.0, data);
    }
    drop(again);

    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let mut text = Vec::new();
    let mut reader = Reader::new(data);
    let longest = longest_json(data.len());
    let written = to_json(&mut reader, &mut Walker::default(), MAX_DEPTH, longest, &mut text)
        .and_then(|()| reader.finish());
    assert!(MEMORY.peak_usage() - before <= 8 * data.len() + (1 << 20));
    if written.is_ok() {
        assert!(valid.is_ok() && text.len() <= longest);
        let text = String::from_utf8(text).unwrap();
        // Any JSON is read; a collection that is not validated takes any record.
        let arena = Arena::new();
        let record = Decoder::new(&arena).record("chat.bsky.actor.declaration", &text);
        assert!(record.is_some() || text.contains("$link") || text.contains("$bytes") || text.contains("mimeType"));
    } else if valid.is_ok() {
        assert!(written.is_err_and(|bad| bad.kind.as_str() == "too_big"));
    }
});
