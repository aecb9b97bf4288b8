"""One stream: read a window, wait for the incumbent, compare, and look again at what differs."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from redis.asyncio import Redis

from indexer._native import Event
from indexer.commands.handover.holdings import Group
from indexer.commands.shadow.comparing import Compared, Rules, compare_window
from indexer.commands.shadow.labels import LabelHistory, compare_labels
from indexer.commands.shadow.reading import Reader, delivery, unprocessed
from indexer.commands.shadow.staging import Layout
from indexer.commands.shadow.window import History, Window
from indexer.connections.database import Connection
from indexer.lane.decoding import Decoded, decode, decode_labels
from indexer.lane.source import Message
from indexer.records import RECORDS
from indexer.sink.halving import Entry
from indexer.sink.labels import Label

Content = TypeVar("Content")
POLL_S = 0.25
LOOKS = 3
"""At a difference, before it counts: counters and the second run come after the rows."""
AGAIN_S = 1.0
LONGEST_WAITS = 10
"""Times the patience, as long as the incumbent gets on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is read, and how long is waited."""

    count: int
    window: int
    first: str
    wait_s: float
    follow_s: float


class StreamComparison(ABC, Generic[Content]):
    """Reads one stream in windows."""

    fields: tuple[bytes, ...] = (b"event",)

    def __init__(
        self, redis: "Redis", connection: Connection, layout: Layout, group: Group, limits: Limits, rules: Rules
    ) -> None:
        self.group = group
        self.rules = rules
        self._redis = redis
        self._connection = connection
        self._layout = layout
        self._limits = limits
        self._reader = Reader(redis, group.stream, self.fields, limits.first)
        self.read = 0
        self.waiting_for = 0
        self._is_live = False
        """Whether a group works on what was read: what differs now may not in a moment."""
        self.ended = False
        """Whether the end of the stream was reached."""

    async def length(self) -> int:
        return await self._reader.length()

    async def windows(self) -> AsyncIterator[Compared]:
        """What each window gave, until the count, the end of the stream, or the end of following."""
        end = time.monotonic() + self._limits.follow_s
        while self.read < self._limits.count:
            messages = await self._window()
            if messages:
                self.read += len(messages)
                yield await self._compared(messages)
            elif time.monotonic() >= end:
                self.ended = True
                return
            else:
                await asyncio.sleep(POLL_S)

    async def _window(self) -> list[Message]:
        messages: list[Message] = []
        most = min(self._limits.window, self._limits.count - self.read)
        while len(messages) < most and (page := await self._reader.read(most - len(messages))):
            messages += page
        return messages

    async def _compared(self, messages: Sequence[Message]) -> Compared:
        decoded = await asyncio.to_thread(self.decode, messages)
        self.remember(decoded)
        ids = [entry.message_id.encode() for entry in decoded.entries]
        waiting = await self._processed(ids, decoded)
        result = await self.compare(decoded, [entry.event for entry in decoded.entries if _id(entry) in waiting])
        for _ in range(LOOKS - 1 if self._is_live else 0):
            if not result.unknown():
                break
            await asyncio.sleep(AGAIN_S)
            result = await self.compare(decoded, [entry.event for entry in decoded.entries if _id(entry) in waiting])
        return result

    async def _processed(self, ids: Sequence[bytes], decoded: Decoded[Content]) -> set[bytes]:
        """Wait until the incumbent has worked them off; those that it has not in time."""
        began = moved = time.monotonic()
        before: int | None = None
        while True:
            # Redis first: what is acknowledged then shows in the database afterwards
            found = await delivery(self._redis, self.group, ids)
            reached = await self.reached(decoded)
            self._is_live = bool(found.settled or found.pending)
            now = time.monotonic()
            over = now - moved >= self._limits.wait_s or now - began >= LONGEST_WAITS * self._limits.wait_s
            left = unprocessed(ids, reached, found, patience_is_over=over)
            self.waiting_for = len(left)
            if not left or over:
                self.waiting_for = 0
                return left
            if before is None or len(left) < before:
                before, moved = len(left), now
            await asyncio.sleep(POLL_S)

    @abstractmethod
    def decode(self, messages: Sequence[Message]) -> Decoded[Content]: ...

    @abstractmethod
    def remember(self, decoded: Decoded[Content]) -> None: ...

    @abstractmethod
    async def reached(self, decoded: Decoded[Content]) -> list[bool | None]:
        """Whether each entry, or a newer one, shows in the database; None where nothing tells."""

    @abstractmethod
    async def compare(self, decoded: Decoded[Content], waiting: Sequence[Content]) -> Compared: ...

    @abstractmethod
    def touched(self) -> set[str]:
        """Records and accounts of the last window."""


class EventComparison(StreamComparison[Event]):
    """A stream of events."""

    def __init__(
        self, redis: "Redis", connection: Connection, layout: Layout, group: Group, limits: Limits, rules: Rules
    ) -> None:
        super().__init__(redis, connection, layout, group, limits, rules)
        self._history = History()
        self._now: Window | None = None

    def decode(self, messages: Sequence[Message]) -> Decoded[Event]:
        return decode(messages, self.group.stream, time.time_ns() // 1_000_000)

    def remember(self, decoded: Decoded[Event]) -> None:
        self._history.add(decoded.entries)
        self._now = Window(self._history.window(decoded.entries), backfill="backfill" in self.group.stream)

    async def reached(self, decoded: Decoded[Event]) -> list[bool | None]:
        uris = sorted({uri for entry in decoded.entries if (uri := _uri(entry.event)) is not None})
        rows = await self._connection.fetch(
            f"SELECT uri, rev FROM {self._layout.name('record')} WHERE uri = ANY($1::text[])", uris
        )
        revs = {row[0]: row[1] for row in rows}
        return [
            None if (uri := _uri(entry.event)) is None else revs.get(uri, "") >= (entry.event.rev or "")
            for entry in decoded.entries
        ]

    async def compare(self, decoded: Decoded[Event], waiting: Sequence[Event]) -> Compared:
        assert self._now is not None
        return await compare_window(
            self._connection, self._layout, self.group.stream, self._now, decoded.letters, waiting, self.rules
        )

    def touched(self) -> set[str]:
        return set() if self._now is None else self._now.told.keys() | self._now.statuses.keys()


class LabelComparison(StreamComparison[list[Label]]):
    """The stream of labels."""

    fields = (b"event", b"labels")

    def __init__(
        self, redis: "Redis", connection: Connection, layout: Layout, group: Group, limits: Limits, rules: Rules
    ) -> None:
        super().__init__(redis, connection, layout, group, limits, rules)
        self._history = LabelHistory()
        self._now: Sequence[Entry[list[Label]]] = ()

    def decode(self, messages: Sequence[Message]) -> Decoded[list[Label]]:
        return decode_labels(messages, self.group.stream, 0)

    def remember(self, decoded: Decoded[list[Label]]) -> None:
        self._now = self._history.window(decoded.entries)

    async def reached(self, decoded: Decoded[list[Label]]) -> list[bool | None]:
        keys = sorted({label[:4] for entry in decoded.entries for label in entry.event})
        if not keys:
            return [None] * len(decoded.entries)
        rows = await self._connection.fetch(
            f"""SELECT l.src, l.uri, l.cid, l.val, l.cts FROM {self._layout.name("label")} l
            JOIN unnest($1::text[], $2::text[], $3::text[], $4::text[]) k (src, uri, cid, val)
            USING (src, uri, cid, val)""",
            *(list(column) for column in zip(*keys, strict=True)),
        )
        newest = {tuple(row)[:4]: row[4] for row in rows}
        return [
            all(newest.get(label[:4], "") >= label[5] for label in entry.event) if entry.event else None
            for entry in decoded.entries
        ]

    async def compare(self, decoded: Decoded[list[Label]], waiting: Sequence[list[Label]]) -> Compared:
        return await compare_labels(
            self._connection, self._layout, self.group.stream, self._now, decoded.letters, waiting
        )

    def touched(self) -> set[str]:
        return set()


def _uri(event: Event) -> str | None:
    return event.uri if event.collection in RECORDS else None


def _id(entry: Entry[Content]) -> bytes:
    return entry.message_id.encode()
