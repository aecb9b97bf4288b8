//! Text of JSON strings, and its repair: what PostgreSQL refuses in a text column is NUL and lone surrogates.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::Arena;
use crate::string::{Piece, Pieces};
use crate::tree::Tree;
use crate::word::{Tag, Word, flag};

/// A JSON string. It is read from its source, escapes too, whenever the text is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    tree: &'a Tree<'a>,
    word: Word,
}

impl<'a> Text<'a> {
    #[inline]
    pub(crate) fn new(tree: &'a Tree<'a>, word: Word) -> Self {
        Self { tree, word }
    }

    pub(crate) fn empty() -> Self {
        const NOTHING: &Tree<'_> = &Tree {
            source: "",
            words: &[],
        };
        Self::new(NOTHING, Word::span(Tag::Text, 0, 0, 0))
    }

    #[inline]
    fn has_escapes(self) -> bool {
        self.word.has(flag::ESCAPED)
    }

    /// What is between the quotes.
    #[inline]
    fn source(self) -> &'a str {
        &self.tree.source[self.word.place()]
    }

    /// The text, if it has no escapes: most have none.
    #[inline]
    pub fn plain(self) -> Option<&'a str> {
        (!self.has_escapes()).then(|| self.source())
    }

    /// The same as bytes.
    #[inline]
    pub(crate) fn plain_bytes(self) -> Option<&'a [u8]> {
        (!self.has_escapes()).then(|| &self.tree.source.as_bytes()[self.word.place()])
    }

    /// What a text with escapes consists of.
    pub(crate) fn pieces(self) -> Pieces<'a> {
        Pieces::new(self.source())
    }

    /// Its code points; lone surrogates are such, too.
    fn units(self) -> impl Iterator<Item = u32> {
        self.pieces().flat_map(Piece::units)
    }

    /// Decoded, with U+FFFD for lone surrogates; it may hold NUL.
    #[inline]
    pub fn decoded(self) -> Cow<'a, str> {
        match self.plain() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.joined(|_| true)),
        }
    }

    /// The text for a column: no NUL, U+FFFD for lone surrogates.
    #[inline]
    pub fn cleaned(self) -> Cow<'a, str> {
        match self.plain() {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(self.joined(|unit| unit != 0)),
        }
    }

    #[cold]
    fn joined(self, is_kept: impl Fn(u32) -> bool) -> String {
        let mut text = String::with_capacity(self.longest());
        for piece in self.pieces() {
            match piece {
                Piece::Run(run) => text.push_str(run),
                Piece::Unit(unit) if is_kept(unit) => {
                    text.push(char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                Piece::Unit(_) => (),
            }
        }
        text
    }

    /// Decoded like [`Self::decoded`], in an arena.
    #[inline]
    pub(crate) fn decoded_in(self, arena: &'a Arena) -> &'a str {
        self.plain()
            .unwrap_or_else(|| arena.keep_text(self.joined(|_| true)))
    }

    /// Cleaned like [`Self::cleaned`], in an arena.
    #[inline]
    pub(crate) fn cleaned_in(self, arena: &'a Arena) -> &'a str {
        self.plain()
            .unwrap_or_else(|| arena.keep_text(self.joined(|unit| unit != 0)))
    }

    /// No fewer bytes than the decoded text has.
    #[inline]
    pub fn longest(self) -> usize {
        self.word.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        // An escape stands for something.
        self.word.len() == 0
    }

    /// Whether PostgreSQL takes the text as it is.
    #[inline]
    pub fn is_clean(self) -> bool {
        !self.has_escapes() || self.has_clean_units()
    }

    #[cold]
    fn has_clean_units(self) -> bool {
        self.units()
            .all(|unit| unit != 0 && char::from_u32(unit).is_some())
    }

    /// By code points; lone surrogates are such, too.
    pub(crate) fn order(self, other: Self) -> Ordering {
        match (self.plain(), other.plain()) {
            (Some(left), Some(right)) => left.cmp(right),
            _ => self.units().cmp(other.units()),
        }
    }

    #[cold]
    fn is_with_escapes(self, text: &str) -> bool {
        self.units().eq(text.chars().map(u32::from))
    }
}

/// A text that may have been made, in an arena.
#[inline]
pub(crate) fn kept<'a>(text: Cow<'a, str>, arena: &'a Arena) -> &'a str {
    match text {
        Cow::Borrowed(text) => text,
        Cow::Owned(text) => arena.keep_text(text),
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.order(*other).is_eq()
    }
}

/// Equal to a text that has no lone surrogate in it.
impl PartialEq<str> for Text<'_> {
    #[inline]
    fn eq(&self, other: &str) -> bool {
        self.tree.is_plain(self.word, other) || self.has_escapes() && self.is_with_escapes(other)
    }
}

/// Text without NUL.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// UTF-8 with U+FFFD for each bad sequence (as the Unicode standard's "maximal subpart" practice and JavaScript have it)
/// and without NUL.
pub fn sanitize_bytes(bytes: &[u8]) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => sanitize(text),
        Cow::Owned(text) => Cow::Owned(sanitize(&text).into_owned()),
    }
}

/// Text of UTF-16 code units with U+FFFD for lone surrogates and without NUL.
pub fn sanitize_utf16(units: impl IntoIterator<Item = u16>) -> String {
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .filter(|character| *character != '\0')
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitized_text_has_no_nul_and_is_borrowed_where_nothing_changes() {
        assert!(matches!(sanitize("a\u{1}é"), Cow::Borrowed("a\u{1}é")));
        assert_eq!(sanitize("\0a\0b"), "ab");
    }

    #[test]
    fn bad_utf8_becomes_one_replacement_per_maximal_subpart() {
        assert_eq!(sanitize_bytes(b"a\xff\xfeb\0"), "a\u{fffd}\u{fffd}b");
        assert_eq!(sanitize_bytes(b"\xf0\x9f\x98"), "\u{fffd}");
        // A surrogate in UTF-8 is three bad bytes.
        assert_eq!(sanitize_bytes(b"\xed\xa0\x80"), "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn surrogates_pair_up_or_are_replaced() {
        assert_eq!(
            sanitize_utf16([0xd83d, 0xde00, 0, 0xd800, 0x61]),
            "😀\u{fffd}a"
        );
    }
}
