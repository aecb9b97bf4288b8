"""A file costs what was allowed, whatever it claims and however it comes."""

import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from indexer import codec
from indexer.codec.testing import build

RECORDS = {f"a.b.c/{number}": {"number": number} for number in range(100)}
LIMITS = codec.Limits()


class Endless:
    """A server that sends blocks for ever."""

    def __init__(self, size: int) -> None:
        self.sent = 0
        self._pieces = self._made(size)

    def _made(self, size: int) -> Iterator[bytes]:
        root, blocks = build.repository(RECORDS)
        yield build.car([root], blocks.items())
        number = 0
        while True:
            data = number.to_bytes(8) * (size // 8)
            head = b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()
            yield build.varint(len(head) + len(data)) + head + data
            number += 1

    def read(self, size: int, /) -> bytes:
        piece = next(self._pieces)
        self.sent += len(piece)
        return piece


def kind(stream: Any, limits: codec.Limits, **options: Any) -> str:
    result = codec.read_car(stream, limits, **options)
    assert isinstance(result, codec.Fault)
    assert result.group == "limit"
    return result.kind


def test_bytes() -> None:
    data = build.repository_car(RECORDS)
    assert isinstance(codec.read_car(io.BytesIO(data), replace(LIMITS, bytes=len(data))), codec.Repository)
    assert kind(io.BytesIO(data), replace(LIMITS, bytes=len(data) - 1)) == "too_big"
    server = Endless(100_000)
    assert kind(server, replace(LIMITS, bytes=1 << 20)) == "too_big"
    assert server.sent < 1.2 * (1 << 20)


def test_blocks() -> None:
    root, blocks = build.repository(RECORDS)
    data = build.car([root], blocks.items())
    assert isinstance(codec.read_car(io.BytesIO(data), replace(LIMITS, blocks=len(blocks))), codec.Repository)
    assert kind(io.BytesIO(data), replace(LIMITS, blocks=len(blocks) - 1)) == "too_many_blocks"
    assert kind(Endless(8), replace(LIMITS, blocks=1000)) == "too_many_blocks"


def test_sections() -> None:
    data = build.repository_car({"a.b.c/1": {"a": "x" * 5000}})
    assert isinstance(codec.read_car(io.BytesIO(data), replace(LIMITS, section=6000)), codec.Repository)
    assert kind(io.BytesIO(data), replace(LIMITS, section=5000)) == "too_big"
    # Nothing is made of a length before its bytes have come.
    assert kind(io.BytesIO(build.varint(1 << 40)), LIMITS) == "too_big"


def test_depth() -> None:
    data = build.repository_car({"a.b.c/1": {"a": [[[1]]]}})
    assert [type(item) for item in codec.checked(codec.read_car(io.BytesIO(data), replace(LIMITS, depth=4)))] == [
        codec.CarRecord
    ]
    (fault,) = codec.checked(codec.read_car(io.BytesIO(data), replace(LIMITS, depth=3)))
    assert isinstance(fault, codec.Fault)
    assert (fault.kind, fault.place) == ("too_deep", "a.b.c/1")


def test_nodes_on_a_path() -> None:
    data = build.repository_car(RECORDS)
    items = list(codec.checked(codec.read_car(io.BytesIO(data), replace(LIMITS, path=500))))
    assert [item.kind for item in items if isinstance(item, codec.Fault)] == ["too_big"]


class Trickle:
    """A stream that gives so many bytes at each read, and a clock that goes on by a second meanwhile."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data, self._step = io.BytesIO(data), step
        self.now = 1000.0

    def read(self, size: int, /) -> bytes:
        self.now += 1
        return self._data.read(self._step)

    def clock(self) -> float:
        return self.now


def test_rate_of_progress() -> None:
    data = build.repository_car({"a.b.c/1": {"a": "x" * 100_000}})
    slow = Trickle(data, 1000)
    assert kind(slow, LIMITS, clock=slow.clock) == "too_slow"
    assert slow.now <= 1000 + LIMITS.rate_seconds + 1
    steady = Trickle(data, 1025)
    assert isinstance(codec.read_car(steady, LIMITS, clock=steady.clock), codec.Repository)
    long = Trickle(data, 1025)
    assert kind(long, replace(LIMITS, seconds=50), clock=long.clock) == "too_slow"
    assert long.now <= 1000 + 52


def test_what_the_stream_raises_goes_through() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        codec.read_car(Broken())


def test_the_size_of_frames() -> None:
    frame = build.commit_frame({"a.b.c/1": {"a": 1}})
    assert isinstance(codec.decode_frames([frame], max_bytes=len(frame))[0], codec.Frame)
    (fault,) = codec.decode_frames([frame], max_bytes=len(frame) - 1)
    assert isinstance(fault, codec.Fault)
    assert fault.kind == "too_big"


SIZE = 96 << 20
PROGRAM = f"""
import resource, sys
from dataclasses import replace
from indexer import codec
from tests.codec.test_limits import Endless, RECORDS

class Long(Endless):
    def read(self, size):
        return super().read(size) if self.sent < {SIZE} else b""

codec.checked(codec.read_car(Long(1000), codec.Limits(bytes=1 << 30, memory=1 << 20)) if len(sys.argv) > 2 else 0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
stream = Long(60_000)
repository = codec.checked(codec.read_car(stream, replace(codec.Limits(), memory=1 << 20)))
assert len(list(repository)) == len(RECORDS) and repository.is_complete
print(stream.sent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(request: pytest.FixtureRequest) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=request.config.rootpath
    )
    sent, kilobytes = map(int, done.stdout.split())
    assert sent >= SIZE
    assert kilobytes < 16 << 10
