//! Nanoseconds per event: `cargo bench --bench decode [-- FILE]`, where FILE holds one payload a line.
//!
//! Without a file it decodes a sample of real posts. The best of several rounds is printed: the machine's noise only adds.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::cast_precision_loss)]

use std::fs;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use flate2::read::GzDecoder;
use indexer_core::{Arena, Decoder, Outcome};

const SAMPLE: &[u8] = include_bytes!("../tests/data/real-events.jsonl.gz");
const ROUNDS: usize = 10;
const BATCH: usize = 500;
const CLOCK_MS: u64 = 4_000_000_000_000;

fn main() {
    let file = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let text = file.map_or_else(sample, |file| fs::read(file).unwrap());
    let payloads: Vec<&[u8]> = text
        .split(|byte| *byte == b'\n')
        .filter(|payload| !payload.is_empty())
        .collect();
    let best = (0..ROUNDS)
        .map(|_| decode_all(&payloads))
        .fold(f64::MAX, f64::min);
    let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
    println!(
        "{} events of {} bytes: {best:.0} ns/event, {:.0} MB/s",
        payloads.len(),
        bytes / payloads.len(),
        bytes as f64 / payloads.len() as f64 / best * 1000.0,
    );
}

/// Nanoseconds per event of one round.
fn decode_all(payloads: &[&[u8]]) -> f64 {
    let start = Instant::now();
    for batch in payloads.chunks(BATCH) {
        let arena = Arena::new();
        let mut decoder = Decoder::new(&arena);
        let outcomes: Vec<Outcome<_>> = batch
            .iter()
            .map(|payload| decoder.event(payload, CLOCK_MS))
            .collect();
        black_box(&outcomes);
    }
    start.elapsed().as_nanos() as f64 / payloads.len() as f64
}

fn sample() -> Vec<u8> {
    let mut text = Vec::new();
    GzDecoder::new(SAMPLE).read_to_end(&mut text).unwrap();
    text
}
