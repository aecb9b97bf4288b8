//! Links, bytes and blobs, in every dialect (records.md 3.1, streams.md 3.4).

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use message::{any_record, fate, record_json};

const CID: &str = "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm";

fn printed(record: &str) -> String {
    record_json(any_record(record)).unwrap_or_else(|| fate(any_record(record)))
}

fn blob(reference: &str) -> String {
    format!(r#"{{"$type":"blob","ref":{reference},"mimeType":"image/png","size":5}}"#)
}

fn link() -> String {
    format!(r#"{{"$link":"{CID}"}}"#)
}

#[test]
fn the_published_fixtures_are_stored_as_they_are() {
    for fixtures in [
        include_str!("data/data-model-fixtures.json"),
        include_str!("data/data-model-valid.json"),
    ] {
        let compact = printed(fixtures);
        assert!(compact.starts_with("[{"), "{compact}");
        assert_eq!(printed(&compact), compact);
        let blanks = |text: &str| text.replace([' ', '\n'], "");
        assert_eq!(blanks(&compact), blanks(fixtures));
    }
}

#[test]
fn of_what_is_published_as_invalid_the_reference_refuses_bad_links() {
    // The others have a shape that no lexicon allows, which is not the data model's concern.
    let cases = include_str!("data/data-model-invalid.json");
    assert_eq!(printed(cases), "dead:bad_record:5/json/lnk");
}

#[test]
fn links_and_bytes_are_printed_in_their_canonical_form() {
    for (record, expected) in [
        (r#"{"$bytes":"AQI="}"#, r#"{"$bytes":"AQI"}"#),
        (r#"{"$bytes":"AQ====="}"#, r#"{"$bytes":"AQ"}"#),
        (r#"{"$bytes":""}"#, r#"{"$bytes":""}"#),
        (r#"{"$bytes":"\u0041QID"}"#, r#"{"$bytes":"AQID"}"#),
        (
            r#"{"$link":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}"#,
            r#"{"$link":"bafkreidon73zkcrwdb5iafqtijxildoonbwnpv7dyd6ef3qdgads2jc4su"}"#,
        ),
        (
            r#"{"$link":"QmY7Yh4UquoXHLPFo2XbhXkhBvFoPwmQUSa92pxnxjQuPU"}"#,
            r#"{"$link":"QmY7Yh4UquoXHLPFo2XbhXkhBvFoPwmQUSa92pxnxjQuPU"}"#,
        ),
    ] {
        assert_eq!(printed(record), expected);
    }
}

#[test]
fn what_only_looks_like_them_is_left_alone() {
    for record in [
        r#"{"$link":5}"#,
        r#"{"$link":"x","y":1}"#,
        r#"{"$bytes":5}"#,
        r#"{"$bytes":"%","y":1}"#,
        r#"{"cid":"x","mimeType":5}"#,
        r#"{"cid":"x","mimeType":"a/b","y":1}"#,
        r#"{"$type":"blob","ref":"zz"}"#,
        r#"{"$type":"blob","mimeType":"a","size":"5","ref":5}"#,
        r#"{"ref":"bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm"}"#,
        "[1,85,18,32,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]",
    ] {
        assert_eq!(printed(record), record);
    }
}

#[test]
fn a_fault_anywhere_names_its_path() {
    for (record, expected) in [
        (r#"{"a":[1,{"$link":"x"}]}"#, "dead:bad_record:a/1"),
        (r#"{"a":{"b":{"$bytes":"A"}}}"#, "dead:bad_record:a/b"),
        (r#"{"a":{"$bytes":"AB"}}"#, "dead:bad_record:a"),
        (r#"{"a":{"$bytes":"A Q"}}"#, "dead:bad_record:a"),
        (r#"{"a":{"mimeType":"a/b","cid":"x"}}"#, "dead:bad_record:a"),
        (r#"{"$link":""}"#, "dead:bad_record"),
        (
            r#"{"$type":"blob","ref":{"$link":"x"},"mimeType":"a/b","size":5}"#,
            "dead:bad_record:ref",
        ),
        // The last value of a repeated key is the one that counts.
        (r#"{"a":{"$link":"x"},"a":1}"#, r#"{"a":1}"#),
    ] {
        assert_eq!(printed(record), expected, "{record}");
    }
}

#[test]
fn a_fault_outside_the_record_means_nothing() {
    let message = any_record("{}").replace(r#""seq":5"#, r#""seq":{"$link":"x"}"#);
    assert_eq!(fate(&message), "create");
    let message = message::message("com.example.other", r#"{"$link":"x"}"#);
    assert_eq!(fate(&message), "create");
}

#[test]
fn blobs_are_printed_in_one_order() {
    let expected = blob(&link());
    let link = link();
    for record in [
        expected.clone(),
        format!(r#"{{"size":5.0,"mimeType":"image/png","ref":{link},"$type":"blob"}}"#),
        format!(r#"{{"$type":"blob","mimeType":"image/png","ref":{link},"size":5}}"#),
    ] {
        assert_eq!(printed(&record), expected);
    }
    let with_more = format!(r#"{{"size":5,"x":1,"mimeType":"a","ref":{link},"$type":"blob"}}"#);
    assert_eq!(printed(&with_more), with_more);
}

#[test]
fn what_is_less_than_a_blob_keeps_its_order_and_gets_its_link() {
    let link = link();
    for members in ["", r#","size":1"#, r#","size":1,"mimeType":5"#] {
        let printed_with =
            |reference: &str| format!(r#"{{"ref":{reference},"$type":"blob"{members}}}"#);
        assert_eq!(
            printed(&printed_with(&format!("\"{CID}\""))),
            printed_with(&link)
        );
    }
}

#[test]
fn untyped_blobs_keep_their_form_and_their_text() {
    for record in [
        r#"{"cid":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA","mimeType":"image/png"}"#,
        r#"{"mimeType":"","cid":"QmY7Yh4UquoXHLPFo2XbhXkhBvFoPwmQUSa92pxnxjQuPU"}"#,
    ] {
        assert_eq!(printed(record), record);
    }
}

#[test]
fn the_dialects_of_a_blobs_ref_become_links() {
    // The bytes of `CID`: version 1, raw, sha2-256, 32 bytes.
    let bytes = "[1,85,18,32,108,93,224,118,216,153,38,138,254,82,24,156,154,17,89,206,79,42,233,136,212,33,73,117,217,211,243,215,156,93,200,51]";
    let as_bytes = printed(&blob(bytes));
    assert!(
        as_bytes.contains(r#""ref":{"$link":"bafkrei"#),
        "{as_bytes}"
    );
    assert_eq!(printed(&as_bytes), as_bytes);
    for reference in [format!("\"{CID}\""), format!(r#"{{"/":"{CID}"}}"#)] {
        assert_eq!(printed(&blob(&reference)), blob(&link()));
    }
    for other in [
        bytes.replace("[1,", "[1.5,"),
        bytes.replace("[1,", "[257,"),
        bytes.replace("[1,", "[2,"),
        bytes.replace(",51]", "]"),
        r#"{"/":"x"}"#.to_owned(),
    ] {
        assert_eq!(printed(&blob(&other)), blob(&other));
    }
}
