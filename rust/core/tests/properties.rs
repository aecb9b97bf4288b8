//! What holds for every payload.

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Arena, COLLECTIONS, Decoder, Outcome, Reason};
use message::{CLOCK_MS, any_record, message, unpacked};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// JSON text of any value, in spellings that JavaScript prints in another way.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "null", "true", "false", "0", "-0", "1.0", "1e3", "1e-7", "123456789012345678", r#""""#, r#""\ud800""#,
            r#""\u0000\u00e9""#, r#"{"$bytes":"AQI="}"#,
            r#"{"$link":"bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm"}"#,
            r#"{"cid":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA","mimeType":"a"}"#,
            r#"{"size":1e0,"$type":"blob","mimeType":"a","ref":"bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm"}"#,
        ])
        .prop_map(str::to_owned),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        any::<i64>().prop_map(|number| number.to_string()),
        "[^\"\\\\\\x00-\\x1f]{0,12}".prop_map(|text| format!("\"{text}\"")),
    ];
    let key = prop_oneof![
        "[a-c]",
        "[0-9]{1,3}",
        Just("4294967295".to_owned()),
        Just(r"\ud800".to_owned()),
        ".{0,3}".prop_filter("plain", |key| !key.contains(['"', '\\'])
            && !key.contains(char::is_control))
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8)
                .prop_map(|items| format!("[{}]", items.join(" ,"))),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|members| {
                let members: Vec<String> = members
                    .into_iter()
                    .map(|(key, value)| format!("\"{key}\" : {value}"))
                    .collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Messages of real records with some bytes replaced, taken out or repeated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let text = unpacked(include_bytes!("data/real-events.jsonl.gz"));
    let lines: Vec<Vec<u8>> = text
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let edit = (
        any::<Index>(),
        0..4u8,
        select(b"\"\\{}[],:0-.eu\x00\xff tn".to_vec()),
    );
    (select(lines), prop::collection::vec(edit, 0..4)).prop_map(|(mut line, edits)| {
        for (index, kind, byte) in edits {
            if !line.is_empty() {
                let place = index.index(line.len());
                match kind {
                    0 => line[place] = byte,
                    1 => drop(line.remove(place)),
                    2 => line.insert(place, byte),
                    _ => line.truncate(place),
                }
            }
        }
        line
    })
}

/// Decodes and checks what must hold for every outcome.
fn check(payload: &[u8]) {
    let arena = Arena::new();
    let outcome = Decoder::new(&arena).event(payload, CLOCK_MS);
    match outcome {
        Outcome::Reject(reject) => {
            assert_ne!(reject.reason, Reason::Crashed, "{}", reject.detail);
            assert!(!reject.detail.is_empty() && reject.detail.chars().count() <= 300);
            assert!(!reject.detail.contains('\0') && !reject.cause().contains('\0'));
        }
        Outcome::Event(event) => {
            let texts = [
                Some(event.did),
                Some(event.time),
                event.rev,
                event.commit,
                event.status,
            ];
            assert!(texts.into_iter().flatten().all(|text| !text.contains('\0')));
            if let Some(record) = event.record {
                assert!(!record.uri.text.contains('\0'));
                if let Some((cid, body)) = record.body {
                    assert!(!cid.contains('\0') && !body.json.contains('\0'));
                    let stored = Decoder::new(&arena).record(record.uri.collection(), body.json);
                    assert_eq!(stored.map(|stored| stored.json), Some(body.json));
                    assert_eq!(stored.unwrap().created_at, body.created_at);
                }
            }
        }
        Outcome::Ignored(_) => (),
    }
}

/// As [`check`], for entries of the stream of labels.
fn check_labels(payload: &[u8]) {
    let arena = Arena::new();
    match Decoder::new(&arena).labels(payload) {
        Outcome::Reject(reject) => {
            assert_ne!(reject.reason, Reason::Crashed, "{}", reject.detail);
            assert!(!reject.detail.is_empty() && reject.detail.chars().count() <= 300);
            assert!(!reject.detail.contains('\0') && !reject.cause().contains('\0'));
        }
        Outcome::Event(labels) => {
            for label in labels {
                let required = [label.src, label.uri, label.val, label.cts];
                assert!(required.iter().all(|text| !text.is_empty()), "{label:?}");
                let texts = required.into_iter().chain([label.cid]).chain(label.exp);
                assert!(
                    !texts.into_iter().any(|text| text.contains('\0')),
                    "{label:?}"
                );
            }
        }
        Outcome::Ignored(_) => (),
    }
}

/// Objects with the names of a label's members and any values.
fn label() -> impl Strategy<Value = String> {
    let name = select(vec![
        "src", "uri", "cid", "val", "neg", "cts", "exp", "sig", "ver", "src", "uri", "val", "cts",
    ]);
    let value = prop_oneof![
        3 => "[a-z:/]{1,8}".prop_map(|text| format!("\"{text}\"")),
        1 => Just(r#""2025-10-20 10:00:00.5 UTC""#.to_owned()),
        1 => json(),
    ];
    let members = prop::collection::vec((name, value), 0..12);
    (members, any::<bool>()).prop_map(|(mut members, is_whole)| {
        if is_whole {
            members.extend(["src", "uri", "val", "cts"].map(|name| (name, r#""x""#.to_owned())));
        }
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_have_one_outcome(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&payload);
    }

    #[test]
    fn any_bytes_have_one_outcome_among_labels(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        check_labels(&payload);
    }

    #[test]
    fn any_label_has_one_outcome(
        labels in prop::collection::vec(prop_oneof![9 => label(), 1 => json()], 0..5), damage in any::<Index>(),
    ) {
        let single = format!(r#"{{"type":"label","label":{}}}"#, labels.first().map_or("", String::as_str));
        let frame = format!(r#"{{"seq":1,"labels":[{}]}}"#, labels.join(","));
        for mut payload in [single.into_bytes(), frame.into_bytes()] {
            check_labels(&payload);
            payload.remove(damage.index(payload.len()));
            check_labels(&payload);
        }
    }

    #[test]
    fn a_frame_is_its_labels_one_by_one(labels in prop::collection::vec(label(), 0..5)) {
        let frame = format!(r#"{{"labels":[{}]}}"#, labels.join(","));
        let singles: Vec<String> =
            labels.iter().map(|label| format!(r#"{{"type":"label","label":{label}}}"#)).collect();
        let arena = Arena::new();
        let mut decoder = Decoder::new(&arena);
        let mut expected = Some(Vec::new());
        for single in &singles {
            match decoder.labels(single.as_bytes()) {
                Outcome::Event(one) => expected = expected.map(|all| [all, one].concat()),
                _ => expected = None,
            }
        }
        let found = match decoder.labels(frame.as_bytes()) {
            Outcome::Event(labels) => Some(labels),
            _ => None,
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damaged_messages_have_one_outcome(payload in damaged()) {
        check(&payload);
    }

    #[test]
    fn any_value_is_printed_in_a_form_that_stays(record in json()) {
        let payload = any_record(&record);
        let arena = Arena::new();
        let Outcome::Event(event) = Decoder::new(&arena).event(payload.as_bytes(), CLOCK_MS) else {
            return Err(TestCaseError::fail(record));
        };
        let (_, body) = event.record.unwrap().body.unwrap();
        let again = Decoder::new(&arena).record("chat.bsky.actor.declaration", body.json).unwrap();
        prop_assert_eq!(again.json, body.json);
    }

    #[test]
    fn any_value_as_a_record_has_one_outcome(record in json(), collection in select(COLLECTIONS.to_vec())) {
        check(message(collection, &record).as_bytes());
    }
}
