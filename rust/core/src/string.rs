//! JSON strings, with the escapes that UTF-8 cannot hold.

use crate::Arena;
use crate::json::JsonFault;
use crate::scan::plain_end;
use crate::text::{Escaped, LoneSurrogate, Text};

/// Reads the string whose first character is at `from`, behind its opening quote; returns it and the index behind its
/// closing quote. Lone surrogates are legal (ECMA-262 25.5.1) and are remembered.
#[inline]
pub(crate) fn read<'a>(
    source: &'a str,
    from: usize,
    arena: &'a Arena,
    scratch: &mut String,
) -> Result<(Text<'a>, usize), JsonFault> {
    let end = plain_end(source.as_bytes(), from);
    match source.as_bytes().get(end) {
        Some(b'"') => Ok((Text::Plain(&source[from..end]), end + 1)),
        Some(b'\\') => Escapes::read(source, from, end, arena, scratch),
        other => Err(unexpected(end, other)),
    }
}

fn unexpected(at: usize, byte: Option<&u8>) -> JsonFault {
    JsonFault::new(
        at,
        if byte.is_some() {
            "no control character in a string"
        } else {
            "the end of a string"
        },
    )
}

struct Escapes<'a, 's> {
    source: &'a str,
    at: usize,
    text: &'s mut String,
    lone: Vec<LoneSurrogate>,
    has_nul: bool,
    is_as_printed: bool,
}

impl<'a> Escapes<'a, '_> {
    #[cold]
    /// Reads on from the first backslash, which is at `escape`.
    fn read(
        source: &'a str,
        from: usize,
        escape: usize,
        arena: &'a Arena,
        scratch: &mut String,
    ) -> Result<(Text<'a>, usize), JsonFault> {
        scratch.clear();
        scratch.push_str(&source[from..escape]);
        let mut reader = Escapes {
            source,
            at: escape,
            text: scratch,
            lone: Vec::new(),
            has_nul: false,
            is_as_printed: true,
        };
        loop {
            match source.as_bytes().get(reader.at) {
                Some(b'"') => break,
                Some(b'\\') => reader.escape()?,
                other => return Err(unexpected(reader.at, other)),
            }
            let start = reader.at;
            reader.at = plain_end(source.as_bytes(), start);
            reader.text.push_str(&source[start..reader.at]);
        }
        let escaped = Escaped {
            text: arena.alloc_str(reader.text),
            lone: arena.alloc_slice_copy(&reader.lone),
            has_nul: reader.has_nul,
            is_as_printed: reader.is_as_printed,
        };
        Ok((Text::Escaped(arena.alloc(escaped)), reader.at + 1))
    }

    /// Reads one escape; `at` is its backslash.
    fn escape(&mut self) -> Result<(), JsonFault> {
        let character = match self.source.as_bytes().get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(byte @ (b'"' | b'\\')) => char::from(*byte),
            Some(b'/') => {
                self.is_as_printed = false;
                '/'
            }
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            _ => return Err(JsonFault::new(self.at, "an escape sequence")),
        };
        self.text.push(character);
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), JsonFault> {
        let unit = self.unit()?;
        self.is_as_printed &= self.has_printed_form(unit);
        self.at += 6;
        if let Some(character) = char::from_u32(u32::from(unit)) {
            self.has_nul |= character == '\0';
            self.text.push(character);
            return Ok(());
        }
        if unit < 0xdc00 && self.source.as_bytes().get(self.at..self.at + 2) == Some(b"\\u") {
            // A high surrogate pairs with the low one that follows, if there is one.
            let pair = char::decode_utf16([unit, self.unit()?]).next();
            if let Some(Ok(character)) = pair {
                self.text.push(character);
                self.is_as_printed = false;
                self.at += 6;
                return Ok(());
            }
        }
        self.lone.push(LoneSurrogate {
            at: self.text.len(),
            unit,
        });
        self.text.push(char::REPLACEMENT_CHARACTER);
        Ok(())
    }

    /// Whether the escape at `at` is how the unit is printed: lone surrogates and some control characters are, in lower
    /// case. A pair of surrogates is not, and its second half has not been seen yet.
    fn has_printed_form(&self, unit: u16) -> bool {
        let digits = self.source.get(self.at + 2..self.at + 6);
        let is_control = unit < 0x20 && !matches!(unit, 8 | 9 | 10 | 12 | 13);
        (is_control || (0xd800..0xe000).contains(&unit))
            && digits.is_some_and(|digits| !digits.bytes().any(|digit| digit.is_ascii_uppercase()))
    }

    /// The code unit of the `\uXXXX` at `at`.
    fn unit(&self) -> Result<u16, JsonFault> {
        let digits = self.source.as_bytes().get(self.at + 2..self.at + 6);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, digit| {
                Some(value << 4 | char::from(*digit).to_digit(16)?)
            })
        });
        value
            .and_then(|value| u16::try_from(value).ok())
            .ok_or(JsonFault::new(self.at, "four hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(source: &str) -> Result<(String, Vec<LoneSurrogate>, bool), JsonFault> {
        let arena = Arena::new();
        let (text, end) = read(source, 1, &arena, &mut String::new())?;
        assert_eq!(end, source.len());
        Ok((
            text.as_str().to_owned(),
            text.lone().to_vec(),
            text.is_clean(),
        ))
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let arena = Arena::new();
        let (text, _) = read("\"é\u{2028}\u{7f}\"", 1, &arena, &mut String::new()).unwrap();
        assert!(matches!(text, Text::Plain("é\u{2028}\u{7f}")));
    }

    #[test]
    fn escapes_are_decoded() {
        let (text, lone, is_clean) = read_one(r#""a\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00é""#).unwrap();
        assert_eq!(text, "a\"\\/\u{8}\u{c}\n\r\té😀é");
        assert!(lone.is_empty() && is_clean);
    }

    #[test]
    fn lone_surrogates_are_replaced_and_remembered() {
        let (text, lone, is_clean) = read_one(r#""a\ud800b\udc00\ud800\ud83d\ude00""#).unwrap();
        assert_eq!(text, "a\u{fffd}b\u{fffd}\u{fffd}😀");
        let units: Vec<_> = lone.iter().map(|lone| (lone.at, lone.unit)).collect();
        assert_eq!(units, [(1, 0xd800), (5, 0xdc00), (8, 0xd800)]);
        assert!(!is_clean);
    }

    #[test]
    fn nul_is_noticed() {
        let (text, _, is_clean) = read_one(r#""\u0000""#).unwrap();
        assert_eq!(text, "\0");
        assert!(!is_clean);
    }

    #[test]
    fn broken_strings_are_refused() {
        for source in [
            r#""a"#,
            r#""\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\ud800\u12""#,
            "\"\n\"",
            "\"a\0\"",
            r#""\u+123""#,
            r#""\uéé""#,
        ] {
            assert!(
                read(source, 1, &Arena::new(), &mut String::new()).is_err(),
                "{source}"
            );
        }
    }
}
