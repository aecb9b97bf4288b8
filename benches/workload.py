"""The stream that speed is measured on: `mixed-30k`, made up, in the network's proportions, nothing hostile in it."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Literal, cast

import orjson
import zstandard

from indexer import _native
from indexer.demo import identifiers
from indexer.demo.traffic import Traffic
from indexer.fold.record_type import Version
from indexer.records import RECORDS

NAME = "mixed-30k"
HOSTILE = "mixed-5k-hostile"
BATCH = 500
"""Messages in a batch, as a rule; where a backlog waits the daemon takes up to `LARGEST`."""
LARGEST = 3000

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


def portions(messages: int, size: int = BATCH) -> int:
    """In how many batches of a size so many messages come."""
    return -(-messages // size)


def records(messages: Iterable[bytes]) -> int:
    """How many rows `record` has afterwards: one per URI that was ever written, by whom it may, or deleted."""
    found = list(messages)
    uris = set()
    for event in _native.decode_events(found, [time.time_ns() // 1_000_000] * len(found)):
        if not isinstance(event, _native.Event) or (kind := RECORDS.get(event.collection or "")) is None:
            continue
        if event.kind == "delete" or kind.belongs is None or kind.belongs(cast(Version, event)):
            uris.add(event.uri)
    return len(uris)


def made_up(form: Literal["live", "backfill"], number: int, accounts: int = 4_000) -> Iterator[bytes]:
    """Messages in the network's proportions and with its skew; nothing hostile in them."""
    traffic = Traffic(seed=8, form=form, accounts=accounts)
    return (message.payload for message in islice(traffic.messages(), number))


def likes(number: int, subject: Callable[[int], str], start_us: int = 1_783_000_000_000_000) -> Iterator[bytes]:
    """As many likes, each of another account; `subject` is the URI of the post that the n-th one likes."""
    chance = Random(number)
    for at in range(number):
        us = start_us + at * 1_000
        rkey, time_ = identifiers.tid(us), identifiers.timestamp(us)
        yield orjson.dumps(
            {
                "type": "create",
                "seq": 90_000_000_000 + at,
                "time": time_,
                "did": identifiers.did(99, at),
                "commit": identifiers.record_cid(chance),
                "rev": rkey,
                "collection": "app.bsky.feed.like",
                "rkey": rkey,
                "cid": identifiers.record_cid(chance),
                "record": {
                    "$type": "app.bsky.feed.like",
                    "subject": {"uri": subject(at), "cid": identifiers.record_cid(chance)},
                    "createdAt": time_,
                },
            }
        )
