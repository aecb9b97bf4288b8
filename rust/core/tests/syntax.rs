//! The syntax lists of bluesky-social/atproto-interop-tests (tests/data/syntax, one text a line, `#` comments) against the
//! formats, and properties that hold for any text.
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use indexer_core::at_uri::AtUri;
use indexer_core::timestamp::{is_datetime, normalize_created_at};
use indexer_core::{cid, formats};
use proptest::prelude::*;

type Rule = fn(&str) -> bool;

/// List, rule, how many texts it has, and whether they should pass.
const LISTS: [(&str, Rule, usize, bool); 27] = [
    (
        "atidentifier_syntax_valid",
        formats::is_at_identifier,
        8,
        true,
    ),
    (
        "atidentifier_syntax_invalid",
        formats::is_at_identifier,
        10,
        false,
    ),
    ("aturi_syntax_valid", formats::is_at_uri, 15, true),
    ("aturi_syntax_invalid", formats::is_at_uri, 34, false),
    ("cid_syntax_valid", formats::is_cid, 5, true),
    ("cid_syntax_invalid", formats::is_cid, 6, false),
    ("datetime_syntax_valid", is_datetime, 18, true),
    ("datetime_syntax_invalid", is_datetime, 26, false),
    ("datetime_parse_invalid", is_datetime, 4, false),
    ("did_syntax_valid", formats::is_did, 10, true),
    ("did_real", formats::is_did, 11, true),
    ("did_syntax_invalid", formats::is_did, 6, false),
    ("handle_syntax_valid", formats::is_handle, 33, true),
    ("handle_syntax_invalid", formats::is_handle, 21, false),
    ("language_syntax_valid", formats::is_language, 10, true),
    ("language_syntax_invalid", formats::is_language, 3, false),
    ("language_parse_invalid", formats::is_language, 2, false),
    ("nsid_syntax_valid", formats::is_nsid, 13, true),
    ("nsid_syntax_invalid", formats::is_nsid, 15, false),
    ("recordkey_syntax_valid", formats::is_record_key, 9, true),
    ("recordkey_syntax_invalid", formats::is_record_key, 6, false),
    ("tid_syntax_valid", formats::is_tid, 3, true),
    ("tid_syntax_invalid", formats::is_tid, 8, false),
    ("uri_syntax_valid", formats::is_uri, 3, true),
    ("uri_syntax_invalid", formats::is_uri, 5, false),
    // The same texts where a wider rule must agree.
    ("did_syntax_valid", formats::is_at_identifier, 10, true),
    ("handle_syntax_valid", formats::is_at_identifier, 33, true),
];

const LOOSE_RKEY: &str = "the reference sets no syntax for the record key in an AT-URI";
const OTHER_BASE: &str = "the reference reads base32 and base58btc only";
const LOOSE_ZONE: &str = "the reference takes a missing zone, and an offset without colon";
const LONG_FRACTION: &str = "the reference takes at most nine digits";
const LETTER_CASE: &str = "the reference takes a lower-case x only";
const MEANING: &str = "only the form is checked, not that it makes sense";

