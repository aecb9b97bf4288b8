//! TIDs: 64 bits as 13 characters that sort like the number (a zero bit, 53 bits of microseconds since 1970, 10 bits of clock id).

/// Length of every TID in characters.
pub const TID_LENGTH: usize = 13;

/// The digits of base32-sortable, in the order of their values, which is also the order of their bytes.
const DIGITS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

/// Microseconds have 53 bits, the range of integers that JavaScript holds exactly.
const MAX_MICROSECONDS: u64 = (1 << 53) - 1;

/// The TID of an instant in milliseconds since 1970, with clock id 0: the smallest TID of that millisecond.
///
/// Instants that 53 bits of microseconds cannot hold (after the year 2255) give the largest TID of clock id 0.
pub fn tid_of_ms(ms: u64) -> [u8; TID_LENGTH] {
    tid_text(ms.saturating_mul(1000).min(MAX_MICROSECONDS) << 10)
}

/// The TID of a value: microseconds since 1970 above the lowest ten bits, which are the clock id.
pub fn tid_text(mut value: u64) -> [u8; TID_LENGTH] {
    let mut text = [DIGITS[0]; TID_LENGTH];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(value & 31) as usize];
        value >>= 5;
    }
    text
}

/// The 64-bit value of a TID: microseconds since 1970 in the bits above the lowest ten. None if the text is no TID.
pub fn parse_tid(text: &str) -> Option<u64> {
    if text.len() != TID_LENGTH {
        return None;
    }
    let mut value = 0u64;
    for (place, byte) in text.bytes().enumerate() {
        let digit = digit_value(byte)?;
        // Thirteen digits are 65 bits and the highest bit of a TID is zero, so the first digit has only three bits.
        if place == 0 && digit >= 16 {
            return None;
        }
        value = value << 5 | digit;
    }
    Some(value)
}

const fn digit_value(byte: u8) -> Option<u64> {
    match byte {
        b'2'..=b'7' => Some((byte - b'2') as u64),
        b'a'..=b'z' => Some((byte - b'a') as u64 + 6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tid_of_an_instant_holds_its_microseconds_and_clock_id_zero() {
        let text = tid_of_ms(1_760_954_400_000);
        let text = std::str::from_utf8(&text).unwrap();
        assert_eq!(parse_tid(text), Some(1_760_954_400_000_000 << 10));
    }

    #[test]
    fn the_earliest_and_the_latest_tid() {
        assert_eq!(&tid_of_ms(0), b"2222222222222");
        assert_eq!(&tid_of_ms(u64::MAX), b"bzzzzzzzzzz22");
        assert_eq!(parse_tid("2222222222222"), Some(0));
        assert_eq!(parse_tid("jzzzzzzzzzzzz"), Some(u64::MAX >> 1 | 1 << 63));
    }

    #[test]
    fn texts_and_values_are_one_to_one() {
        for value in [0, 1, 31, 32, 1_760_954_400_000_000 << 10 | 1023, u64::MAX] {
            let text = tid_text(value);
            assert_eq!(parse_tid(std::str::from_utf8(&text).unwrap()), Some(value));
        }
    }

    #[test]
    fn tids_sort_like_their_instants() {
        let mut earlier = tid_of_ms(1);
        for ms in [2, 31, 32, 1000, 1_700_000_000_000, 1_700_000_000_001] {
            let later = tid_of_ms(ms);
            assert!(earlier < later);
            earlier = later;
        }
    }

    #[test]
    fn other_texts_are_no_tids() {
        for text in [
            "",
            "3jzfcijpj2z2",
            "3jzfcijpj2z2aa",
            "3jzfcijpj2z21",
            "kjzfcijpj2z2a",
            "3JZFCIJPJ2Z2A",
            "3jzf-cij-pj2z-2a",
        ] {
            assert_eq!(parse_tid(text), None, "{text}");
        }
    }
}
