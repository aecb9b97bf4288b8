//! The lenient AT-URI under which the reference stores records (records.md 1.1).
//!
//! The strict format of the lexicons is [`crate::formats::is_at_uri`]; this one takes what the reference's `AtUri` class
//! takes and spells it the same way.

mod query;

use std::fmt;
use std::ops::Range;

use crate::formats::{Bytes, all_in, alphanumeric_and, has_whitespace};

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
            text.push_str(SCHEME);
            text.push_str(did);
            text.push('/');
            text.push_str(collection);
            text.push('/');
            text.push_str(rkey);
            return Ok(Self {
                authority: SCHEME.len()..path,
                collection: path + 1..rkey_start - 1,
                rkey: rkey_start..text.len(),
                text,
            });
        }
        let length = SCHEME.len() + did.len() + 1 + collection.len() + 1 + rkey.len();
        let mut text = String::with_capacity(length);
        text.push_str(SCHEME);
        text.push_str(did);
        for part in [collection, rkey] {
            if !part.is_empty() {
                text.push('/');
                text.push_str(part);
            }
        }
        // A part may be long: what is spelled as it stands is not written twice.
        let source = text.get(SCHEME.len()..).unwrap_or_default();
        let has_scheme = source.get(..SCHEME.len()).is_some_and(is_scheme);
        if !has_scheme
            && !source.contains('\0')
            && let Some(components) = Components::split(source)
            && components.query.is_none()
            && !components.path.is_empty()
        {
            let authority = SCHEME.len()..SCHEME.len() + components.authority.len();
            let (collection, rkey) = components.collection_and_rkey(authority.end);
            return Ok(Self {
                text,
                authority,
                collection,
                rkey,
            });
        }
        Self::parse(source)
    }

    /// Parses a URI, with or without `at://`.
    pub fn parse(source: &str) -> Result<Self, BadUri> {
        if source.contains('\0') {
            return Err(BadUri);
        }
        let scheme = source.get(..SCHEME.len()).filter(|start| is_scheme(start));
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
        let end = source
            .bytes()
            .position(|byte| matches!(byte, b'/' | b'?' | b'#'));
        let (authority, rest) = source.split_at(end.unwrap_or(source.len()));
        if !is_authority(authority) || has_whitespace(rest) {
            return None;
        }
        let (rest, fragment) = split_off(rest, '#');
        let (path, query) = split_off(rest, '?');
        (query != Some("") && fragment != Some("")).then_some(Self {
            authority,
            path,
            query,
            fragment,
        })
    }

    /// The places of the first two segments of the path, which starts at `start` in the text.
    fn collection_and_rkey(&self, start: usize) -> (Range<usize>, Range<usize>) {
        let mut segments = segments(self.path).map(|range| start + range.start..start + range.end);
        let collection = segments.next().unwrap_or(start..start);
        let rkey = segments.next().unwrap_or(start..start);
        (collection, rkey)
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
        let (collection, rkey) = self.collection_and_rkey(path.start);
        if let Some(query) = self.query {
            query::push(&mut text, query);
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

fn is_scheme(text: &str) -> bool {
    text.eq_ignore_ascii_case(SCHEME)
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
    !part.is_empty() && all_in(part.as_bytes(), &PLAIN_BYTES)
}

static PLAIN_BYTES: Bytes = alphanumeric_and(b".:-");

#[cfg(test)]
mod tests;
