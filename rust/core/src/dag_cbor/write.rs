//! Items in the one form that they have.

use super::Integer;

/// Major types, as their bits stand in a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Head {
    Bytes = 0x40,
    Text = 0x60,
    Array = 0x80,
    Map = 0xa0,
}

/// Starts a string of that many bytes, or a container of that many items or entries.
pub fn head(head: Head, number: u64, out: &mut Vec<u8>) {
    push(head as u8, number, out);
}

pub fn integer(integer: Integer, out: &mut Vec<u8>) {
    push(u8::from(integer.is_negative) << 5, integer.magnitude, out);
}

/// A float, which must be finite.
pub fn float(float: f64, out: &mut Vec<u8>) {
    out.push(0xfb);
    out.extend_from_slice(&float.to_be_bytes());
}

pub fn boolean(truth: bool, out: &mut Vec<u8>) {
    out.push(0xf4 + u8::from(truth));
}

pub fn null(out: &mut Vec<u8>) {
    out.push(0xf6);
}

pub fn text(text: &str, out: &mut Vec<u8>) {
    head(Head::Text, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

pub fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    head(Head::Bytes, bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A link to the CID of these bytes.
pub fn link(cid: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xd8, 0x2a]);
    head(Head::Bytes, cid.len() as u64 + 1, out);
    out.push(0);
    out.extend_from_slice(cid);
}

#[inline]
fn push(major: u8, number: u64, out: &mut Vec<u8>) {
    let digits = number.to_be_bytes();
    let (info, width) = match number {
        0..24 => (digits[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major | info);
    out.extend_from_slice(digits.get(8 - width..).unwrap_or_default());
}
