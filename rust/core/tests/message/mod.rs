//! Stream messages for tests, and what becomes of them.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;

use flate2::read::GzDecoder;
use indexer_core::{Arena, Decoder, Event, Outcome};

pub(crate) const CID: &str = "bafyreihhvnqqezgk4hztfevaic6kxxllqg2pbkj25wnbdxcqs6jojyj64i";
/// 2100-01-01T00:00:00Z: after every rev of the test data.
pub(crate) const CLOCK_MS: u64 = 4_102_444_800_000;

/// A create of a chat declaration, a record that may be any JSON value.
pub(crate) fn any_record(record: &str) -> String {
    message("chat.bsky.actor.declaration", record)
}

/// A create in a collection.
pub(crate) fn message(collection: &str, record: &str) -> String {
    format!(
        r#"{{"type":"create","record":{record},"cid":"{CID}","seq":5,"time":"2025-10-20T10:00:00.000Z","did":"did:plc:abc","commit":"{CID}","rev":"3m000000000aa","collection":"{collection}","rkey":"self"}}"#
    )
}

/// What becomes of a payload: `create` and the like, `dead:` with the cause, or `ignored:` with the reason.
pub(crate) fn fate(payload: impl AsRef<[u8]>) -> String {
    decoded(payload.as_ref(), |outcome| match outcome {
        Outcome::Event(event) => event.kind.as_str().to_owned(),
        Outcome::Reject(reject) => format!("dead:{}", reject.cause()),
        Outcome::Ignored(reason) => format!("ignored:{}", reason.as_str()),
    })
}

/// What becomes of an entry of the stream of labels: `labels:` with their number, or as [`fate`].
pub(crate) fn labels_fate(payload: impl AsRef<[u8]>) -> String {
    match Decoder::new(&Arena::new()).labels(payload.as_ref()) {
        Outcome::Event(labels) => format!("labels:{}", labels.len()),
        Outcome::Reject(reject) => format!("dead:{}", reject.cause()),
        Outcome::Ignored(reason) => format!("ignored:{}", reason.as_str()),
    }
}

/// `record.json` of an event; None if there is none.
pub(crate) fn record_json(payload: impl AsRef<[u8]>) -> Option<String> {
    decoded(payload.as_ref(), |outcome| match outcome {
        Outcome::Event(event) => Some(event.record.as_ref()?.body.as_ref()?.1.json.to_owned()),
        _ => None,
    })
}

pub(crate) fn decoded<T>(payload: &[u8], look: impl FnOnce(&Outcome<Event<'_>>) -> T) -> T {
    let arena = Arena::new();
    look(&Decoder::new(&arena).event(payload, CLOCK_MS))
}

pub(crate) fn unpacked(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(data).read_to_end(&mut bytes).unwrap();
    bytes
}
