"""actors.md 2.2, step 2: what makes a DID document, and what it says."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from indexer.identity import documents
from indexer.identity.documents import Claims
from indexer.identity.outcomes import Unusable
from tests.identity.conftest import ALICE, KEY, document

REAL: dict[str, Any] = json.loads(gzip.decompress((Path(__file__).parent / "data/did_documents.json.gz").read_bytes()))


@pytest.mark.parametrize("did", REAL)
def test_real_documents_are_valid_and_make_their_claims(did: str) -> None:
    assert documents.is_valid(did, REAL[did])
    claims = documents.claims(did, REAL[did])
    assert isinstance(claims, Claims)
    assert f"at://{claims.handle}" in REAL[did]["alsoKnownAs"]


def claims(**members: Any) -> Claims | Unusable:
    changed = document(**members)
    assert documents.is_valid(ALICE, changed)
    return documents.claims(ALICE, changed)


def method(**members: Any) -> list[dict[str, Any]]:
    return [{"id": "#atproto", "type": "Multikey", "controller": ALICE, "publicKeyMultibase": KEY} | members]


def service(**members: Any) -> list[dict[str, Any]]:
    return [
        {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example"} | members
    ]


def test_rule_handle_is_the_first_alias_that_starts_with_at() -> None:
    assert claims(alsoKnownAs=["https://a.example", "at://B.example", "at://c.example"]) == Claims(
        "B.example", "https://pds.example"
    )


@pytest.mark.parametrize("aliases", [[], ["https://a.example"], ["at:/a.example"], ["AT://a.example"], ["at://"]])
def test_rule_without_a_handle_the_document_is_unusable(aliases: list[str]) -> None:
    assert claims(alsoKnownAs=aliases) == Unusable("no_handle")


def test_rule_without_aliases_the_document_is_unusable() -> None:
    bare = document()
    del bare["alsoKnownAs"]
    assert documents.is_valid(ALICE, bare)
    assert documents.claims(ALICE, bare) == Unusable("no_handle")


@pytest.mark.parametrize("identifier", ["#atproto_pds", f"{ALICE}#atproto_pds"])
def test_rule_pds_has_one_of_two_ids(identifier: str) -> None:
    assert isinstance(claims(service=service(id=identifier)), Claims)


@pytest.mark.parametrize(
    "members",
    [
        {"id": "#pds"},
        {"id": "did:plc:other#atproto_pds"},
        {"id": "atproto_pds"},
        {"type": "SomethingElse"},
        {"serviceEndpoint": {"uri": "https://pds.example"}},
        {"serviceEndpoint": "ftp://pds.example"},
        {"serviceEndpoint": "pds.example"},
        {"serviceEndpoint": "https://"},
        {"serviceEndpoint": "https://pds.example:99999"},
    ],
)
def test_rule_without_a_pds_the_document_is_unusable(members: dict[str, Any]) -> None:
    assert claims(service=service(**members)) == Unusable("no_pds")


def test_rule_the_first_service_with_the_id_counts_even_if_it_is_wrong() -> None:
    assert claims(service=service(type="SomethingElse") + service()) == Unusable("no_pds")
    assert isinstance(claims(service=service(id="#other", type="SomethingElse") + service()), Claims)


def test_rule_the_pds_may_be_http_and_have_a_port() -> None:
    assert claims(service=service(serviceEndpoint="http://localhost:2583")) == Claims(
        "alice.example", "http://localhost:2583"
    )


@pytest.mark.parametrize("identifier", ["#atproto", f"{ALICE}#atproto"])
def test_rule_key_has_one_of_two_ids(identifier: str) -> None:
    assert isinstance(claims(verificationMethod=method(id=identifier)), Claims)


@pytest.mark.parametrize(
    "members",
    [{"id": "#atproto_label"}, {"id": "did:plc:other#atproto"}, {"type": "JsonWebKey2020"}, {"publicKeyMultibase": ""}],
)
def test_rule_another_type_or_id_counts_as_missing(members: dict[str, Any]) -> None:
    assert claims(verificationMethod=method(**members)) == Unusable("no_key")


@pytest.mark.parametrize(
    "key", ["zzzz", "z0", "Q3sh", KEY[:-1], "m" + KEY[1:], "z6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V"]
)
def test_rule_a_malformed_multibase_makes_the_document_unusable(key: str) -> None:
    assert claims(verificationMethod=method(publicKeyMultibase=key)) == Unusable("bad_key")


def test_rule_a_malformed_multibase_of_another_type_does_so_too() -> None:
    assert claims(verificationMethod=method(type="JsonWebKey2020", publicKeyMultibase="0")) == Unusable("bad_key")


def test_a_key_that_was_rotated_is_read_from_the_new_document() -> None:
    """Lessons L-27: the method is found by its id, it is not the first one."""
    others = method(id="#other", publicKeyMultibase="garbage")
    assert isinstance(claims(verificationMethod=others + method()), Claims)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        5,
        {},
        document() | {"id": 5},
        document() | {"id": "did:plc:other"},
        document() | {"id": ALICE.upper()},
        document() | {"alsoKnownAs": None},
        document() | {"alsoKnownAs": "at://alice.example"},
        document() | {"alsoKnownAs": ["at://alice.example", 5]},
        document() | {"verificationMethod": None},
        document() | {"verificationMethod": {}},
        document() | {"verificationMethod": [None]},
        document() | {"verificationMethod": [{"id": "#x", "type": "y"}]},
        document() | {"verificationMethod": [{"id": "#x", "controller": "y"}]},
        document() | {"verificationMethod": [{"type": "x", "controller": "y"}]},
        document() | {"verificationMethod": method(publicKeyMultibase=5)},
        document() | {"verificationMethod": method(publicKeyMultibase=None)},
        document() | {"service": "x"},
        document() | {"service": [[]]},
        document() | {"service": [{"id": "#x", "type": "y"}]},
        document() | {"service": service(serviceEndpoint=None)},
        document() | {"service": service(serviceEndpoint=["https://pds.example"])},
        document() | {"service": service(type=5)},
    ],
)
def test_rule_what_makes_a_document_invalid(value: Any) -> None:
    assert not documents.is_valid(ALICE, value)


@pytest.mark.parametrize("name", ["alsoKnownAs", "verificationMethod", "service"])
def test_rule_the_lists_may_be_absent(name: str) -> None:
    changed = document()
    del changed[name]
    assert documents.is_valid(ALICE, changed)


def test_rule_other_members_may_be_anything() -> None:
    assert documents.is_valid(ALICE, document(more={"deep": [None, 1.5]}, keyAgreement=5))


def test_rule_an_endpoint_may_be_an_object() -> None:
    assert documents.is_valid(ALICE, document(service=service(serviceEndpoint={"a": 1})))


def test_json_is_read_as_javascript_reads_it() -> None:
    assert documents.parsed(
        b'\xef\xbb\xbf{"a":1.0,"b":-0,"c":1e400,"d":12345678901234567890,"e":1.5,"f":"\\ud800"}'
    ) == {
        "a": 1,
        "b": 0,
        "c": None,
        "d": 12345678901234567168,
        "e": 1.5,
        "f": "\ud800",
    }
    assert documents.parsed(b'"a\xffb"') == "a\ufffdb"


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"NaN", b"[Infinity]", b"{'a':1}", b"[" * 100_000, b"1 2"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        documents.parsed(body)


def test_a_number_of_many_digits_is_no_fault() -> None:
    assert documents.parsed(b"[" + b"9" * 5000 + b"]") == [None]
