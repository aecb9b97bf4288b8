//! A [`Value`] as `JSON.stringify` prints it after the round trip through the data model (records.md 7).

use std::fmt::Write;

use crate::number;
use crate::scan::plain_end;
use crate::text::{Escaped, Text};
use crate::value::{Blob, Member, Value};

/// Appends the compact JSON text of a value. Recurses as deep as the value is nested, which the parser bounds.
pub fn print(value: Value<'_>, out: &mut String) {
    match value {
        Value::Null | Value::Faulty(_) => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => number::print(number, out),
        Value::Text(text) => print_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                print(*item, out);
            }
            out.push(']');
        }
        Value::Object(members) => print_members(members, out),
        Value::Link(cid) => print_link(cid, out),
        Value::Bytes(base64) => {
            out.push_str(r#"{"$bytes":""#);
            out.push_str(base64);
            out.push_str(r#""}"#);
        }
        Value::Blob(blob) => print_blob(blob, out),
    }
}

fn print_members(members: &[Member<'_>], out: &mut String) {
    out.push('{');
    for (place, member) in members.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        print_text(member.key, out);
        out.push(':');
        print(member.value, out);
    }
    out.push('}');
}

fn print_link(cid: &str, out: &mut String) {
    out.push_str(r#"{"$link":""#);
    out.push_str(cid);
    out.push_str(r#""}"#);
}

fn print_blob(blob: &Blob<'_>, out: &mut String) {
    match *blob {
        Blob::Typed {
            cid,
            mime_type,
            size,
        } => {
            out.push_str(r#"{"$type":"blob","ref":"#);
            print_link(cid, out);
            out.push_str(r#","mimeType":"#);
            print_text(mime_type, out);
            out.push_str(r#","size":"#);
            number::print(size, out);
            out.push('}');
        }
        Blob::Untyped { members, .. } => print_members(members, out),
    }
}

fn print_text(text: Text<'_>, out: &mut String) {
    out.push('"');
    match text {
        Text::Plain(text) => out.push_str(text),
        Text::Escaped(escaped) => print_escaped(escaped, out),
    }
    out.push('"');
}

fn print_escaped(escaped: &Escaped<'_>, out: &mut String) {
    let mut start = 0;
    for lone in escaped.lone {
        escape(&escaped.text[start..lone.at], out);
        hexadecimal(lone.unit, out);
        start = lone.at + char::REPLACEMENT_CHARACTER.len_utf8();
    }
    escape(&escaped.text[start..], out);
}

/// Appends a text with the escapes that JSON needs, in JavaScript's choice of them.
pub(crate) fn escape(text: &str, out: &mut String) {
    let mut start = 0;
    loop {
        let end = plain_end(text.as_bytes(), start);
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
            Some(control) => hexadecimal(u16::from(*control), out),
        }
        start = end + 1;
    }
}

fn hexadecimal(unit: u16, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
}
