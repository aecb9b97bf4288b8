//! Content identifiers in text and bytes, read as the reference's library does (multiformats 9.9; records.md 3.2).
//!
//! What it accepts: text in base32 (`b`, lower case, trailing `=` ignored, spare bits zero) and in base58btc (`z`, or `Q`
//! without a prefix), any codec and any hash function with a digest of the stated length, version 0 also spelled with a
//! zero byte in front, varints longer than needed. Other multibase prefixes and bytes left over are refused.
//!
//! Stricter than the library: numbers above 2^53 - 1, base58 text of more than [`MAX_BASE58_TEXT`] characters, and
//! base58 text with characters above U+00FF, which the library reads as garbage instead of refusing.

use std::borrow::Cow;
use std::fmt;

/// Codec of a CID of version 0.
const DAG_PB: u64 = 0x70;
/// The code of sha2-256: the first byte of a version 0 CID.
const SHA2_256: u64 = 0x12;
/// Numbers that JavaScript holds exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;
/// Base58 takes time by the square of the length, so long text is refused; a CID with sha2-512 has 92 characters.
const MAX_BASE58_TEXT: usize = 1024;
/// Bytes that certainly fit into [`MAX_BASE58_TEXT`] characters (0.73 bytes per character).
const MAX_BASE58_BYTES: usize = 700;

/// Why a text or bytes are not a CID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CidError {
    /// The text is empty or starts with another character than `b`, `z` or `Q`.
    UnknownBase,
    /// The text holds a character that is not of its base, or its last character has spare bits that are not zero.
    BadText,
    /// The bytes end within a number, or a number is too large.
    BadNumber,
    /// The version is neither 0 nor 1.
    BadVersion,
    /// There are fewer or more bytes than the digest has by its stated length.
    BadLength,
    /// A CID in base58 that is longer than any real one.
    TooLong,
}

impl fmt::Display for CidError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::UnknownBase => "CID text in an unknown base",
            Self::BadText => "CID text with characters outside its base",
            Self::BadNumber => "CID with a bad number",
            Self::BadVersion => "CID of an unknown version",
            Self::BadLength => "CID whose digest has the wrong length",
            Self::TooLong => "CID in base58 that is too long",
        })
    }
}

impl std::error::Error for CidError {}

/// A content identifier of version 0 or 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cid {
    /// The binary form: for version 0 the multihash, for version 1 version, codec and multihash.
    bytes: Vec<u8>,
    version: u8,
    codec: u64,
    hash_code: u64,
    multihash_start: usize,
}

impl Cid {
    /// Reads the text form.
    pub fn parse(text: &str) -> Result<Self, CidError> {
        Self::from_bytes(&decode_text(text)?)
    }

    /// Reads the binary form. All bytes must belong to the CID.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        let header = Header::read(bytes)?;
        let multihash = bytes.get(header.multihash_start..).unwrap_or_default();
        let mut own = Vec::with_capacity(bytes.len());
        if header.version == 1 {
            own.push(1);
            push_varint(&mut own, header.codec);
        } else if multihash.len() > MAX_BASE58_BYTES {
            return Err(CidError::TooLong);
        }
        let multihash_start = own.len();
        own.extend_from_slice(multihash);
        Ok(Self {
            bytes: own,
            version: header.version,
            codec: header.codec,
            hash_code: header.hash_code,
            multihash_start,
        })
    }

    /// 0 or 1.
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Multicodec number of the content, for example 0x71 for DAG-CBOR and 0x55 for raw bytes.
    pub fn codec(&self) -> u64 {
        self.codec
    }

    /// Multicodec number of the hash function, for example 0x12 for sha2-256.
    pub fn hash_code(&self) -> u64 {
        self.hash_code
    }

    /// Hash function, length and digest.
    pub fn multihash(&self) -> &[u8] {
        self.bytes.get(self.multihash_start..).unwrap_or_default()
    }

    /// The binary form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Base58btc without a prefix (`Qm...`) for version 0, base32 (`b...`) for version 1.
    pub fn to_canonical_text(&self) -> String {
        if self.version == 0 {
            encode_base58(&self.bytes)
        } else {
            encode_base32(&self.bytes)
        }
    }
}

