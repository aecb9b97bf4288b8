//! A [`Value`] as `JSON.stringify` prints it after the round trip through the data model (records.md 7).

use crate::number;
use crate::scan::plain_end;
use crate::string::Piece;
use crate::text::Text;
use crate::value::{Object, Value};

/// Where text is appended.
pub(crate) trait Out {
    fn push_str(&mut self, text: &str);
}

impl Out for String {
    fn push_str(&mut self, text: &str) {
        self.push_str(text);
    }
}

/// The length of what would be appended.
#[derive(Default)]
pub(crate) struct Length(pub(crate) usize);

impl Out for Length {
    fn push_str(&mut self, text: &str) {
        self.0 += text.len();
    }
}

/// Appends the compact JSON text of a value. Recurses as deep as the value is nested, which the parser bounds.
pub(crate) fn print(value: Value<'_>, out: &mut impl Out) {
    match value {
        Value::Null | Value::Faulty(_) => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => number::print(number, out),
        Value::Text(text) => print_text(text, out),
        Value::Array(array) => {
            out.push_str("[");
            for (place, item) in array.items().enumerate() {
                if place > 0 {
                    out.push_str(",");
                }
                print(item, out);
            }
            out.push_str("]");
        }
        Value::Object(object) => print_object(object, out),
        Value::Link(link) => {
            out.push_str(r#"{"$link":""#);
            out.push_str(&link.cid());
            out.push_str(r#""}"#);
        }
        Value::Bytes(bytes) => {
            out.push_str(r#"{"$bytes":""#);
            out.push_str(&bytes.base64());
            out.push_str(r#""}"#);
        }
        Value::Blob(blob) => print_object(blob.object(), out),
    }
}

fn print_object(object: Object<'_>, out: &mut impl Out) {
    out.push_str("{");
    for (place, member) in object.members().enumerate() {
        if place > 0 {
            out.push_str(",");
        }
        print_text(member.key, out);
        out.push_str(":");
        print(member.value, out);
    }
    out.push_str("}");
}

pub(crate) fn print_text(text: Text<'_>, out: &mut impl Out) {
    out.push_str("\"");
    match text.plain() {
        Some(text) => out.push_str(text),
        None => print_pieces(text, out),
    }
    out.push_str("\"");
}

fn print_pieces(text: Text<'_>, out: &mut impl Out) {
    for piece in text.pieces() {
        match piece {
            Piece::Run(run) => out.push_str(run),
            Piece::Unit(unit) => match char::from_u32(unit) {
                Some(character) => escape(character.encode_utf8(&mut [0; 4]), out),
                None => hexadecimal(unit, out),
            },
        }
    }
}

/// Appends a text with the escapes that JSON needs, in JavaScript's choice of them.
#[inline]
pub(crate) fn escape(text: &str, out: &mut impl Out) {
    match plain_end(text.as_bytes(), 0) {
        end if end == text.len() => out.push_str(text),
        end => escape_from(text, end, out),
    }
}

/// The same of a text whose first `end` bytes stand for themselves.
fn escape_from(text: &str, mut end: usize, out: &mut impl Out) {
    let mut start = 0;
    loop {
        out.push_str(&text[start..end]);
        match text.as_bytes().get(end) {
            None => return,
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(8) => out.push_str("\\b"),
            Some(b'\t') => out.push_str("\\t"),
            Some(b'\n') => out.push_str("\\n"),
            Some(12) => out.push_str("\\f"),
            Some(b'\r') => out.push_str("\\r"),
            Some(control) => hexadecimal(u32::from(*control), out),
        }
        start = end + 1;
        end = plain_end(text.as_bytes(), start);
    }
}

fn hexadecimal(unit: u32, out: &mut impl Out) {
    out.push_str("\\u");
    for shift in [12, 8, 4, 0] {
        let digit = char::from_digit(unit >> shift & 15, 16).unwrap_or_default();
        out.push_str(digit.encode_utf8(&mut [0; 4]));
    }
}
