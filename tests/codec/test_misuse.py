"""Misuse raises TypeError or ValueError, whatever is misused; only what is wrong with data is a value."""

import io
from collections.abc import Callable
from typing import Any, cast

import pytest

from indexer import codec

ANY = cast("Any", codec)
"""The library without its types: they forbid all of this."""


class Giving:
    """A stream of something else than bytes."""

    def __init__(self, piece: object) -> None:
        self.piece = piece

    def read(self, size: int, /) -> object:
        return self.piece


TYPES: dict[str, Callable[[], object]] = {
    "one frame": lambda: ANY.decode_frames(b"abc"),
    "no frames": lambda: ANY.decode_frames(None),
    "frames of text": lambda: ANY.decode_frames(["abc"]),
    "frames of bytearray": lambda: ANY.decode_frames([bytearray(b"abc")]),
    "one event": lambda: ANY.decode_events(b"abc"),
    "events of text": lambda: ANY.decode_events(["{}"]),
    "a clock that is a float": lambda: ANY.decode_events([b"{}"], [1.5]),
    "one entry of labels": lambda: ANY.decode_labels(b"abc"),
    "one block": lambda: ANY.decode_dag_cbor(b"abc"),
    "blocks of text": lambda: ANY.dag_cbor_to_json(["abc"]),
    "bytes instead of a stream": lambda: ANY.read_car(b"abc"),
    "a path instead of a stream": lambda: ANY.read_tree("file.car"),
    "a stream of text": lambda: ANY.read_car(Giving("abc")),
    "a set": lambda: codec.encode_dag_cbor([{1, 2}]),
    "a key that is a number": lambda: codec.encode_dag_cbor([{1: 2}]),
    "a number instead of a CID": lambda: ANY.Cid(1),
    "text instead of bytes": lambda: ANY.Cid.from_bytes("abc"),
    "one timestamp": lambda: ANY.normalize_timestamps("2026-07-04T14:38:07Z"),
    "no text": lambda: ANY.sanitize_text(None),
}
VALUES: dict[str, Callable[[], object]] = {
    "a negative size": lambda: codec.decode_frames([], max_bytes=-1),
    "a depth that is no number of the machine": lambda: codec.decode_dag_cbor([], max_depth=1 << 70),
    "a negative depth": lambda: codec.dag_cbor_to_json([], max_depth=-1),
    "a negative depth of values": lambda: codec.encode_dag_cbor([], max_depth=-1),
    "a negative limit": lambda: codec.read_car(io.BytesIO(), codec.Limits(bytes=-1)),
    "a limit that is no number of the machine": lambda: codec.read_car(io.BytesIO(), codec.Limits(blocks=1 << 70)),
    "fewer clocks than events": lambda: codec.decode_events([b"{}"], []),
    "a clock beyond all clocks": lambda: codec.decode_events([b"{}"], [1 << 70]),
    "not a number": lambda: codec.encode_dag_cbor([float("nan")]),
    "an integer of 65 bits": lambda: codec.encode_dag_cbor([1 << 64]),
    "a lone surrogate": lambda: codec.encode_dag_cbor(["\ud800"]),
    "an unknown format": lambda: codec.is_valid("date", ""),
}


@pytest.mark.parametrize("name", TYPES)
def test_what_has_the_wrong_type_raises_type_error(name: str) -> None:
    with pytest.raises(TypeError):
        TYPES[name]()


@pytest.mark.parametrize("name", VALUES)
def test_what_has_a_wrong_value_raises_value_error(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        VALUES[name]()
