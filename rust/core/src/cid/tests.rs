use super::*;

const DAG_CBOR: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";
const VERSION_0: &str = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG";

#[test]
fn the_usual_text_is_kept_without_allocation() {
    assert!(is_usual_text(DAG_CBOR.as_bytes()));
    assert!(matches!(
        canonical_text(DAG_CBOR),
        Ok(Cow::Borrowed(DAG_CBOR))
    ));
}

#[test]
fn accessors_of_a_usual_cid() {
    let cid = Cid::parse(DAG_CBOR).unwrap();
    assert_eq!(
        (
            cid.version(),
            cid.codec(),
            cid.hash_code(),
            cid.bytes().len()
        ),
        (1, 0x71, 0x12, 36)
    );
    assert_eq!(cid.multihash().get(..2), Some(&[0x12, 0x20][..]));
    assert_eq!(cid.to_canonical_text(), DAG_CBOR);
    assert_eq!(Cid::from_bytes(cid.bytes()), Ok(cid));
}

#[test]
fn version_0_stays_base58() {
    let cid = Cid::parse(VERSION_0).unwrap();
    assert_eq!(
        (
            cid.version(),
            cid.codec(),
            cid.hash_code(),
            cid.bytes().len()
        ),
        (0, 0x70, 0x12, 34)
    );
    assert_eq!(cid.to_canonical_text(), VERSION_0);
    assert_eq!(canonical_text(VERSION_0), Ok(Cow::Borrowed(VERSION_0)));
}

#[test]
fn version_1_in_base58_becomes_base32() {
    let cid = Cid::parse(DAG_CBOR).unwrap();
    let text = format!("z{}", base58::encode(cid.bytes()));
    assert_eq!(canonical_text(&text).unwrap(), DAG_CBOR);
}

#[test]
fn version_0_in_base32_becomes_base58() {
    let cid = Cid::parse(VERSION_0).unwrap();
    let mut text = String::from("b");
    base32::encode(cid.bytes(), &mut text);
    assert_eq!(canonical_text(&text).unwrap(), VERSION_0);
}

#[test]
fn text_in_the_base_of_its_version_is_kept_even_if_odd() {
    for text in [format!("{DAG_CBOR}=="), format!("z{VERSION_0}")] {
        assert_eq!(canonical_text(&text).unwrap(), text);
    }
}

#[test]
fn other_texts_are_refused() {
    let upper = DAG_CBOR.to_uppercase();
    let long = format!("{DAG_CBOR}a");
    let spare_bits = DAG_CBOR.strip_suffix('a').unwrap().to_owned() + "b";
    let cases = [
        ("", CidError::UnknownBase),
        ("notacid", CidError::UnknownBase),
        (
            "k51qzi5uqu5dh9ihj4p2v5sl3hxvv27ryx2w0xrsv6jmmqi91t9xp8p9kaipc2",
            CidError::UnknownBase,
        ),
        (&upper, CidError::UnknownBase),
        ("b", CidError::BadNumber),
        ("z", CidError::BadNumber),
        (&long, CidError::BadText),
        (&spare_bits, CidError::BadText),
        ("bafy!", CidError::BadText),
        (
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbd0",
            CidError::BadText,
        ),
        (
            "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbd",
            CidError::BadVersion,
        ),
    ];
    for (text, reason) in cases {
        assert_eq!(Cid::parse(text), Err(reason), "{text}");
        assert_eq!(canonical_text(text), Err(reason), "{text}");
    }
}

#[test]
fn bytes_left_over_or_missing_are_refused() {
    let cid = Cid::parse(DAG_CBOR).unwrap();
    let mut bytes = cid.bytes().to_vec();
    bytes.push(0);
    assert_eq!(Cid::from_bytes(&bytes), Err(CidError::BadLength));
    bytes.truncate(35);
    assert_eq!(Cid::from_bytes(&bytes), Err(CidError::BadLength));
    assert_eq!(Cid::from_bytes(&[]), Err(CidError::BadNumber));
    assert_eq!(Cid::from_bytes(&[1, 0x71, 0x12]), Err(CidError::BadNumber));
    assert_eq!(
        Cid::from_bytes(&[2, 0x71, 0x12, 0]),
        Err(CidError::BadVersion)
    );
}

#[test]
fn numbers_may_be_longer_than_needed() {
    let plain = Cid::from_bytes(&[1, 0x71, 0x12, 1, 9]).unwrap();
    let long = Cid::from_bytes(&[0x81, 0, 0xf1, 0x80, 0, 0x12, 1, 9]).unwrap();
    assert_eq!(plain, long);
    let huge = [0xff; 8].iter().copied().chain([0x7f]).collect::<Vec<u8>>();
    assert_eq!(Cid::from_bytes(&huge), Err(CidError::BadNumber));
}

#[test]
fn base58_does_not_take_long_text() {
    assert_eq!(Cid::parse(&"z1".repeat(1_000_000)), Err(CidError::TooLong));
    let mut bytes = vec![0, 0x12, 0x80, 0x08];
    bytes.resize(4 + 1024, 7);
    assert_eq!(Cid::from_bytes(&bytes), Err(CidError::TooLong));
}
