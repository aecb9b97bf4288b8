//! The string formats of the lexicons, with the rules of the reference's validator (records.md 3.2).
//!
//! Some rules are looser or stricter than the published syntax; `tests/syntax.rs` lists where. Every function reads its
//! text once, allocates nothing and takes any text. `datetime` is in `timestamp`.

use crate::cid::canonical_text;
use crate::tid::parse_tid;

/// `did`: `did:`, a method of lower-case letters, `:`, and an identifier of `[A-Za-z0-9._:%-]` that ends in neither `:` nor `%`.
pub fn is_did(text: &str) -> bool {
    let Some((method, identifier)) = text
        .strip_prefix("did:")
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    text.len() <= 2048
        && !method.is_empty()
        && method.bytes().all(|byte| byte.is_ascii_lowercase())
        && identifier.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'%' | b'-')
        })
        && !matches!(identifier.as_bytes().last(), None | Some(b':' | b'%'))
}

/// `handle`: a host name of at least two labels whose last label starts with a letter.
pub fn is_handle(text: &str) -> bool {
    let Some((rest, last)) = text.rsplit_once('.') else {
        return false;
    };
    text.len() <= 253 && rest.split('.').all(is_label) && is_label(last) && starts_with_letter(last)
}

/// `at-identifier`: a DID or a handle.
pub fn is_at_identifier(text: &str) -> bool {
    if text.starts_with("did:") {
        is_did(text)
    } else {
        is_handle(text)
    }
}

/// `at-uri`: `at://`, a DID or a handle, optionally a collection, optionally a record key, optionally a fragment.
pub fn is_at_uri(text: &str) -> bool {
    let (uri, fragment) = match text.split_once('#') {
        Some((uri, fragment)) => (uri, Some(fragment)),
        None => (text, None),
    };
    // The reference measures the text without its fragment.
    if uri.len() > 8192 || fragment.is_some_and(|fragment| !is_json_pointer(fragment)) {
        return false;
    }
    let Some(rest) = uri.strip_prefix("at://") else {
        return false;
    };
    let mut segments = rest.split('/');
    segments.next().is_some_and(is_at_identifier)
        && segments.next().is_none_or(is_nsid)
        && segments
            .next()
            .is_none_or(|rkey| !rkey.is_empty() && rkey.bytes().all(is_at_uri_byte))
        && segments.next().is_none()
}

/// `nsid`: at least three labels; the first starts with a letter, the last is letters and digits and starts with a letter.
pub fn is_nsid(text: &str) -> bool {
    let Some((authority, name)) = text.rsplit_once('.') else {
        return false;
    };
    text.len() <= 317
        && authority.contains('.')
        && starts_with_letter(authority)
        && authority.split('.').all(is_label)
        && name.len() <= 63
        && starts_with_letter(name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `record-key`: 1 to 512 of `[A-Za-z0-9_~.:-]`, neither `.` nor `..`.
pub fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~' | b'.' | b':' | b'-')
        })
}

/// `tid`: 13 characters of base32-sortable, the first below `k`.
pub fn is_tid(text: &str) -> bool {
    parse_tid(text).is_some()
}

/// `uri`: a scheme of `[A-Za-z0-9_]`, `:`, optionally `//`, then something that is not `/` and holds no whitespace.
pub fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    !scheme.is_empty()
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !rest.is_empty()
        && !rest.starts_with('/')
        && !has_whitespace(rest)
}

/// `cid`: the text of a CID in base32, in base58btc, or of version 0.
pub fn is_cid(text: &str) -> bool {
    canonical_text(text).is_ok()
}

