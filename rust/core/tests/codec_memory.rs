//! What decoding allocates follows the input: at most eight times as much, and one MiB.

use std::io::Cursor;

use indexer_core::car::BlockCid;
use indexer_core::dag_cbor::write::{self, Head};
use indexer_core::dag_cbor::{Integer, MAX_DEPTH, Reader, Walker, longest_json, to_json};
use indexer_core::frame::{Events, FrameDecoder};
use indexer_core::repository::{Limits, Receiver};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MANY: usize = 1 << 20;

fn check<T>(name: &str, input: &[u8], work: impl FnOnce(&[u8]) -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let done = work(input);
    let peak = MEMORY.peak_usage() - before;
    let most = 8 * input.len() + (1 << 20);
    assert!(peak <= most, "{name}: {peak} of {most}");
    done
}

fn array(item: &[u8], count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    write::head(Head::Array, count as u64, &mut bytes);
    bytes.extend_from_slice(&item.repeat(count));
    bytes
}

/// A frame of a commit: operations, the value of `repo`, blocks.
fn frame(operations: &[u8], repo: &str, blocks: &[&[u8]]) -> Vec<u8> {
    let mut car = Vec::new();
    let root = BlockCid::of_dag_cbor(b"").bytes();
    car.push(58);
    write::head(Head::Map, 2, &mut car);
    write::text("roots", &mut car);
    write::head(Head::Array, 1, &mut car);
    write::link(&root, &mut car);
    write::text("version", &mut car);
    write::integer(number(1), &mut car);
    for block in blocks {
        let mut length = block.len() + 36;
        while length > 0x7f {
            car.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        car.push(length.to_le_bytes()[0]);
        car.extend_from_slice(&BlockCid::of_dag_cbor(block).bytes());
        car.extend_from_slice(block);
    }
    let mut frame = b"\xa2\x61t\x67#commit\x62op\x01".to_vec();
    write::head(Head::Map, 7, &mut frame);
    write::text("ops", &mut frame);
    frame.extend_from_slice(operations);
    write::text("rev", &mut frame);
    write::text("3l4cjkh6a7x2b", &mut frame);
    write::text("seq", &mut frame);
    write::integer(number(1), &mut frame);
    write::text("repo", &mut frame);
    write::text(repo, &mut frame);
    write::text("time", &mut frame);
    write::text("", &mut frame);
    write::text("blocks", &mut frame);
    write::bytes(&car, &mut frame);
    write::text("commit", &mut frame);
    write::link(&root, &mut frame);
    frame
}

fn number(magnitude: u64) -> Integer {
    Integer {
        is_negative: false,
        magnitude,
    }
}

fn operation(action: &str, cid: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write::head(Head::Map, 3, &mut bytes);
    write::text("cid", &mut bytes);
    match cid {
        Some(cid) => write::link(cid, &mut bytes),
        None => write::null(&mut bytes),
    }
    write::text("path", &mut bytes);
    write::text("a/b", &mut bytes);
    write::text("action", &mut bytes);
    write::text(action, &mut bytes);
    bytes
}

/// One test, since the allocator counts for all threads.
#[test]
fn memory_follows_the_input() {
    for (name, bytes) in [
        ("booleans", array(b"\xf4", MANY)),
        ("empty bytes", array(b"\x40", MANY)),
        ("empty maps", array(b"\xa0", MANY)),
        ("NULs", array(b"\x61\x00", MANY)),
        ("bad UTF-8", array(b"\x62\xff\xff", MANY)),
        (
            "floats",
            array(b"\xfb\x00\x10\x00\x00\x00\x00\x00\x01", MANY / 8),
        ),
        ("nesting", vec![0x81; MANY]),
        (
            "an array that is not there",
            b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff".to_vec(),
        ),
        ("small", array(b"\x40", 3000)),
    ] {
        check(name, &bytes, |bytes| {
            let mut text = Vec::new();
            let longest = longest_json(bytes.len());
            let mut reader = Reader::new(bytes);
            let _ = to_json(
                &mut reader,
                &mut Walker::default(),
                MAX_DEPTH,
                longest,
                &mut text,
            );
        });
    }

    let record = array(b"\x00", 100_000);
    let mut map = b"\xa1\x61a".to_vec();
    map.extend_from_slice(&record);
    let cid = BlockCid::of_dag_cbor(&map).bytes();
    let empty = b"\xa0".as_slice();
    for (name, bytes) in [
        (
            "deletions",
            frame(
                &array(&operation("delete", None), 50_000),
                &"x".repeat(8000),
                &[],
            ),
        ),
        (
            "operations",
            frame(&array(&operation("create", None), 50_000), "", &[]),
        ),
        (
            "one record often",
            frame(&array(&operation("create", Some(&cid)), 5000), "", &[&map]),
        ),
        (
            "small blocks",
            frame(&array(b"\xa0", 0), "", &vec![empty; 50_000]),
        ),
        ("no operations", frame(&array(b"\xa0", MANY), "", &[])),
    ] {
        check(name, &bytes, |bytes| {
            let mut events = Events::default();
            let _ = FrameDecoder::new(16 << 20, MAX_DEPTH).decode(bytes, &mut events);
        });
    }

    let car = |blocks: &[&[u8]]| {
        let frame = frame(&array(b"", 0), "", blocks);
        // The CAR inside: from its header's length on.
        let start = frame
            .windows(7)
            .position(|bytes| bytes == b"\x65roots\x81")
            .unwrap()
            - 2;
        frame[start..frame.len() - 48].to_vec()
    };
    let large = vec![0; 4 << 20];
    for (name, bytes) in [
        ("blocks", car(&vec![empty; 100_000])),
        ("a large block", car(&[&large[..(4 << 20) - 36]])),
    ] {
        let received = check(name, &bytes, |bytes| {
            let mut receiver = Receiver::new(Cursor::new(Vec::new()), Limits::default());
            let fed = receiver.feed(bytes).map_err(|error| error.to_string());
            fed.map(|()| receiver.finish().is_err())
        });
        assert_eq!(received, Ok(true), "{name}");
    }
}
