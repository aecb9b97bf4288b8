"""What the demo puts into the streams: the recording, then made-up messages, named as such."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from redis import Redis

from indexer.demo import recording
from indexer.demo.traffic import Message, Traffic

LIVE, BACKFILL = "firehose_live", "firehose_backfill"
LIVE_SHARE = 0.6
HOSTILE = 0.01
PORTION = 1_000
"""Entries in one round trip."""


@dataclass(slots=True)
class Fed:
    """How many messages there were, by origin."""

    recorded: int = 0
    made_up: dict[str, int] = field(default_factory=lambda: {LIVE: 0, BACKFILL: 0})
    """By stream, the broken ones included."""
    broken: Counter[str] = field(default_factory=Counter)
    """By stream."""

    @property
    def total(self) -> int:
        return self.recorded + sum(self.made_up.values())


def feed(client: Redis, messages: int, told: Callable[[int, int], None]) -> Fed:
    """Add the recording and so many made-up messages; `told` hears how many are there, of how many."""
    fed = Fed()
    payloads = recording.payloads()
    fed.recorded = len(payloads)
    for portion in _portions(chain(((LIVE, Message(text)) for text in payloads), _made_up(messages))):
        with client.pipeline(transaction=False) as pipeline:
            for stream, message in portion:
                pipeline.xadd(stream, {"event": message.payload})
            pipeline.execute()
        fed.broken.update(stream for stream, message in portion if message.hostile)
        for stream, _ in portion:
            fed.made_up[stream] += 1
        told(sum(fed.made_up.values()), fed.recorded + messages)
    fed.made_up[LIVE] -= fed.recorded
    return fed


def _made_up(messages: int) -> Iterator[tuple[str, Message]]:
    live = round(messages * LIVE_SHARE)
    for stream, form, count in ((LIVE, "live", live), (BACKFILL, "backfill", messages - live)):
        traffic = Traffic(form="live" if form == "live" else "backfill", hostile=HOSTILE)
        for message in islice(traffic.messages(), count):
            yield stream, message


def _portions(items: Iterable[tuple[str, Message]]) -> Iterator[list[tuple[str, Message]]]:
    left = iter(items)
    while portion := list(islice(left, PORTION)):
        yield portion