/// Texts on which the reference, and so this crate, disagrees with the list (records.md 3.2 and 4.1), and why.
const DIFFERENCES: [(&str, &str, &str); 22] = [
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/%23",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/$@!*)(:,;~.sdf123",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/!",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/,",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/abc%30123",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/%",
        LOOSE_RKEY,
    ),
    (
        "aturi_syntax_invalid",
        "at://did:plc:asdf123/com.atproto.feed.post/%zz",
        LOOSE_RKEY,
    ),
    ("cid_syntax_valid", "mBcDxtdWx0aWhhc2g+", OTHER_BASE),
    (
        "cid_syntax_valid",
        "7134036155352661643226414134664076",
        OTHER_BASE,
    ),
    (
        "cid_syntax_valid",
        "f017012202c5f688262e0ece8569aa6f94d60aad55ca8d9d83734e4a7430d0cff6588ec2b",
        OTHER_BASE,
    ),
    (
        "datetime_syntax_valid",
        "1985-04-12T23:20:50.12345678901Z",
        LONG_FRACTION,
    ),
    (
        "datetime_syntax_valid",
        "1985-04-12T23:20:50.123456789012Z",
        LONG_FRACTION,
    ),
    (
        "datetime_syntax_invalid",
        "1985-04-12T23:20:50.123",
        LOOSE_ZONE,
    ),
    ("datetime_syntax_invalid", "1985-04-12T23:20:50", LOOSE_ZONE),
    (
        "datetime_syntax_invalid",
        "1985-04-12T23:20:50.123+0000",
        LOOSE_ZONE,
    ),
    (
        "datetime_parse_invalid",
        "0000-01-01T00:00:00+01:00",
        MEANING,
    ),
    (
        "did_real",
        "did:web7:0",
        "the reference takes letters only in a method",
    ),
    ("language_syntax_valid", "X-fr-CH", LETTER_CASE),
    ("language_syntax_valid", "de-X-foo", LETTER_CASE),
    (
        "language_syntax_invalid",
        "jaja",
        "four letters are a primary subtag",
    ),
    ("language_parse_invalid", "en-a-foo-a-bar", MEANING),
    (
        "language_parse_invalid",
        "en-u-co-phonebk-U-ca-buddhist",
        MEANING,
    ),
];

