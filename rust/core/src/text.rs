//! Text of JSON strings, and its repair: what PostgreSQL refuses in a text column is NUL and lone surrogates.

use std::borrow::Cow;

/// A lone surrogate, which UTF-8 cannot hold: where U+FFFD (three bytes, as many) stands for it in the decoded text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoneSurrogate {
    /// Byte offset in the decoded text.
    pub at: usize,
    /// The UTF-16 code unit, 0xD800 to 0xDFFF.
    pub unit: u16,
}

/// The decoded text of a JSON string.
#[derive(Clone, Copy, Debug)]
pub enum Text<'a> {
    /// A string without escapes: its source is also how it is printed.
    Plain(&'a str),
    /// A string that had escapes.
    Escaped(&'a Escaped<'a>),
}

/// A JSON string that was written with escapes.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    /// Decoded; U+FFFD where a lone surrogate stood.
    pub text: &'a str,
    /// The lone surrogates in order.
    pub lone: &'a [LoneSurrogate],
    /// Whether `text` holds NUL.
    pub has_nul: bool,
    /// Whether the source has the escapes with which the text is printed.
    pub is_as_printed: bool,
}

impl<'a> Text<'a> {
    /// Decoded, with U+FFFD for lone surrogates; it may hold NUL.
    pub fn as_str(self) -> &'a str {
        match self {
            Self::Plain(text) => text,
            Self::Escaped(escaped) => escaped.text,
        }
    }

    /// The lone surrogates, in order.
    pub fn lone(self) -> &'a [LoneSurrogate] {
        match self {
            Self::Plain(_) => &[],
            Self::Escaped(escaped) => escaped.lone,
        }
    }

    /// Whether PostgreSQL takes the text as it is.
    pub fn is_clean(self) -> bool {
        match self {
            Self::Plain(_) => true,
            Self::Escaped(escaped) => !escaped.has_nul && escaped.lone.is_empty(),
        }
    }

    /// The text for a column: no NUL, U+FFFD for lone surrogates.
    pub fn cleaned(self) -> Cow<'a, str> {
        match self {
            Self::Escaped(Escaped {
                text,
                has_nul: true,
                ..
            }) => Cow::Owned(text.replace('\0', "")),
            _ => Cow::Borrowed(self.as_str()),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str() && self.lone() == other.lone()
    }
}

/// Equal to a text that has no lone surrogate in it.
impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other && self.lone().is_empty()
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