impl AsRef<[u8]> for Cid {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for Cid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.to_canonical_text())
    }
}

/// The text that the reference stores for a CID given as text. Allocates only where the text changes.
///
/// A text in the base of its version (base32 for version 1, base58btc for version 0) is kept as given, since the
/// library remembers it: even with needless `=` or with the prefix `z` before `Qm...`. Other texts become
/// [`Cid::to_canonical_text`].
pub fn canonical_text(text: &str) -> Result<Cow<'_, str>, CidError> {
    if is_usual_text(text.as_bytes()) {
        return Ok(Cow::Borrowed(text));
    }
    let cid = Cid::parse(text)?;
    let is_base32 = text.starts_with('b');
    if is_base32 == (cid.version == 1) {
        Ok(Cow::Borrowed(text))
    } else {
        Ok(Cow::Owned(cid.to_canonical_text()))
    }
}

/// Whether the text is surely a CID of version 1 with a digest of 32 bytes in base32: 59 characters, which are 36 bytes
/// and two spare bits.
fn is_usual_text(text: &[u8]) -> bool {
    let [b'b', digits @ ..] = text else {
        return false;
    };
    if digits.len() != 58 {
        return false;
    }
    let mut seen = 0u8;
    for digit in digits {
        seen |= base32_value(*digit);
    }
    // Seven digits are the first 35 bits; the four header bytes are the upper 32 of them.
    let head = digits.iter().take(7).fold(0u64, |head, digit| {
        head << 5 | u64::from(base32_value(*digit))
    });
    let [_, _, _, _, version, codec, hash, size] = (head >> 3).to_be_bytes();
    let spare = digits.last().map_or(0, |digit| base32_value(*digit) & 3);
    seen < 32 && spare == 0 && version == 1 && codec < 0x80 && hash < 0x80 && size == 32
}

struct Header {
    version: u8,
    codec: u64,
    hash_code: u64,
    multihash_start: usize,
}

impl Header {
    /// Reads the numbers before the digest and checks that the digest fills the rest.
    fn read(bytes: &[u8]) -> Result<Self, CidError> {
        let (first, rest) = read_varint(bytes)?;
        let (version, codec, multihash) = match first {
            SHA2_256 => (0, DAG_PB, bytes),
            0 => (0, DAG_PB, rest),
            1 => {
                let (codec, rest) = read_varint(rest)?;
                (1, codec, rest)
            }
            _ => return Err(CidError::BadVersion),
        };
        let (hash_code, rest) = read_varint(multihash)?;
        let (size, digest) = read_varint(rest)?;
        if usize::try_from(size) != Ok(digest.len()) {
            return Err(CidError::BadLength);
        }
        Ok(Self {
            version,
            codec,
            hash_code,
            multihash_start: bytes.len() - multihash.len(),
        })
    }
}

/// Reads an unsigned LEB128 number, with as many needless zero groups as there may be, and returns the bytes behind it.
fn read_varint(bytes: &[u8]) -> Result<(u64, &[u8]), CidError> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().enumerate() {
        let group = u64::from(byte & 0x7f);
        if group != 0 {
            // Eight groups are 56 bits, so the shift cannot lose any of those that count.
            if place > 7 {
                return Err(CidError::BadNumber);
            }
            value |= group << (7 * place);
        }
        if byte & 0x80 == 0 {
            let rest = bytes.get(place + 1..).unwrap_or_default();
            return if value > MAX_NUMBER {
                Err(CidError::BadNumber)
            } else {
                Ok((value, rest))
            };
        }
    }
    Err(CidError::BadNumber)
}

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn decode_text(text: &str) -> Result<Vec<u8>, CidError> {
    match text.as_bytes() {
        [b'b', digits @ ..] => decode_base32(digits),
        [b'z', digits @ ..] => decode_base58(digits),
        digits @ [b'Q', ..] => decode_base58(digits),
        _ => Err(CidError::UnknownBase),
    }
}

