//! Content identifiers in text and bytes, read as the reference's library does (multiformats 9.9; records.md 3.2).
//!
//! What it accepts: text in base32 (`b`, lower case, trailing `=` ignored, spare bits zero) and in base58btc (`z`, or `Q`
//! without a prefix), any codec and any hash function with a digest of the stated length, version 0 also spelled with a
//! zero byte in front, varints longer than needed. Other multibase prefixes and bytes left over are refused.
//!
//! Stricter than the library: numbers above 2^53 - 1, base58 text of more than 1024 characters, and base58 text with
//! characters above U+00FF, which the library reads as some digit instead of refusing.

mod base32;
mod base58;

use std::borrow::Cow;
use std::fmt;

use crate::print::Out;

/// Codec of a CID of version 0.
const DAG_PB: u64 = 0x70;
/// The code of sha2-256: the first byte of a version 0 CID.
const SHA2_256: u64 = 0x12;
/// Numbers that JavaScript holds exactly.
const MAX_NUMBER: u64 = (1 << 53) - 1;

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
        } else if multihash.len() > base58::MAX_BYTES {
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

    /// The digest alone.
    pub fn digest(&self) -> &[u8] {
        let number = |bytes| read_varint(bytes).map_or(&[][..], |(_, rest)| rest);
        number(number(self.multihash()))
    }

    /// The binary form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether code and length of the multihash are in their shortest form.
    pub(crate) fn has_shortest_multihash(&self) -> bool {
        let multihash = self.multihash();
        let Ok((_, rest)) = read_varint(multihash) else {
            return false;
        };
        let Ok((size, digest)) = read_varint(rest) else {
            return false;
        };
        let mut shortest = Vec::with_capacity(multihash.len());
        push_varint(&mut shortest, self.hash_code);
        push_varint(&mut shortest, size);
        shortest.len() + digest.len() == multihash.len()
    }

    /// Base58btc without a prefix (`Qm...`) for version 0, base32 (`b...`) for version 1.
    pub fn to_canonical_text(&self) -> String {
        if self.version == 0 {
            base58::encode(&self.bytes)
        } else {
            let mut text = String::from("b");
            base32::encode(&self.bytes, &mut text);
            text
        }
    }
}

/// Appends the canonical text of the binary form of a CID of version 1.
pub(crate) fn push_base32(bytes: &[u8], text: &mut impl Out) {
    text.push_str("b");
    base32::encode(bytes, text);
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
        seen |= base32::value(*digit);
    }
    // Seven digits are the first 35 bits; the four header bytes are the upper 32 of them.
    let head = digits.iter().take(7).fold(0u64, |head, digit| {
        head << 5 | u64::from(base32::value(*digit))
    });
    let [_, _, _, _, version, codec, hash, size] = (head >> 3).to_be_bytes();
    let spare = digits.last().map_or(0, |digit| base32::value(*digit) & 3);
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
    bytes.push((value & 0x7f) as u8);
}

fn decode_text(text: &str) -> Result<Vec<u8>, CidError> {
    match text.as_bytes() {
        [b'b', digits @ ..] => base32::decode(digits),
        // A CID of version 0 with a sha2-256 starts with Q and has no prefix.
        [b'z', digits @ ..] | digits @ [b'Q', ..] => base58::decode(digits),
        _ => Err(CidError::UnknownBase),
    }
}

#[cfg(test)]
mod tests;
