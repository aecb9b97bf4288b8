//! The words of a [`Tree`](crate::tree::Tree): eight bytes for each value and each key of a text.

use std::ops::Range;

use crate::value::Fault;

/// Bits of a place in a text or among words: 64 MiB, more than three times the longest message (bad UTF-8 grows so much).
const PLACE_BITS: u32 = 26;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const TAG_SHIFT: u32 = 60;

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Tag {
    Null,
    False,
    True,
    /// An integer of up to fifteen digits.
    Integer,
    /// Any other number: a span of the text.
    Number,
    /// A span of the text, without the quotes.
    Text,
    /// Such a span that is a CID.
    Link,
    /// One that is base64.
    Bytes,
    /// An object that looks like one of the data model's and is none.
    Faulty,
    /// A span of words, its items.
    Array,
    /// A span of words, keys and values in turns.
    Object,
    /// An array of the bytes of a CID.
    LinkArray,
    /// An object with the members of a typed blob.
    TypedBlob,
    /// An object with the members of an untyped blob.
    UntypedBlob,
}

/// Facts about a text, as bits of its word.
pub(crate) mod flag {
    /// It has escapes. Of an object: one of its keys had.
    pub(crate) const ESCAPED: u64 = 1 << 52;
    /// The CID of a link is in canonical text as it stands there.
    pub(crate) const CANONICAL: u64 = 1 << 53;
}

/// A value or a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(u64);

impl Word {
    pub(crate) const NULL: Self = Self::plain(Tag::Null);

    #[inline]
    pub(crate) const fn plain(tag: Tag) -> Self {
        Self((tag as u64) << TAG_SHIFT)
    }

    /// A part of the text.
    #[inline]
    pub(crate) fn span(tag: Tag, start: usize, end: usize, flags: u64) -> Self {
        Self(Self::plain(tag).0 | flags | ((end - start) as u64) << PLACE_BITS | start as u64)
    }

    /// An array or object. Its words start so many before the end of all.
    #[inline]
    pub(crate) fn container(tag: Tag, before_end: usize, count: usize, flags: u64) -> Self {
        Self(Self::plain(tag).0 | flags | (count as u64) << PLACE_BITS | before_end as u64)
    }

    /// An integer of less than 59 bits.
    #[inline]
    pub(crate) fn integer(integer: i64) -> Self {
        let bits = integer.cast_unsigned() & ((1 << TAG_SHIFT) - 1);
        Self(Self::plain(Tag::Integer).0 | bits)
    }

    pub(crate) fn faulty(fault: Fault) -> Self {
        Self(Self::plain(Tag::Faulty).0 | fault as u64)
    }

    /// The same span as something else.
    #[inline]
    pub(crate) fn retagged(self, tag: Tag, flags: u64) -> Self {
        let rest = self.0 & ((1 << TAG_SHIFT) - 1);
        Self(Self::plain(tag).0 | rest | flags)
    }

    pub(crate) fn fault(self) -> Fault {
        match self.0 & PLACE_MASK {
            0 => Fault::BadLink,
            1 => Fault::BadBytes,
            _ => Fault::BadBlobCid,
        }
    }

    #[inline]
    pub(crate) fn tag(self) -> Tag {
        match self.0 >> TAG_SHIFT {
            0 => Tag::Null,
            1 => Tag::False,
            2 => Tag::True,
            3 => Tag::Integer,
            4 => Tag::Number,
            5 => Tag::Text,
            6 => Tag::Link,
            7 => Tag::Bytes,
            8 => Tag::Faulty,
            9 => Tag::Array,
            10 => Tag::Object,
            11 => Tag::LinkArray,
            12 => Tag::TypedBlob,
            _ => Tag::UntypedBlob,
        }
    }

    #[inline]
    pub(crate) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// Of a span of the text.
    #[inline]
    pub(crate) fn place(self) -> Range<usize> {
        let start = self.start();
        start..start + self.len()
    }

    /// Of a span of the text: where it starts. Of an array or object: how far before the end.
    #[inline]
    pub(crate) fn start(self) -> usize {
        place(self.0)
    }

    /// Of a span of the text: its bytes. Of an array or object: its items or members.
    #[inline]
    pub(crate) fn len(self) -> usize {
        place(self.0 >> PLACE_BITS)
    }

    /// Whether it is a text of so many bytes without escapes.
    #[inline]
    pub(crate) fn is_plain(self, length: usize) -> bool {
        const MASK: u64 = PLACE_MASK << PLACE_BITS | flag::ESCAPED;
        self.0 & MASK == (length as u64) << PLACE_BITS
    }

    #[inline]
    pub(crate) fn as_integer(self) -> i64 {
        const SPARE: u32 = u64::BITS - TAG_SHIFT;
        (self.0 << SPARE).cast_signed() >> SPARE
    }
}

#[inline]
fn place(bits: u64) -> usize {
    (bits & PLACE_MASK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_give_back_what_they_were_made_of() {
        for integer in [0, 1, -1, 999_999_999_999_999, -999_999_999_999_999] {
            let word = Word::integer(integer);
            assert_eq!((word.tag(), word.as_integer()), (Tag::Integer, integer));
        }
        let longest = 48 << 20;
        let text = Word::span(Tag::Text, 5, longest, flag::ESCAPED);
        assert_eq!((text.place(), text.len()), (5..longest, longest - 5));
        assert!(text.has(flag::ESCAPED) && !text.has(flag::CANONICAL));
        let link = text.retagged(Tag::Link, flag::CANONICAL);
        assert_eq!((link.tag(), link.place()), (Tag::Link, text.place()));
        assert!(link.has(flag::CANONICAL) && link.has(flag::ESCAPED));
        let object = Word::container(Tag::Object, longest, 7, flag::ESCAPED);
        assert_eq!((object.start(), object.len()), (longest, 7));
        assert!(object.has(flag::ESCAPED));
        for fault in [Fault::BadLink, Fault::BadBytes, Fault::BadBlobCid] {
            let word = Word::faulty(fault);
            assert_eq!((word.tag(), word.fault()), (Tag::Faulty, fault));
        }
    }
}