/// What `base32_value` gives for a byte outside the alphabet: larger than any value, whatever it is or-ed with.
const NO_DIGIT: u8 = 0x80;

const fn base32_value(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => byte - b'a',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => NO_DIGIT,
    }
}

fn decode_base32(digits: &[u8]) -> Result<Vec<u8>, CidError> {
    let padding = digits
        .iter()
        .rev()
        .take_while(|digit| **digit == b'=')
        .count();
    let digits = digits.get(..digits.len() - padding).unwrap_or_default();
    let mut bytes = Vec::with_capacity(digits.len() * 5 / 8);
    let mut buffer = 0u32;
    let mut bits = 0;
    for digit in digits {
        let value = base32_value(*digit);
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

fn encode_base32(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(1 + bytes.len().div_ceil(5) * 8);
    text.push('b');
    let mut buffer = 0u32;
    let mut bits = 0;
    for byte in bytes {
        buffer = (buffer << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(DIGITS[(buffer >> bits & 31) as usize] as char);
        }
    }
    if bits > 0 {
        text.push(DIGITS[(buffer << (5 - bits) & 31) as usize] as char);
    }
    text
}

const BASE58_DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

fn decode_base58(digits: &[u8]) -> Result<Vec<u8>, CidError> {
    if digits.len() > MAX_BASE58_TEXT {
        return Err(CidError::TooLong);
    }
    let zeros = digits.iter().take_while(|digit| **digit == b'1').count();
    // Little-endian, least significant byte first, while digits are added.
    let mut bytes: Vec<u8> = Vec::with_capacity(digits.len());
    for digit in digits.iter().skip(zeros) {
        let value = BASE58_DIGITS
            .iter()
            .position(|known| known == digit)
            .ok_or(CidError::BadText)?;
        let mut carry = value as u32;
        for byte in &mut bytes {
            carry += 58 * u32::from(*byte);
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.push(carry as u8);
        }
    }
    bytes.resize(bytes.len() + zeros, 0);
    bytes.reverse();
    Ok(bytes)
}

fn encode_base58(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut digits: Vec<u8> = Vec::with_capacity(bytes.len() * 14 / 10 + 1);
    for byte in bytes.iter().skip(zeros) {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += 256 * u32::from(*digit);
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    digits.resize(digits.len() + zeros, 0);
    digits
        .iter()
        .rev()
        .filter_map(|digit| BASE58_DIGITS.get(usize::from(*digit)))
        .map(|digit| char::from(*digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAG_CBOR: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";
    const VERSION_0: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG";

    #[test]
    fn the_usual_text_is_kept_without_allocation() {
        assert!(is_usual_text(DAG_CBOR.as_bytes()));
        assert!(matches!(
            canonical_text(DAG_CBOR),
            Ok(Cow::Borrowed(DAG_CBOR))
        ));
    }

    #[test]
    fn accessors_of_a_usual_cid() {
        let cid = Cid::parse(DAG_CBOR).unwrap();
        assert_eq!(
            (
                cid.version(),
                cid.codec(),
                cid.hash_code(),
                cid.bytes().len()
            ),
            (1, 0x71, 0x12, 36)
        );
        assert_eq!(cid.multihash().get(..2), Some(&[0x12, 0x20][..]));
        assert_eq!(cid.to_canonical_text(), DAG_CBOR);
        assert_eq!(Cid::from_bytes(cid.as_ref()), Ok(cid));
    }

    #[test]
    fn version_0_stays_base58() {
        let cid = Cid::parse(VERSION_0).unwrap();
        assert_eq!(
            (
                cid.version(),
                cid.codec(),
                cid.hash_code(),
                cid.bytes().len()
            ),
            (0, 0x70, 0x12, 34)
        );
        assert_eq!(cid.to_canonical_text(), VERSION_0);
        assert_eq!(canonical_text(VERSION_0), Ok(Cow::Borrowed(VERSION_0)));
    }

    #[test]
    fn version_1_in_base58_becomes_base32() {
        let cid = Cid::parse(DAG_CBOR).unwrap();
        let text = format!("z{}", encode_base58(cid.bytes()));
        assert_eq!(canonical_text(&text).unwrap(), DAG_CBOR);
    }

    #[test]
    fn version_0_in_base32_becomes_base58() {
        let cid = Cid::parse(VERSION_0).unwrap();
        assert_eq!(
            canonical_text(&encode_base32(cid.bytes())).unwrap(),
            VERSION_0
        );
    }

    #[test]
    fn text_in_the_base_of_its_version_is_kept_even_if_odd() {
        for text in [format!("{DAG_CBOR}=="), format!("z{VERSION_0}")] {
            assert_eq!(canonical_text(&text).unwrap(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let upper = DAG_CBOR.to_uppercase();
        let long = format!("{DAG_CBOR}a");
        let spare_bits = DAG_CBOR.strip_suffix('a').unwrap().to_owned() + "b";
        let cases = [
            ("", CidError::UnknownBase),
            ("notacid", CidError::UnknownBase),
            (
                "k51qzi5uqu5dh9ihj4p2v5sl3hxvv27ryx2w0xrsv6jmmqi91t9xp8p9kaipc2",
                CidError::UnknownBase,
            ),
            (&upper, CidError::UnknownBase),
            ("b", CidError::BadNumber),
            ("z", CidError::BadNumber),
            (&long, CidError::BadText),
            (&spare_bits, CidError::BadText),
            ("bafy!", CidError::BadText),
            (
                "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbd0",
                CidError::BadText,
            ),
            (
                "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbd",
                CidError::BadVersion,
            ),
        ];
        for (text, reason) in cases {
            assert_eq!(Cid::parse(text), Err(reason), "{text}");
            assert_eq!(canonical_text(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn bytes_left_over_or_missing_are_refused() {
        let cid = Cid::parse(DAG_CBOR).unwrap();
        let mut bytes = cid.bytes().to_vec();
        bytes.push(0);
        assert_eq!(Cid::from_bytes(&bytes), Err(CidError::BadLength));
        bytes.truncate(35);
        assert_eq!(Cid::from_bytes(&bytes), Err(CidError::BadLength));
        assert_eq!(Cid::from_bytes(&[]), Err(CidError::BadNumber));
        assert_eq!(Cid::from_bytes(&[1, 0x71, 0x12]), Err(CidError::BadNumber));
        assert_eq!(
            Cid::from_bytes(&[2, 0x71, 0x12, 0]),
            Err(CidError::BadVersion)
        );
    }

    #[test]
    fn numbers_may_be_longer_than_needed() {
        let plain = Cid::from_bytes(&[1, 0x71, 0x12, 1, 9]).unwrap();
        let long = Cid::from_bytes(&[0x81, 0, 0xf1, 0x80, 0, 0x12, 1, 9]).unwrap();
        assert_eq!(plain, long);
        let huge = [0xff; 8].iter().copied().chain([0x7f]).collect::<Vec<u8>>();
        assert_eq!(Cid::from_bytes(&huge), Err(CidError::BadNumber));
    }

    #[test]
    fn base58_does_not_take_long_text() {
        assert_eq!(Cid::parse(&"z1".repeat(1_000_000)), Err(CidError::TooLong));
        let mut bytes = vec![0, 0x12, 0x80, 0x08];
        bytes.resize(4 + 1024, 7);
        assert_eq!(Cid::from_bytes(&bytes), Err(CidError::TooLong));
    }
}
