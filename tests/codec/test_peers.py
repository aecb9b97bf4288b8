"""Other decoders on the same data: where they are right they say what ours says, and where they are not is listed here.

The lists are those of the pinned versions. cbrrr is compared where requirements-bench.txt is installed;
benches/test_codec.py adds the atproto SDK.
"""

import io
import json
from collections.abc import Callable
from typing import Any

import cbor2
import libipld
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import codec
from indexer.codec.testing import build, hostile, strategies
from tests.codec import corpus

LIBIPLD_ACCEPTS = {
    "23 in two bytes",
    "255 in three bytes",
    "65535 in five bytes",
    "2^32 - 1 in nine bytes",
    "-1 in two bytes",
    "long length of a text",
    "long length of an array",
    "long length of a map",
    "float of 32 bits",
    "link with more behind it",
}
"""What libipld 3.5 takes for DAG-CBOR."""

CBRRR_ACCEPTS = {
    "link to nothing",
    "link of version 0 with a short hash",
    "link with more behind it",
    "10 million arrays in each other",
    "a million maps in each other",
}
"""What cbrrr 1.1 does: it does not look into links, and knows no depth."""

CBOR2_ACCEPTS = {case.name for case in hostile.ITEMS} - {
    "empty",
    "no number after its head",
    "half a number",
    "text shorter than stated",
    "text of 2^64 - 1 bytes",
    "bytes of 2^63 bytes",
    "array of 2^64 - 1 items",
    "map of 2^63 - 1 entries",
    "map without its last value",
    "half a float",
    "a break",
    "reserved head",
    "10 million arrays in each other",
    "a million maps in each other",
}
"""cbor2 6 reads all of CBOR."""


def plain(value: Any) -> Any:
    """A value with links as their bytes, which is what libipld makes of them."""
    match value:
        case codec.Cid():
            return bytes(value)
        case list():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value


def tagged(value: Any) -> Any:
    """A value with links as the tags that cbor2 makes of them."""
    match value:
        case codec.Cid():
            return cbor2.CBORTag(42, b"\0" + bytes(value))
        case list():
            return [tagged(item) for item in value]
        case dict():
            return {key: tagged(item) for key, item in value.items()}
    return value


def blocks_of_the_network() -> list[bytes]:
    """Every block of DAG-CBOR in the repositories of the corpus: commits, nodes, records."""
    found = []
    for name in corpus.CARS:
        _, blocks = libipld.decode_car(corpus.car(name))
        found += [libipld.encode_dag_cbor(value) for value in blocks.values()]
    return found


def test_blocks_of_the_network_are_read_alike() -> None:
    blocks = blocks_of_the_network()
    assert len(blocks) > 800
    for block, value in zip(blocks, codec.decode_dag_cbor(blocks), strict=True):
        assert plain(value) == libipld.decode_dag_cbor(block)
        assert tagged(value) == cbor2.loads(block)
        assert codec.encode_dag_cbor([value]) == [block]


@pytest.mark.parametrize("name", corpus.FRAMES)
def test_frames_hold_what_libipld_finds_in_them(name: str) -> None:
    for frame, decoded in zip(corpus.frames(name), codec.decode_frames(corpus.frames(name)), strict=True):
        header, body = libipld.decode_dag_cbor_multi(frame)
        assert isinstance(decoded, codec.Frame)
        assert (decoded.kind, decoded.seq) == (header["t"], body["seq"])
        if "ops" not in body:
            continue
        _, blocks = libipld.decode_car(body["blocks"])
        for text, op in zip(decoded.events, body["ops"], strict=True):
            event = json.loads(text)
            assert (event["type"], f"{event['collection']}/{event['rkey']}") == (op["action"], op["path"])
            if op["action"] != "delete":
                (record,) = codec.dag_cbor_to_json([libipld.encode_dag_cbor(blocks[op["cid"]])])
                assert event["cid"] == str(codec.Cid.from_bytes(op["cid"]))
                assert codec.checked(record) in text


@settings(deadline=None)
@given(st.lists(strategies.values(), max_size=5))
def test_values_are_written_alike(values: list[Any]) -> None:
    ours = codec.encode_dag_cbor(values)
    for value, block in zip(values, ours, strict=True):
        if b"\xfb\x80\0\0\0\0\0\0\0" not in block:  # libipld refuses minus zero
            assert plain(value) == libipld.decode_dag_cbor(block)
        assert tagged(value) == cbor2.loads(block)


def accepted(decode: Callable[[bytes], object]) -> set[str]:
    """Names of the items of the hostile corpus that a decoder takes."""
    found = set()
    for case in hostile.ITEMS:
        try:
            decode(case.data)
            found.add(case.name)
        except (ValueError, RecursionError, cbor2.CBORError):
            pass
    return found


def test_what_others_accept_and_is_not_dag_cbor() -> None:
    assert accepted(libipld.decode_dag_cbor) == LIBIPLD_ACCEPTS
    assert accepted(cbor2.loads) == CBOR2_ACCEPTS


def test_what_cbrrr_accepts_and_is_not_dag_cbor() -> None:
    cbrrr = pytest.importorskip("cbrrr", reason="of requirements-bench.txt")
    assert accepted(cbrrr.decode_dag_cbor) == CBRRR_ACCEPTS


def test_what_libipld_refuses_and_the_reference_reads() -> None:
    for data in (b"\x63a\xffb", b"\xfb\x80\0\0\0\0\0\0\0"):
        assert not isinstance(codec.decode_dag_cbor([data])[0], codec.Fault)
        with pytest.raises(ValueError, match="Failed to decode"):
            libipld.decode_dag_cbor(data)


def test_libipld_verifies_no_hash() -> None:
    file = build.repository_car({"app.bsky.feed.post/3l4cjkh6a7x2b": {"text": "hi"}})
    changed = file.replace(b"\x62hi", b"\x62ho")
    _, blocks = libipld.decode_car(changed)
    assert {"text": "ho"} in blocks.values()
    fault = codec.read_car(io.BytesIO(changed))
    assert isinstance(fault, codec.Fault)
    assert fault.kind == "bad_hash"


@settings(deadline=None)
@given(strategies.broken(strategies.items()) | st.binary(max_size=60))
def test_what_ours_reads_libipld_reads_alike(data: bytes) -> None:
    (value,) = codec.decode_dag_cbor([data])
    try:
        theirs = libipld.decode_dag_cbor(data)
    except (ValueError, RecursionError) as error:
        # Nothing else than bad UTF-8 and minus zero is ours alone.
        alone = any(reason in str(error) for reason in ("UnicodeDecodeError", "Negative zero"))
        assert isinstance(value, codec.Fault) or alone
        return
    # What is theirs alone has another form when it is written again.
    if isinstance(value, codec.Fault):
        assert libipld.encode_dag_cbor(theirs) != data or value.kind == "bad_link"
    else:
        assert repr(plain(value)) == repr(theirs)
