//! Base32 in lower case without padding (RFC 4648 section 6).

use super::CidError;
use crate::print::Out;

const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// What [`value`] gives for a byte outside the alphabet: a bit that no value has.
pub(super) const NO_DIGIT: u8 = 0x80;

pub(super) fn value(digit: u8) -> u8 {
    VALUES[usize::from(digit)]
}

static VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0u8;
    while (value as usize) < DIGITS.len() {
        values[DIGITS[value as usize] as usize] = value;
        value += 1;
    }
    values
};

/// Takes `=` at the end, any number of it; refuses spare bits that are not zero.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, CidError> {
    let padding = text
        .iter()
        .rev()
        .take_while(|digit| **digit == b'=')
        .count();
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let mut buffer = 0u32;
    let mut bits = 0;
    for digit in text.iter().take(text.len() - padding) {
        let value = value(*digit);
        if value == NO_DIGIT {
            return Err(CidError::BadText);
        }
        buffer = (buffer << 5 | u32::from(value)) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((buffer >> bits & 0xff) as u8);
        }
    }
    if bits >= 5 || buffer & ((1 << bits) - 1) != 0 {
        return Err(CidError::BadText);
    }
    Ok(bytes)
}

/// Bytes whose digits are appended at once: more than most CIDs have, and whole groups of five.
const PART: usize = 40;

/// Appends the digits of `bytes`.
pub(super) fn encode(bytes: &[u8], text: &mut impl Out) {
    for part in bytes.chunks(PART) {
        let mut digits = [[0; 8]; PART / 5];
        for (place, group) in digits.iter_mut().zip(part.chunks(5)) {
            *place = group_digits(group);
        }
        let digits = &digits.as_flattened()[..(part.len() * 8).div_ceil(5)];
        text.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }
}

/// The digits of five bytes, or fewer and zeros.
fn group_digits(group: &[u8]) -> [u8; 8] {
    let bytes = group.iter().chain(&[0; 5]).take(5);
    let bits = bytes.fold(0, |bits, byte| bits << 8 | u64::from(*byte));
    std::array::from_fn(|place| DIGITS[(bits >> (35 - 5 * place) & 31) as usize])
}
