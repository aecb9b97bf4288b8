"""Step 2: a batch of payloads becomes entries, dead letters and ignored messages, in one crossing into `_native`."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from indexer import _native
from indexer._native import Event, Ignored, Reject
from indexer.fold.tid import LATEST_MS
from indexer.lane.lane_metrics import Tally
from indexer.lane.source import Message
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Content, Entry
from indexer.sink.labels import Label


@dataclass(slots=True)
class Decoded(Generic[Content]):
    """A batch after decoding: each message is an entry, a dead letter or ignored."""

    entries: list[Entry[Content]]
    letters: list[DeadLetter]
    ids: list[bytes]
    tally: Tally
    seconds: float
    read_at: float = 0.0
    """When it was read; monotonic."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """More dead letters, of messages that were not decoded."""
        self.letters += letters
        self.ids += [letter.message_id.encode() for letter in letters]
        self.tally.dead.extend(letter.reason for letter in letters)


Decode = Callable[[Sequence[Message], str, int], Decoded[Content]]
"""Decodes messages of a stream; "now" is in milliseconds since the epoch."""


def decode(messages: Sequence[Message], stream: str, clock_ms: int) -> Decoded[Event]:
    """Decode a batch of events in one crossing; a message without a body is ignored, with one that says nothing."""
    if messages and messages[-1].ms <= clock_ms:  # nearly always; entries come in the order of their ids
        clocks_ms = [clock_ms] * sum(message.payload is not None for message in messages)
    else:  # who adds entries may give them any id, up to 2**64 - 1 milliseconds
        clocks_ms = [min(max(clock_ms, message.ms), LATEST_MS) for message in messages if message.payload is not None]
    return _sorted(messages, stream, lambda payloads: _native.decode_events(payloads, clocks_ms))


def decode_labels(messages: Sequence[Message], stream: str, _clock_ms: int) -> Decoded[list[Label]]:
    """As `decode`, for labels, which no clock judges."""
    return _sorted(messages, stream, _native.decode_labels)


def _sorted(
    messages: Sequence[Message], stream: str, parse: Callable[[list[bytes]], list[Content | Reject | Ignored]]
) -> Decoded[Content]:
    started = time.perf_counter()
    whole = [(message.id.decode(), message.payload) for message in messages if message.payload is not None]
    ignored = Counter("vanished" if message.vanished else "empty" for message in messages if message.payload is None)
    entries: list[Entry[Content]] = []
    letters: list[DeadLetter] = []
    cleaned = 0
    for (id_, payload), result in zip(whole, parse([payload for _, payload in whole]), strict=True):
        if isinstance(result, Reject):
            letters.append(DeadLetter(stream, id_, result.cause, "reject", None, result.detail, 1, payload))
        elif isinstance(result, Ignored):
            ignored[result.reason] += 1
        else:
            entries.append(Entry(id_, payload, result))
            cleaned += isinstance(result, Event) and result.cleaned
    tally = Tally([letter.reason for letter in letters], ignored, cleaned)
    ids = [message.id for message in messages]
    return Decoded(entries, letters, ids, tally, time.perf_counter() - started)
