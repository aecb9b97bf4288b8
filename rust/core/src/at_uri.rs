//! The lenient AT-URI under which the reference stores records (records.md 1.1).
//!
//! The strict format of the lexicons is [`crate::formats::is_at_uri`]; this one takes what the reference's `AtUri` class
//! takes and spells it the same way.

use std::fmt;
use std::ops::Range;

use crate::formats::has_whitespace;

const SCHEME: &str = "at://";

/// A parsed AT-URI with its text as stored: `at://`, authority, path (`/` if there is none), query, fragment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AtUri {
    /// The whole URI.
    pub text: String,
    authority: Range<usize>,
    collection: Range<usize>,
    rkey: Range<usize>,
}

/// The text is no AT-URI, or it holds NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUri;

impl fmt::Display for BadUri {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not an AT-URI")
    }
}

impl std::error::Error for BadUri {}

impl AtUri {
    /// The URI of a record: parses `<did>/<collection>/<rkey>`, where an empty collection or rkey is left out.
    pub fn from_parts(did: &str, collection: &str, rkey: &str) -> Result<Self, BadUri> {
        if is_plain(did)
            && is_plain(collection)
            && is_plain(rkey)
            && did
                .as_bytes()
                .first()
                .is_some_and(u8::is_ascii_alphanumeric)
        {
            let path = SCHEME.len() + did.len();
            let rkey_start = path + 1 + collection.len() + 1;
            let mut text = String::with_capacity(rkey_start + rkey.len());
            for part in [SCHEME, did, "/", collection, "/", rkey] {
                text.push_str(part);
            }
            return Ok(Self {
                authority: SCHEME.len()..path,
                collection: path + 1..rkey_start - 1,
                rkey: rkey_start..text.len(),
                text,
            });
        }
        let mut source = did.to_owned();
        for part in [collection, rkey] {
            if !part.is_empty() {
                source.push('/');
                source.push_str(part);
            }
        }
        Self::parse(&source)
    }

    /// Parses a URI, with or without `at://`.
    pub fn parse(source: &str) -> Result<Self, BadUri> {
        if source.contains('\0') {
            return Err(BadUri);
        }
        let scheme = source
            .get(..SCHEME.len())
            .filter(|start| start.eq_ignore_ascii_case(SCHEME));
        // `at://a_b` is no authority behind the scheme, but `at:` is one without it.
        scheme
            .and_then(|_| source.get(SCHEME.len()..))
            .and_then(Components::split)
            .or_else(|| Components::split(source))
            .map(|components| components.spell())
            .ok_or(BadUri)
    }

    /// The DID or handle, or whatever stands there.
    pub fn authority(&self) -> &str {
        self.part(&self.authority)
    }

    /// The first path segment that is not empty; empty if there is none.
    pub fn collection(&self) -> &str {
        self.part(&self.collection)
    }

    /// The second path segment that is not empty; empty if there is none.
    pub fn rkey(&self) -> &str {
        self.part(&self.rkey)
    }

    fn part(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }
}

/// The parts of a source as they stand there.
struct Components<'a> {
    authority: &'a str,
    /// Empty, or from the first slash on.
    path: &'a str,
    /// Without `?`.
    query: Option<&'a str>,
    /// Without `#`.
    fragment: Option<&'a str>,
}

impl<'a> Components<'a> {
    /// Splits what follows the scheme; None if the grammar does not take it.
    fn split(source: &'a str) -> Option<Self> {
        let (authority, rest) =
            source.split_at(source.find(['/', '?', '#']).unwrap_or(source.len()));
        let (rest, fragment) = split_off(rest, '#');
        let (path, query) = split_off(rest, '?');
        let is_valid = is_authority(authority)
            && ![Some(path), query, fragment]
                .into_iter()
                .flatten()
                .any(has_whitespace)
            && query != Some("")
            && fragment != Some("");
        is_valid.then_some(Self {
            authority,
            path,
            query,
            fragment,
        })
    }

    fn spell(&self) -> AtUri {
        let mut text =
            String::with_capacity(SCHEME.len() + self.authority.len() + self.path.len() + 1);
        text.push_str(SCHEME);
        let authority = push(&mut text, self.authority);
        let path = push(
            &mut text,
            if self.path.is_empty() { "/" } else { self.path },
        );
        let mut segments =
            segments(self.path).map(|range| path.start + range.start..path.start + range.end);
        let collection = segments.next().unwrap_or(path.start..path.start);
        let rkey = segments.next().unwrap_or(path.start..path.start);
        if let Some(query) = self.query {
            push_query(&mut text, query);
        }
        if let Some(fragment) = self.fragment {
            text.push('#');
            text.push_str(fragment);
        }
        AtUri {
            text,
            authority,
            collection,
            rkey,
        }
    }
}

fn split_off(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn push(text: &mut String, part: &str) -> Range<usize> {
    let start = text.len();
    text.push_str(part);
    start..text.len()
}

/// Places of the segments of a path that are not empty.
fn segments(path: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    path.split('/').filter_map(move |segment| {
        let range = start..start + segment.len();
        start = range.end + 1;
        (!segment.is_empty()).then_some(range)
    })
}

/// `did:` and at least one of `[A-Za-z0-9:%-]`, or a letter or digit and any of `[A-Za-z0-9.:-]`.
fn is_authority(text: &str) -> bool {
    let is_did = text.len() > 4
        && text
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case("did:"))
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'%' | b'-'));
    is_did
        || (text
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-')))
}

