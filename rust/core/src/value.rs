//! Values of a parsed message, read from its [`Tree`] when they are asked for.

use std::borrow::Cow;

use crate::cid::{Cid, canonical_text};
use crate::text::Text;
use crate::tree::Tree;
use crate::word::{Tag, Word, flag};

/// The bytes of a CIDv1 with a digest of 32 bytes.
const CID_BYTES: usize = 36;

/// A JSON value after conversion to the data model: links, bytes and blobs are recognized (records.md 3.1).
// The tag is as wide as a word: with a narrow one copies start at odd offsets, and the processor waits for them.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    /// Every JSON number is a double, as in JavaScript; infinite where the source was beyond the range.
    Number(f64),
    Text(Text<'a>),
    Array(Array<'a>),
    Object(Object<'a>),
    Link(Link<'a>),
    Bytes(Bytes<'a>),
    Blob(Blob<'a>),
    /// An object that looks like one of the above and is none: no record may hold it.
    Faulty(Fault),
}

impl<'a> Value<'a> {
    /// The text, if it is one.
    pub fn as_text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether JavaScript takes it for true.
    pub(crate) fn is_truthy(self) -> bool {
        match self {
            Self::Null | Self::Bool(false) | Self::Number(0.0) => false,
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// The members, if it is a plain object.
    pub fn as_object(self) -> Option<Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Values in their order.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    tree: &'a Tree<'a>,
    word: Word,
}

impl<'a> Array<'a> {
    #[inline]
    pub(crate) fn new(tree: &'a Tree<'a>, word: Word) -> Self {
        Self { tree, word }
    }

    pub fn len(self) -> usize {
        self.word.len()
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn items(self) -> impl Iterator<Item = Value<'a>> {
        let words = self.tree.items(self.word).iter();
        words.map(move |word| self.tree.value(*word))
    }
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub key: Text<'a>,
    pub value: Value<'a>,
}

/// Members in JavaScript's order of properties; keys are unique.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    tree: &'a Tree<'a>,
    word: Word,
}

impl<'a> Object<'a> {
    #[inline]
    pub(crate) fn new(tree: &'a Tree<'a>, word: Word) -> Self {
        Self { tree, word }
    }

    pub fn len(self) -> usize {
        self.word.len()
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn members(self) -> impl Iterator<Item = Member<'a>> {
        let words = self.tree.members(self.word).iter();
        words.map(move |[key, value]| Member {
            key: self.tree.text(*key),
            value: self.tree.value(*value),
        })
    }

    /// The value of a key.
    #[expect(
        clippy::inline_always,
        reason = "many keys are looked for in one object"
    )]
    #[inline(always)]
    pub fn get(self, key: &str) -> Option<Value<'a>> {
        let words = self.tree.members(self.word).iter();
        let found = if self.word.has(flag::ESCAPED) {
            words.copied().find(|[name, _]| self.tree.is(*name, key))
        } else {
            words
                .copied()
                .find(|[name, _]| self.tree.is_plain(*name, key))
        };
        found.map(|[_, value]| self.tree.value(value))
    }

    /// The text of a key; None if its value is something else.
    #[inline]
    pub(crate) fn text(self, key: &str) -> Option<Text<'a>> {
        self.get(key).and_then(Value::as_text)
    }
}

/// `{"$link": cid}`, or what an older dialect has in its place.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    tree: &'a Tree<'a>,
    word: Word,
}

impl<'a> Link<'a> {
    pub(crate) fn new(tree: &'a Tree<'a>, word: Word) -> Self {
        Self { tree, word }
    }

    /// The canonical text of the CID.
    pub fn cid(self) -> Cow<'a, str> {
        if self.word.tag() == Tag::LinkArray {
            return Cow::Owned(cid_of_bytes(Array::new(self.tree, self.word)).unwrap_or_default());
        }
        let text = self.tree.text(self.word);
        match text.plain() {
            Some(text) if self.word.has(flag::CANONICAL) => Cow::Borrowed(text),
            _ => link(text).unwrap_or_default(),
        }
    }
}

/// The canonical text of a CID.
pub(crate) fn link(text: Text<'_>) -> Option<Cow<'_, str>> {
    match text.decoded() {
        Cow::Borrowed(text) => canonical_text(text).ok(),
        Cow::Owned(text) => {
            let canonical = canonical_text(&text).ok()?;
            Some(Cow::Owned(canonical.into_owned()))
        }
    }
}

/// The canonical text of a CID of version 1 whose bytes are in an array.
pub(crate) fn cid_of_bytes(array: Array<'_>) -> Option<String> {
    if array.len() != CID_BYTES {
        return None;
    }
    let mut bytes = [0; CID_BYTES];
    for (byte, item) in bytes.iter_mut().zip(array.items()) {
        *byte = small_integer(item)?;
    }
    let cid = Cid::from_bytes(&bytes)
        .ok()
        .filter(|cid| cid.version() == 1)?;
    Some(cid.to_canonical_text())
}

fn small_integer(value: Value<'_>) -> Option<u8> {
    match value {
        Value::Number(number) if number.fract() == 0.0 && (0.0..=255.0).contains(&number) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "within bounds"
            )]
            Some(number as u8)
        }
        _ => None,
    }
}

/// `{"$bytes": text}`
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a> {
    text: Text<'a>,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(text: Text<'a>) -> Self {
        Self { text }
    }

    /// Base64 without padding.
    pub fn base64(self) -> Cow<'a, str> {
        match self.text.decoded() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end_matches('=')),
            Cow::Owned(mut text) => {
                text.truncate(text.trim_end_matches('=').len());
                Cow::Owned(text)
            }
        }
    }
}

/// A reference to a blob.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    object: Object<'a>,
}

impl<'a> Blob<'a> {
    #[inline]
    pub(crate) fn new(object: Object<'a>) -> Self {
        Self { object }
    }

    /// Whether it is `{"$type": "blob", "ref": link, "mimeType": …, "size": …}`; else it is `{"cid": …, "mimeType": …}`, the
    /// form before 2023.
    pub fn is_typed(self) -> bool {
        self.object.word.tag() == Tag::TypedBlob
    }

    /// As it is printed: of a typed one the members have the order of the reference, of another one their own.
    pub(crate) fn object(self) -> Object<'a> {
        self.object
    }

    /// Canonical text of the CID.
    pub fn cid(self) -> Cow<'a, str> {
        let cid = match self.object.get(if self.is_typed() { "ref" } else { "cid" }) {
            Some(Value::Link(link)) => Some(link.cid()),
            Some(Value::Text(text)) => link(text),
            _ => None,
        };
        cid.unwrap_or_default()
    }

    pub fn mime_type(self) -> Text<'a> {
        self.object.text("mimeType").unwrap_or_else(Text::empty)
    }

    /// Of a typed one.
    pub fn size(self) -> f64 {
        match self.object.get("size") {
            Some(Value::Number(size)) => size,
            _ => 0.0,
        }
    }
}

/// What is wrong with an object that looks like a link, bytes or a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    BadLink,
    BadBytes,
    BadBlobCid,
}

impl Fault {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::BadLink => "the text of a $link is not a CID",
            Self::BadBytes => "the text of $bytes is not base64",
            Self::BadBlobCid => "the cid of a blob is not a CID",
        }
    }
}
