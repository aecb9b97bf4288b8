"""The stream that speed is measured on: `mixed-30k`, made up, in the network's proportions, nothing hostile in it."""

from functools import cache
from pathlib import Path

import orjson
import zstandard

NAME = "mixed-30k"
BATCH = 500
"""Messages in a batch, the daemon's default."""

_FILE = Path(__file__).parents[1] / "tests" / "oracle" / "cases" / NAME / "stream.jsonl.zst"


@cache
def payloads() -> tuple[bytes, ...]:
    """The messages, in stream order."""
    with _FILE.open("rb") as packed:
        text = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return tuple(text.removesuffix(b"\n").split(b"\n"))


def batches() -> list[list[bytes]]:
    """The messages in portions as the daemon decodes them."""
    found = payloads()
    return [list(found[start : start + BATCH]) for start in range(0, len(found), BATCH)]


def records() -> int:
    """How many rows `record` has afterwards: one per URI that was ever written or deleted."""
    events = map(orjson.loads, payloads())
    return len({(event["did"], event["collection"], event["rkey"]) for event in events if "collection" in event})
