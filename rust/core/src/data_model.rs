//! The JSON form of the data model: which objects are links, bytes and blobs (records.md 3.1, streams.md 3.4).

use crate::members::Pair;
use crate::text::Text;
use crate::tree::Tree;
use crate::value::{Array, Fault, cid_of_bytes, link};
use crate::word::{Tag, Word, flag};

/// The members of a typed blob, in the order in which they are printed.
const BLOB_KEYS: [&str; 4] = ["$type", "ref", "mimeType", "size"];

/// What an object stands for.
pub(crate) struct Recognized {
    pub(crate) meaning: Meaning,
    /// Whether it is printed as its members are, in their order.
    pub(crate) is_as_printed: bool,
}

pub(crate) enum Meaning {
    /// It has these members.
    Object(Tag),
    /// Another value takes its place.
    Value(Word),
}

impl Recognized {
    pub(crate) const PLAIN: Self = Self::object(Tag::Object, true);

    const fn object(tag: Tag, is_as_printed: bool) -> Self {
        Self {
            meaning: Meaning::Object(tag),
            is_as_printed,
        }
    }

    fn value(word: Word, is_as_printed: bool) -> Self {
        Self {
            meaning: Meaning::Value(word),
            is_as_printed,
        }
    }
}

/// An object that has been read, as what it stands for. Its members are in JavaScript's order, their values converted.
/// Without `may_be_blob` no member says that it is a typed blob.
pub(crate) fn recognized(members: &mut [Pair], may_be_blob: bool, tree: &Tree<'_>) -> Recognized {
    let found = match members {
        [only] => single(*only, tree),
        [first, second] => untyped_blob(*first, *second, tree),
        _ => None,
    };
    match found {
        Some(found) => found,
        None if may_be_blob => typed_blob_or_plain(members, tree),
        None => Recognized::PLAIN,
    }
}

/// Whether the value of `$type` says that its object is a typed blob.
#[inline]
pub(crate) fn is_blob(tree: &Tree<'_>, value: Word) -> bool {
    value.tag() == Tag::Text && tree.is(value, "blob")
}

/// `{"$link": text}` or `{"$bytes": text}`.
fn single([key, value]: Pair, tree: &Tree<'_>) -> Option<Recognized> {
    if value.tag() != Tag::Text {
        return None;
    }
    if tree.is(key, "$link") {
        let text = tree.text(value);
        return Some(match link(text) {
            None => Recognized::value(Word::faulty(Fault::BadLink), false),
            Some(link) => {
                let word = value.retagged(Tag::Link, canonical(text, &link));
                Recognized::value(word, text == *link)
            }
        });
    }
    if !tree.is(key, "$bytes") {
        return None;
    }
    let text = tree.text(value).decoded();
    Some(match base64(&text) {
        None => Recognized::value(Word::faulty(Fault::BadBytes), false),
        Some(base64) => {
            let is_as_printed = base64.len() == text.len();
            Recognized::value(value.retagged(Tag::Bytes, 0), is_as_printed)
        }
    })
}

/// The flag of a link whose text stays as it stands there.
fn canonical(text: Text<'_>, link: &str) -> u64 {
    match text.plain() {
        Some(text) if text == link => flag::CANONICAL,
        _ => 0,
    }
}

/// Base64 (RFC 4648, section 4) without its padding, if the text is that: no spare bits, any number of `=` at the end.
fn base64(text: &str) -> Option<&str> {
    let digits = text.trim_end_matches('=');
    let mut last = 0;
    for byte in digits.bytes() {
        last = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
    }
    let spare = match digits.len() % 4 {
        0 => 0,
        2 => last & 0b1111,
        3 => last & 0b11,
        _ => return None,
    };
    (spare == 0).then_some(digits)
}

/// `{"cid": text, "mimeType": text}`
fn untyped_blob(first: Pair, second: Pair, tree: &Tree<'_>) -> Option<Recognized> {
    if [first[1].tag(), second[1].tag()] != [Tag::Text; 2] {
        return None;
    }
    let cid = if tree.is(first[0], "cid") && tree.is(second[0], "mimeType") {
        first[1]
    } else if tree.is(first[0], "mimeType") && tree.is(second[0], "cid") {
        second[1]
    } else {
        return None;
    };
    Some(match link(tree.text(cid)) {
        Some(_) => Recognized::object(Tag::UntypedBlob, true),
        None => Recognized::value(Word::faulty(Fault::BadBlobCid), false),
    })
}

/// `{"$type": "blob", "ref": link, "mimeType": text, "size": number}` in any order. With anything else in it the object is
/// left alone, but for the `ref` of an old dialect.
fn typed_blob_or_plain(members: &mut [Pair], tree: &Tree<'_>) -> Recognized {
    let place = |name: &str| members.iter().position(|[key, _]| tree.is(*key, name));
    let places = BLOB_KEYS.map(place);
    let [_, reference, mime_type, size] = places;
    let mut is_as_printed = true;
    if let Some(place) = reference
        && let Some(link) = dialect_link(members[place][1], tree)
    {
        members[place][1] = link;
        is_as_printed = false;
    }
    let is = |place: Option<usize>, tags: &[Tag]| {
        place.is_some_and(|place| tags.contains(&members[place][1].tag()))
    };
    let is_blob = members.len() == BLOB_KEYS.len()
        && is(reference, &[Tag::Link, Tag::LinkArray])
        && is(mime_type, &[Tag::Text])
        && is(size, &[Tag::Integer, Tag::Number]);
    if !is_blob {
        return Recognized::object(Tag::Object, is_as_printed);
    }
    is_as_printed &= places.is_sorted();
    let ordered = places.map(|place| place.map_or([Word::NULL; 2], |place| members[place]));
    members.copy_from_slice(&ordered);
    Recognized::object(Tag::TypedBlob, is_as_printed)
}

/// The link that an older producer wrote as text, as the bytes of the CID, or as `{"/": text}`.
fn dialect_link(word: Word, tree: &Tree<'_>) -> Option<Word> {
    let of_text = |word: Word| {
        let text = tree.text(word);
        let link = link(text)?;
        Some(word.retagged(Tag::Link, canonical(text, &link)))
    };
    match word.tag() {
        Tag::Text => of_text(word),
        Tag::Object => match tree.members(word) {
            [[key, text]] if tree.is(*key, "/") && text.tag() == Tag::Text => of_text(*text),
            _ => None,
        },
        Tag::Array => {
            cid_of_bytes(Array::new(tree, word))?;
            Some(word.retagged(Tag::LinkArray, 0))
        }
        _ => None,
    }
}
