"""Signing keys: read, never used."""

import pytest

from indexer.identity import keys

# crypto/w3c_didkey_{K256,P256}.json and crypto/signature-fixtures.json of bluesky-social/atproto-interop-tests (CC0).
MULTIKEYS = (
    "zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",
    "zQ3shZc2QzApp2oymGvQbzP8eKheVshBHbU4ZYjeXqwSKEn6N",
    "zQ3shptjE6JwdkeKN4fcpnYQY3m9Cet3NiHdAfpvSUZBFoKBj",
    "zDnaeTiq1PdzvZXUaMdezchcMJQpBdH2VN4pgrrEhMCCbmwSb",
    "zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo",
)
COMPRESSED_P256 = "zxdM8dSstjrpZaRUwBmDvjGXweKuEMVN95A9oJBFjkWMh"
P256_TYPE = "EcdsaSecp256r1VerificationKey2019"
K256_TYPE = "EcdsaSecp256k1VerificationKey2019"

# The generators of both curves (SEC 2), uncompressed.
P256_POINT = (
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
K256_POINT = (
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)


@pytest.mark.parametrize("key", MULTIKEYS)
def test_a_multikey_is_a_key(key: str) -> None:
    assert keys.is_key("Multikey", key)


def test_keys_of_the_older_types_have_no_prefix_and_may_be_uncompressed() -> None:
    assert keys.is_key(P256_TYPE, COMPRESSED_P256)
    assert keys.is_key(P256_TYPE, "f" + P256_POINT)
    assert keys.is_key(K256_TYPE, "f" + K256_POINT)
    assert not keys.is_key("Multikey", COMPRESSED_P256)
    assert not keys.is_key(P256_TYPE, MULTIKEYS[3])


def test_a_point_must_lie_on_the_curve_of_its_type() -> None:
    assert not keys.is_key(P256_TYPE, "f" + K256_POINT)
    assert not keys.is_key(K256_TYPE, "f" + P256_POINT)
    assert not keys.is_key(P256_TYPE, "f" + P256_POINT[:-1] + "6")
    assert not keys.is_key(P256_TYPE, "f05" + P256_POINT[2:])
    assert not keys.is_key(P256_TYPE, "f02" + "ff" * 32), "x beyond the field"
    assert sum(keys.is_key(K256_TYPE, f"f02{x:064x}") for x in range(100)) in range(30, 70), (
        "half of all x have a point"
    )


@pytest.mark.parametrize("prefix", "fFbBmuU")
def test_every_base_that_is_known_is_read(prefix: str) -> None:
    data = bytes(range(33))
    alphabet, width = keys._ALPHABETS[prefix]
    padded = -len(data) * 8 % width
    number = int.from_bytes(data) << padded
    length = (len(data) * 8 + padded) // width
    text = "".join(alphabet[number >> width * place & (1 << width) - 1] for place in reversed(range(length)))
    assert keys.decoded(prefix + text) == data
    assert keys.decoded(prefix + text + "=") == data
    assert keys.decoded(prefix + text + "!") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Q3shokFTS3",
        "z0OIl",
        "z" + "1" * 600,
        "f0",
        "f0g",
        "F0a",
        "bA",
        "B1",
        "b1",
        "baa=a",
        "ma",
        "m-",
        "u+",
        "9aa",
        "🚀a",
    ],
)
def test_a_malformed_multibase_is_none(text: str) -> None:
    assert keys.decoded(text) is None
    assert not keys.is_key("Multikey", text)
    assert not keys.is_key("SomethingElse", text)


def test_leading_zeros_of_base58_are_bytes() -> None:
    assert keys.decoded("z11") == b"\0\0"
    assert keys.decoded("z112") == b"\0\0\1"
    assert keys.decoded("z") == b""


def test_of_other_types_only_the_multibase_is_judged() -> None:
    assert keys.is_key("Ed25519VerificationKey2020", "z6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V")
    assert not keys.is_known("Ed25519VerificationKey2020")
    assert all(keys.is_known(kind) for kind in ("Multikey", P256_TYPE, K256_TYPE))
