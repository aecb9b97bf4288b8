"""Repositories out of CAR files, of any size and in any order of blocks."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from indexer._native import CarReader, CarRecord, Cid, Commit, Fault
from indexer.codec.limits import Limits

_PIECE = 64 << 10
_PORTION = 256
"""Records that are made at once."""


class Stream(Protocol):
    """A file, `BytesIO`, the body of a response, ..."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Repository:
    """A repository whose file has arrived: every block hashes to its CID, and the commit is one.

    Iterating gives the records in the order of their keys; each is read, and its part of the tree verified, when its
    turn comes. A `Fault` in between concerns the record or the part of the tree that its `place` names. One pass.
    """

    def __init__(self, commit: Commit, reader: CarReader) -> None:
        self.commit = commit
        self.is_complete = False
        """True once all records were given away, with no fault among them."""
        self._reader = reader

    def __iter__(self) -> Iterator[CarRecord | Fault]:
        faults = 0
        while portion := self._reader.records(_PORTION):
            faults += sum(isinstance(item, Fault) for item in portion)
            yield from portion
        self.is_complete = not faults


class Tree:
    """A tree whose file has arrived: iterating gives keys with CIDs in the order of the keys, or `Fault`."""

    def __init__(self, reader: CarReader) -> None:
        self._reader = reader

    def __iter__(self) -> Iterator[tuple[bytes, Cid] | Fault]:
        while portion := self._reader.entries(_PORTION):
            yield from portion


def read_car(
    stream: Stream, limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Repository | Fault:
    """Read the CAR file of a repository to its end: the repository, or what is wrong with the file.

    A file that was cut off is a fault of the group `truncated`, unlike one that is `corrupt`. Memory: at most
    `limits.memory` of the file, 16 bytes for each block, and the nodes on one path of the tree. The signature is not
    verified: `commit.sig` signs `commit.unsigned`. What `stream.read` raises goes through.

    >>> import io
    >>> read_car(io.BytesIO(b""))
    Fault(truncated: the input ends too early, at byte 0: within the header)
    """
    reader = _received(stream, limits or Limits(), clock)
    if isinstance(reader, Fault):
        return reader
    commit = reader.finish()
    return commit if isinstance(commit, Fault) else Repository(commit, reader)


def read_tree(
    stream: Stream, limits: Limits | None = None, *, clock: Callable[[], float] = time.monotonic
) -> Tree | Fault:
    """Read a CAR file whose root is a node of a tree or a commit; the records need not be in it, nor all of the tree.

    So are the proofs of commits: what is missing is a `Fault` in its place, of the kind `missing_block`.
    """
    reader = _received(stream, limits or Limits(), clock)
    if isinstance(reader, Fault):
        return reader
    return reader.finish_tree() or Tree(reader)


def _received(stream: Stream, limits: Limits, clock: Callable[[], float]) -> CarReader | Fault:
    """A reader that has all of the file."""
    if not callable(getattr(stream, "read", None)):
        raise TypeError(f"{type(stream).__name__} has no method read; for bytes there is io.BytesIO")
    reader = CarReader(
        max_bytes=limits.bytes,
        max_blocks=limits.blocks,
        max_section=limits.section,
        max_depth=limits.depth,
        max_path=limits.path,
        memory=limits.memory,
    )
    start = interval = clock()
    received = 0
    while piece := stream.read(_PIECE):
        if fault := reader.feed(piece):
            return fault
        now = clock()
        if now - start > limits.seconds:
            return reader.too_slow(f"longer than {limits.seconds:g} s")
        if now - interval >= limits.rate_seconds:
            if reader.received - received < limits.rate * (now - interval):
                return reader.too_slow(f"less than {limits.rate} bytes a second")
            interval, received = now, reader.received
    return reader
