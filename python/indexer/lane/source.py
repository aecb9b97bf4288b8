"""Step 1 and the last: messages of one stream through a consumer group, and their acknowledgement (streams.md 1, 2)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from indexer.lane.pending import consumers

log = structlog.get_logger()

BLOCK_MS = 1_000
"""How long a read waits for news; well below the client's socket timeout."""
MOST_BYTES = 16 * 2**20
"""A reply that is larger makes the next reads ask for less: a message may have 16 MiB, and XREADGROUP knows no bound in
bytes."""
FIRST_COUNT = 64
"""Messages that the first read asks for: a process that ran out of memory would read the same ones again."""
MOST_IDS_LOGGED = 20


class Message(NamedTuple):
    """An entry of a stream."""

    id: bytes
    payload: bytes | None
    """None where the entry has none of the fields that the source looks for, or its body is gone."""
    vanished: bool = False
    """Whether the entry was deleted while it was pending."""
    deliveries: int = 1
    """How often it was given to somebody, this time included."""

    @property
    def ms(self) -> int:
        """The time in the entry's id, in milliseconds since the epoch."""
        return int(self.id.partition(b"-")[0])


class Source:
    """One stream, read as one consumer of one group, over a connection of its own because reads block."""

    def __init__(
        self,
        redis: "Redis",
        stream: str,
        group: str,
        consumer: str,
        count: int,
        fields: Sequence[bytes] = (b"event",),
        most: int | None = None,
    ) -> None:
        """A read brings at most `count` messages, and `most` where a backlog waits (None: the same).

        `fields` may hold the payload; the first that an entry has does.
        """
        self._redis = redis
        self.stream = stream
        self.group = group
        self.consumer = consumer
        self.count = count
        self.most = max(count, most or 0)
        self._count = min(count, FIRST_COUNT)
        self._length = 0
        """Entries in the stream when the last batch was settled, those in hand included."""
        self._fields = fields

    async def ensure_group(self) -> None:
        """Create the group where it is missing, at the oldest entry (streams.md 1).

        A full Redis refuses the command even where the group exists; the consumer is the one who can make room.
        """
        try:
            await self._redis.xgroup_create(self.stream, self.group, id="0", mkstream=True)
        except OutOfMemoryError:
            if not await self._has_group():
                raise
            log.warning("redis_full", stream=self.stream, group=self.group)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def exists(self) -> bool:
        """Whether the stream is there."""
        return bool(await self._redis.exists(self.stream))

    async def _has_group(self) -> bool:
        groups = await self._redis.xinfo_groups(self.stream) if await self.exists() else []
        return any(group["name"] == self.group.encode() for group in groups)

    @property
    def wanted(self) -> int:
        """How many messages the next read asks for."""
        return self._count

    async def own_pending(self, allowed: Callable[[int], Awaitable[int]] | None = None) -> AsyncIterator[list[Message]]:
        """What was delivered to this consumer before it started, in pages, up to the newest entry pending then.

        `allowed` is asked before each page how many of so many entries it may have; 0 ends it.
        """
        newest = await self._redis.xpending_range(
            self.stream, self.group, min="-", max="+", count=1, consumername=self.consumer
        )
        if not newest:
            return
        cursor: bytes = b"0"
        end = await self._newest_pending()
        while True:
            count = self._count if allowed is None else await allowed(self._count)
            if not count:
                return
            page = await self._read(cursor, block_ms=None, count=count)
            page = [message for message in page if _position(message.id) <= _position(end)]
            if not page:
                return
            self._tell_vanished(page)
            yield await self._with_deliveries(page)
            cursor = page[-1].id

    async def _with_deliveries(self, page: Sequence[Message]) -> list[Message]:
        found: Any = await self._redis.xpending_range(
            self.stream,
            self.group,
            min=cast(str, page[0].id),
            max=cast(str, page[-1].id),
            count=len(page),
            consumername=self.consumer,
        )
        deliveries = {entry["message_id"]: entry["times_delivered"] for entry in found}
        return [message._replace(deliveries=deliveries.get(message.id, 1)) for message in page]

    async def _newest_pending(self) -> bytes:
        """The greatest id pending for this consumer (there is one)."""
        low: str = "-"
        newest = b"0"
        while True:
            page = await self._redis.xpending_range(
                self.stream, self.group, min=low, max="+", count=10_000, consumername=self.consumer
            )
            if not page:
                return newest
            newest = cast(bytes, page[-1]["message_id"])
            low = f"({newest.decode()}"

    async def new(self, block_ms: int | None = BLOCK_MS, count: int | None = None) -> list[Message]:
        """Entries that nobody was given yet, at most `count`; an empty list when none came in time.

        `block_ms` None: those that are there.
        """
        return await self._read(b">", block_ms=block_ms, count=count or self._count)

    async def _read(self, cursor: bytes, block_ms: int | None, count: int) -> list[Message]:
        reply: Any = await self._redis.xreadgroup(
            self.group, self.consumer, {self.stream: cursor}, count=count, block=block_ms
        )
        entries = [entry for _, part in reply for entry in part]
        self._adapt(len(entries), sum(len(value) for _, fields in entries for value in (fields or {}).values()))
        return [self._message(id_, fields) for id_, fields in entries]

    def _adapt(self, messages: int, size: int) -> None:
        """Ask for as many messages as would have filled `MOST_BYTES`, and for more again step by step.

        The larger a batch, the less a message costs. So batches grow where a backlog waits, up to a quarter of it:
        neighbours shall have something to do, too, when it comes to an end.
        """
        if size > MOST_BYTES:
            self._count = max(1, messages * MOST_BYTES // size)
        else:
            most = min(self.most, max(self.count, self._length // 4))
            self._count = min(most, self._count * 2)

    def _tell_vanished(self, page: Sequence[Message]) -> None:
        ids = [message.id.decode() for message in page if message.vanished]
        if ids:
            log.warning("entries_vanished", stream=self.stream, number=len(ids), ids=ids[:MOST_IDS_LOGGED])

    def _message(self, id_: bytes, fields: dict[bytes, bytes] | None) -> Message:
        if not fields:
            return Message(id_, None, vanished=True)
        for name in self._fields:
            if name in fields:
                return Message(id_, fields[name])
        return Message(id_, None)

    async def settle(self, ids: Sequence[bytes]) -> int:
        """Acknowledge and delete; not in MULTI, which a full Redis refuses (streams.md 7).

        Returns how many were acknowledged by this call. The others somebody else acknowledged, or an earlier call whose
        answer was lost: processed they are. Raises what either command was refused with.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xack(self.stream, self.group, *ids)
            pipeline.xdel(self.stream, *ids)
            pipeline.xlen(self.stream)
            *answers, length = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        self._length = length if isinstance(length, int) else 0
        return int(answers[0])

    async def pending(self) -> int:
        """How many entries this consumer holds."""
        found = await consumers(self._redis, self.stream, self.group)
        return sum(one.pending for one in found if one.name == self.consumer.encode())


class HeldSource(Source):
    """What a consumer holds, and nothing new."""

    async def new(self, block_ms: int | None = BLOCK_MS, count: int | None = None) -> list[Message]:
        await asyncio.sleep((block_ms or 0) / 1000)
        return []


def _position(id_: bytes) -> tuple[int, int]:
    ms, _, sequence = id_.partition(b"-")
    return int(ms), int(sequence or 0)
