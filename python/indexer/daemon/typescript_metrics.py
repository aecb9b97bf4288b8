"""The series of the TypeScript indexer under its own names, for dashboards that there are (INDEXER_TYPESCRIPT_METRICS).

Names, labels, units and buckets are its own, which is why a time is in milliseconds and most of them are in the last
bucket. A message takes here from its read to its acknowledgement, together with its batch.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram
from prometheus_client import Counter as Counts

from indexer._native import COLLECTIONS, Event
from indexer.lane.decoding import Decoded
from indexer.lane.pipeline import Lane
from indexer.sink.halving import Outcome

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of its client library, made for seconds."""
LABELS = ("stream", "group", "consumer")
RECORD_KINDS = ("create", "update", "delete")
OTHER_KINDS = ("repo", "account", "identity")
OTHER = "other"
"""Collections that are not indexed: anybody may write any, and each would be a series."""


class TypeScriptMetrics:
    """All of them; one set for lanes of events, one for those of labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stream = _Family(registry, "stream", (*LABELS, "type"))
        self._label = _Family(registry, "label", LABELS)

    def watch(self, lane: Lane[Any], *, labels: bool) -> None:
        """Add the series of a lane; they are there at zero from now on."""
        lane.listen(_OfLane(self._label if labels else self._stream, lane, labels=labels))


class _Family:
    def __init__(self, registry: CollectorRegistry, kind: str, labels: tuple[str, ...]) -> None:
        start, of = f"{kind}_indexer_message", f"of the {kind} indexer"
        self.processed = Counts(f"{start}s_processed", f"Messages {of}, failed ones too.", LABELS, registry=registry)
        self.failed = Counts(f"{start}s_failed", f"Messages {of} that became dead letters.", LABELS, registry=registry)
        self.waiting = Gauge(f"{start}s_waiting_count", f"Messages {of} that were read.", LABELS, registry=registry)
        self.running = Gauge(f"{start}s_running_count", f"Messages {of} in work.", LABELS, registry=registry)
        self.time = Histogram(
            f"{start}_processing_time", f"Milliseconds of messages {of}.", labels, registry=registry, buckets=BUCKETS
        )


class _OfLane:
    """A listener."""

    def __init__(self, family: _Family, lane: Lane[Any], *, labels: bool) -> None:
        names = (lane.source.stream, lane.source.group, lane.source.consumer)
        self._processed, self._failed = family.processed.labels(*names), family.failed.labels(*names)
        family.waiting.labels(*names).set_function(lambda: lane.in_hand - lane.in_work)
        family.running.labels(*names).set_function(lambda: lane.in_work)
        if labels:
            self._times = {OTHER: family.time.labels(*names)}
        else:
            self._times = {kind: family.time.labels(*names, kind) for kind in _kinds()}

    def written(self, messages: int, dead: list[str]) -> None:
        """As `Listener.written`: it counts what is finished."""

    def settled(self, batch: Decoded[Any], outcome: Outcome, seconds: float) -> None:
        """As `Listener.settled`. What could not be decoded is of no type, and has no time."""
        self._processed.inc(len(batch.ids))
        self._failed.inc(len(batch.letters) + len(outcome.dead))
        for kind, number in Counter(_kind(entry.event) for entry in batch.entries).items():
            for _ in range(number):
                self._times[kind].observe(seconds * 1000)


def _kinds() -> Iterator[str]:
    yield from OTHER_KINDS
    for kind, collection in product(RECORD_KINDS, (*COLLECTIONS, OTHER)):
        yield f"{kind}-{collection}"


def _kind(event: object) -> str:
    if not isinstance(event, Event):
        return OTHER
    if event.kind in OTHER_KINDS:
        return event.kind
    return f"{event.kind}-{event.collection if event.collection in COLLECTIONS else OTHER}"
