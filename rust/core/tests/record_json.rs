//! `record.json`, byte for byte (records.md 7).

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Arena, Decoder};
use message::{any_record, decoded, record_json, unpacked};

/// Pairs of lines: a message, and what the reference stored.
const STORED: &[u8] = include_bytes!("data/record-json.jsonl.gz");

#[test]
fn the_reference_and_we_store_the_same_bytes() {
    let text = String::from_utf8(unpacked(STORED)).unwrap();
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    assert!(lines.len() > 1000 && lines.len().is_multiple_of(2));
    for pair in lines.chunks(2) {
        assert_eq!(
            record_json(pair[0]).as_deref(),
            Some(pair[1]),
            "{}",
            pair[0]
        );
    }
}

#[test]
fn what_is_stored_decodes_to_itself() {
    let text = String::from_utf8(unpacked(STORED)).unwrap();
    let lines: Vec<&str> = text.split_terminator('\n').collect();
    for pair in lines.chunks(2) {
        let collection = decoded(pair[0].as_bytes(), |outcome| match outcome {
            indexer_core::Outcome::Event(event) => {
                event.record.as_ref().unwrap().uri.collection().to_owned()
            }
            other => unreachable!("{other:?}"),
        });
        let arena = Arena::new();
        let body = Decoder::new(&arena).record(&collection, pair[1]);
        assert_eq!(body.map(|body| body.json), Some(pair[1]));
    }
}

#[test]
fn the_measured_example_is_reproduced() {
    const CID: &str = "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm";
    let input = r#"{"createdAt":"2025-10-20T09:00:00Z","text":"x","$type":"t","10":1,"2":2,"n":1.0,"m":1e3,"big":12345678901234567890,"neg":-0.0,"nul":null,"link":{"$link":"CID"},"bytes":{"$bytes":"AQID"},"bytespad":{"$bytes":"AQI="},"l2":{"$link":"CID","x":1},"blob":{"size":1,"mimeType":"a/b","ref":{"$link":"CID"},"$type":"blob"},"blobx":{"size":1,"mimeType":"a/b","ref":{"$link":"CID"},"$type":"blob","extra":1},"legacy":{"mimeType":"a/b","cid":"CID"},"dup":1,"dup":2,"small":1e-7,"huge":1e21,"__proto__":{"a":1}}"#;
    let output = r#"{"2":2,"10":1,"createdAt":"2025-10-20T09:00:00Z","text":"x","$type":"t","n":1,"m":1000,"big":12345678901234567000,"neg":0,"nul":null,"link":{"$link":"CID"},"bytes":{"$bytes":"AQID"},"bytespad":{"$bytes":"AQI"},"l2":{"$link":"CID","x":1},"blob":{"$type":"blob","ref":{"$link":"CID"},"mimeType":"a/b","size":1},"blobx":{"size":1,"mimeType":"a/b","ref":{"$link":"CID"},"$type":"blob","extra":1},"legacy":{"mimeType":"a/b","cid":"CID"},"dup":2,"small":1e-7,"huge":1e+21}"#;
    let stored = record_json(any_record(&input.replace("CID", CID)));
    assert_eq!(stored, Some(output.replace("CID", CID)));
}

#[test]
fn strings_have_only_the_escapes_that_json_needs() {
    for (record, expected) in [
        (
            r#""\u0000\u0001\u001f\u007f""#,
            "\"\\u0000\\u0001\\u001f\u{7f}\"",
        ),
        (r#""\b\t\n\f\r\"\\\/""#, r#""\b\t\n\f\r\"\\/""#),
        (r#""\u00e9\u2028\ud83d\ude00""#, "\"é\u{2028}😀\""),
        (r#""a\uD800b\udfffc""#, r#""a\ud800b\udfffc""#),
        (r#""\udc00\ud800""#, r#""\udc00\ud800""#),
        ("\"é\u{2028}😀\"", "\"é\u{2028}😀\""),
        (
            r#"{"\u0061":1,"a":2,"\ud800":3,"\ud801":4,"\ufffd":5}"#,
            r#"{"a":2,"\ud800":3,"\ud801":4,"�":5}"#,
        ),
    ] {
        assert_eq!(record_json(any_record(record)).as_deref(), Some(expected));
    }
}

#[test]
fn bad_utf8_is_replaced_as_javascript_does() {
    let message = any_record(r#""a@b""#).into_bytes();
    let message: Vec<u8> = message
        .into_iter()
        .map(|byte| if byte == b'@' { 0xff } else { byte })
        .collect();
    assert_eq!(record_json(message).as_deref(), Some("\"a\u{fffd}b\""));
}
