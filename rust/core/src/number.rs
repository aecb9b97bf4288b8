//! Numbers as JavaScript reads and prints them.

use crate::json::JsonFault;
use crate::print::Out;

/// Up to here an integer and its double are the same.
const MAX_EXACT_DIGITS: usize = 15;
/// Every integer below it is a double.
const MAX_EXACT: u64 = 1 << 53;

/// A number that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Its value, if it is one of up to fifteen digits.
    pub(crate) integer: Option<i64>,
    /// The index behind it.
    pub(crate) end: usize,
    /// Whether it is surely printed as it stands there. So are integers of usual size.
    pub(crate) is_as_printed: bool,
}

/// Reads a JSON number (RFC 8259, section 6) that starts at `from`.
pub(crate) fn read(source: &str, from: usize) -> Result<Number, JsonFault> {
    let bytes = source.as_bytes();
    let digit_at = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits_end = |mut at: usize| {
        while digit_at(at) {
            at += 1;
        }
        at
    };
    let is_negative = bytes.get(from) == Some(&b'-');
    let start = from + usize::from(is_negative);
    if !digit_at(start) {
        return Err(JsonFault::new(start, "a digit"));
    }
    let (integer, integer_end) = integer(bytes, start);
    if bytes.get(start) == Some(&b'0') && integer_end > start + 1 {
        return Err(JsonFault::new(start + 1, "no digit after a leading zero"));
    }
    let mut end = integer_end;
    if bytes.get(end) == Some(&b'.') {
        end = digits_end(end + 1);
        if end == integer_end + 1 {
            return Err(JsonFault::new(end, "a digit after the decimal point"));
        }
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = end + 1 + sign;
        end = digits_end(exponent);
        if end == exponent {
            return Err(JsonFault::new(end, "a digit in the exponent"));
        }
    }
    let is_short = end == integer_end && end - start <= MAX_EXACT_DIGITS;
    let integer = is_short.then_some(if is_negative {
        integer.wrapping_neg()
    } else {
        integer
    });
    Ok(Number {
        integer,
        end,
        // Minus zero loses its sign.
        is_as_printed: is_short && !(is_negative && integer == Some(0)),
    })
}

/// The value of the digits from `at` on, if they are not too many, and the index behind them.
#[inline]
fn integer(bytes: &[u8], mut at: usize) -> (i64, usize) {
    let mut integer = 0i64;
    while let Some(digit @ b'0'..=b'9') = bytes.get(at) {
        integer = integer
            .wrapping_mul(10)
            .wrapping_add(i64::from(digit - b'0'));
        at += 1;
    }
    (integer, at)
}

/// The value of a number that was read.
pub(crate) fn parse(text: &str) -> f64 {
    text.parse().unwrap_or(f64::NAN)
}

/// Exact: fifteen digits are less than 2^53.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
pub(crate) fn integer_as_double(integer: i64) -> f64 {
    integer as f64
}

/// Appends a number as `JSON.stringify` prints it: `null` where it is not finite, `0` for minus zero.
pub(crate) fn print(number: f64, out: &mut impl Out) {
    if let Some(integer) = exact_integer(number) {
        out.push_str(itoa::Buffer::new().format(integer));
    } else if number.is_finite() {
        out.push_str(ryu_js::Buffer::new().format_finite(number));
    } else {
        out.push_str("null");
    }
}

/// The integer that a double is, if it is none of those beyond which doubles have gaps. Most numbers of records are.
fn exact_integer(number: f64) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and what differs from the number is refused"
    )]
    let integer = number as i64;
    let is_exact = integer.unsigned_abs() < MAX_EXACT
        && integer_as_double(integer).to_bits() == number.to_bits();
    is_exact.then_some(integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(number: Number, source: &str) -> f64 {
        let parsed = parse(source);
        if let Some(integer) = number.integer {
            // Minus zero is zero.
            let difference = integer_as_double(integer) - parsed;
            assert!(difference.abs() < 0.5, "{source}");
        }
        parsed
    }

    fn reprint(source: &str) -> String {
        let number = read(source, 0).unwrap();
        assert_eq!(number.end, source.len(), "{source}");
        let mut out = String::new();
        print(value_of(number, source), &mut out);
        assert!(!number.is_as_printed || out == source, "{source}");
        out
    }

    #[test]
    fn numbers_are_printed_as_javascript_does() {
        for (source, printed) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("1.0", "1"),
            ("-12", "-12"),
            ("1e3", "1000"),
            ("1E+3", "1000"),
            ("1e-7", "1e-7"),
            ("0.000001", "0.000001"),
            ("1e21", "1e+21"),
            ("123456789012345", "123456789012345"),
            ("9007199254740991", "9007199254740991"),
            ("-9007199254740991", "-9007199254740991"),
            ("9007199254740993", "9007199254740992"),
            ("9223372036854775808", "9223372036854776000"),
            ("-9223372036854775808", "-9223372036854776000"),
            ("12345678901234567890", "12345678901234567000"),
            ("123456789012345678901234567890", "1.2345678901234568e+29"),
            ("1e400", "null"),
            ("-1e400", "null"),
            ("1e-400", "0"),
        ] {
            assert_eq!(reprint(source), printed, "{source}");
        }
    }

    #[test]
    fn a_number_ends_where_its_grammar_ends() {
        let read = |source, from| read(source, from).map(|number| (number.integer, number.end));
        assert_eq!(read("12]", 0).unwrap(), (Some(12), 2));
        assert_eq!(read("[-15e0,", 1).unwrap(), (None, 6));
        assert_eq!(read("[-15,", 1).unwrap(), (Some(-15), 4));
    }

    #[test]
    fn other_spellings_are_refused() {
        for source in [
            "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "1.e1", "00", "Infinity", "--1",
        ] {
            assert!(read(source, 0).is_err(), "{source}");
        }
        assert!(read("0x10", 0).is_ok_and(|number| number.end == 1));
    }
}
