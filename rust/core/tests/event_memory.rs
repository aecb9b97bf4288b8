//! What decoding an event allocates follows the payload, however its values are arranged: at most eight times as much, and
//! one MiB.

#![allow(clippy::unwrap_used, reason = "tests")]

mod message;

use indexer_core::{Arena, Decoder};
use message::{CLOCK_MS, any_record, message};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Small enough to be quick; so what is allowed on top is an eighth of a MiB here.
const SIZE: usize = 1 << 16;
const MORE: usize = 1 << 17;

/// What is allocated at most while `work` runs.
fn peak(work: impl FnOnce(&Arena)) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let arena = Arena::new();
    work(&arena);
    MEMORY.peak_usage() - before
}

fn event_peak(payload: &[u8]) -> usize {
    peak(|arena| drop(Decoder::new(arena).event(payload, CLOCK_MS)))
}

fn within(way: &str, name: &str, payload: &[u8], peak: usize) {
    let limit = 8 * payload.len() + MORE;
    let name: String = name.chars().take(60).collect();
    assert!(peak <= limit, "{way} of {name}: {peak} of {limit}");
}

fn check_event(name: &str, payload: &[u8]) {
    within("event", name, payload, event_peak(payload));
}

fn check_labels(name: &str, payload: &[u8]) {
    let peak = peak(|arena| drop(Decoder::new(arena).labels(payload)));
    within("labels", name, payload, peak);
}

/// Decodes a payload in every way that there is.
fn check(name: &str, payload: &[u8]) {
    check_event(name, payload);
    check_labels(name, payload);
    let text = String::from_utf8_lossy(payload);
    let peak = peak(|arena| {
        let _ = Decoder::new(arena).record("chat.bsky.actor.declaration", &text);
    });
    within("record", name, payload, peak);
}

fn repeated(item: &str, size: usize) -> String {
    item.repeat(size / item.len())
}

