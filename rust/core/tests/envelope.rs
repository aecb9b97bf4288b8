//! Which message becomes what, and for which of several reasons (hostile-kinds.md).

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Event, Outcome};
use message::{CID, any_record, decoded, fate, message};

const LIKE: &str = r#"{"$type":"app.bsky.feed.like","subject":{"uri":"at://did:plc:abc/app.bsky.feed.post/p1","cid":"bafyreihhvnqqezgk4hztfevaic6kxxllqg2pbkj25wnbdxcqs6jojyj64i"},"createdAt":"2025-10-20T09:00:00.5+02:00"}"#;

fn like() -> String {
    message("app.bsky.feed.like", LIKE)
}

/// Looks at the event that a payload becomes.
fn event<T>(payload: &str, look: impl FnOnce(&Event<'_>) -> T) -> T {
    decoded(payload.as_bytes(), |outcome| match outcome {
        Outcome::Event(event) => look(event),
        other => unreachable!("{payload}: {other:?}"),
    })
}

#[test]
fn a_like_is_described_in_full() {
    event(&like(), |event| {
        assert_eq!(event.did, "did:plc:abc");
        assert_eq!(event.time, "2025-10-20T10:00:00.000Z");
        assert_eq!(event.rev, Some("3m000000000aa"));
        assert_eq!((event.commit, event.backfill), (Some(CID), Some(false)));
        let record = event.record.as_ref().unwrap();
        assert_eq!(record.uri.text, "at://did:plc:abc/app.bsky.feed.like/self");
        assert_eq!(record.uri.authority(), "did:plc:abc");
        let (cid, body) = record.body.as_ref().unwrap();
        assert_eq!(*cid, CID);
        assert_eq!(body.json, LIKE);
        assert_eq!(body.created_at, Some("2025-10-20T07:00:00.500Z"));
        let names: Vec<_> = body
            .properties
            .iter()
            .map(|member| member.key.decoded())
            .collect();
        assert_eq!(names, ["subject", "createdAt"]);
    });
}

#[test]
fn what_is_falsy_in_javascript_is_empty() {
    for payload in [
        "", "null", "false", "0", "-0", "0.0e5", "1e-999", "\"\"", " null\n",
    ] {
        assert_eq!(fate(payload), "ignored:empty", "{payload}");
    }
    for payload in ["5", "\"x\"", "true", "\" \"", "\"\\u0000\""] {
        assert_eq!(fate(payload), "dead:not_an_object", "{payload}");
    }
    for payload in [" ", "\u{feff}{}", "{", "nul", "{}{}", "\0"] {
        assert_eq!(fate(payload), "dead:not_json", "{payload:?}");
    }
}

#[test]
fn objects_without_a_known_type_are_ignored() {
    for payload in [
        "[]",
        "[1]",
        "{}",
        r#"{"type":5}"#,
        r#"{"type":"Create"}"#,
        r#"{"type":"label","label":{}}"#,
        r#"{"type":"create\u0000"}"#,
        r#"{"$link":"x"}"#,
        r#"{"cid":"x","mimeType":"y"}"#,
        r#"{"$bytes":"AQID"}"#,
    ] {
        assert_eq!(fate(payload), "ignored:unknown_type", "{payload}");
    }
}

#[test]
fn the_first_missing_field_is_named_before_anything_else_is_judged() {
    let order = ["did", "collection", "rkey", "rev", "time", "commit"];
    // Everything is wrong; what is looked at later does not matter.
    let mut broken = r#"{"type":"delete","commit":"x","rev":"zzzz"}"#.to_owned();
    assert_eq!(fate(&broken), "dead:missing_field:did");
    for (place, name) in order.iter().enumerate() {
        broken.insert_str(1, &format!(r#""{name}":"{name} zzz","#));
        let expected = match order.get(place + 1) {
            Some(&("rev" | "commit")) => continue,
            Some(next) => format!("dead:missing_field:{next}"),
            None => "dead:bad_commit".to_owned(),
        };
        assert_eq!(fate(&broken), expected, "{broken}");
    }
    for (value, name) in [
        ("null", "did"),
        ("5", "rkey"),
        ("\"\"", "time"),
        ("[]", "commit"),
    ] {
        let start = like().find(&format!("\"{name}\":")).unwrap() + name.len() + 3;
        let rest = &like()[start..];
        let message = format!(
            "{}{value}{}",
            &like()[..start],
            &rest[rest[1..].find('"').unwrap() + 2..]
        );
        assert_eq!(
            fate(&message),
            format!("dead:missing_field:{name}"),
            "{message}"
        );
    }
}

#[test]
fn a_message_has_one_reason_in_the_order_of_the_checks() {
    let mut message = message("app.bsky.feed.like", r#"{"x":{"$link":"x"}}"#)
        .replace(&format!(r#""commit":"{CID}""#), r#""commit":"x""#)
        .replace("3m000000000aa", "zzzzzzzzzzzzz")
        .replace("\"self\"", "\"a b\"")
        .replace(&format!(r#""cid":"{CID}""#), r#""cid":"""#);
    let repairs = [
        (
            "dead:bad_commit",
            r#""commit":"x""#,
            format!(r#""commit":"{CID}""#),
        ),
        ("dead:bad_rev", "zzzzzzzzzzzzz", "3m000000000aa".to_owned()),
        ("dead:bad_uri", "\"a b\"", "\"k\"".to_owned()),
        (
            "dead:missing_field:cid",
            r#""cid":"""#,
            r#""cid":"x""#.to_owned(),
        ),
        ("dead:bad_cid", r#""cid":"x""#, format!(r#""cid":"{CID}""#)),
        (
            "dead:bad_record:x",
            r#"{"x":{"$link":"x"}}"#,
            r#"{"x":1}"#.to_owned(),
        ),
        ("dead:invalid_record:$type", r#"{"x":1}"#, LIKE.to_owned()),
    ];
    for (expected, broken, repaired) in repairs {
        assert_eq!(fate(&message), expected);
        assert!(message.contains(broken), "{broken}");
        message = message.replace(broken, &repaired);
    }
    assert_eq!(fate(&message), "create");
}

#[test]
fn revs_may_lie_five_minutes_ahead() {
    // The TID of the clock of these tests plus five minutes, and its neighbours in text order.
    let latest =
        String::from_utf8(indexer_core::tid::tid_of_ms(message::CLOCK_MS + 300_000).into())
            .unwrap();
    let with_rev = |rev: &str| like().replace("3m000000000aa", rev);
    assert_eq!(fate(with_rev(&latest)), "create");
    assert_eq!(fate(with_rev(&format!("{latest}2"))), "dead:bad_rev");
    assert_eq!(fate(with_rev(&latest[..12])), "create");
    assert_eq!(fate(with_rev("zzzz-not-a-tid")), "dead:bad_rev");
    assert_eq!(fate(with_rev("1 is no TID")), "create");
    for unclean in [r"3m\u0000", r"3m\ud800"] {
        assert_eq!(fate(with_rev(unclean)), "dead:bad_rev", "{unclean}");
    }
}

#[test]
fn identifiers_are_never_cleaned() {
    for (from, to) in [
        ("\"self\"", r#""a\u0000b""#),
        ("\"self\"", r#""a\ud800b""#),
        ("did:plc:abc\",\"commit", "did:plc:\\u0000\",\"commit"),
        (
            "\"app.bsky.feed.like\",\"rkey",
            "\"app.bsky.feed.like\\u0000\",\"rkey",
        ),
    ] {
        assert!(like().contains(from), "{from}");
        assert_eq!(fate(like().replace(from, to)), "dead:bad_uri", "{to}");
    }
    let account = r#"{"type":"account","did":"did:plc:\u0000","time":"t"}"#;
    assert_eq!(fate(account), "dead:bad_uri:did");
}

#[test]
fn a_time_is_text_and_is_cleaned() {
    let message = like().replace("2025-10-20T10:00:00.000Z", r"a\u0000\ud800b");
    event(&message, |event| {
        assert_eq!((event.time, event.is_unclean), ("a\u{fffd}b", true));
    });
}

#[test]
fn other_collections_need_neither_cid_nor_record() {
    for collection in [
        "com.example.foo",
        "app.bsky.feed.other",
        "app.bsky.feed.postx",
    ] {
        let message = message(collection, "{\"$link\":5}").replace("\"cid\"", "\"other\"");
        event(&message, |event| {
            let record = event.record.as_ref().unwrap();
            assert!(record.body.is_none());
        });
    }
}

#[test]
fn deletes_need_neither_cid_nor_record() {
    let message = format!(
        r#"{{"type":"delete","did":"did:plc:abc","time":"t","commit":"{CID}","rev":"3m","collection":"app.bsky.feed.post","rkey":"k","record":{{"$link":"x"}}}}"#
    );
    event(&message, |event| {
        let record = event.record.as_ref().unwrap();
        assert_eq!(record.uri.rkey(), "k");
        assert!(record.body.is_none() && event.backfill.is_none());
    });
}

#[test]
fn seq_marks_backfill_in_both_dialects() {
    for (seq, expected) in [
        ("-1", Some(true)),
        ("-2", Some(true)),
        ("-2.0", Some(true)),
        ("-3", Some(false)),
        ("0", Some(false)),
        ("\"-2\"", Some(false)),
        ("null", None),
    ] {
        let message = like().replace("\"seq\":5", &format!("\"seq\":{seq}"));
        assert_eq!(event(&message, |event| event.backfill), expected, "{seq}");
    }
    let message = like().replace("\"seq\":5,", "");
    assert_eq!(event(&message, |event| event.backfill), None);
}

#[test]
fn accounts_have_a_status_in_lower_case() {
    let account = |rest: &str| {
        let message = format!(r#"{{"type":"account","did":"did:plc:abc","time":"t"{rest}}}"#);
        event(&message, |event| {
            (event.active, event.status.map(str::to_owned))
        })
    };
    assert_eq!(account(""), (None, None));
    assert_eq!(
        account(r#","active":true,"status":null"#),
        (Some(true), None)
    );
    assert_eq!(
        account(r#","active":false,"status":"Takendown""#),
        (Some(false), Some("takendown".to_owned()))
    );
    assert_eq!(account(r#","active":"false","status":5"#), (None, None));
    assert_eq!(
        fate(r#"{"type":"account","did":"d"}"#),
        "dead:missing_field:time"
    );
    assert_eq!(
        fate(r#"{"type":"identity","time":"d"}"#),
        "dead:missing_field:did"
    );
    assert_eq!(
        fate(r#"{"type":"identity","did":"d","time":"t","handle":5}"#),
        "identity"
    );
}

#[test]
fn repos_need_did_rev_time_and_commit() {
    let repo = format!(r#"{{"type":"repo","did":"d","commit":"{CID}","rev":"3m","time":"t"}}"#);
    event(&repo, |event| {
        assert_eq!((event.rev, event.commit), (Some("3m"), Some(CID)));
        assert!(event.record.is_none());
    });
    for name in ["did", "commit", "rev", "time"] {
        let message = repo.replace(&format!("\"{name}\""), "\"x\"");
        assert_eq!(fate(message), format!("dead:missing_field:{name}"));
    }
    assert_eq!(fate(repo.replace(CID, "x")), "dead:bad_commit");
    assert_eq!(fate(repo.replace("3m", "zz")), "dead:bad_rev");
}

#[test]
fn records_must_be_there_and_be_objects() {
    for record in ["null", "\"x\"", "[]", "5", r#"{"$bytes":"AQID"}"#] {
        assert_eq!(
            fate(message("app.bsky.feed.post", record)),
            "dead:invalid_record",
            "{record}"
        );
    }
    let without = like().replace("\"record\"", "\"other\"");
    assert_eq!(fate(without), "dead:invalid_record");
    let without = any_record("{}").replace("\"record\"", "\"other\"");
    assert_eq!(fate(without), "dead:invalid_record");
    for record in ["null", "\"x\"", "[]", "5", r#"{"$bytes":"AQID"}"#] {
        assert_eq!(fate(any_record(record)), "create", "{record}");
    }
}

#[test]
fn cids_are_canonical() {
    let based58 = "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA";
    let based32 = "bafkreidon73zkcrwdb5iafqtijxildoonbwnpv7dyd6ef3qdgads2jc4su";
    let message = like()
        .replace(
            &format!(r#""cid":"{CID}","seq""#),
            &format!(r#""cid":"{based58}","seq""#),
        )
        .replace(
            &format!(r#""commit":"{CID}""#),
            &format!(r#""commit":"{based58}""#),
        );
    event(&message, |event| {
        assert_eq!(event.commit, Some(based32));
        let (cid, body) = event.record.as_ref().unwrap().body.as_ref().unwrap();
        assert_eq!(*cid, based32);
        assert_eq!(body.json, LIKE);
    });
}

#[test]
fn uncleanness_is_noticed_where_it_matters() {
    let post = |members: &str| {
        let record = format!(
            r#"{{"$type":"app.bsky.feed.post","createdAt":"2025-10-20T09:00:00Z",{members}}}"#
        );
        event(&message("app.bsky.feed.post", &record), |event| {
            event
                .record
                .as_ref()
                .unwrap()
                .body
                .as_ref()
                .unwrap()
                .1
                .is_unclean
        })
    };
    assert!(post(r#""text":"a\u0000""#));
    assert!(post(r#""text":"a","tags":["b\ud800"]"#));
    assert!(!post(r#""text":"a\n\ud83d\ude00""#));
    assert!(!post(r#""text":"a","undeclared":"\u0000""#));
}
