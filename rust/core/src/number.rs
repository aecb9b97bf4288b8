//! Numbers as JavaScript reads and prints them.

use crate::json::JsonFault;

/// Up to here an integer and its double are the same.
const MAX_EXACT_DIGITS: usize = 15;

/// Reads a JSON number (RFC 8259, section 6) that starts at `from`; returns it and the index behind it.
pub(crate) fn read(source: &str, from: usize) -> Result<(f64, usize), JsonFault> {
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
    let integer_end = digits_end(start);
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
    let number = if end == integer_end && end - start <= MAX_EXACT_DIGITS {
        let digits = bytes.get(start..end).unwrap_or_default();
        // Exact: fifteen digits are less than 2^53.
        let number = digits
            .iter()
            .fold(0.0, |number, digit| number * 10.0 + f64::from(digit - b'0'));
        if is_negative { -number } else { number }
    } else {
        let text = source.get(from..end).unwrap_or_default();
        text.parse().map_err(|_| JsonFault::new(from, "a number"))?
    };
    Ok((number, end))
}

/// Appends a number as `JSON.stringify` prints it: `null` where it is not finite, `0` for minus zero.
pub(crate) fn print(number: f64, out: &mut String) {
    if number.is_finite() {
        out.push_str(ryu_js::Buffer::new().format_finite(number));
    } else {
        out.push_str("null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reprint(source: &str) -> String {
        let (number, end) = read(source, 0).unwrap();
        assert_eq!(end, source.len(), "{source}");
        let mut out = String::new();
        print(number, &mut out);
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
            ("9007199254740993", "9007199254740992"),
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
        assert_eq!(read("12]", 0).unwrap(), (12.0, 2));
        assert_eq!(read("[-1.5e1,", 1).unwrap(), (-15.0, 7));
    }

    #[test]
    fn other_spellings_are_refused() {
        for source in [
            "-", "+1", ".5", "1.", "01", "-01", "1e", "1e+", "1.e1", "00", "Infinity", "--1",
        ] {
            assert!(read(source, 0).is_err(), "{source}");
        }
        assert!(read("0x10", 0).is_ok_and(|(_, end)| end == 1));
    }
}
