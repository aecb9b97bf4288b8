//! DAG-CBOR as data-model JSON (streams.md 3.4): what `JSON.stringify` gives for the value as the reference holds it.
//!
//! Links are `{"$link": …}`, bytes `{"$bytes": …}`, typed blobs have their keys in the reference's order. Other keys keep
//! theirs. Integers that a double does not hold are written in full (records.md 7.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Link;
use super::reader::{Bad, Integer, Reader};
use super::walk::{Visitor, Walker};
use crate::fault::FaultKind;
use crate::number;
use crate::print::{Out, escape};

/// The longest JSON text that is made of that many bytes: three times as many, where records have one and a half times.
///
/// Without a limit it were fourteen times, for empty byte strings in an array.
pub const fn longest_json(length: usize) -> usize {
    length.saturating_mul(3).saturating_add(64 << 10)
}

/// A text this long is measured before it is written.
const LONG_TEXT: usize = 4 << 10;

/// Appends the JSON text of the next item, at most `longest` bytes (see [`longest_json`]).
pub fn to_json<'a>(
    reader: &mut Reader<'a>,
    walker: &mut Walker<'a>,
    max_depth: usize,
    longest: usize,
    out: &mut Vec<u8>,
) -> Result<(), Bad> {
    let end = out.len() + longest;
    // Doubled once, the buffer holds the longest text.
    out.reserve_exact(longest / 2 + LONG_TEXT);
    let at = reader.at();
    let mut writer = Writer { out, end, at };
    walker.walk(reader, &mut writer, max_depth)?;
    writer.check()
}

struct Writer<'o> {
    /// UTF-8.
    out: &'o mut Vec<u8>,
    /// Where the text must end.
    end: usize,
    /// Where the item starts.
    at: usize,
}

impl Writer<'_> {
    #[inline]
    fn check(&self) -> Result<(), Bad> {
        if self.out.len() > self.end {
            return Err(self.too_big());
        }
        Ok(())
    }

    fn too_big(&self) -> Bad {
        let kind = FaultKind::TooBig;
        Bad { kind, at: self.at }
    }

    #[inline]
    fn push_text(&mut self, text: &[u8]) -> Result<(), Bad> {
        if text.len() > LONG_TEXT && self.out.len() + printed_length(text) > self.end {
            return Err(self.too_big());
        }
        push_text(text, self.out);
        Ok(())
    }

    fn push_link(&mut self, link: Link<'_>) {
        self.out.push_str(r#"{"$link":""#);
        link.push_text(self.out);
        self.out.push_str(r#""}"#);
    }
}

impl Out for Vec<u8> {
    fn push_str(&mut self, text: &str) {
        self.extend_from_slice(text.as_bytes());
    }
}

/// Appends a text as JSON.
#[inline]
pub(crate) fn push_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        push_other(text, out);
    }
    out.push(b'"');
}

fn push_other(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(text) => escape(text, out),
        Err(_) => escape(&String::from_utf8_lossy(text), out),
    }
}

/// Whether a text is ASCII without anything to escape. Sixteen bytes are looked at in a few instructions; the last ones
/// twice, if need be.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    match text.len() {
        16.. => {
            let (chunks, _) = text.as_chunks::<16>();
            chunks.iter().all(are_plain) && text.last_chunk::<16>().is_some_and(are_plain)
        }
        8.. => ends_are_plain::<8>(text),
        4.. => ends_are_plain::<4>(text),
        _ => text.iter().all(|byte| !is_special(*byte)),
    }
}

#[inline]
fn ends_are_plain<const N: usize>(text: &[u8]) -> bool {
    text.first_chunk::<N>().is_some_and(are_plain) && text.last_chunk::<N>().is_some_and(are_plain)
}

#[inline]
fn are_plain<const N: usize>(bytes: &[u8; N]) -> bool {
    !bytes
        .iter()
        .fold(false, |found, byte| found | is_special(*byte))
}

#[inline]
fn is_special(byte: u8) -> bool {
    // As a signed number what is not ASCII is below the controls.
    byte.cast_signed() < 0x20 || byte == b'"' || byte == b'\\'
}

fn push_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let length = base64::encoded_len(bytes.len(), false).unwrap_or_default();
    out.resize(start + length, 0);
    // It fits: the buffer has the length of the text.
    let _ = STANDARD_NO_PAD.encode_slice(bytes, &mut out[start..]);
}

/// Appends an integer in decimal.
pub(crate) fn push_integer(integer: Integer, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    if !integer.is_negative {
        out.push_str(buffer.format(integer.magnitude));
    } else if let Some(magnitude) = integer.magnitude.checked_add(1) {
        out.push(b'-');
        out.push_str(buffer.format(magnitude));
    } else {
        out.push_str("-18446744073709551616");
    }
}

