"""What the demo puts into the streams: the recording, then made-up messages, named as such."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from redis import Redis

from indexer.demo import recording
from indexer.demo.traffic import Traffic

LIVE, BACKFILL = "firehose_live", "firehose_backfill"
LIVE_SHARE = 0.6
HOSTILE = 0.01
PORTION = 1_000
"""Entries in one round trip."""


@dataclass(slots=True)
class Fed:
    """How many messages there were, by origin."""

    recorded: int = 0
    made_up: Counter[str] = field(default_factory=Counter)
    """By stream, the broken ones included."""
    broken: Counter[str] = field(default_factory=Counter)
    """By stream."""

    @property
    def total(self) -> int:
        return self.recorded + self.made_up.total()


def fill(client: Redis, messages: int, told: Callable[[int, int], None]) -> Fed:
    """Add the recording and so many made-up messages; `told` hears how many are there, of how many."""
    fed, total = Fed(), len(recording.payloads()) + messages
    entries = _entries(messages, fed)
    while portion := list(islice(entries, PORTION)):
        with client.pipeline(transaction=False) as pipeline:
            for stream, payload in portion:
                pipeline.xadd(stream, {"event": payload})
            pipeline.execute()
        told(fed.total, total)
    return fed


def _entries(messages: int, fed: Fed) -> Iterator[tuple[str, bytes]]:
    """Stream and payload, counted as they are given out."""
    for payload in recording.payloads():
        fed.recorded += 1
        yield LIVE, payload
    live = round(messages * LIVE_SHARE)
    backfill = Traffic(form="backfill", hostile=HOSTILE)
    for stream, traffic, count in ((LIVE, Traffic(hostile=HOSTILE), live), (BACKFILL, backfill, messages - live)):
        for message in islice(traffic.messages(), count):
            fed.made_up[stream] += 1
            fed.broken[stream] += message.hostile is not None
            yield stream, message.payload
