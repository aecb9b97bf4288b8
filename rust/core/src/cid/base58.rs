//! Base58 with the alphabet of Bitcoin. It takes time by the square of the length, so both directions have a limit.

use super::CidError;

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/// Longest text that is decoded, in characters. The CID of a sha2-512 has 92.
pub(super) const MAX_TEXT: usize = 1024;

/// Longest data that a CID spelled in base58 may have, in bytes: its text stays below [`MAX_TEXT`] (1.37 digits per byte).
pub(super) const MAX_BYTES: usize = 700;

pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, CidError> {
    if text.len() > MAX_TEXT {
        return Err(CidError::TooLong);
    }
    let zeros = text.iter().take_while(|digit| **digit == b'1').count();
    // The number so far in base 256, least significant byte first.
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    for digit in text.iter().skip(zeros) {
        let (mut carry, _) = (0u32..)
            .zip(DIGITS)
            .find(|(_, known)| *known == digit)
            .ok_or(CidError::BadText)?;
        for byte in &mut bytes {
            carry += 58 * u32::from(*byte);
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push((carry & 0xff) as u8);
        }
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes.reverse();
    Ok(bytes)
}

/// The digits of at most [`MAX_BYTES`] bytes.
pub(super) fn encode(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    // The number so far in base 58, least significant digit first.
    let mut values: Vec<usize> = Vec::with_capacity(bytes.len() * 14 / 10 + 1);
    for byte in bytes.iter().skip(zeros) {
        let mut carry = usize::from(*byte);
        for value in &mut values {
            carry += 256 * *value;
            *value = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            values.push(carry % 58);
            carry /= 58;
        }
    }
    values.resize(values.len() + zeros, 0);
    values
        .iter()
        .rev()
        .filter_map(|value| DIGITS.get(*value))
        .map(|digit| char::from(*digit))
        .collect()
}
