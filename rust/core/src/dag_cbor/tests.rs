use super::*;
use crate::fault::FaultKind;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn json(bytes: &[u8]) -> Result<String, Bad> {
    let mut out = Vec::new();
    let mut reader = Reader::new(bytes);
    let longest = longest_json(bytes.len());
    let mut walker = Walker::default();
    to_json(&mut reader, &mut walker, MAX_DEPTH, longest, &mut out)?;
    reader.finish()?;
    assert_eq!(validate(bytes, MAX_DEPTH), Ok(()));
    assert!(out.len() <= longest && out.capacity() <= longest + (64 << 10));
    Ok(String::from_utf8(out).unwrap())
}

fn fault(hex: &str) -> (FaultKind, usize) {
    let bytes = bytes(hex);
    let bad = json(&bytes).expect_err(hex);
    assert_eq!(validate(&bytes, MAX_DEPTH), Err(bad));
    (bad.kind, bad.at)
}

#[test]
fn items_become_json_text() {
    for (hex, expected) in [
        ("f6", "null"),
        ("f4", "false"),
        ("f5", "true"),
        ("00", "0"),
        ("17", "23"),
        ("18 18", "24"),
        ("19 0100", "256"),
        ("1b 0020000000000001", "9007199254740993"),
        ("1b ffffffffffffffff", "18446744073709551615"),
        ("20", "-1"),
        ("38 18", "-25"),
        ("3b ffffffffffffffff", "-18446744073709551616"),
        ("fb 3ff8000000000000", "1.5"),
        ("fb 3ff0000000000000", "1"),
        ("fb 8000000000000000", "0"),
        ("60", r#""""#),
        ("63 61225c", r#""a\"\\""#),
        ("62 000a", r#""\u0000\n""#),
        ("63 e6b0b4", "\"水\""),
        ("41 ff", r#"{"$bytes":"/w"}"#),
        ("40", r#"{"$bytes":""}"#),
        ("80", "[]"),
        ("a0", "{}"),
        ("83 01 81 02 a1 61 61 80", r#"[1,[2],{"a":[]}]"#),
        ("a2 61 62 01 62 61 61 02", r#"{"b":1,"aa":2}"#),
    ] {
        assert_eq!(json(&bytes(hex)).as_deref(), Ok(expected), "{hex}");
    }
}

#[test]
fn what_needs_more_than_a_copy_is_found_wherever_it_is() {
    for length in 1..50 {
        for place in 0..length {
            for (byte, printed) in [
                (b'"', "\\\""),
                (b'\\', "\\\\"),
                (0, "\\u0000"),
                (0x1f, "\\u001f"),
                (0x7f, "\u{7f}"),
                (0x80, "\u{fffd}"),
                (0xff, "\u{fffd}"),
            ] {
                let mut bytes = vec![];
                write::head(write::Head::Text, length as u64, &mut bytes);
                bytes.resize(bytes.len() + length, b'a');
                let at = bytes.len() - length + place;
                bytes[at] = byte;
                let (before, behind) = ("a".repeat(place), "a".repeat(length - place - 1));
                let expected = format!("\"{before}{printed}{behind}\"");
                assert_eq!(json(&bytes), Ok(expected), "{byte} {place} {length}");
            }
        }
    }
}

#[test]
fn bad_utf8_in_text_is_read_with_replacements() {
    assert_eq!(json(&bytes("63 61ff62")).unwrap(), "\"a\u{fffd}b\"");
    // A surrogate, as three bad bytes.
    assert_eq!(
        json(&bytes("63 eda080")).unwrap(),
        "\"\u{fffd}\u{fffd}\u{fffd}\""
    );
    assert_eq!(json(&bytes("a1 61 ff 01")).unwrap(), "{\"\u{fffd}\":1}");
}

#[test]
fn links_are_canonical_text_and_blobs_have_the_order_of_the_reference() {
    let link =
        "d82a 5825 00 01711220 9dfefe61dd76ea3dcae5023880b08379d57adf20482d6fdbe2759289f647677b";
    let cid = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm";
    assert_eq!(
        json(&bytes(link)).unwrap(),
        format!(r#"{{"$link":"{cid}"}}"#)
    );
    let blob = format!(
        "a4 63 726566 {link} 64 73697a65 18 2a 65 2474797065 64 626c6f62 68 6d696d6554797065 63 612f62"
    );
    assert_eq!(
        json(&bytes(&blob)).unwrap(),
        format!(r#"{{"$type":"blob","ref":{{"$link":"{cid}"}},"mimeType":"a/b","size":42}}"#)
    );
    // Something else in place of the type: an object like any other.
    let other = blob.replace("626c6f62", "626c6f61");
    assert_eq!(
        json(&bytes(&other)).unwrap(),
        format!(r#"{{"ref":{{"$link":"{cid}"}},"size":42,"$type":"bloa","mimeType":"a/b"}}"#)
    );
    let no_size = blob.replace("18 2a", "61 78");
    assert!(json(&bytes(&no_size)).unwrap().starts_with(r#"{"ref":"#));
}

#[test]
fn what_has_another_form_is_refused_where_it_is() {
    use FaultKind::*;
    for (hex, expected) in [
        ("", (Truncated, 0)),
        ("18", (Truncated, 1)),
        ("19 00", (Truncated, 2)),
        ("62 61", (Truncated, 2)),
        ("82 00", (Truncated, 2)),
        ("a1 61 61", (Truncated, 3)),
        ("fb 00", (Truncated, 2)),
        ("9b ffffffffffffffff", (Truncated, 9)),
        ("7b ffffffffffffffff", (Truncated, 9)),
        ("bb 7fffffffffffffff", (Truncated, 9)),
        ("18 17", (NotMinimal, 0)),
        ("81 19 00ff", (NotMinimal, 1)),
        ("1a 0000ffff", (NotMinimal, 0)),
        ("1b 00000000ffffffff", (NotMinimal, 0)),
        ("38 00", (NotMinimal, 0)),
        ("78 01 61", (NotMinimal, 0)),
        ("98 01 00", (NotMinimal, 0)),
        ("b8 01 61 61 00", (NotMinimal, 0)),
        ("d8 01 00", (NotMinimal, 0)),
        ("9f ff", (Indefinite, 0)),
        ("bf ff", (Indefinite, 0)),
        ("5f 41 00 ff", (Indefinite, 0)),
        ("7f 61 61 ff", (Indefinite, 0)),
        ("ff", (Indefinite, 0)),
        ("1c", (Reserved, 0)),
        ("1f", (Reserved, 0)),
        ("df", (Reserved, 0)),
        ("fc", (Reserved, 0)),
        ("f7", (BadSimple, 0)),
        ("f0", (BadSimple, 0)),
        ("f8 20", (BadSimple, 0)),
        ("f9 3c00", (BadFloat, 0)),
        ("fa 3f800000", (BadFloat, 0)),
        ("fb 7ff8000000000000", (BadFloat, 0)),
        ("fb fff0000000000000", (BadFloat, 0)),
        ("c0 60", (BadTag, 0)),
        ("d8 2b 41 00", (BadTag, 0)),
        ("d8 2a 61 00", (BadLink, 0)),
        ("d8 2a 40", (BadLink, 0)),
        ("d8 2a 41 00", (BadLink, 0)),
        ("d8 2a 45 01 55 00 00 00", (BadLink, 0)),
        ("a1 01 02", (BadKey, 1)),
        ("a1 41 61 02", (BadKey, 1)),
        ("a2 61 62 01 61 61 02", (UnsortedKeys, 4)),
        ("a2 62 6161 01 61 62 02", (UnsortedKeys, 5)),
        ("a2 61 61 01 61 61 02", (DuplicateKey, 4)),
        ("00 00", (Trailing, 1)),
    ] {
        assert_eq!(fault(hex), expected, "{hex}");
    }
}

#[test]
fn links_in_a_longer_form_are_refused() {
    // Version, codec, hash function and length of the digest; the identity hash of no bytes.
    assert!(json(&bytes("d82a 45 00 01 55 00 00")).is_ok());
    // Of version 0: a digest of 1 byte, and one of 32.
    assert_eq!(fault("d82a 44 00 12 01 00").0, FaultKind::BadLink);
    let whole = format!("d82a 5823 00 12 20 {}", "00".repeat(32));
    assert!(json(&bytes(&whole)).is_ok());
    for longer in [
        "d82a 46 00 8100 55 00 00",
        "d82a 46 00 01 d500 00 00",
        "d82a 46 00 01 55 8000 00",
        "d82a 46 00 01 55 00 8000",
        "d82a 46 00 01 55 00 00 00",
        "d82a 45 01 01 55 00 00",
    ] {
        assert_eq!(fault(longer).0, FaultKind::BadLink, "{longer}");
    }
}

#[test]
fn nesting_is_bounded_and_takes_no_stack() {
    let nested = |levels: usize| [vec![0x81; levels - 1], vec![0x80]].concat();
    assert!(json(&nested(MAX_DEPTH)).is_ok());
    let bad = json(&nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!((bad.kind, bad.at), (FaultKind::TooDeep, MAX_DEPTH));
    assert_eq!(
        json(&nested(10_000_000)).unwrap_err().kind,
        FaultKind::TooDeep
    );
    let maps = [b"\xa1\x61a".repeat(1_000_000), vec![0]].concat();
    assert_eq!(json(&maps).unwrap_err().kind, FaultKind::TooDeep);
    assert_eq!(validate(b"\x00", 0), Ok(()));
    assert!(validate(b"\x80", 0).is_err());
}

#[test]
fn text_that_grows_too_much_is_refused() {
    let head = |major: u8, count: u32| {
        let [.., high, low] = count.to_be_bytes();
        match u16::try_from(count) {
            Ok(_) => vec![(major << 5) + 25, high, low],
            Err(_) => [&[(major << 5) + 26], &count.to_be_bytes()[..]].concat(),
        }
    };
    let array = |item: &[u8], count: u32| [head(4, count), item.repeat(count as usize)].concat();
    let text = |byte: u8, count: u32| [head(3, count), vec![byte; count as usize]].concat();
    for bytes in [
        array(b"\x40", 1 << 20),
        array(b"\xf4", 1 << 20),
        array(b"\x61\x00", 1 << 20),
        text(0, 1 << 20),
        text(0, 40 << 10),
    ] {
        let bad = json(&bytes).map(|json| json.len()).unwrap_err();
        assert_eq!((bad.kind, bad.at), (FaultKind::TooBig, 0));
    }
    for bytes in [
        text(0, 20 << 10),
        text(0xff, 1 << 20),
        text(b'a', 1 << 20),
        array(b"\x00", 1 << 20),
        array(b"\x40", 5 << 10),
    ] {
        assert!(json(&bytes).is_ok());
    }
}
