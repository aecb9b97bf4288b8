//! Timestamps, formats, identifiers and repair take any text.
#![no_main]

use indexer_core::at_uri::AtUri;
use indexer_core::cid::{Cid, canonical_text};
use indexer_core::timestamp::{is_datetime, normalize_created_at};
use indexer_core::{formats, has_format, sanitize, sanitize_bytes, sanitize_utf16};
use libfuzzer_sys::fuzz_target;

const FORMATS: [&str; 11] = [
    "at-identifier",
    "at-uri",
    "cid",
    "datetime",
    "did",
    "handle",
    "language",
    "nsid",
    "record-key",
    "tid",
    "uri",
];

fuzz_target!(|bytes: &[u8]| {
    let clean = sanitize_bytes(bytes);
    assert!(!clean.contains('\0'));
    let units = bytes
        .chunks_exact(2)
        .map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    assert!(!sanitize_utf16(units).contains('\0'));
    let lossy = String::from_utf8_lossy(bytes);
    let text = lossy.as_ref();
    assert_eq!(sanitize(text), clean);
    for format in FORMATS {
        assert!(has_format(format, text).is_some(), "{format}");
    }
    check_timestamp(text);
    // Of version 0 there are CIDs (no SHA-256) whose text nothing can read, in the reference, too.
    if let (Ok(canonical), Ok(cid)) = (canonical_text(text), Cid::parse(text))
        && cid.version() == 1
    {
        assert_eq!(
            canonical_text(&canonical).as_deref(),
            Ok(canonical.as_ref())
        );
        assert_eq!(Cid::parse(&canonical), Ok(cid));
    }
    if let Ok(cid) = Cid::from_bytes(bytes)
        && cid.version() == 1
    {
        assert_eq!(Cid::parse(&cid.to_canonical_text()), Ok(cid));
    }
    check_uri(text);
});

fn check_timestamp(text: &str) {
    let normalized = normalize_created_at(text);
    assert_eq!(normalized.is_some(), is_datetime(text));
    if let Some(normalized) = normalized {
        assert_eq!(normalized.len(), "YYYY-MM-DDTHH:mm:ss.sssZ".len());
        assert_eq!(
            normalize_created_at(&normalized).as_deref(),
            Some(normalized.as_ref())
        );
    }
}

fn check_uri(text: &str) {
    if let Ok(uri) = AtUri::parse(text) {
        assert!(!uri.text.contains('\0') && uri.text.starts_with("at://"));
        assert!(text.contains(uri.rkey()) && text.contains(uri.collection()));
    } else {
        assert!(
            !formats::is_at_uri(text) || text.contains(['?', '#', '[', '_', '~', '@', '!']),
            "{text}"
        );
    }
    let (did, rest) = text.split_once(' ').unwrap_or((text, "c r"));
    let (collection, rkey) = rest.split_once(' ').unwrap_or((rest, "r"));
    if let Ok(uri) = AtUri::from_parts(did, collection, rkey) {
        assert!(!uri.text.contains('\0'));
    }
}
