//! The JSON test suite against what JavaScript makes of it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use std::collections::HashMap;
use std::io::Read;

use message::{any_record, fate, record_json, unpacked};

const SUITE: &[u8] = include_bytes!("data/json-test-suite.tar.gz");
const PRINTED: &[u8] = include_bytes!("data/json-suite-printed.tsv.gz");

fn suite() -> HashMap<String, Vec<u8>> {
    let bytes = unpacked(SUITE);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let read = |entry: Result<tar::Entry<'_, &[u8]>, _>| {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut text = Vec::new();
        entry.read_to_end(&mut text).unwrap();
        (name, text)
    };
    archive.entries().unwrap().map(read).collect()
}

/// Puts a text into a message where any JSON value may stand.
fn framed(text: &[u8]) -> Vec<u8> {
    let frame = any_record("@");
    let (before, after) = frame.split_once('@').unwrap();
    [before.as_bytes(), text, after.as_bytes()].concat()
}

#[test]
fn values_are_read_and_printed_as_javascript_does() {
    let suite = suite();
    let table = String::from_utf8(unpacked(PRINTED)).unwrap();
    let mut count = 0;
    for line in table.split_terminator('\n') {
        let (name, printed) = line.split_once('\t').unwrap();
        let text = &suite[name];
        let expected = (!printed.is_empty()).then(|| printed.to_owned());
        assert_eq!(record_json(framed(text)), expected, "{name}");
        // On its own a text must be refused or not in the same way.
        if !text.is_empty() {
            assert_eq!(fate(text) == "dead:not_json", printed.is_empty(), "{name}");
        }
        count += 1;
    }
    assert_eq!(count, suite.len());
}

#[test]
fn the_suite_agrees_where_it_has_an_opinion() {
    let mut counts = (0, 0);
    for (name, text) in suite() {
        let is_json = fate(&text) != "dead:not_json";
        if name.contains("/y_") {
            assert!(is_json, "{name}");
            counts.0 += 1;
        } else if name.contains("/n_") && !text.is_empty() {
            assert!(!is_json, "{name}");
            counts.1 += 1;
        }
    }
    assert!(counts.0 > 30 && counts.1 > 60, "{counts:?}");
}
