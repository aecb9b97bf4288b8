use std::collections::HashSet;

use super::types::{Properties, Type};
use super::*;
use crate::Arena;
use crate::json::Parser;
use crate::members::mark;

fn violation_of(collection: &str, record: &str) -> Option<String> {
    let arena = Arena::new();
    let document = Parser::default().parse(record, &arena).unwrap();
    let collection = collection_named(collection).unwrap();
    let record = Some(document.value);
    let verdict = collection.validate(record, &collection.declared(record));
    verdict.err().map(|violation| violation.to_string())
}

fn post(members: &str) -> String {
    format!(r#"{{"$type":"app.bsky.feed.post","createdAt":"2025-10-20T09:00:00Z",{members}}}"#)
}

/// What is wrong with a post of these members; empty if nothing.
fn post_violation(members: &str) -> String {
    violation_of("app.bsky.feed.post", &post(members)).unwrap_or_default()
}

fn text_violation(text: &str) -> String {
    post_violation(&format!(r#""text":"{text}""#))
}

const CID: &str = "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm";

fn image() -> String {
    let blob = format!(
        r#"{{"$type":"blob","ref":{{"$link":"{CID}"}},"mimeType":"text/html","size":99999999999}}"#
    );
    format!(r#"{{"alt":"","image":{blob}}}"#)
}

#[test]
fn the_documents_compile_and_every_collection_has_one() {
    for nsid in COLLECTIONS {
        let collection = collection_named(nsid).unwrap();
        assert_eq!(collection.nsid(), nsid);
        assert!(
            !REGISTRY.record(collection.index()).all.is_empty(),
            "{nsid}"
        );
    }
    assert!(collection_named("app.bsky.feed.posts").is_none());
}

#[test]
fn keys_of_an_object_have_different_marks() {
    let of = |properties: &Properties| -> Vec<String> {
        let names = properties.all.iter().map(|property| property.name.clone());
        names.chain(["$type".to_owned()]).collect()
    };
    let nested = REGISTRY.types.iter().filter_map(|found| match found {
        Type::Object(properties) => Some(of(properties)),
        _ => None,
    });
    let message = "type seq time did commit rev collection rkey cid record active status";
    let others = [message, "$type ref mimeType size"]
        .map(|keys| keys.split(' ').map(str::to_owned).collect());
    for keys in nested.chain(REGISTRY.records.iter().map(of)).chain(others) {
        let marks: HashSet<usize> = keys.iter().map(|key| mark(key.as_bytes())).collect();
        assert_eq!(marks.len(), keys.len(), "{keys:?}");
    }
}

#[test]
fn the_catalog_of_lexicon_features_is_judged_as_published() {
    let document = include_str!("../../tests/data/lexicon-record.json");
    let registry = compile::registry(&[document], &["example.lexicon.record"]).unwrap();
    let judge = |cases: &str, expected: bool| {
        let arena = Arena::new();
        let cases = Parser::default()
            .parse(arena.alloc_str(cases), &arena)
            .unwrap()
            .value;
        let Value::Array(cases) = cases else {
            unreachable!()
        };
        for case in cases.items() {
            let case = case.as_object().unwrap();
            let name = case.text("name").unwrap().decoded();
            // The reference does not enforce the size of blobs.
            let expected = expected || name == "blob too large";
            let data = case.get("data").unwrap().as_object().unwrap();
            let properties = registry.record(0);
            let verdict = validate::object(&registry, properties, data, &properties.declared(data));
            assert_eq!(verdict.is_ok(), expected, "{name}: {verdict:?}");
        }
        cases.len()
    };
    assert_eq!(
        judge(
            include_str!("../../tests/data/lexicon-record-valid.json"),
            true
        ),
        2
    );
    assert_eq!(
        judge(
            include_str!("../../tests/data/lexicon-record-invalid.json"),
            false
        ),
        25
    );
}

#[test]
fn unknown_rules_do_not_compile() {
    for (definition, expected) in [
        (r#"{"type":"string","pattern":"x"}"#, "unknown rule pattern"),
        (
            r#"{"type":"string","format":"colour"}"#,
            "unknown format colour",
        ),
        (r#"{"type":"money"}"#, "unknown type money"),
        (
            r##"{"type":"ref","ref":"#absent"}"##,
            "no document defines a.b.c#absent",
        ),
    ] {
        let document = format!(
            r#"{{"id":"a.b.c","defs":{{"main":{{"type":"record","record":{{"type":"object","properties":{{"x":{definition}}}}}}}}}}}"#
        );
        let fault = compile::registry(&[&document], &["a.b.c"])
            .err()
            .unwrap()
            .to_string();
        assert!(fault.ends_with(expected), "{fault}");
    }
    assert!(compile::registry(&[], &["a.b.c"]).is_err());
}

#[test]
fn the_type_of_a_record_is_its_collection_with_or_without_lex() {
    for (name, passes) in [
        ("app.bsky.graph.block", true),
        ("lex:app.bsky.graph.block", true),
        ("lex:lex:app.bsky.graph.block", false),
        ("app.bsky.graph.block#main", false),
        ("app.bsky.graph.follow", false),
    ] {
        let record = format!(
            r#"{{"$type":"{name}","subject":"did:plc:abc","createdAt":"2025-10-20T09:00:00Z"}}"#
        );
        assert_eq!(
            violation_of("app.bsky.graph.block", &record).is_none(),
            passes,
            "{name}"
        );
    }
    let without = r#"{"subject":"did:plc:abc","createdAt":"2025-10-20T09:00:00Z"}"#;
    assert!(
        violation_of("app.bsky.graph.block", without)
            .unwrap()
            .contains("$type must be")
    );
}

#[test]
fn a_chat_declaration_may_be_anything() {
    for record in ["{}", "[1]", "null", r#""x""#, r#"{"allowIncoming":5}"#] {
        assert_eq!(violation_of("chat.bsky.actor.declaration", record), None);
    }
    let collection = collection_named("chat.bsky.actor.declaration").unwrap();
    assert!(collection.validate(None, &[]).is_err());
}

#[test]
fn texts_are_limited_in_graphemes_and_in_bytes() {
    let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
    assert_eq!(text_violation(""), "");
    assert_eq!(text_violation(&"a".repeat(300)), "");
    assert_eq!(
        text_violation(&"a".repeat(301)),
        "text must be at most 300 graphemes long"
    );
    assert_eq!(text_violation(&family.repeat(120)), "");
    assert_eq!(
        text_violation(&family.repeat(121)),
        "text must be at most 3000 bytes long"
    );
    // Each lone surrogate counts as the three bytes that replace it.
    assert_eq!(text_violation(&r"\ud800".repeat(300)), "");
    // Indic conjuncts are two clusters: the reference's Unicode version is older than the rule that joins them.
    let conjuncts = format!(r#""text":"","tags":["{}"]"#, "क्ष".repeat(33));
    assert_eq!(
        post_violation(&conjuncts),
        "tags/0 must be at most 64 graphemes long"
    );
}

#[test]
fn lists_are_limited_and_their_items_checked() {
    for (members, expected) in [
        (r#""langs":["en","en-US","x-klingon"]"#, ""),
        (
            r#""langs":["a","b","c","d"]"#,
            "langs must be at most 3 items long",
        ),
        (
            r#""langs":["en",""]"#,
            "langs/1 must be of the format language",
        ),
        (r#""tags":["1","2","3","4","5","6","7","8"]"#, ""),
        (
            r#""tags":["1","2","3","4","5","6","7","8","9"]"#,
            "tags must be at most 8 items long",
        ),
        (r#""tags":{}"#, "tags must be an array"),
        (r#""tags":null"#, "tags must be an array"),
    ] {
        assert_eq!(
            post_violation(&format!(r#""text":"",{members}"#)),
            expected,
            "{members}"
        );
    }
}

#[test]
fn integers_are_numbers_with_an_integral_value() {
    for (start, expected) in [
        ("0", ""),
        ("1.0", ""),
        ("1e2", ""),
        ("-0", ""),
        ("0.5", "facets/0/index/byteStart must be an integer"),
        ("-1", "facets/0/index/byteStart must be at least 0"),
        ("1e400", "facets/0/index/byteStart must be an integer"),
        ("\"1\"", "facets/0/index/byteStart must be an integer"),
    ] {
        let facet = format!(r#"{{"index":{{"byteStart":{start},"byteEnd":9}},"features":[]}}"#);
        let members = format!(r#""text":"","facets":[{facet}]"#);
        assert_eq!(post_violation(&members), expected, "{start}");
    }
}

#[test]
fn unions_are_open_and_judge_the_types_they_list() {
    for (embed, expected) in [
        (r#"{"$type":"com.example.new","anything":1}"#, ""),
        (r#"{"$type":""}"#, ""),
        (r#"{"$type":"blob","size":1}"#, ""),
        (r#"{"$type":"app.bsky.embed.images","images":[]}"#, ""),
        (
            r#"{"$type":"app.bsky.embed.images"}"#,
            "embed/images must be present",
        ),
        (
            r#"{"$type":"lex:app.bsky.embed.images"}"#,
            "embed/images must be present",
        ),
        (
            r#"{"$type":"app.bsky.embed.images#main"}"#,
            "embed/images must be present",
        ),
        (r#"{"$type":"app.bsky.embed.images#view"}"#, ""),
        (
            r#"{"$type":"app.bsky.embed.gallery"}"#,
            "embed/items must be present",
        ),
        (
            r##"{"$type":"#main"}"##,
            "embed must be an object whose $type names a definition",
        ),
        (
            r#"{"$type":"a#b#c"}"#,
            "embed must be an object whose $type names a definition",
        ),
        (r#"{"images":[]}"#, "embed must be an object with a $type"),
        (r#"{"$type":5}"#, "embed must be an object with a $type"),
        ("[]", "embed must be an object with a $type"),
        ("null", "embed must be an object with a $type"),
        // What is a blob is no object with a type any more.
        (
            r#"{"$type":"blob","ref":{"$link":"bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm"},"mimeType":"a/b","size":1}"#,
            "embed must be an object with a $type",
        ),
    ] {
        let members = format!(r#""text":"","embed":{embed}"#);
        assert_eq!(post_violation(&members), expected, "{embed}");
    }
}

#[test]
fn blobs_have_exactly_their_keys_but_any_type_and_size() {
    let images = |image: &str| {
        let members =
            format!(r#""text":"","embed":{{"$type":"app.bsky.embed.images","images":[{image}]}}"#);
        post_violation(&members)
    };
    assert_eq!(images(&image()), "");
    assert_eq!(images(&image().replace("99999999999", "1.5")), "");
    assert_eq!(images(&image().replace("99999999999", "1e400")), "");
    let untyped = format!(r#"{{"alt":"","image":{{"cid":"{CID}","mimeType":""}}}}"#);
    assert_eq!(images(&untyped), "");
    for broken in [
        image().replace(r#","size":99999999999"#, ""),
        image().replace("99999999999", "\"1\""),
        image().replace("99999999999", r#"1,"extra":0"#),
        image().replace("$type", "type"),
        untyped.replace(r#","mimeType":"""#, ""),
        untyped.replace(r#""mimeType":"""#, r#""mimeType":5"#),
    ] {
        assert!(
            images(&broken).starts_with("embed/images/0/image must be a blob"),
            "{broken}"
        );
    }
    // Of the dialects of links, which are for blobs only.
    assert_eq!(
        images(&image().replace(&format!(r#"{{"$link":"{CID}"}}"#), &format!("\"{CID}\""))),
        ""
    );
}

#[test]
fn known_values_are_not_enforced() {
    let list = r#"{"$type":"app.bsky.graph.list","name":"x","purpose":"weird","createdAt":"2025-10-20T09:00:00Z"}"#;
    assert_eq!(violation_of("app.bsky.graph.list", list), None);
    let violation = violation_of("app.bsky.graph.list", &list.replace("\"x\"", "\"\"")).unwrap();
    assert_eq!(violation, "name must be at least 1 bytes long");
}

/// One least record of each collection, with a property that it must have.
const LEAST: [(&str, &str, &str); 16] = [
    ("app.bsky.feed.post", "text", r#""text":"""#),
    (
        "app.bsky.feed.like",
        "subject",
        r#""subject":{"uri":"at://did:plc:a","cid":"CID"}"#,
    ),
    (
        "app.bsky.feed.repost",
        "subject",
        r#""subject":{"uri":"at://a.b","cid":"CID"}"#,
    ),
    (
        "app.bsky.feed.threadgate",
        "post",
        r#""post":"at://did:plc:a""#,
    ),
    (
        "app.bsky.feed.postgate",
        "post",
        r#""post":"at://did:plc:a""#,
    ),
    (
        "app.bsky.feed.generator",
        "did",
        r#""did":"did:web:a","displayName":"""#,
    ),
    (
        "app.bsky.graph.follow",
        "subject",
        r#""subject":"did:plc:a""#,
    ),
    (
        "app.bsky.graph.block",
        "subject",
        r#""subject":"did:plc:a""#,
    ),
    (
        "app.bsky.graph.list",
        "purpose",
        r#""name":"a","purpose":"p""#,
    ),
    (
        "app.bsky.graph.listitem",
        "list",
        r#""subject":"did:plc:a","list":"at://did:plc:a""#,
    ),
    (
        "app.bsky.graph.listblock",
        "subject",
        r#""subject":"at://did:plc:a""#,
    ),
    (
        "app.bsky.graph.starterpack",
        "list",
        r#""name":"a","list":"at://did:plc:a""#,
    ),
    (
        "app.bsky.graph.verification",
        "handle",
        r#""subject":"did:plc:a","handle":"a.b","displayName":"""#,
    ),
    ("app.bsky.actor.status", "status", r#""status":"""#),
    (
        "app.bsky.labeler.service",
        "policies",
        r#""policies":{"labelValues":[]}"#,
    ),
    (
        "app.bsky.notification.declaration",
        "allowSubscriptions",
        r#""allowSubscriptions":"x""#,
    ),
];

#[test]
fn every_collection_takes_its_least_record_and_misses_what_is_required() {
    for (collection, required, members) in LEAST {
        let record = format!(
            r#"{{"$type":"{collection}",{},"createdAt":"2025-10-20T09:00:00Z"}}"#,
            members.replace("CID", CID)
        );
        assert_eq!(violation_of(collection, &record), None);
        let renamed = record.replace(&format!("\"{required}\""), "\"other\"");
        let expected = format!("{required} must be present");
        assert_eq!(
            violation_of(collection, &renamed),
            Some(expected),
            "{collection}"
        );
    }
    let profile = r#"{"$type":"app.bsky.actor.profile"}"#;
    assert_eq!(violation_of("app.bsky.actor.profile", profile), None);
}
