//! The JSON form of the data model: which objects are links, bytes and blobs (records.md 3.1, streams.md 3.4).

use std::borrow::Cow;

use crate::Arena;
use crate::cid::{Cid, canonical_text};
use crate::text::Text;
use crate::value::{Blob, Fault, Member, Value};

/// The bytes of a CIDv1 with a digest of 32 bytes.
const CID_BYTES: usize = 36;

/// What an object stands for.
pub(crate) struct Object<'a> {
    pub(crate) value: Value<'a>,
    /// Whether it is printed as its members are, in their order.
    pub(crate) is_as_printed: bool,
}

impl<'a> Object<'a> {
    fn new(value: Value<'a>, is_as_printed: bool) -> Self {
        Self {
            value,
            is_as_printed,
        }
    }

    fn plain(members: &[Member<'a>], is_as_printed: bool, arena: &'a Arena) -> Self {
        Self::new(
            Value::Object(arena.alloc_slice_copy(members)),
            is_as_printed,
        )
    }

    fn faulty(fault: Fault) -> Self {
        Self::new(Value::Faulty(fault), false)
    }
}

/// An object that has been read, as what it stands for. Its members are in JavaScript's order, their values converted.
/// Without `may_be_blob` no member [makes a typed blob](makes_blob) of it.
pub(crate) fn object<'a>(
    members: &mut [Member<'a>],
    may_be_blob: bool,
    arena: &'a Arena,
) -> Object<'a> {
    let object = match members {
        [only] => single(*only, arena),
        [first, second] => untyped_blob(*first, *second, arena),
        _ => None,
    };
    match object {
        Some(object) => object,
        None if may_be_blob && members.iter().any(makes_blob) => {
            typed_blob_or_plain(members, arena)
        }
        None => Object::plain(members, true, arena),
    }
}

/// Whether a member says that its object is a typed blob.
#[inline]
pub(crate) fn makes_blob(member: &Member<'_>) -> bool {
    member.key == *"$type" && member.value.as_text().is_some_and(|text| text == *"blob")
}

/// `{"$link": text}` or `{"$bytes": text}`.
fn single<'a>(member: Member<'a>, arena: &'a Arena) -> Option<Object<'a>> {
    let text = member.value.as_text()?;
    if member.key == *"$link" {
        let link = link(text, arena);
        Some(link.map_or(Object::faulty(Fault::BadLink), |link| {
            Object::new(Value::Link(link), link == text.as_str())
        }))
    } else if member.key == *"$bytes" {
        Some(
            base64(text).map_or(Object::faulty(Fault::BadBytes), |base64| {
                let is_as_printed = base64.len() == text.as_str().len();
                Object::new(Value::Bytes(base64), is_as_printed)
            }),
        )
    } else {
        None
    }
}

/// The canonical text of a CID.
fn link<'a>(text: Text<'a>, arena: &'a Arena) -> Option<&'a str> {
    match canonical_text(text.as_str()).ok()? {
        Cow::Borrowed(text) => Some(text),
        Cow::Owned(text) => Some(arena.alloc_str(&text)),
    }
}

/// Base64 (RFC 4648, section 4) without its padding, if the text is that: no spare bits, any number of `=` at the end.
fn base64(text: Text<'_>) -> Option<&str> {
    let digits = text.as_str().trim_end_matches('=');
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
fn untyped_blob<'a>(first: Member<'a>, second: Member<'a>, arena: &'a Arena) -> Option<Object<'a>> {
    let (cid, mime_type) = if first.key == *"cid" && second.key == *"mimeType" {
        (first.value, second.value)
    } else if first.key == *"mimeType" && second.key == *"cid" {
        (second.value, first.value)
    } else {
        return None;
    };
    let (given, mime_type) = (cid.as_text()?, mime_type.as_text()?);
    let Some(cid) = link(given, arena) else {
        return Some(Object::faulty(Fault::BadBlobCid));
    };
    let members = arena.alloc_slice_copy(&[first, second]);
    let blob = arena.alloc(Blob::Untyped {
        members,
        cid,
        mime_type,
    });
    Some(Object::new(Value::Blob(blob), true))
}

/// `{"$type": "blob", "ref": link, "mimeType": text, "size": number}` in any order. With anything else in it the object is
/// left alone, but for the `ref` of an old dialect.
fn typed_blob_or_plain<'a>(members: &mut [Member<'a>], arena: &'a Arena) -> Object<'a> {
    let mut is_as_printed = true;
    if let Some(member) = members.iter_mut().find(|member| member.key == *"ref")
        && let Some(cid) = dialect_link(member.value, arena)
    {
        member.value = Value::Link(cid);
        is_as_printed = false;
    }
    match typed_blob(members) {
        Some(blob) => {
            const ORDER: [&str; 4] = ["$type", "ref", "mimeType", "size"];
            is_as_printed &= members
                .iter()
                .zip(ORDER)
                .all(|(member, key)| member.key == *key);
            Object::new(Value::Blob(arena.alloc(blob)), is_as_printed)
        }
        None => Object::plain(members, is_as_printed, arena),
    }
}

fn typed_blob<'a>(members: &[Member<'a>]) -> Option<Blob<'a>> {
    let find = |key: &str| members.iter().find(|member| member.key == *key);
    match (
        find("ref")?.value,
        find("mimeType")?.value,
        find("size")?.value,
    ) {
        (Value::Link(cid), Value::Text(mime_type), Value::Number(size)) if members.len() == 4 => {
            Some(Blob::Typed {
                cid,
                mime_type,
                size,
            })
        }
        _ => None,
    }
}

/// The link that an older producer wrote as text, as the bytes of the CID, or as `{"/": text}`.
fn dialect_link<'a>(value: Value<'a>, arena: &'a Arena) -> Option<&'a str> {
    match value {
        Value::Text(text) => link(text, arena),
        Value::Object([only]) if only.key == *"/" => link(only.value.as_text()?, arena),
        Value::Array(items) if items.len() == CID_BYTES => {
            let mut bytes = [0; CID_BYTES];
            for (byte, item) in bytes.iter_mut().zip(items) {
                *byte = small_integer(*item)?;
            }
            let cid = Cid::from_bytes(&bytes)
                .ok()
                .filter(|cid| cid.version() == 1)?;
            Some(arena.alloc_str(&cid.to_canonical_text()))
        }
        _ => None,
    }
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