/// `language`: a well-formed BCP 47 tag (RFC 5646 section 2.1). As in the reference, the irregular tags and the `x` of a
/// private use part count in the usual letter case only.
pub fn is_language(text: &str) -> bool {
    let mut subtags = text.split('-').peekable();
    let Some(primary) = subtags.next() else {
        return false;
    };
    if primary == "x" {
        return is_private_use(subtags);
    }
    if !is_alphabetic(primary, 2, 8) {
        return IRREGULAR_LANGUAGES.contains(&text);
    }
    if primary.len() <= 3 {
        for _ in 0..3 {
            if subtags
                .next_if(|subtag| is_alphabetic(subtag, 3, 3))
                .is_none()
            {
                break;
            }
        }
    }
    // Script, then region.
    let _ = subtags.next_if(|subtag| is_alphabetic(subtag, 4, 4));
    let _ = subtags.next_if(|subtag| {
        is_alphabetic(subtag, 2, 2)
            || (subtag.len() == 3 && subtag.bytes().all(|byte| byte.is_ascii_digit()))
    });
    while subtags.next_if(|subtag| is_variant(subtag)).is_some() {}
    // Extensions.
    while subtags
        .next_if(|subtag| is_alphanumeric(subtag, 1, 1) && !subtag.eq_ignore_ascii_case("x"))
        .is_some()
    {
        if subtags
            .next_if(|subtag| is_alphanumeric(subtag, 2, 8))
            .is_none()
        {
            return false;
        }
        while subtags
            .next_if(|subtag| is_alphanumeric(subtag, 2, 8))
            .is_some()
        {}
    }
    match subtags.next() {
        None => true,
        Some("x") => is_private_use(subtags),
        Some(_) => IRREGULAR_LANGUAGES.contains(&text),
    }
}

/// Tags of RFC 5646 that its general rule does not cover. The other grandfathered tags do follow the rule.
const IRREGULAR_LANGUAGES: [&str; 17] = [
    "en-GB-oed",
    "i-ami",
    "i-bnn",
    "i-default",
    "i-enochian",
    "i-hak",
    "i-klingon",
    "i-lux",
    "i-mingo",
    "i-navajo",
    "i-pwn",
    "i-tao",
    "i-tay",
    "i-tsu",
    "sgn-BE-FR",
    "sgn-BE-NL",
    "sgn-CH-DE",
];

fn is_private_use<'a>(mut subtags: impl Iterator<Item = &'a str>) -> bool {
    subtags
        .next()
        .is_some_and(|subtag| is_alphanumeric(subtag, 1, 8))
        && subtags.all(|subtag| is_alphanumeric(subtag, 1, 8))
}

fn is_variant(subtag: &str) -> bool {
    is_alphanumeric(subtag, 5, 8)
        || (is_alphanumeric(subtag, 4, 4)
            && subtag.starts_with(|first: char| first.is_ascii_digit()))
}

fn is_alphabetic(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn is_alphanumeric(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A label of a host name: 1 to 63 letters, digits and inner hyphens.
fn is_label(label: &str) -> bool {
    is_alphanumeric_or_hyphen(label)
        && label.len() <= 63
        && !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_alphanumeric_or_hyphen(label: &str) -> bool {
    label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn starts_with_letter(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
}

fn is_json_pointer(fragment: &str) -> bool {
    fragment.starts_with('/')
        && fragment
            .bytes()
            .all(|byte| is_at_uri_byte(byte) || matches!(byte, b'/' | b'[' | b']'))
}

/// Bytes of the path segments of an AT-URI.
const fn is_at_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'.' | b'_'
                | b'~'
                | b':'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b')'
                | b'('
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'%'
                | b'-'
        )
}

/// Whether the text holds a character of `\s` in JavaScript.
pub(crate) fn has_whitespace(text: &str) -> bool {
    for byte in text.bytes() {
        match byte {
            b'\t'..=b'\r' | b' ' => return true,
            0x80.. => return text.chars().any(is_js_whitespace),
            _ => {}
        }
    }
    false
}

/// `\s` of JavaScript: `WhiteSpace` and `LineTerminator` of ECMA-262. It has U+FEFF, which Unicode does not count as white
/// space, and lacks U+0085, which Unicode does.
const fn is_js_whitespace(character: char) -> bool {
    matches!(
        character,
        '\t'..='\r' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}
