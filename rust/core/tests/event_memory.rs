//! What decoding an event allocates follows the payload, however its values are arranged.

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Arena, Decoder};
use message::{CLOCK_MS, any_record};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SIZE: usize = 1 << 20;

/// How many times the payload's size is allocated at most.
fn times(record: &str) -> usize {
    let payload = any_record(record);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let arena = Arena::new();
    drop(Decoder::new(&arena).event(payload.as_bytes(), CLOCK_MS));
    (MEMORY.peak_usage() - before) / payload.len()
}

/// One test, since the allocator counts for all threads.
#[test]
fn memory_follows_the_payload() {
    let many = |item: &str| format!("[{}0]", format!("{item},").repeat(SIZE / (item.len() + 1)));
    // What is nested too deep is not kept.
    assert!(times(&"[".repeat(SIZE)) < 8);
    assert!(times(&format!("{}{}", "[".repeat(SIZE / 2), "]".repeat(SIZE / 2))) < 8);
    assert!(
        times(&format!(
            "{}0{}",
            r#"{"a":"#.repeat(SIZE / 6),
            "}".repeat(SIZE / 6)
        )) < 8
    );
    // A value takes 24 bytes, a member 40, and both are moved from where they wait to where they stay.
    for item in ["0", "1.0", "{}", r#""""#, r#""\/""#, r#"{"a":0}"#] {
        assert!(times(&many(item)) < 64, "{item}");
    }
    let text = format!(r#"{{"$type":"t","text":"{}"}}"#, "x".repeat(SIZE));
    assert!(times(&text) < 3);
}
