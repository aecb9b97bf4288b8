use super::*;

/// Checks a rule on texts that pass and texts that do not.
fn check(rule: fn(&str) -> bool, valid: &[&str], invalid: &[&str]) {
    for text in valid {
        assert!(rule(text), "{text:?} should pass");
    }
    for text in invalid {
        assert!(!rule(text), "{text:?} should not pass");
    }
}

#[test]
fn did() {
    let longest = format!("did:web:{}", "a".repeat(2040));
    let too_long = format!("{longest}a");
    check(
        is_did,
        &["did:plc:abc", "did:m:A-z_0.%25:x", "did:a::b", &longest],
        &[
            "",
            "did:",
            "did:plc",
            "did:plc:",
            "did::a",
            "did:p1:a",
            "did:Plc:a",
            "did:plc:a:",
            "did:plc:a%",
            "DID:plc:a",
            "did:plc:ä",
            &too_long,
        ],
    );
}

#[test]
fn handle_and_at_identifier() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    let too_long = format!("{longest}a");
    let long_label = format!("{label}a.test");
    check(
        is_handle,
        &["alice.test", "a.b", "0-0.0.x1", &longest],
        &[
            "",
            ".",
            "a",
            "a.",
            ".a",
            "a..b",
            "a.1b",
            "-a.b",
            "a-.b",
            "a.b-",
            "a_b.c",
            "ä.test",
            "a.b\n",
            &too_long,
            &long_label,
        ],
    );
    check(
        is_at_identifier,
        &["did:plc:abc", "alice.test"],
        &["did:a.b", "did:plc", "@alice.test", ""],
    );
}

#[test]
fn nsid() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{label}.{}", "a".repeat(61));
    let too_long = format!("{longest}a");
    assert_eq!(longest.len(), 317);
    check(
        is_nsid,
        &["a.b.c", "com.example.fooBar2", "a.0.c", "a-1.b.c", &longest],
        &[
            "",
            "a.b",
            "1.b.c",
            "a.b.1c",
            "a.b.c-d",
            "a..c",
            "a.b.",
            ".b.c",
            "a-.b.c",
            "a.-b.c",
            "com.exa💩ple.thing",
            &too_long,
        ],
    );
}

#[test]
fn at_uri() {
    let base = "at://did:plc:a/a.b.c/";
    let longest = format!("{base}{}", "r".repeat(8192 - base.len()));
    let too_long = format!("{longest}r");
    // The fragment is not measured.
    let long_fragment = format!("{longest}#/{}", "f".repeat(9000));
    check(
        is_at_uri,
        &[
            "at://a.b",
            "at://did:plc:a",
            "at://a.b/a.b.c",
            "at://a.b/a.b.c/r~%20'()",
            "at://a.b#/",
            "at://a.b/a.b.c/r#/x[0]",
            &longest,
            &long_fragment,
        ],
        &[
            "",
            "at://",
            "a.b",
            "at:/a.b",
            "AT://a.b",
            "at:///a.b.c",
            "at://a.b/",
            "at://a.b/c",
            "at://a.b/a.b.c/",
            "at://a.b/a.b.c/r/",
            "at://a.b/a.b.c/r/s",
            "at://a.b#",
            "at://a.b#x",
            "at://a.b#/#",
            "at://a.b/a.b.c/r?q",
            "at://a.b/a.b.c/r s",
            "at://a.b/a.b.c/ü",
            &too_long,
        ],
    );
}

#[test]
fn record_key_and_tid() {
    let longest = "a".repeat(512);
    let too_long = "a".repeat(513);
    check(
        is_record_key,
        &["self", "...", "-", "~1.2_3:4", &longest],
        &["", ".", "..", "a/b", "a b", "a%20", "é", &too_long],
    );
    check(
        is_tid,
        &["3jzfcijpj2z2a", "jzzzzzzzzzzzz"],
        &["3jzfcijpj2z2", "kzzzzzzzzzzzz", "3jzfcijpj2z21"],
    );
}

#[test]
fn uri() {
    check(
        is_uri,
        &[
            "https://a.b/c",
            "a:b",
            "_1:x",
            "a://b",
            "a:b//",
            "mailto:ä@b",
            "a:b\u{85}c",
            "a:b\u{200b}",
            "a::",
        ],
        &[
            "",
            "a",
            ":b",
            "a:",
            "a:/b",
            "a://",
            "a:///b",
            "a-b:c",
            "ä:b",
            "a:b c",
            "a:b\u{a0}",
            "a:\u{feff}b",
            "a:b\u{2003}",
            "a:b\n",
            "a:b\u{3000}",
        ],
    );
}

#[test]
fn language() {
    check(
        is_language,
        &[
            "en",
            "DE-ch",
            "zh-Hant-TW",
            "zh-cmn-Hans-CN",
            "aaa-bbb-ccc-ddd-Abcd-123-abc12-1abc-0-b1-00-a-12345678-x-1",
            "sl-rozaj-biske-1994",
            "x-klingon",
            "i-klingon",
            "en-GB-oed",
            "sgn-BE-FR",
            "art-lojban",
            "abcd",
            "abcdefgh",
            "abcd-US",
            "zh-min-nan",
            "es-419",
        ],
        &[
            "",
            "a",
            "i",
            "x",
            "x-",
            "en-",
            "-en",
            "en--US",
            "abcdefghi",
            "e1",
            "en_US",
            "I-klingon",
            "X-klingon",
            "en-X-a",
            "en-x",
            "en-x-123456789",
            "en-a",
            "en-a-x-b",
            "en-a-b",
            "abcd-efg",
            "aa-bbb-ccc-ddd-eee",
            "en-US-US",
            "en-abc1",
            "en-GB-oe",
            "ïn",
            "en\n",
        ],
    );
}

#[test]
fn cid() {
    check(
        is_cid,
        &[
            "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
        ],
        &[
            "",
            "notacid",
            "bafy",
            "BAFYREIDFAYVFUWQA7QLNOPDJIQRXZS6BLMOEU4RUJCJTNCI5BELUDIRZ2A",
            "f01711220",
        ],
    );
}
