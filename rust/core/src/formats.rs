//! The string formats of the lexicons, with the rules of the reference's validator (records.md 3.2).
//!
//! Some rules are looser or stricter than the published syntax; `tests/syntax.rs` lists where. No function allocates, and
//! every one takes any text. `datetime` is in `timestamp`.

mod language;

pub use language::is_language;

use crate::cid::canonical_text;
use crate::lexicon::collection_named;
use crate::scan::position;
use crate::tid::parse_tid;

/// `did`: `did:`, a method of lower-case letters, `:`, and an identifier of `[A-Za-z0-9._:%-]` that ends in neither `:`
/// nor `%`.
pub fn is_did(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("did:") else {
        return false;
    };
    let is_in_method = |byte: &u8| byte.is_ascii_lowercase();
    let method = rest.bytes().take_while(is_in_method).count();
    let Some([b':', identifier @ ..]) = rest.as_bytes().get(method..) else {
        return false;
    };
    text.len() <= 2048
        && method > 0
        && all_in(identifier, &DID_BYTES)
        && !matches!(identifier.last(), None | Some(b':' | b'%'))
}

/// `handle`: a host name of at least two labels whose last label starts with a letter.
pub fn is_handle(text: &str) -> bool {
    text.len() <= 253
        && count_labels(text).is_some_and(|labels| labels >= 2)
        && starts_with_letter(last_label(text))
}

/// `at-identifier`: a DID or a handle.
pub fn is_at_identifier(text: &str) -> bool {
    if text.starts_with("did:") {
        is_did(text)
    } else {
        is_handle(text)
    }
}

/// `at-uri`: `at://`, a DID or a handle, optionally a collection, optionally a record key, optionally a fragment.
pub fn is_at_uri(text: &str) -> bool {
    // No part in front of a fragment may hold `#`: most texts need no search for it.
    is_at_uri_without_fragment(text)
        || text.split_once('#').is_some_and(|(uri, fragment)| {
            is_at_uri_without_fragment(uri)
                && fragment.starts_with('/')
                && all_in(fragment.as_bytes(), &FRAGMENT_BYTES)
        })
}

fn is_at_uri_without_fragment(uri: &str) -> bool {
    let Some(rest) = uri.strip_prefix("at://") else {
        return false;
    };
    let (authority, path) = split_at(rest, b'/');
    let (collection, rkey) = match path.map(|path| split_at(path, b'/')) {
        Some((collection, rkey)) => (Some(collection), rkey),
        None => (None, None),
    };
    // The reference measures the text without its fragment.
    uri.len() <= 8192
        && is_at_identifier(authority)
        && collection.is_none_or(is_nsid)
        && rkey.is_none_or(|rkey| !rkey.is_empty() && all_in(rkey.as_bytes(), &AT_URI_BYTES))
}

/// `nsid`: at least three labels; the first starts with a letter, the last is letters and digits and starts with a letter.
pub fn is_nsid(text: &str) -> bool {
    // Most are.
    if collection_named(text).is_some() {
        return true;
    }
    let name = last_label(text);
    text.len() <= 317
        && count_labels(text).is_some_and(|labels| labels >= 3)
        && starts_with_letter(text)
        && starts_with_letter(name)
        && !name.contains('-')
}

/// `record-key`: 1 to 512 of `[A-Za-z0-9_~.:-]`, neither `.` nor `..`.
pub fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && text != "."
        && text != ".."
        && all_in(text.as_bytes(), &RECORD_KEY_BYTES)
}

/// `tid`: 13 characters of base32-sortable, the first below `k`.
pub fn is_tid(text: &str) -> bool {
    parse_tid(text).is_some()
}

/// `uri`: a scheme of `[A-Za-z0-9_]`, `:`, optionally `//`, then something that does not start with `/` and holds no
/// whitespace.
pub fn is_uri(text: &str) -> bool {
    let (scheme, Some(rest)) = split_at(text, b':') else {
        return false;
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    !scheme.is_empty()
        && all_in(scheme.as_bytes(), &SCHEME_BYTES)
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !has_whitespace(rest)
}

/// `cid`: the text of a CID in base32, in base58btc, or of version 0.
pub fn is_cid(text: &str) -> bool {
    canonical_text(text).is_ok()
}

/// What is in front of the first such byte, which is ASCII, and what is behind it.
fn split_at(text: &str, separator: u8) -> (&str, Option<&str>) {
    match position(text.as_bytes(), separator) {
        Some(place) => (&text[..place], text.get(place + 1..)),
        None => (text, None),
    }
}

/// Which bytes a part may hold.
pub(crate) type Bytes = [bool; 256];

static DID_BYTES: Bytes = alphanumeric_and(b"._:%-");
static RECORD_KEY_BYTES: Bytes = alphanumeric_and(b"_~.:-");
static AT_URI_BYTES: Bytes = alphanumeric_and(b"._~:@!$&')(*+,;=%-");
static FRAGMENT_BYTES: Bytes = alphanumeric_and(b"._~:@!$&')(*+,;=%[]/-");
static SCHEME_BYTES: Bytes = alphanumeric_and(b"_");

pub(crate) const fn alphanumeric_and(others: &[u8]) -> Bytes {
    let mut bytes = [false; 256];
    let mut byte = 0u8;
    while byte < 0x80 {
        bytes[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let mut place = 0;
    while place < others.len() {
        bytes[others[place] as usize] = true;
        place += 1;
    }
    bytes
}

pub(crate) fn all_in(text: &[u8], bytes: &Bytes) -> bool {
    let is_in = |byte: &u8| bytes[usize::from(*byte)];
    // Eight without a branch are quicker than up to eight branches.
    let (chunks, rest) = text.as_chunks::<8>();
    let are_in = |chunk: &[u8; 8]| chunk.iter().fold(true, |all, byte| all & is_in(byte));
    chunks.iter().all(are_in) && rest.iter().all(is_in)
}

/// The number of labels of a host name, or of an NSID; None if one is not 1 to 63 letters, digits and inner hyphens.
fn count_labels(text: &str) -> Option<usize> {
    let mut labels = 1;
    let mut length = 0;
    let mut before = b'.';
    for byte in text.bytes() {
        match byte {
            b'.' if before != b'.' && before != b'-' => {
                labels += 1;
                length = 0;
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' if length < 63 => length += 1,
            b'-' if before != b'.' && length < 63 => length += 1,
            _ => return None,
        }
        before = byte;
    }
    (before != b'.' && before != b'-').then_some(labels)
}

fn last_label(text: &str) -> &str {
    text.rsplit_once('.').map_or(text, |(_, label)| label)
}

fn starts_with_letter(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
}

/// Whether the text holds a character of `\s` in JavaScript.
pub(crate) fn has_whitespace(text: &str) -> bool {
    // Without a branch, so that many bytes are compared at once. What is found may be none.
    let may_be = |byte: u8| byte <= b' ' || byte >= 0x80;
    text.bytes().fold(false, |found, byte| found | may_be(byte))
        && text.chars().any(is_js_whitespace)
}

/// `\s` of JavaScript: `WhiteSpace` and `LineTerminator` of ECMA-262. It has U+FEFF, which Unicode does not count as white
/// space, and lacks U+0085, which Unicode does.
const fn is_js_whitespace(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

#[cfg(test)]
mod tests;
