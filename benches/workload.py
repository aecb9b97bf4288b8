"""The stream that speed is measured on: `mixed-30k`, made up, in the network's proportions, nothing hostile in it."""

import time
from functools import cache
from pathlib import Path

import orjson
import zstandard

from indexer import _native

NAME = "mixed-30k"
HOSTILE = "mixed-5k-hostile"
BATCH = 500
"""Messages in a batch, the daemon's default."""

_CASES = Path(__file__).parents[1] / "tests" / "oracle" / "cases"


@cache
def payloads(case: str = NAME) -> tuple[bytes, ...]:
    """The messages, in stream order."""
    with (_CASES / case / "stream.jsonl.zst").open("rb") as packed:
        text = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return tuple(text.removesuffix(b"\n").split(b"\n"))


@cache
def hostile() -> dict[str, bytes]:
    """A message of each way to be hostile."""
    messages = payloads(HOSTILE)
    lines = (_CASES / HOSTILE / "kinds.txt").read_text(encoding="utf-8").splitlines()
    return {kind: messages[int(place) - 1] for place, kind in (line.split("\t") for line in lines)}


def refused() -> list[bytes]:
    """Those that the message itself shows: dead letters without PostgreSQL."""
    found = list(hostile().values())
    decoded = _native.decode_events(found, [time.time_ns() // 1_000_000] * len(found))
    return [payload for payload, result in zip(found, decoded, strict=True) if isinstance(result, _native.Reject)]


def refused_by_postgres() -> bytes:
    """One that PostgreSQL alone refuses: its URI is too long for an index."""
    return hostile()["huge_own_rkey_3000"]


def batches() -> list[list[bytes]]:
    """The messages in portions as the daemon decodes them."""
    found = payloads()
    return [list(found[start : start + BATCH]) for start in range(0, len(found), BATCH)]


def records() -> int:
    """How many rows `record` has afterwards: one per URI that was ever written or deleted."""
    events = map(orjson.loads, payloads())
    return len({(event["did"], event["collection"], event["rkey"]) for event in events if "collection" in event})
