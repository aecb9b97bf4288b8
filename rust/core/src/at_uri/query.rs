//! The query of a URI, decoded and encoded again as `application/x-www-form-urlencoded` (URL standard, section 5).
//!
//! Where a query has both characters outside ASCII and a `%` that is no escape, the reference's runtime departs from that
//! standard and garbles the characters; this does not.

/// Appends `?` and the query, or nothing if the query has no parameters. `query` is what follows the first question mark.
pub(super) fn push(text: &mut String, query: &str) {
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        text.push(separator);
        push_form_encoded(text, name);
        text.push('=');
        push_form_encoded(text, value);
        separator = '&';
    }
}

fn push_form_encoded(text: &mut String, encoded: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let decoded = percent_decode(encoded);
    // What is not UTF-8 after decoding becomes U+FFFD, and is encoded as that.
    for byte in String::from_utf8_lossy(&decoded).bytes() {
        match byte {
            b' ' => text.push('+'),
            b'*' | b'-' | b'.' | b'_' => text.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => text.push(char::from(byte)),
            _ => {
                text.push('%');
                text.push(char::from(HEX[usize::from(byte >> 4)]));
                text.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

fn percent_decode(encoded: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match (first, after) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = after;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*first),
        }
    }
    decoded
}

const fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}