/// Items that take much memory in some way.
fn items() -> Vec<String> {
    let cid = message::CID;
    let mut items: Vec<String> = [
        "0",
        "1.0",
        "1e9",
        "1e20",
        "-0",
        "null",
        "{}",
        "[]",
        "[[]]",
        r#""""#,
        r#""\/""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#"{"a":0}"#,
        r#"{"":0}"#,
        r#"{"":0,"":0}"#,
        r#"{"1":0,"0":0}"#,
        r#"{"b":0,"1":0,"b":1}"#,
        r#"{"\u0031":0,"0":0}"#,
        r#"{"__proto__":0}"#,
        r#"{"$link":""}"#,
        r#"{"$bytes":""}"#,
        r#"{"$bytes":"\/w"}"#,
        r#"{"cid":"","mimeType":""}"#,
        r#"{"$type":"blob"}"#,
        r#"{"src":"a","uri":"a","val":"a","cts":"a"}"#,
        r#"{"src":"a","uri":"a","val":"a","cts":"2025-10-20 10:11:12 UTC"}"#,
    ]
    .map(str::to_owned)
    .into();
    items.push(format!(r#"{{"$link":"{cid}"}}"#));
    items.push(r#"{"$link":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}"#.to_owned());
    items.push(format!(
        r#"{{"$type":"blob","ref":"{cid}","mimeType":"","size":0}}"#
    ));
    items
}

/// One test, since the allocator counts for all threads.
#[test]
fn memory_follows_the_payload() {
    nesting();
    lists();
    objects();
    facets();
    texts();
    batches();
}

/// What is nested too deep is not kept.
fn nesting() {
    for deep in [
        "[".repeat(SIZE),
        format!("{}{}", "[".repeat(SIZE / 2), "]".repeat(SIZE / 2)),
        format!("{}0{}", repeated(r#"{"a":"#, SIZE), "}".repeat(SIZE / 6)),
        format!("{}{}", "[".repeat(1001), repeated("0,", SIZE)),
    ] {
        check(&deep, any_record(&deep).as_bytes());
        check(&deep, deep.as_bytes());
    }
}

fn lists() {
    for item in items() {
        let list = repeated(&format!("{item},"), SIZE);
        let array = format!("[{list}0]");
        check(&item, any_record(&array).as_bytes());
        // White space: all of it is printed.
        check_event(&item, any_record(&format!("[ {list}0]")).as_bytes());
        check_labels(&item, format!(r#"{{"labels":[{list}0]}}"#).as_bytes());
        let labels = format!(r#"{{"labels":[{}]}}"#, &list[..list.len() - 1]);
        check_labels(&item, labels.as_bytes());
        // As deep as may be.
        let nested = format!("{}{array}{}", "[".repeat(997), "]".repeat(997));
        check_event(&item, any_record(&nested).as_bytes());
    }
}

fn objects() {
    for member in [
        r#""":0"#,
        r#""a":{}"#,
        r#""\u0061":0"#,
        r#""\u0031":0"#,
        r#""1":0"#,
        r#""1":1e20"#,
        r#""__proto__":0"#,
        r#""record":{"a":[1.0,1.0,1.0]}"#,
    ] {
        let object = format!("{{{}\"x\":0}}", repeated(&format!("{member},"), SIZE));
        check(member, any_record(&object).as_bytes());
        check(member, object.as_bytes());
    }
    // Keys that differ, with indexes in the wrong order, and each of them twice.
    let numbers = |n: usize| (0..n).rev().map(|number| format!("\"{number}\":0,"));
    let different: String = numbers(SIZE / 10).chain(numbers(SIZE / 10)).collect();
    check(
        "indexes",
        any_record(&format!("{{{different}\"x\":0}}")).as_bytes(),
    );
    let mut keys = Vec::new();
    for first in 'a'..='z' {
        for second in 'a'..='z' {
            keys.push(format!("\"{first}{second}\":0,"));
        }
    }
    let keys = format!("{{{}\"0\":0}}", keys.concat());
    check(
        "objects",
        any_record(&format!("[{}0]", repeated(&format!("{keys},"), SIZE))).as_bytes(),
    );
}

/// Records that their lexicons allow.
fn facets() {
    let facet = r#"{"index":{"byteStart":0,"byteEnd":0},"features":[]},"#;
    let facets = repeated(facet, SIZE);
    let facets = facets.trim_end_matches(',');
    let numbers = repeated("1e20,", SIZE);
    let feature = format!(
        r#"{{"index":{{"byteStart":0,"byteEnd":0}},"features":[{{"$type":"x","y":[{numbers}0]}}]}}"#
    );
    for (collection, name, facets) in [
        ("app.bsky.feed.post", "facets", facets),
        ("app.bsky.feed.generator", "descriptionFacets", facets),
        ("app.bsky.feed.generator", "descriptionFacets", &feature),
    ] {
        let record = format!(
            r#"{{"$type":"{collection}","createdAt":"2025-10-20T09:00:00Z","text":"","did":"did:plc:a","displayName":"x","{name}":[{facets}]}}"#
        );
        let payload = message(collection, &record);
        assert_eq!(message::fate(&payload), "create");
        check(name, payload.as_bytes());
    }
}

fn texts() {
    let plain = any_record(&format!(r#"{{"$type":"t","text":"{}"}}"#, "x".repeat(SIZE)));
    assert!(event_peak(plain.as_bytes()) < 3 * SIZE);
    let commas = any_record(&format!(r#"{{"text":"{}"}}"#, ",".repeat(SIZE)));
    check("commas", commas.as_bytes());
    // Bad UTF-8 takes three bytes for one.
    let bad = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        for byte in &mut bytes {
            if *byte == b'?' {
                *byte = 0xff;
            }
        }
        bytes
    };
    let wrong = "?".repeat(SIZE);
    for text in [
        any_record(&format!("\"{wrong}\"")),
        any_record(&format!("[ \"{wrong}\"]")),
        any_record(&format!("[{}0]", repeated("\"?\",", SIZE))),
        any_record(&format!(r#"{{"{wrong}":{{"$link":""}}}}"#)),
        format!(r#"{{"type":"account","did":"a","time":"a","status":"{wrong}"}}"#),
        format!(r#"{{"type":"account","did":"a","time":"a","status":"{wrong}ȺȺȺ"}}"#),
        any_record("0").replace("did:plc:abc", &wrong),
        any_record("0").replace(message::CID, &wrong),
        any_record("0").replace("3m000000000aa", &wrong),
        any_record("0").replace("\"self\"", &format!("\"{wrong}\"")),
    ] {
        check("bad UTF-8", &bad(&text));
    }
    for text in [
        any_record("0").replace("self", &"é".repeat(SIZE)),
        any_record("0").replace(message::CID, &format!("b{}", "a".repeat(SIZE))),
        any_record(&format!(r#"{{"$link":"b{}"}}"#, "a".repeat(SIZE))),
        format!(
            r#"{{"type":"account","did":"a","time":"a","status":"{}"}}"#,
            "Ⱥ".repeat(SIZE)
        ),
        format!(
            r#"{{"type":"account","did":"a","time":"a","status":"{}"}}"#,
            r"\u0000".repeat(SIZE)
        ),
    ] {
        check("long texts", text.as_bytes());
    }
}

/// Many messages in one arena.
fn batches() {
    for item in items() {
        for (size, count) in [(4 << 10, 50), (64, 1000)] {
            let list = format!("[{}0]", repeated(&format!("{item},"), size));
            let payload = any_record(&list);
            let sum = payload.len() * count;
            let peak = peak(|arena| {
                let mut decoder = Decoder::new(arena);
                for _ in 0..count {
                    let _ = decoder.event(payload.as_bytes(), CLOCK_MS);
                }
            });
            assert!(peak <= 8 * sum + (1 << 20), "{item}: {peak} of {sum}");
        }
    }
}