/// How long a text is as JSON, or more.
fn printed_length(text: &[u8]) -> usize {
    let count = |is_counted: fn(&&u8) -> bool| text.iter().filter(is_counted).count();
    let escaped = count(|byte| **byte < 0x20) * 5 + count(|byte| matches!(byte, b'"' | b'\\'));
    let is_good = std::str::from_utf8(text).is_ok();
    let replaced = if is_good {
        0
    } else {
        count(|byte| **byte >= 0x80) * 2
    };
    text.len() + escaped + replaced
}

impl<'a> Visitor<'a> for Writer<'_> {
    type Error = Bad;

    fn null(&mut self) -> Result<(), Bad> {
        self.out.push_str("null");
        Ok(())
    }

    fn boolean(&mut self, truth: bool) -> Result<(), Bad> {
        self.out.push_str(if truth { "true" } else { "false" });
        Ok(())
    }

    fn integer(&mut self, integer: Integer) -> Result<(), Bad> {
        push_integer(integer, self.out);
        Ok(())
    }

    fn float(&mut self, float: f64) -> Result<(), Bad> {
        number::print(float, self.out);
        Ok(())
    }

    #[inline]
    fn text(&mut self, text: &'a [u8]) -> Result<(), Bad> {
        self.push_text(text)
    }

    fn bytes(&mut self, bytes: &'a [u8]) -> Result<(), Bad> {
        self.out.push_str(r#"{"$bytes":""#);
        push_base64(bytes, self.out);
        self.out.push_str(r#""}"#);
        Ok(())
    }

    fn link(&mut self, link: Link<'a>) -> Result<(), Bad> {
        self.push_link(link);
        Ok(())
    }

    fn array_starts(&mut self, _: u64) -> Result<(), Bad> {
        self.out.push(b'[');
        Ok(())
    }

    fn array_ends(&mut self) -> Result<(), Bad> {
        self.out.push(b']');
        Ok(())
    }

    fn map_starts(&mut self, _: u64) -> Result<(), Bad> {
        self.out.push(b'{');
        Ok(())
    }

    #[inline]
    fn key(&mut self, key: &'a [u8]) -> Result<(), Bad> {
        self.push_text(key)?;
        self.out.push(b':');
        Ok(())
    }

    fn map_ends(&mut self) -> Result<(), Bad> {
        self.out.push(b'}');
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<(), Bad> {
        self.out.push(b',');
        self.check()
    }

    #[inline]
    fn whole_map(&mut self, count: u64, reader: &mut Reader<'a>) -> bool {
        if count != 4 {
            return false;
        }
        let mut ahead = reader.clone();
        let Ok(Some(blob)) = typed_blob(&mut ahead) else {
            return false;
        };
        *reader = ahead;
        self.out.push_str(r#"{"$type":"blob","ref":"#);
        self.push_link(blob.link);
        self.out.push_str(r#","mimeType":"#);
        if self.push_text(blob.mime_type).is_err() {
            // The next check fails.
            self.end = 0;
        }
        self.out.push_str(r#","size":"#);
        match blob.size {
            Size::Integer(size) => push_integer(size, self.out),
            Size::Float(size) => number::print(size, self.out),
        }
        self.out.push(b'}');
        true
    }
}

enum Size {
    Integer(Integer),
    Float(f64),
}

struct Blob<'a> {
    link: Link<'a>,
    size: Size,
    mime_type: &'a [u8],
}

/// The four entries of a typed blob, which DAG-CBOR sorts as `ref`, `size`, `$type`, `mimeType`.
fn typed_blob<'a>(reader: &mut Reader<'a>) -> Result<Option<Blob<'a>>, Bad> {
    let key = |reader: &mut Reader<'a>, wanted: &[u8]| Ok(reader.text()? == Some(wanted));
    if !key(reader, b"ref")? {
        return Ok(None);
    }
    let Some(link) = reader.link()? else {
        return Ok(None);
    };
    if !key(reader, b"size")? {
        return Ok(None);
    }
    let size = match reader.integer()? {
        Some(size) => Size::Integer(size),
        None => match reader.float()? {
            Some(size) => Size::Float(size),
            None => return Ok(None),
        },
    };
    if !key(reader, b"$type")? || !key(reader, b"blob")? || !key(reader, b"mimeType")? {
        return Ok(None);
    }
    let mime_type = reader.text()?;
    Ok(mime_type.map(|mime_type| Blob {
        link,
        size,
        mime_type,
    }))
}
