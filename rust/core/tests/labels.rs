//! Which entry of the stream of labels becomes what (hostile-kinds.md, streams.md 4, actors.md 5).

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Arena, Decoder, Label, Outcome};
use message::labels_fate as fate;

const LABEL: &str = r#"{"ver":1,"src":"did:plc:abc","uri":"at://did:plc:x/app.bsky.feed.post/p","cid":"bafy","val":"spam","neg":true,"cts":"2025-10-20T10:00:00.000Z","exp":"2026-01-01T00:00:00.000Z","sig":{"0":1}}"#;

fn single(label: &str) -> String {
    format!(r#"{{"type":"label","label":{label}}}"#)
}

fn frame(labels: &[&str]) -> String {
    format!(r#"{{"seq":7,"labels":[{}]}}"#, labels.join(","))
}

/// A label with a member replaced or added.
fn with(name: &str, value: &str) -> String {
    let mut members: Vec<(&str, &str)> = vec![
        ("src", r#""s""#),
        ("uri", r#""u""#),
        ("val", r#""v""#),
        ("cts", r#""t""#),
    ];
    members.retain(|(known, _)| *known != name);
    members.push((name, value));
    let members: Vec<String> = members
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// Looks at the labels that a payload becomes.
fn labels<T>(payload: &str, look: impl FnOnce(&[Label<'_>]) -> T) -> T {
    let arena = Arena::new();
    match Decoder::new(&arena).labels(payload.as_bytes()) {
        Outcome::Event(labels) => look(&labels),
        other => unreachable!("{payload}: {other:?}"),
    }
}

fn one<T>(label: &str, look: impl Fn(&Label<'_>) -> T) -> T {
    labels(&single(label), |labels| look(&labels[0]))
}

#[test]
fn a_label_is_described_in_full() {
    let expected = Label {
        src: "did:plc:abc",
        uri: "at://did:plc:x/app.bsky.feed.post/p",
        cid: "bafy",
        val: "spam",
        neg: true,
        cts: "2025-10-20T10:00:00.000Z",
        exp: Some("2026-01-01T00:00:00.000Z"),
    };
    labels(&single(LABEL), |labels| assert_eq!(labels, [expected]));
    labels(&frame(&[LABEL, LABEL]), |labels| {
        assert_eq!(labels, [expected, expected]);
    });
}

#[test]
fn a_frame_keeps_the_order_of_its_labels() {
    let given = [
        with("val", r#""b""#),
        with("val", r#""a""#),
        with("val", r#""c""#),
    ];
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    labels(&frame(&given), |labels| {
        let values: Vec<&str> = labels.iter().map(|label| label.val).collect();
        assert_eq!(values, ["b", "a", "c"]);
    });
    labels(&frame(&[]), |labels| assert!(labels.is_empty()));
}

#[test]
fn members_of_the_message_may_come_in_any_order() {
    assert_eq!(
        fate(format!(r#"{{"label":{LABEL},"type":"label"}}"#)),
        "labels:1"
    );
    assert_eq!(
        fate(format!(r#"{{"labels":[{LABEL}],"seq":null}}"#)),
        "labels:1"
    );
    assert_eq!(fate(format!(r#"{{"labels":[{LABEL}]}}"#)), "labels:1");
}

#[test]
fn what_is_absent_or_null_has_its_default() {
    for label in [
        with("", ""),
        with("cid", "null"),
        with("exp", "null"),
        with("neg", "null"),
    ] {
        one(&label, |label| {
            assert_eq!((label.cid, label.neg, label.exp), ("", false, None));
        });
    }
}

#[test]
fn neg_is_what_javascript_takes_for_true() {
    for (neg, expected) in [
        ("true", true),
        ("\"yes\"", true),
        ("\"false\"", true),
        ("1", true),
        ("-0.5", true),
        ("1e999", true),
        ("[]", true),
        ("{}", true),
        (r#"{"$link":"x"}"#, true),
        ("false", false),
        ("0", false),
        ("-0", false),
        ("1e-999", false),
        ("\"\"", false),
        ("null", false),
    ] {
        assert_eq!(one(&with("neg", neg), |label| label.neg), expected, "{neg}");
    }
}

#[test]
fn a_time_of_the_rust_producer_is_spelled_like_the_other_ones() {
    let label = with("cts", r#""2025-10-20 10:00:00.123456 UTC""#);
    assert_eq!(
        one(&label, |label| label.cts.to_owned()),
        "2025-10-20T10:00:00.123Z"
    );
    let label = with("cts", r#""2025-10-20 10:00:00""#);
    assert_eq!(
        one(&label, |label| label.cts.to_owned()),
        "2025-10-20 10:00:00"
    );
}

#[test]
fn a_label_without_a_field_is_refused() {
    for name in ["src", "uri", "val", "cts"] {
        for value in ["", "null", "\"\"", "5", "[]", "{}"] {
            let label = with(name, value);
            assert_eq!(fate(single(&label)), format!("dead:missing_field:{name}"));
            assert_eq!(
                fate(frame(&[LABEL, &label, "5"])),
                format!("dead:missing_field:labels/1/{name}")
            );
        }
    }
}

#[test]
fn a_text_that_cannot_be_stored_is_refused() {
    for name in ["src", "uri", "cid", "val", "cts", "exp"] {
        for value in [r#""a\u0000b""#, r#""\ud800""#, r#""\udc00x""#] {
            let label = with(name, value);
            assert_eq!(fate(single(&label)), format!("dead:bad_label:{name}"));
            assert_eq!(
                fate(frame(&[LABEL, LABEL, &label])),
                format!("dead:bad_label:labels/2/{name}")
            );
        }
    }
    assert_eq!(
        fate(single(&with("cts", r#""2025-10-20 10:00:00\u0000 UTC""#))),
        "dead:bad_label:cts"
    );
    // These are not stored.
    for name in ["sig", "ver", "neg", "other"] {
        assert_eq!(fate(single(&with(name, r#""a\u0000\ud800""#))), "labels:1");
    }
}

#[test]
fn a_cid_or_exp_that_is_no_text_is_refused() {
    for name in ["cid", "exp"] {
        for value in ["5", "true", "false", "[]", "{}"] {
            let cause = format!("dead:bad_label:{name}");
            assert_eq!(fate(single(&with(name, value))), cause, "{value}");
        }
    }
}

#[test]
fn a_missing_field_is_told_before_a_bad_one() {
    let label = r#"{"src":"\u0000","uri":"u","val":"v"}"#;
    assert_eq!(fate(single(label)), "dead:missing_field:cts");
}

#[test]
fn a_label_that_is_no_object_is_missing() {
    assert_eq!(fate(r#"{"type":"label"}"#), "dead:missing_field:label");
    for value in ["null", "5", "\"x\"", "[]", r#"{"$link":"x"}"#] {
        assert_eq!(fate(single(value)), "dead:missing_field:label", "{value}");
        assert_eq!(fate(frame(&[value])), "dead:missing_field:labels/0");
        let not_an_array = format!(r#"{{"labels":{value}}}"#);
        if value != "[]" {
            assert_eq!(fate(not_an_array), "dead:missing_field:labels");
        }
    }
}

#[test]
fn an_object_of_another_type_is_ignored() {
    for payload in [
        "[]",
        "[1]",
        "{}",
        r#"{"seq":7}"#,
        r#"{"type":"create"}"#,
        r#"{"type":"Label","label":{}}"#,
        r#"{"type":5,"label":{}}"#,
        r#"{"type":"other","labels":[5]}"#,
        r#"{"type":null,"labels":[5]}"#,
        r#"{"type":"label\u0000","label":{}}"#,
        r#"{"$link":"x"}"#,
        r#"{"cid":"x","mimeType":"y"}"#,
    ] {
        assert_eq!(fate(payload), "ignored:unknown_type", "{payload}");
    }
}

#[test]
fn what_is_no_message_has_the_fate_that_it_has_among_events() {
    for payload in ["", "null", "false", "0", "-0", "\"\"", " null\n"] {
        assert_eq!(fate(payload), "ignored:empty", "{payload}");
    }
    for payload in ["5", "\"x\"", "true"] {
        assert_eq!(fate(payload), "dead:not_an_object", "{payload}");
    }
    for payload in [" ", "{", "{}{}", "\0"] {
        assert_eq!(fate(payload), "dead:not_json", "{payload:?}");
    }
    let deep = format!("{}{}", "[".repeat(1001), "]".repeat(1001));
    assert_eq!(fate(&deep), "dead:too_deep");
    assert_eq!(fate(single(&with("sig", &deep))), "dead:too_deep");
    assert_eq!(fate(vec![b' '; (16 << 20) + 1]), "dead:too_big");
}

#[test]
fn a_frame_may_be_as_long_as_a_message() {
    let label = with("cts", r#""2025-10-20 10:00:00 UTC""#);
    let frame = frame(&vec![label.as_str(); 100_000]);
    assert_eq!(fate(frame), "labels:100000");
}
