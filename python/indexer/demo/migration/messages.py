"""What the rehearsal puts into the streams: made-up traffic whose rows no order may change, and labels."""

from collections.abc import Iterator
from itertools import islice
from random import Random

import orjson
from redis import Redis

from indexer.demo import identifiers
from indexer.demo.traffic import Message, Traffic

LIVE, BACKFILL, LABELS = "firehose_live", "firehose_backfill", "label_live"
GROUPS = {LIVE: "firehose_group", BACKFILL: "firehose_group", LABELS: "label_group"}
ACCOUNTS = 400
"""Few, so that many hit the same rows and counters."""
HOSTILE = 0.01
SHARES = ((LIVE, 60), (BACKFILL, 30), (LABELS, 10))
"""Of a hundred messages."""
VALUES = ("spam", "porn", "!warn", "rude")

Entry = tuple[str, bytes]
"""Stream and payload."""


class Feed:
    """The messages of a rehearsal, given out in portions; what was given out is remembered."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.given: list[Entry] = []
        self._sources = {
            LIVE: _without_returns(Traffic(accounts=ACCOUNTS, hostile=HOSTILE).messages()),
            BACKFILL: _payloads(Traffic(form="backfill", accounts=ACCOUNTS, hostile=HOSTILE).messages()),
            LABELS: _labels(Random(1)),
        }

    def add(self, messages: int) -> None:
        """Add so many more, mixed as the streams are."""
        portion: list[Entry] = []
        for stream, share in SHARES:
            count = messages * share // 100
            portion += ((stream, payload) for payload in islice(self._sources[stream], count))
        put(self._redis, portion)
        self.given += portion


def put(redis: Redis, entries: list[Entry]) -> None:
    """Add entries to their streams, in order."""
    with redis.pipeline(transaction=False) as pipeline:
        for stream, payload in entries:
            pipeline.xadd(stream, {"event": payload})
        pipeline.execute()


def _payloads(messages: Iterator[Message]) -> Iterator[bytes]:
    return (message.payload for message in messages)


def _without_returns(messages: Iterator[Message]) -> Iterator[bytes]:
    """Leave out what is written again after its deletion: what hung on it stays or goes by the order (DESIGN.md)."""
    gone: set[tuple[str, str, str]] = set()
    for message in messages:
        if message.hostile is None:
            event = orjson.loads(message.payload)
            key = (event["did"], event.get("collection", ""), event.get("rkey", ""))
            if event["type"] == "delete":
                gone.add(key)
            elif key in gone:
                continue
        yield message.payload


def _labels(random: Random) -> Iterator[bytes]:
    us = 1_780_000_000_000_000
    while True:
        us += 1_000_000
        label: dict[str, object] = {
            "src": identifiers.did(2, random.randrange(2)),
            "uri": identifiers.did(1, random.randrange(ACCOUNTS)),
            "val": random.choice(VALUES),
            "cts": identifiers.timestamp(us),
        }
        if random.random() < 0.2:
            label["neg"] = True
        yield orjson.dumps({"type": "label", "label": label})
