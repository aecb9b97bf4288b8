//! The heads of items, and items that are wanted to be of one type.

use std::cmp::Ordering;

use super::Link;
use crate::fault::FaultKind;

/// A fault in DAG-CBOR: small, since the hot path returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    pub kind: FaultKind,
    pub at: usize,
}

/// An integer of CBOR: 64 bits and a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    /// The value is `-1 - magnitude`.
    pub is_negative: bool,
    pub magnitude: u64,
}

impl Integer {
    /// The value, which 65 bits hold.
    pub fn value(self) -> i128 {
        let magnitude = i128::from(self.magnitude);
        if self.is_negative {
            -1 - magnitude
        } else {
            magnitude
        }
    }
}

/// The first bits of an item, and what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Simple,
}

const FALSE: u64 = 20;
const TRUE: u64 = 21;
const NULL: u64 = 22;
/// The additional information of a 64-bit float.
const DOUBLE: u8 = 27;
/// The tag of a link.
const LINK: u64 = 42;
/// The head of a link to a CID of 36 bytes, up to the CID.
const USUAL_LINK: &[u8] = &[0xd8, 0x2a, 0x58, 0x25, 0x00];

/// What an item without content stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Float(f64),
}

/// Reads items one after the other.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

type Read<T> = Result<T, Bad>;

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes in front of the next item.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Fails if something is left.
    pub fn finish(&self) -> Read<()> {
        if self.is_done() {
            Ok(())
        } else {
            Err(self.bad(FaultKind::Trailing, self.at))
        }
    }

    #[expect(
        clippy::unused_self,
        reason = "reads as what it is about: a fault of this input"
    )]
    pub(crate) fn bad(&self, kind: FaultKind, at: usize) -> Bad {
        Bad { kind, at }
    }

    /// The next byte, left where it is.
    #[inline]
    pub(crate) fn peek(&self) -> Read<u8> {
        match self.bytes.get(self.at) {
            Some(byte) => Ok(*byte),
            None => Err(self.bad(FaultKind::Truncated, self.at)),
        }
    }

    /// The next head with its number, which must be in its shortest form. Of floats the head is left where it is.
    #[inline]
    pub(crate) fn head(&mut self) -> Read<(Major, u64)> {
        let first = self.peek()?;
        let major = match first >> 5 {
            0 => Major::Unsigned,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => Major::Tag,
            _ => return Ok((Major::Simple, u64::from(first & 31))),
        };
        let info = first & 31;
        if info < 24 {
            self.at += 1;
            return Ok((major, u64::from(info)));
        }
        // The length of most texts.
        if info == 24
            && let Some(number @ 24..) = self.bytes.get(self.at + 1).copied()
        {
            self.at += 2;
            return Ok((major, u64::from(number)));
        }
        Ok((major, self.long_number(info)?))
    }

    fn long_number(&mut self, info: u8) -> Read<u64> {
        let start = self.at;
        let width = match info {
            24..=27 => 1usize << (info - 24),
            31 if self.bytes[start] >> 5 > 1 && self.bytes[start] >> 5 != 6 => {
                return Err(self.bad(FaultKind::Indefinite, start));
            }
            _ => return Err(self.bad(FaultKind::Reserved, start)),
        };
        let Some(digits) = self.bytes.get(start + 1..start + 1 + width) else {
            return Err(self.bad(FaultKind::Truncated, self.bytes.len()));
        };
        let value = digits
            .iter()
            .fold(0u64, |value, digit| value << 8 | u64::from(*digit));
        let fits_shorter = match width {
            1 => value < 24,
            2 => value <= 0xff,
            4 => value <= 0xffff,
            _ => value <= 0xffff_ffff,
        };
        if fits_shorter {
            return Err(self.bad(FaultKind::NotMinimal, start));
        }
        self.at = start + 1 + width;
        Ok(value)
    }

    /// The bytes of a string whose head was read.
    #[inline]
    pub(crate) fn take(&mut self, length: u64) -> Read<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match usize::try_from(length)
            .ok()
            .and_then(|length| rest.get(..length))
        {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(self.bad(FaultKind::Truncated, self.bytes.len())),
        }
    }

    /// The number of items of a container whose head was read: there must be bytes for them, or nothing is made of it.
    #[inline]
    pub(crate) fn count(&self, count: u64, bytes_each: u64) -> Read<u64> {
        let left = (self.bytes.len() - self.at) as u64;
        if count > left / bytes_each {
            return Err(self.bad(FaultKind::Truncated, self.bytes.len()));
        }
        Ok(count)
    }

    /// A simple value or a float, whose head is still there.
    pub(crate) fn plain(&mut self, info: u64) -> Read<Plain> {
        let start = self.at;
        let plain = match info {
            FALSE => Plain::Bool(false),
            TRUE => Plain::Bool(true),
            NULL => Plain::Null,
            info if info == u64::from(DOUBLE) => return self.double().map(Plain::Float),
            25 | 26 => return Err(self.bad(FaultKind::BadFloat, start)),
            28..=30 => return Err(self.bad(FaultKind::Reserved, start)),
            31 => return Err(self.bad(FaultKind::Indefinite, start)),
            _ => return Err(self.bad(FaultKind::BadSimple, start)),
        };
        self.at += 1;
        Ok(plain)
    }

    fn double(&mut self) -> Read<f64> {
        let start = self.at;
        let rest = self.bytes.get(start + 1..).unwrap_or_default();
        let Some(bits) = rest.first_chunk::<8>() else {
            return Err(self.bad(FaultKind::Truncated, self.bytes.len()));
        };
        let float = f64::from_be_bytes(*bits);
        if !float.is_finite() {
            return Err(self.bad(FaultKind::BadFloat, start));
        }
        self.at = start + 9;
        Ok(float)
    }

    /// The link of a tag whose number was read; `start` is where the tag is.
    pub(crate) fn tagged(&mut self, tag: u64, start: usize) -> Read<Link<'a>> {
        if tag != LINK {
            return Err(self.bad(FaultKind::BadTag, start));
        }
        let (major, length) = self.head()?;
        if major != Major::Bytes {
            return Err(self.bad(FaultKind::BadLink, start));
        }
        let content = self.take(length)?;
        match content {
            [0, cid @ ..] => Link::strict(cid).ok_or(self.bad(FaultKind::BadLink, start)),
            _ => Err(self.bad(FaultKind::BadLink, start)),
        }
    }

    /// The bytes of the next item, if it is a text; else it is left where it is.
    #[inline]
    pub(crate) fn text(&mut self) -> Read<Option<&'a [u8]>> {
        match self.number_of(Major::Text)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    /// The number of the next item, if it is of that type; else it is left where it is.
    #[inline]
    fn number_of(&mut self, wanted: Major) -> Read<Option<u64>> {
        let start = self.at;
        let (major, number) = self.head()?;
        if major == wanted {
            return Ok(Some(number));
        }
        self.at = start;
        Ok(None)
    }

    pub(crate) fn byte_string(&mut self) -> Read<Option<&'a [u8]>> {
        match self.number_of(Major::Bytes)? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn unsigned(&mut self) -> Read<Option<u64>> {
        self.number_of(Major::Unsigned)
    }

    pub(crate) fn integer(&mut self) -> Read<Option<Integer>> {
        if let Some(magnitude) = self.unsigned()? {
            return Ok(Some(Integer {
                is_negative: false,
                magnitude,
            }));
        }
        Ok(self.number_of(Major::Negative)?.map(|magnitude| Integer {
            is_negative: true,
            magnitude,
        }))
    }

    pub(crate) fn float(&mut self) -> Read<Option<f64>> {
        if self.peek()? == 7 << 5 | DOUBLE {
            self.double().map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn boolean(&mut self) -> Read<Option<bool>> {
        let truth = match self.peek()? {
            0xf4 => false,
            0xf5 => true,
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(truth))
    }

    /// Whether the next item is null; it is read then.
    pub(crate) fn null(&mut self) -> Read<bool> {
        let is_null = self.peek()? == 0xf6;
        self.at += usize::from(is_null);
        Ok(is_null)
    }

    /// The number of items, if the next item is an array.
    pub(crate) fn array(&mut self) -> Read<Option<u64>> {
        let count = self.number_of(Major::Array)?;
        count.map(|count| self.count(count, 1)).transpose()
    }

    /// The number of entries, if the next item is a map.
    pub(crate) fn map(&mut self) -> Read<Option<u64>> {
        let count = self.number_of(Major::Map)?;
        count.map(|count| self.count(count, 2)).transpose()
    }

    /// The next item, if it is a link.
    pub(crate) fn link(&mut self) -> Read<Option<Link<'a>>> {
        let start = self.at;
        let rest = self.bytes.get(start..).unwrap_or_default();
        if rest.starts_with(USUAL_LINK)
            && let Some(cid) = rest.get(USUAL_LINK.len()..USUAL_LINK.len() + Link::USUAL_LENGTH)
            && let Some(link) = Link::usual(cid)
        {
            self.at = start + USUAL_LINK.len() + Link::USUAL_LENGTH;
            return Ok(Some(link));
        }
        match self.number_of(Major::Tag)? {
            Some(tag) => self.tagged(tag, start).map(Some),
            None => Ok(None),
        }
    }

    /// A key of a map, which must be greater than the one before it.
    #[inline]
    pub(crate) fn key(&mut self, before: Option<&[u8]>) -> Read<&'a [u8]> {
        let start = self.at;
        let Some(key) = self.text()? else {
            return Err(self.bad(FaultKind::BadKey, start));
        };
        match before {
            Some(before) if before.len() >= key.len() => {
                match (before.len(), before).cmp(&(key.len(), key)) {
                    Ordering::Less => Ok(key),
                    Ordering::Equal => Err(self.bad(FaultKind::DuplicateKey, start)),
                    Ordering::Greater => Err(self.bad(FaultKind::UnsortedKeys, start)),
                }
            }
            _ => Ok(key),
        }
    }
}
