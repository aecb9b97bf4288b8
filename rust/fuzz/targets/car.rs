//! A file is read or refused, in bounded memory, whatever the pieces it comes in; so is a tree with any node.
#![no_main]

use std::io::Cursor;

use indexer_core::car::BlockCid;
use indexer_core::dag_cbor::Integer;
use indexer_core::dag_cbor::write::{self, Head};
use indexer_core::fault::FaultKind;
use indexer_core::repository::{Error, Limits, Receiver};
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

fuzz_target!(|data: &[u8]| {
    let cut = data.first().map_or(0, |first| usize::from(*first) % (data.len() + 1));
    let whole = read(data, data.len());
    assert_eq!(read(data, cut), whole);
    // Hashes keep random bytes out of blocks: here they are the root of a tree, in a file that is right.
    read(&around(data), 10);
});

/// Keys and the texts of records, or kinds of faults.
fn read(file: &[u8], cut: usize) -> Vec<Result<(Vec<u8>, usize), FaultKind>> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let found = records(file, cut);
    assert!(MEMORY.peak_usage() - before <= 8 * file.len() + (1 << 20));
    for fault in found.iter().filter_map(|item| item.as_ref().err()) {
        assert_ne!(*fault, FaultKind::Crashed);
    }
    found
}

fn records(file: &[u8], cut: usize) -> Vec<Result<(Vec<u8>, usize), FaultKind>> {
    let mut receiver = Receiver::new(Cursor::new(Vec::new()), Limits::default());
    let (first, second) = file.split_at(cut.min(file.len()));
    for piece in [first, second] {
        if let Err(error) = receiver.feed(piece) {
            return vec![Err(kind(error))];
        }
    }
    let mut records = match receiver.finish() {
        Ok((commit, records)) => {
            assert!(commit.unsigned.len() <= file.len());
            records
        }
        Err(error) => return vec![Err(kind(error))],
    };
    let mut found: Vec<Result<(Vec<u8>, usize), FaultKind>> = Vec::new();
    loop {
        match records.next_entry() {
            Ok(None) => return found,
            Ok(Some(entry)) => {
                let before = found.iter().rev().find_map(|item| item.as_ref().ok());
                assert!(before.is_none_or(|(key, _)| *key < entry.key));
                let mut text = Vec::new();
                let record = records.record(&entry, &mut text);
                found.push(record.map(|()| (entry.key, text.len())).map_err(kind));
            }
            Err(error) => found.push(Err(kind(error))),
        }
    }
}

fn kind(error: Error) -> FaultKind {
    match error {
        Error::Fault(fault) => fault.kind,
        Error::Io(error) => panic!("{error}"),
    }
}

fn around(node: &[u8]) -> Vec<u8> {
    let data = BlockCid::of_dag_cbor(node);
    let mut commit = Vec::new();
    write::head(Head::Map, 6, &mut commit);
    for (key, value) in [("did", "did:plc:abc"), ("rev", "3l4cjkh6a7x2b")] {
        write::text(key, &mut commit);
        write::text(value, &mut commit);
    }
    write::text("sig", &mut commit);
    write::bytes(&[0; 64], &mut commit);
    write::text("data", &mut commit);
    write::link(&data.bytes(), &mut commit);
    write::text("prev", &mut commit);
    write::null(&mut commit);
    write::text("version", &mut commit);
    write::integer(number(3), &mut commit);
    let root = BlockCid::of_dag_cbor(&commit);
    let mut file = vec![58];
    write::head(Head::Map, 2, &mut file);
    write::text("roots", &mut file);
    write::head(Head::Array, 1, &mut file);
    write::link(&root.bytes(), &mut file);
    write::text("version", &mut file);
    write::integer(number(1), &mut file);
    // The record that entries may name, too.
    let record = b"\xa0".as_slice();
    for (cid, block) in [(root, commit.as_slice()), (data, node), (BlockCid::of_dag_cbor(record), record)] {
        let mut length = block.len() + 36;
        while length > 0x7f {
            file.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        file.push(length as u8);
        file.extend_from_slice(&cid.bytes());
        file.extend_from_slice(block);
    }
    file
}

fn number(magnitude: u64) -> Integer {
    Integer {
        is_negative: false,
        magnitude,
    }
}
