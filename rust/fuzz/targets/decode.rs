//! Any payload has one outcome that PostgreSQL accepts, and what is stored decodes to itself.
#![no_main]

use indexer_core::cid::canonical_text;
use indexer_core::{Arena, COLLECTIONS, Decoder, Outcome, Reason};
use libfuzzer_sys::fuzz_target;

/// 2100-01-01T00:00:00Z.
const CLOCK_MS: u64 = 4_102_444_800_000;

fuzz_target!(|payload: &[u8]| {
    let arena = Arena::new();
    let mut decoder = Decoder::new(&arena);
    check_printed(&arena, payload);
    match decoder.event(payload, CLOCK_MS) {
        Outcome::Reject(reject) => {
            // libFuzzer ends the process at a panic, so none is caught; this is for the reader.
            assert_ne!(reject.reason, Reason::Crashed, "{}", reject.detail);
            assert!(reject.detail.chars().count() <= 300 && !reject.detail.contains('\0'));
        }
        Outcome::Event(event) => {
            if let Some((cid, body)) = event.record.as_ref().and_then(|record| record.body) {
                assert!(!cid.contains('\0') && !body.json.contains('\0'));
                let collection = event
                    .record
                    .as_ref()
                    .map_or("", |record| record.uri.collection());
                check_stored(&arena, collection, body.json);
            }
            for text in [
                event.rev,
                event.commit,
                event.status,
                Some(event.did),
                Some(event.time),
            ] {
                assert!(!text.unwrap_or_default().contains('\0'));
            }
            if let Some(record) = &event.record {
                assert!(!record.uri.text.contains('\0'));
            }
        }
        Outcome::Ignored(_) => (),
    }
    match decoder.labels(payload) {
        Outcome::Reject(reject) => assert_ne!(reject.reason, Reason::Crashed),
        Outcome::Event(labels) => {
            for label in labels {
                for text in [label.src, label.uri, label.cid, label.val, label.cts] {
                    assert!(!text.contains('\0'));
                }
            }
        }
        Outcome::Ignored(_) => (),
    }
    if let Ok(text) = std::str::from_utf8(payload) {
        for collection in COLLECTIONS {
            if let Some(body) = decoder.record(collection, text) {
                check_stored(&arena, collection, body.json);
            }
        }
    }
});

/// A record that is kept as it came is what would be printed: white space makes all of it be printed.
fn check_printed(arena: &Arena, payload: &[u8]) {
    let json = |payload: &[u8]| match Decoder::new(arena)
        .event(arena.alloc_slice_copy(payload), CLOCK_MS)
    {
        Outcome::Event(event) => {
            let body = event.record.and_then(|record| record.body);
            body.map(|(_, body)| body.json.to_owned())
        }
        _ => None,
    };
    assert_eq!(json(payload), json(&[b" ", payload].concat()));
}

/// What was printed is printed again as it is.
fn check_stored<'a>(arena: &'a Arena, collection: &str, json: &'a str) {
    // The size of a blob may be beyond the range of a number: printed as null, it makes the blob another object.
    // And CIDs of version 0 that are no SHA-256 have a text that nothing can read, in the reference, too.
    let has_unreadable_link = || {
        let links = json.split("\"$link\":\"").skip(1);
        links
            .filter_map(|rest| rest.split('"').next())
            .any(|text| canonical_text(text).is_err())
    };
    if json.contains("\"size\":null") || has_unreadable_link() {
        return;
    }
    let again = Decoder::new(arena).record(collection, json);
    let again = again.unwrap_or_else(|| panic!("not a record any more: {json}"));
    assert_eq!(again.json, json);
    let spaced = Decoder::new(arena).record(collection, arena.alloc_str(&format!(" {json}")));
    assert_eq!(spaced.map(|spaced| spaced.json), Some(json));
}