/// Not empty and only of characters that every part of the grammar takes and that are spelled as they are.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-'))
}

/// Appends a query decoded and encoded again as `application/x-www-form-urlencoded` (URL standard, section 5), with its
/// `?` if anything is left of it.
fn push_query(text: &mut String, query: &str) {
    // The reference hands over the query with its question mark, of which one is taken off.
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        text.push(separator);
        push_form_encoded(text, name);
        text.push('=');
        push_form_encoded(text, value);
        separator = '&';
    }
}

fn push_form_encoded(text: &mut String, encoded: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let decoded = percent_decode(encoded);
    // What is not UTF-8 after decoding becomes U+FFFD, and is encoded as that.
    for byte in String::from_utf8_lossy(&decoded).bytes() {
        match byte {
            b' ' => text.push('+'),
            b'*' | b'-' | b'.' | b'_' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => {
                text.push('%');
                text.push(char::from(HEX[usize::from(byte >> 4)]));
                text.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

fn percent_decode(encoded: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*first),
        }
    }
    decoded
}

const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

    fn parts(uri: &AtUri) -> (&str, &str, &str, &str) {
        (&uri.text, uri.authority(), uri.collection(), uri.rkey())
    }

    #[test]
    fn a_plain_record_uri() {
        let uri = AtUri::from_parts(DID, "app.bsky.feed.like", "3kabc").unwrap();
        let text = format!("at://{DID}/app.bsky.feed.like/3kabc");
        assert_eq!(
            parts(&uri),
            (text.as_str(), DID, "app.bsky.feed.like", "3kabc")
        );
        assert_eq!(AtUri::parse(&text), Ok(uri));
    }

    #[test]
    fn from_parts_spells_like_the_reference() {
        let cases = [
            ("a?b", "a?b=", "a"),
            ("a?b=c d", "", ""),
            ("a b", "", ""),
            ("a\0b", "", ""),
            ("a\u{feff}b", "", ""),
            ("a\u{85}b", "a\u{85}b", "a\u{85}b"),
            ("a/b", "a/b", "a"),
            ("//a", "//a", "a"),
            ("clé", "clé", "clé"),
            ("a#b?c=d", "a#b?c=d", "a"),
            ("a?x=1&&y&=2#f", "a?x=1&y=&=2#f", "a"),
            ("a??x", "a?%3Fx=", "a"),
            ("a?%41%zz+é%ff", "a?A%25zz+%C3%A9%EF%BF%BD=", "a"),
            ("a?&", "a", "a"),
            ("a?", "", ""),
            ("a#", "", ""),
            ("self", "self", "self"),
        ];
        for (rkey, stored, parsed_rkey) in cases {
            let uri = AtUri::from_parts(DID, "c", rkey);
            if stored.is_empty() {
                assert_eq!(uri, Err(BadUri), "{rkey}");
            } else {
                let text = format!("at://{DID}/c/{stored}");
                assert_eq!(parts(&uri.unwrap()), (text.as_str(), DID, "c", parsed_rkey));
            }
        }
    }

    #[test]
    fn authorities() {
        for did in [
            DID,
            "did:web:a.example",
            "not-a-did",
            "DID:PLC:ABC",
            "did:web:a%3A1",
            "undefined",
            "did:plc:",
        ] {
            let uri = AtUri::from_parts(did, "c", "r").unwrap();
            assert_eq!(
                parts(&uri),
                (format!("at://{did}/c/r").as_str(), did, "c", "r")
            );
        }
        for did in [
            "did:plc:a_b",
            "did:web:a.b%3A1",
            "",
            "-a",
            ".a",
            "dïd",
            "did:plc:a b",
        ] {
            assert_eq!(AtUri::from_parts(did, "c", "r"), Err(BadUri), "{did}");
        }
    }

    #[test]
    fn a_scheme_that_leads_nowhere_is_an_authority() {
        let uri = AtUri::parse("at:///c/r").unwrap();
        assert_eq!(parts(&uri), ("at://at:///c/r", "at:", "c", "r"));
        let uri = AtUri::parse("AT://a.b").unwrap();
        assert_eq!(parts(&uri), ("at://a.b/", "a.b", "", ""));
    }

    #[test]
    fn a_bare_authority_gains_a_slash() {
        for (source, text) in [
            ("at://did:plc:a", "at://did:plc:a/"),
            ("a", "at://a/"),
            ("a?b", "at://a/?b="),
            ("a#/b", "at://a/#/b"),
        ] {
            assert_eq!(
                parts(&AtUri::parse(source).unwrap()),
                (text, AtUri::parse(text).unwrap().authority(), "", "")
            );
        }
    }

    #[test]
    fn parsing_the_stored_text_changes_nothing() {
        for source in [
            "did:plc:a/b/c?d=e+f%20&g#h",
            "at://x//y///z/",
            "a?b",
            "at:///c",
        ] {
            let once = AtUri::parse(source).unwrap();
            assert_eq!(AtUri::parse(&once.text), Ok(once));
        }
    }
}
