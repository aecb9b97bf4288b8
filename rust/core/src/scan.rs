//! Search for the end of a run of plain characters, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Index of the first quote, backslash or control character at or after `from`; the length if there is none.
#[expect(clippy::inline_always, reason = "most keys are short")]
#[inline(always)]
pub(crate) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let Some((first, others)) = rest.split_first_chunk() else {
        return from + end_of_few(rest);
    };
    match special(*first) {
        0 => from + first.len() + end_of_many(others),
        found => from + place(found),
    }
}

fn end_of_many(bytes: &[u8]) -> usize {
    let (chunks, few) = bytes.as_chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        let found = special(*chunk);
        if found != 0 {
            return number * chunk.len() + place(found);
        }
    }
    bytes.len() - few.len() + end_of_few(few)
}

fn end_of_few(bytes: &[u8]) -> usize {
    let place = bytes.iter().position(|byte| is_special(*byte));
    place.unwrap_or(bytes.len())
}

fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of the lowest special byte is set; bits above it mean nothing (a borrow may have set them).
#[inline]
fn special(bytes: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(bytes);
    let quote = (word ^ (ONES * u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES * 0x20);
    // All three are ASCII, so bytes with the high bit are none of them.
    (quote | backslash | control) & !word & HIGH
}

/// Which byte was found.
#[inline]
fn place(found: u64) -> usize {
    (found.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_plain_loop_finds() {
        for byte in 0..=255u8 {
            for place in 0..20 {
                for length in [place + 1, 17, 24] {
                    let mut bytes = vec![b'a'; length.max(place + 1)];
                    bytes[place] = byte;
                    let expected = bytes.iter().position(|byte| is_special(*byte));
                    assert_eq!(
                        plain_end(&bytes, 0),
                        expected.unwrap_or(bytes.len()),
                        "{bytes:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn starts_where_told() {
        assert_eq!(plain_end(b"\"abc\"", 1), 4);
        assert_eq!(plain_end(b"abc", 3), 3);
    }
}
