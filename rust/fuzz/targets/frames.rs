//! A frame is decoded or refused, in bounded memory, and its events are ones that the indexer can read.
#![no_main]

use indexer_core::car::BlockCid;
use indexer_core::dag_cbor::write::{self, Head};
use indexer_core::dag_cbor::{Integer, MAX_DEPTH};
use indexer_core::fault::FaultKind;
use indexer_core::frame::{Events, FrameDecoder};
use indexer_core::{Arena, Decoder, Outcome, Reason};
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// 2100-01-01T00:00:00Z.
const CLOCK_MS: u64 = 4_102_444_800_000;

fuzz_target!(|data: &[u8]| {
    check(data);
    // Hashes keep random bytes out of blocks: here they are a record, in a frame that is right.
    check(&around(data));
});

fn check(frame: &[u8]) {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let mut events = Events::default();
    let decoded = FrameDecoder::new(16 << 20, MAX_DEPTH).decode(frame, &mut events);
    assert!(MEMORY.peak_usage() - before <= 8 * frame.len() + (1 << 20));
    match decoded {
        Ok(frame) => {
            let arena = Arena::new();
            let texts: Vec<&str> =
                (0..events.count()).map(|place| std::str::from_utf8(events.get(place)).unwrap()).collect();
            let mut decoder = Decoder::new(&arena);
            for text in &texts {
                let text = arena.alloc_str(text).as_bytes();
                let reject = if frame.kind == "#labels" {
                    match decoder.labels(text) {
                        Outcome::Reject(reject) => Some(reject),
                        _ => None,
                    }
                } else {
                    match decoder.event(text, CLOCK_MS) {
                        Outcome::Reject(reject) => Some(reject),
                        _ => None,
                    }
                };
                assert!(!reject.is_some_and(|reject| matches!(reject.reason, Reason::NotJson | Reason::Crashed)));
            }
        }
        Err(fault) => {
            assert_ne!(fault.kind, FaultKind::Crashed);
            assert!(fault.at <= frame.len() as u64);
            assert_eq!(events.count(), 0);
        }
    }
}

fn around(record: &[u8]) -> Vec<u8> {
    let cid = BlockCid::of_dag_cbor(record).bytes();
    let mut car = vec![58];
    write::head(Head::Map, 2, &mut car);
    write::text("roots", &mut car);
    write::head(Head::Array, 1, &mut car);
    write::link(&cid, &mut car);
    write::text("version", &mut car);
    write::integer(number(1), &mut car);
    let mut length = record.len() + cid.len();
    while length > 0x7f {
        car.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    car.push(length as u8);
    car.extend_from_slice(&cid);
    car.extend_from_slice(record);

    let mut frame = b"\xa2\x61t\x67#commit\x62op\x01".to_vec();
    write::head(Head::Map, 7, &mut frame);
    write::text("ops", &mut frame);
    write::head(Head::Array, 1, &mut frame);
    write::head(Head::Map, 3, &mut frame);
    write::text("cid", &mut frame);
    write::link(&cid, &mut frame);
    write::text("path", &mut frame);
    write::text("app.bsky.feed.post/3l4cjkh6a7x2b", &mut frame);
    write::text("action", &mut frame);
    write::text("create", &mut frame);
    for (key, value) in [("rev", "3l4cjkh6a7x2b"), ("seq", ""), ("repo", "did:plc:abc"), ("time", "x")] {
        write::text(key, &mut frame);
        if value.is_empty() {
            write::integer(number(7), &mut frame);
        } else {
            write::text(value, &mut frame);
        }
    }
    write::text("blocks", &mut frame);
    write::bytes(&car, &mut frame);
    write::text("commit", &mut frame);
    write::link(&cid, &mut frame);
    frame
}

fn number(magnitude: u64) -> Integer {
    Integer {
        is_negative: false,
        magnitude,
    }
}
