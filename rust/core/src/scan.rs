//! Search for the end of a run of plain characters: eight bytes at a time, or by marks that were made of sixteen at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// For each byte of a part of a text, whether it is a quote, backslash or control character. Where many runs are looked
/// for this is quicker than [`plain_end`]: the bytes of a block are compared all at once.
pub(crate) struct Marks {
    /// Where the part starts.
    start: usize,
    /// Not 0 for those, and for what would be behind the end of the text.
    blocks: [Block; BLOCKS],
}

type Block = [u8; 16];

/// More than most messages have.
const BLOCKS: usize = 256;

impl Default for Marks {
    fn default() -> Self {
        Self {
            start: 0,
            blocks: [[0; 16]; BLOCKS],
        }
    }
}

impl Marks {
    /// What [`plain_end`] gives. Places may not go back.
    #[expect(clippy::inline_always, reason = "most texts are short")]
    #[inline(always)]
    pub(crate) fn plain_end(&mut self, bytes: &[u8], from: usize) -> usize {
        let mut at = from;
        loop {
            let marks = self
                .blocks
                .as_flattened()
                .get(at.wrapping_sub(self.start)..);
            match marks.and_then(<[u8]>::first_chunk) {
                Some(marks) => match u64::from_le_bytes(*marks) {
                    0 => at = at.wrapping_add(marks.len()),
                    found => return at.wrapping_add(place(found)),
                },
                None if at >= bytes.len() => return bytes.len(),
                None => self.mark(bytes, at),
            }
        }
    }

    /// Goes to the part that starts at `start`; the last one has at least eight bytes behind the end.
    #[inline(never)]
    pub(crate) fn mark(&mut self, bytes: &[u8], start: usize) {
        self.start = start;
        let (blocks, rest) = bytes.get(start..).unwrap_or_default().as_chunks();
        mark_all(&mut self.blocks, blocks);
        if let Some(marks) = self.blocks.get_mut(blocks.len()..) {
            let mut last = [[b'"'; 16]; 2];
            last[0][..rest.len()].copy_from_slice(rest);
            mark_all(marks, &last);
        }
    }
}

fn mark_all(marks: &mut [Block], blocks: &[Block]) {
    for (marks, block) in marks.iter_mut().zip(blocks) {
        for (mark, byte) in marks.iter_mut().zip(block) {
            *mark = if is_special(*byte) { 0xff } else { 0 };
        }
    }
}

/// Index of the first quote, backslash or control character at or after `from`; the length if there is none.
#[inline]
pub(crate) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let (chunks, few) = bytes.get(from..).unwrap_or_default().as_chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        let found = special(*chunk);
        if found != 0 {
            return from + number * chunk.len() + place(found);
        }
    }
    bytes.len() - few.len() + end_of_few(few)
}

/// Index of the first such byte. For short texts, quicker than `find`.
#[inline]
pub(crate) fn position(bytes: &[u8], byte: u8) -> Option<usize> {
    let (chunks, few) = bytes.as_chunks();
    for (number, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk) ^ (ONES * u64::from(byte));
        let found = word.wrapping_sub(ONES) & !word & HIGH;
        if found != 0 {
            return Some(number * chunk.len() + place(found));
        }
    }
    let found = few.iter().position(|other| *other == byte)?;
    Some(bytes.len() - few.len() + found)
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
    fn marks_find_the_same_in_every_part() {
        let part = size_of::<[Block; BLOCKS]>();
        for length in (0..40).chain(part - 20..part + 20).chain([5 * part + 1]) {
            for step in [1, 7, 61, 5000] {
                let byte = |place: usize| {
                    if place.is_multiple_of(step) {
                        b'"'
                    } else {
                        0xff
                    }
                };
                let bytes: Vec<u8> = (1..=length).map(byte).collect();
                let mut marks = Marks::default();
                marks.mark(&bytes, 0);
                let mut from = 0;
                while from <= length {
                    let found = marks.plain_end(&bytes, from);
                    assert_eq!(found, plain_end(&bytes, from), "{length} {step} {from}");
                    from = found + 1;
                }
            }
        }
    }

    #[test]
    fn the_first_place_is_found() {
        for length in 0..20 {
            for place in 0..length {
                let mut bytes = vec![b'.'; length];
                // What differs from it by its lowest bit only is none.
                bytes[0] = b'/' ^ 1;
                bytes[place..].fill(b'/');
                assert_eq!(position(&bytes, b'/'), Some(place));
            }
            assert_eq!(position(&vec![0xaf; length], b'/'), None);
        }
    }

    #[test]
    fn starts_where_told() {
        assert_eq!(plain_end(b"\"abc\"", 1), 4);
        assert_eq!(plain_end(b"abc", 3), 3);
    }
}
