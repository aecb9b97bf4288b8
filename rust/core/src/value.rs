//! The tree of a parsed message: slices of the payload and of one arena, cheap to copy.

use crate::text::Text;

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
    Array(&'a [Value<'a>]),
    /// In JavaScript's order of properties; keys are unique.
    Object(&'a [Member<'a>]),
    /// `{"$link": cid}`, in canonical text.
    Link(&'a str),
    /// `{"$bytes": text}`, base64 without padding.
    Bytes(&'a str),
    Blob(&'a Blob<'a>),
    /// An object that looks like one of the above and is none: no record may hold it.
    Faulty(Fault),
}

/// A key and its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    pub key: Text<'a>,
    pub value: Value<'a>,
}

/// A reference to a blob.
#[derive(Clone, Copy, Debug)]
pub enum Blob<'a> {
    /// `{"$type": "blob", "ref": link, "mimeType": …, "size": …}`
    Typed {
        /// Canonical text of the link.
        cid: &'a str,
        mime_type: Text<'a>,
        size: f64,
    },
    /// `{"cid": …, "mimeType": …}`, the form before 2023.
    Untyped {
        /// The members as given.
        members: &'a [Member<'a>],
        /// Canonical text of the CID.
        cid: &'a str,
        mime_type: Text<'a>,
    },
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
            Self::Text(text) => !text.as_str().is_empty(),
            _ => true,
        }
    }

    /// The members, if it is a plain object.
    pub fn as_object(self) -> Option<&'a [Member<'a>]> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }
}

/// The value of a key.
pub fn get<'a>(members: &[Member<'a>], key: &str) -> Option<Value<'a>> {
    members
        .iter()
        .find(|member| member.key == *key)
        .map(|member| member.value)
}