fn texts(list: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/syntax")
        .join(format!("{list}.txt.gz"));
    let mut content = String::new();
    GzDecoder::new(File::open(path).unwrap())
        .read_to_string(&mut content)
        .unwrap();
    content
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn interop_lists() {
    let mut faults = Vec::new();
    for (list, rule, count, should_pass) in LISTS {
        let texts = texts(list);
        assert_eq!(texts.len(), count, "{list}");
        for text in texts {
            let differs = DIFFERENCES
                .iter()
                .any(|(of, known, _)| *of == list && *known == text);
            if rule(&text) != (should_pass != differs) {
                faults.push(format!("{list}: {text}"));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn differences_are_in_the_lists() {
    for (list, text, _) in DIFFERENCES {
        assert!(
            texts(list).iter().any(|listed| listed == text),
            "{list}: {text}"
        );
    }
}

/// Pieces of texts that come close to the formats.
const PIECES: [&str; 64] = [
    "at://",
    "did:",
    "did:plc:",
    "did:web:a.b",
    "a.b",
    "com.example.foo",
    "/",
    "//",
    "?",
    "#",
    "#/",
    "&",
    "=",
    "%20",
    "%",
    "%ff",
    "+",
    ":",
    ".",
    "-",
    "_",
    "~",
    "[",
    "|",
    "(",
    "\0",
    "\n",
    " ",
    "é",
    "😀",
    "\u{feff}",
    "x",
    "x-a",
    "en",
    "i-klingon",
    "Latn",
    "US",
    "2024",
    "-02-29",
    "-12-31",
    "T",
    "T24:00:00",
    "T23:59:59",
    "T10:00",
    ":60",
    ".5",
    ".123",
    ".999999999",
    "0,",
    ",",
    "Z",
    "z",
    "+05:30",
    "-12:00",
    "+0530",
    "-00:00",
    "b",
    "z",
    "Qm",
    "afkrei",
    "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
    "3jzfcijpj2z2a",
    "self",
];

fn near_texts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(prop::sample::select(&PIECES[..]), 0..8)
            .prop_map(|pieces| pieces.concat()),
        "[0-9]{4}[-/.,]?[0-9]{2}[-/.,]?[0-9,]{2}T[0-9]{2}[:.x]?[0-9]{2}([:.x]?[0-9]{2})?([.,][0-9]{1,10})?(Z|[+-][0-9]{2}:?[0-9]{2})?",
        any::<String>(),
    ]
}

/// CIDs of any codec, hash function and digest, in the text forms that pass.
fn cid_bytes() -> impl Strategy<Value = Vec<u8>> {
    let digest = prop::collection::vec(any::<u8>(), 0..100);
    (
        prop::sample::select(&[0u8, 1, 0x12][..]),
        0u8..0x80,
        0u8..0x80,
        digest,
    )
        .prop_map(|(version, codec, hash, digest)| {
            let mut bytes = match version {
                0 => vec![0, hash],
                1 => vec![1, codec, hash],
                _ => vec![0x12],
            };
            bytes.push(u8::try_from(digest.len()).unwrap());
            bytes.extend(digest);
            bytes
        })
}

proptest! {
    #[test]
    fn no_text_panics(text in near_texts()) {
        for (_, rule, ..) in LISTS {
            rule(&text);
        }
        let _ = AtUri::parse(&text);
        let _ = cid::Cid::from_bytes(text.as_bytes());
    }

    #[test]
    fn normalizing_twice_is_normalizing_once(text in near_texts()) {
        let once = normalize_created_at(&text);
        prop_assert_eq!(once.is_some(), is_datetime(&text));
        if let Some(once) = once {
            prop_assert_eq!(once.len(), "2024-01-01T00:00:00.000Z".len());
            prop_assert_eq!(normalize_created_at(&once), Some(once.clone()));
        }
    }

    #[test]
    fn canonical_cid_text_is_that_of_the_same_cid(text in near_texts()) {
        let canonical = cid::canonical_text(&text);
        let parsed = cid::Cid::parse(&text);
        prop_assert_eq!(canonical.as_ref().err(), parsed.as_ref().err());
        if let (Ok(canonical), Ok(parsed)) = (canonical, parsed) {
            prop_assert_eq!(cid::canonical_text(&canonical), Ok(canonical.clone()));
            prop_assert_eq!(cid::Cid::parse(&canonical), Ok(parsed));
        }
    }

    #[test]
    fn cid_survives_bytes_and_text(bytes in cid_bytes()) {
        let parsed = cid::Cid::from_bytes(&bytes).unwrap();
        let text = parsed.to_canonical_text();
        prop_assert!(bytes.ends_with(parsed.multihash()));
        if parsed.version() == 1 {
            prop_assert_eq!(parsed.bytes(), &bytes[..]);
            prop_assert_eq!(cid::canonical_text(&text), Ok(text.as_str().into()));
            prop_assert_eq!(cid::Cid::parse(&text), Ok(parsed));
        } else if bytes[0] == 0x12 {
            prop_assert_eq!(parsed.bytes(), &bytes[..]);
            prop_assert_eq!(cid::Cid::parse(&format!("z{text}")), Ok(parsed));
        }
    }

    #[test]
    fn one_changed_character_of_a_cid_is_judged_as_by_the_plain_parser(place in 0usize..59, character in "[ -~é]") {
        let mut text = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a".to_owned();
        text.replace_range(place..=place, &character);
        prop_assert_eq!(cid::canonical_text(&text).is_ok(), cid::Cid::parse(&text).is_ok());
    }

    #[test]
    fn a_stored_uri_is_parsed_to_itself(text in near_texts()) {
        if let Ok(uri) = AtUri::parse(&text) {
            prop_assert!(uri.text.starts_with("at://"));
            prop_assert_eq!(AtUri::parse(&uri.text), Ok(uri));
        }
    }

    #[test]
    fn a_record_uri_is_that_of_its_joined_parts(did in "(did:plc:|a|at:|-)[a-z:._%-]{0,3}", collection in "[a-c./]{1,4}", rkey in "[a-z:._~-]{0,4}[/?#= é]?[a-z]?") {
        let joined = if rkey.is_empty() { format!("{did}/{collection}") } else { format!("{did}/{collection}/{rkey}") };
        prop_assert_eq!(AtUri::from_parts(&did, &collection, &rkey), AtUri::parse(&joined));
    }

    #[test]
    fn what_the_strict_formats_take_the_lenient_uri_takes(rkey in "[a-zA-Z0-9_~.:-]{1,20}") {
        let text = format!("at://did:plc:abc/com.example.foo/{rkey}");
        prop_assert!(formats::is_at_uri(&text));
        let uri = AtUri::parse(&text).unwrap();
        prop_assert_eq!((uri.authority(), uri.collection(), uri.rkey()), ("did:plc:abc", "com.example.foo", rkey.as_str()));
        prop_assert_eq!(&uri.text, &text);
    }
}
