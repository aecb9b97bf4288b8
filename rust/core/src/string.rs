//! JSON strings, with the escapes that UTF-8 cannot hold.

use crate::json::JsonFault;
use crate::scan::plain_end;

/// A string with escapes.
pub(crate) struct Checked {
    /// The place of its closing quote.
    pub(crate) end: usize,
    /// Whether the text holds neither NUL nor a lone surrogate.
    pub(crate) is_clean: bool,
    /// Whether it has the escapes with which the text is printed.
    pub(crate) is_as_printed: bool,
}

/// Checks a string whose first backslash, or what else no text consists of, is at `escape`. `plain_end` finds the end of a
/// run of plain characters.
#[inline]
pub(crate) fn check(
    source: &str,
    escape: usize,
    mut plain_end: impl FnMut(usize) -> usize,
) -> Result<Checked, JsonFault> {
    let mut reader = Escapes {
        source,
        at: escape,
        is_clean: true,
        is_as_printed: true,
    };
    loop {
        match source.as_bytes().get(reader.at) {
            Some(b'"') => {
                return Ok(Checked {
                    end: reader.at,
                    is_clean: reader.is_clean,
                    is_as_printed: reader.is_as_printed,
                });
            }
            Some(b'\\') => reader.escape()?,
            other => return Err(unexpected(reader.at, other)),
        }
        reader.at = plain_end(reader.at);
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

struct Escapes<'a> {
    source: &'a str,
    at: usize,
    is_clean: bool,
    is_as_printed: bool,
}

impl Escapes<'_> {
    /// Checks one escape; `at` is its backslash. Lone surrogates are legal (ECMA-262 25.5.1).
    fn escape(&mut self) -> Result<(), JsonFault> {
        match self.source.as_bytes().get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(),
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => (),
            Some(b'/') => self.is_as_printed = false,
            _ => return Err(JsonFault::new(self.at, "an escape sequence")),
        }
        self.at += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), JsonFault> {
        let unit = self.unit()?;
        if !self.has_printed_form(unit) {
            self.is_as_printed = false;
        }
        self.at += 6;
        if is_surrogate(unit) {
            if unit < LOW && self.source.as_bytes().get(self.at..self.at + 2) == Some(b"\\u") {
                // A high surrogate pairs with the low one that follows, if there is one.
                if pair(unit, self.unit()?).is_some() {
                    self.is_as_printed = false;
                    self.at += 6;
                    return Ok(());
                }
            }
            self.is_clean = false;
        } else if unit == 0 {
            self.is_clean = false;
        }
        Ok(())
    }

    /// Whether the escape at `at` is how the unit is printed: lone surrogates and some control characters are, in lower
    /// case. A pair of surrogates is not, and its second half has not been seen yet.
    fn has_printed_form(&self, unit: u32) -> bool {
        let digits = self.source.get(self.at + 2..self.at + 6);
        let is_control = unit < 0x20 && !matches!(unit, 8 | 9 | 10 | 12 | 13);
        (is_control || is_surrogate(unit))
            && digits.is_some_and(|digits| !digits.bytes().any(|digit| digit.is_ascii_uppercase()))
    }

    /// The code unit of the `\uXXXX` at `at`.
    fn unit(&self) -> Result<u32, JsonFault> {
        let digits = self.source.as_bytes().get(self.at + 2..self.at + 6);
        digits
            .and_then(unit_of)
            .ok_or(JsonFault::new(self.at, "four hexadecimal digits"))
    }
}

/// The first low surrogate.
const LOW: u32 = 0xdc00;

fn is_surrogate(unit: u32) -> bool {
    (0xd800..0xe000).contains(&unit)
}

fn unit_of(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}

/// The code point of two surrogates.
fn pair(high: u32, low: u32) -> Option<u32> {
    let is_pair = (0xd800..LOW).contains(&high) && (LOW..0xe000).contains(&low);
    is_pair.then(|| 0x1_0000 + ((high - 0xd800) << 10) + (low - LOW))
}

/// What a string with escapes consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Characters that stand for themselves.
    Run(&'a str),
    /// What one escape stands for, or two that are a pair: a code point, which may be a lone surrogate.
    Unit(u32),
}

impl<'a> Piece<'a> {
    pub(crate) fn units(self) -> impl Iterator<Item = u32> + use<'a> {
        let (run, unit) = match self {
            Self::Run(run) => (run, None),
            Self::Unit(unit) => ("", Some(unit)),
        };
        run.chars().map(u32::from).chain(unit)
    }
}

/// The pieces of a string that was checked.
pub(crate) struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(source: &'a str) -> Self {
        Self { rest: source }
    }

    /// The code unit of an escape at the start of the rest.
    fn unit(&self) -> Option<u32> {
        let digits = self.rest.as_bytes().get(..6)?.strip_prefix(b"\\u")?;
        unit_of(digits)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let bytes = self.rest.as_bytes();
        if *bytes.first()? != b'\\' {
            // What was checked has no quote and no control character in it.
            let (run, rest) = self.rest.split_at(plain_end(bytes, 0));
            self.rest = rest;
            return Some(Piece::Run(run));
        }
        if let Some(unit) = self.unit() {
            self.skip(6);
            let pair = self.unit().and_then(|next| pair(unit, next));
            if pair.is_some() {
                self.skip(6);
            }
            return Some(Piece::Unit(pair.unwrap_or(unit)));
        }
        let unit = match bytes.get(1)? {
            b'b' => 8,
            b'f' => 12,
            b'n' => u32::from('\n'),
            b'r' => u32::from('\r'),
            b't' => u32::from('\t'),
            byte => u32::from(*byte),
        };
        self.skip(2);
        Some(Piece::Unit(unit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The decoded text with its lone surrogates as U+FFFD, these with their places among the units, and whether it is clean.
    type Found = (String, Vec<(usize, u32)>, bool);

    fn read_one(source: &str) -> Result<Found, JsonFault> {
        let plain_end = |from| plain_end(source.as_bytes(), from);
        let found = check(source, plain_end(1), plain_end)?;
        assert_eq!(found.end + 1, source.len());
        let units: Vec<u32> = Pieces::new(&source[1..found.end])
            .flat_map(Piece::units)
            .collect();
        let text = units.iter().map(|unit| char::from_u32(*unit));
        let lone = units.iter().copied().enumerate();
        Ok((
            text.map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect(),
            lone.filter(|(_, unit)| is_surrogate(*unit)).collect(),
            found.is_clean,
        ))
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
        assert_eq!(lone, [(1, 0xd800), (3, 0xdc00), (4, 0xd800)]);
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
            assert!(read_one(source).is_err(), "{source}");
        }
    }
}
