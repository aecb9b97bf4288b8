"""CIDs, TIDs and AT-URIs as values."""

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.codec import AtUri, Cid, Tid, is_valid
from indexer.codec.testing import strategies

TEXT = "bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm"


def test_a_cid_is_its_binary_form() -> None:
    cid = Cid(TEXT)
    assert str(cid) == TEXT
    assert repr(cid) == f"Cid('{TEXT}')"
    assert (cid.version, cid.codec, cid.hash_code, len(cid.digest)) == (1, 0x71, 0x12, 32)
    assert bytes(cid) == b"\x01\x71\x12\x20" + cid.digest
    assert Cid.from_bytes(bytes(cid)) == cid == Cid.of_dag_cbor(bytes.fromhex("a2616580616cf6"))
    assert {cid: 1}[Cid(TEXT)] == 1
    assert cid != Cid.of_raw(bytes.fromhex("a2616580616cf6"))
    assert sorted([Cid.of_dag_cbor(b""), Cid.of_raw(b"")]) == [Cid.of_raw(b""), Cid.of_dag_cbor(b"")]
    assert cid != TEXT


def test_other_versions_and_bases_are_read() -> None:
    old = Cid("QmRgutAxd8t7oGkSm4wmeuByG6M51wcTso6cubDdQtuEfL")
    assert (old.version, old.codec, len(bytes(old))) == (0, 0x70, 34)
    assert str(old) == "QmRgutAxd8t7oGkSm4wmeuByG6M51wcTso6cubDdQtuEfL"
    assert str(Cid("zdj7Wd8AMwqnhJGQCbFxBVodGSBG84TM7Hs1rcJuQMwTyfEDS")).startswith("bafybei")


@pytest.mark.parametrize("text", ["", "b", TEXT[:-1], TEXT + "a", TEXT.upper(), "f0171", "Qm", "\0"])
def test_text_that_is_no_cid_raises(text: str) -> None:
    with pytest.raises(ValueError, match="CID"):
        Cid(text)


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x01\x71\x12\x20" + bytes(31), b"\x01\x71\x12\x20" + bytes(33), b"\x81\x00\x55\x00\x00"]
)
def test_bytes_that_are_no_cid_raise(data: bytes) -> None:
    with pytest.raises(ValueError, match="CID"):
        Cid.from_bytes(data)


@settings(deadline=None)
@given(strategies.cids())
def test_cids_survive_text_bytes_and_pickling(cid: Cid) -> None:
    assert Cid(str(cid)) == Cid.from_bytes(bytes(cid)) == pickle.loads(pickle.dumps(cid)) == copy.deepcopy(cid) == cid
    assert is_valid("cid", str(cid))


@settings(deadline=None)
@given(st.integers(0, (1 << 53) - 1), st.integers(0, 1023))
def test_tids_are_their_number(microseconds: int, clock_id: int) -> None:
    tid = Tid.from_microseconds(microseconds, clock_id)
    assert (tid.microseconds, tid.clock_id, int(tid)) == (microseconds, clock_id, microseconds << 10 | clock_id)
    assert Tid(str(tid)) == tid == pickle.loads(pickle.dumps(tid))
    assert is_valid("tid", str(tid))


@settings(deadline=None)
@given(st.lists(st.builds(Tid.from_microseconds, st.integers(0, (1 << 53) - 1)), max_size=5))
def test_tids_sort_like_their_texts(tids: list[Tid]) -> None:
    assert [str(tid) for tid in sorted(tids)] == sorted(map(str, tids))


def test_what_is_no_tid_raises() -> None:
    for text in ("", "3jzfcijpj2z2", "3jzfcijpj2z21", "kjzfcijpj2z2a", "3JZFCIJPJ2Z2A"):
        with pytest.raises(ValueError, match="not a TID"):
            Tid(text)
    for numbers in ((1 << 53, 0), (0, 1024)):
        with pytest.raises(ValueError, match="53 bits"):
            Tid.from_microseconds(*numbers)
    for numbers in ((-1, 0), (1 << 64, 0), (0, -1), (0, 1 << 16)):
        with pytest.raises(ValueError, match="out of range"):
            Tid.from_microseconds(*numbers)


def test_an_at_uri_has_its_parts() -> None:
    uri = AtUri("at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a")
    assert (uri.authority, uri.collection, uri.rkey) == ("did:plc:abc", "app.bsky.feed.post", "3jzfcijpj2z2a")
    assert str(uri) == "at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a"
    assert AtUri(str(uri)) == uri == pickle.loads(pickle.dumps(uri))
    assert {uri} == {AtUri("did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a")}
    alone = AtUri("at://alice.example")
    assert (str(alone), alone.collection, alone.rkey) == ("at://alice.example/", None, None)
    assert repr(AtUri("at://a.b/c/d'e")) == "AtUri('at://a.b/c/d\\'e')"
    for text in ("", "at://a b", "at://did:plc:abc/a b", "\0"):
        with pytest.raises(ValueError, match="not an AT-URI"):
            AtUri(text)
