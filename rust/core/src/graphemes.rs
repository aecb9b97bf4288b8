//! Length limits in grapheme clusters.

use unicode_segmentation::UnicodeSegmentation;

/// Whether a text keeps a `maxGraphemes` limit: at most `max` extended grapheme clusters (Unicode annex 29).
///
/// A text of at most `max` UTF-16 code units passes without a look at its clusters, as in the reference (records.md 3.1);
/// it cannot have more clusters than units.
///
/// The reference counts by Unicode 15.0 (graphemer 1.4.0), and so does unicode-segmentation 1.11; later versions keep
/// Indic conjuncts together and count fewer. Two flaws of the reference are left out: it divides a flag from its second
/// and later combining marks, and a prepended mark (as U+0600) keeps the letters of a flag apart.
pub fn grapheme_count_at_most(text: &str, max: usize) -> bool {
    // A UTF-16 unit takes one to three bytes of UTF-8.
    if text.len() <= max {
        return true;
    }
    if text.is_ascii() {
        return ascii_grapheme_count(text.as_bytes()) <= max;
    }
    if utf16_length(text) <= max {
        return true;
    }
    text.graphemes(true).nth(max).is_none()
}

/// Each character begins with a byte that continues none; those of four bytes are two units.
fn utf16_length(text: &str) -> usize {
    text.bytes()
        .map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0))
        .sum()
}

/// In ASCII only CR LF is a cluster of more than one character.
fn ascii_grapheme_count(text: &[u8]) -> usize {
    text.len() - text.windows(2).filter(|pair| pair == b"\r\n").count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> usize {
        (0..=text.len())
            .find(|max| grapheme_count_at_most(text, *max))
            .unwrap()
    }

    #[test]
    fn ascii_counts_bytes_but_crlf_is_one() {
        assert_eq!(count(""), 0);
        assert_eq!(count("abc"), 3);
        assert_eq!(count("a\r\nb"), 3);
        assert_eq!(count("\r\r\n\n"), 3);
        assert_eq!(count("\n\r"), 2);
    }

    #[test]
    fn joined_characters_are_one() {
        let family = "👨\u{200d}👩\u{200d}👧\u{200d}👦";
        assert_eq!(count(family), 1);
        assert_eq!(count("e\u{301}x"), 2);
        assert_eq!(count("🇩🇪🇫🇷"), 2);
        assert!(grapheme_count_at_most(&family.repeat(120), 120));
        assert!(!grapheme_count_at_most(&family.repeat(121), 120));
    }

    #[test]
    fn limit_is_inclusive() {
        assert!(grapheme_count_at_most(&"a".repeat(300), 300));
        assert!(!grapheme_count_at_most(&"a".repeat(301), 300));
        assert!(grapheme_count_at_most(&"ä".repeat(300), 300));
        assert!(!grapheme_count_at_most(&"ä".repeat(301), 300));
    }

    /// A count of another Unicode version shows here: since 15.1 the conjunct is one cluster.
    #[test]
    fn conjuncts_count_as_in_unicode_15_0() {
        assert_eq!(count("क्ष"), 2);
    }

    proptest! {
        #[test]
        fn units_are_counted(text in ".{0,20}") {
            prop_assert_eq!(utf16_length(&text), text.encode_utf16().count());
        }

        #[test]
        fn ascii_is_counted_as_by_the_general_rule(text in "[a\r\n\t]{0,12}") {
            prop_assert_eq!(ascii_grapheme_count(text.as_bytes()), text.graphemes(true).count());
        }
    }
}
