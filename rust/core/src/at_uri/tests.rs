use super::*;

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

fn parts(uri: &AtUri) -> (&str, &str, &str, &str) {
    (&uri.text, uri.authority(), uri.collection(), uri.rkey())
}

#[test]
fn a_plain_record_uri() {
    let uri = AtUri::from_parts(DID, "app.bsky.feed.like", "3kabc").unwrap();
    let text = format!("at://{DID}/app.bsky.feed.like/3kabc");
    assert_eq!(
        parts(&uri),
        (text.as_str(), DID, "app.bsky.feed.like", "3kabc")
    );
    assert_eq!(AtUri::parse(&text), Ok(uri));
}

#[test]
fn from_parts_spells_like_the_reference() {
    let cases = [
        ("a?b", "a?b=", "a"),
        ("a?b=c d", "", ""),
        ("a b", "", ""),
        ("a\0b", "", ""),
        ("a\u{feff}b", "", ""),
        ("a\u{85}b", "a\u{85}b", "a\u{85}b"),
        ("a/b", "a/b", "a"),
        ("//a", "//a", "a"),
        ("clé", "clé", "clé"),
        ("a#b?c=d", "a#b?c=d", "a"),
        ("a?x=1&&y&=2#f", "a?x=1&y=&=2#f", "a"),
        ("a??x", "a?%3Fx=", "a"),
        ("a?%41%zz+é%ff", "a?A%25zz+%C3%A9%EF%BF%BD=", "a"),
        ("a?&", "a", "a"),
        ("a?", "", ""),
        ("a#", "", ""),
        ("self", "self", "self"),
    ];
    for (rkey, stored, parsed_rkey) in cases {
        let uri = AtUri::from_parts(DID, "c", rkey);
        if stored.is_empty() {
            assert_eq!(uri, Err(BadUri), "{rkey}");
        } else {
            let text = format!("at://{DID}/c/{stored}");
            assert_eq!(parts(&uri.unwrap()), (text.as_str(), DID, "c", parsed_rkey));
        }
    }
}

#[test]
fn authorities() {
    for did in [
        DID,
        "did:web:a.example",
        "not-a-did",
        "DID:PLC:ABC",
        "did:web:a%3A1",
        "undefined",
        "did:plc:",
    ] {
        let uri = AtUri::from_parts(did, "c", "r").unwrap();
        assert_eq!(
            parts(&uri),
            (format!("at://{did}/c/r").as_str(), did, "c", "r")
        );
    }
    for did in [
        "did:plc:a_b",
        "did:web:a.b%3A1",
        "",
        "-a",
        ".a",
        "dïd",
        "did:plc:a b",
    ] {
        assert_eq!(AtUri::from_parts(did, "c", "r"), Err(BadUri), "{did}");
    }
}

#[test]
fn a_scheme_that_leads_nowhere_is_an_authority() {
    let uri = AtUri::parse("at:///c/r").unwrap();
    assert_eq!(parts(&uri), ("at://at:///c/r", "at:", "c", "r"));
    let uri = AtUri::parse("AT://a.b").unwrap();
    assert_eq!(parts(&uri), ("at://a.b/", "a.b", "", ""));
}

#[test]
fn a_bare_authority_gains_a_slash() {
    for (source, text) in [
        ("at://did:plc:a", "at://did:plc:a/"),
        ("a", "at://a/"),
        ("a?b", "at://a/?b="),
        ("a#/b", "at://a/#/b"),
    ] {
        assert_eq!(
            parts(&AtUri::parse(source).unwrap()),
            (text, AtUri::parse(text).unwrap().authority(), "", "")
        );
    }
}

#[test]
fn parsing_the_stored_text_changes_nothing() {
    for source in [
        "did:plc:a/b/c?d=e+f%20&g#h",
        "at://x//y///z/",
        "a?b",
        "at:///c",
    ] {
        let once = AtUri::parse(source).unwrap();
        assert_eq!(AtUri::parse(&once.text), Ok(once));
    }
}
