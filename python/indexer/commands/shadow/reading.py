"""The streams, read without a trace (XRANGE), and how far the incumbent is with what was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from indexer.commands.handover.holdings import Group
from indexer.lane.source import MOST_BYTES, Message

PAGE = 500
MOST_PENDING = 10_000
SETTLED_SHARE = 0.5
"""If so many of the messages that Redis calls undelivered are in the database, it was filled some other way. Only those
count that come before the last that is there."""
TAIL = 20


class Reader:
    """One stream from an id on, in pages."""

    def __init__(self, redis: "Redis", stream: str, fields: Sequence[bytes], first: str) -> None:
        self._redis = redis
        self._stream = stream
        self._fields = fields
        self._at = first
        self._page = PAGE

    async def length(self) -> int:
        return int(await self._redis.xlen(self._stream))

    async def read(self, most: int) -> list[Message]:
        """The next entries; an empty list at the end of the stream."""
        found: Any = await self._redis.xrange(self._stream, min=self._at, count=max(1, min(most, self._page)))
        if not found:
            return []
        self._at = f"({found[-1][0].decode()}"
        size = sum(len(value) for _, fields in found for value in fields.values())
        self._page = max(1, len(found) * MOST_BYTES // size) if size > MOST_BYTES else min(PAGE, self._page * 2)
        return [
            Message(id_, next((fields[name] for name in self._fields if name in fields), None)) for id_, fields in found
        ]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a group says of some entries."""

    settled: frozenset[bytes] = frozenset()
    """Acknowledged (deleted or not)."""
    pending: frozenset[bytes] = frozenset()


async def delivery(redis: "Redis", group: Group, ids: Sequence[bytes]) -> Delivery:
    """By the group, or where it is not there by the one that is furthest."""
    if not ids:
        return Delivery()
    try:
        groups: list[Any] = await redis.xinfo_groups(group.stream)
    except ResponseError:  # all was read and deleted: the stream is gone
        groups = []
    mine = [one for one in groups if one["name"] == group.name.encode()]
    chosen = max(mine or groups, key=lambda one: position(one["last-delivered-id"]), default=None)
    if chosen is None:
        return Delivery()
    furthest = position(chosen["last-delivered-id"])
    delivered = [id_ for id_ in ids if position(id_) <= furthest]
    pending: set[bytes] = set()
    low = ids[0].decode()
    while delivered:
        page: Any = await redis.xpending_range(
            group.stream, chosen["name"], min=low, max=delivered[-1].decode(), count=MOST_PENDING
        )
        pending.update(entry["message_id"] for entry in page)
        if len(page) < MOST_PENDING:
            break
        low = f"({page[-1]['message_id'].decode()}"
    return Delivery(frozenset(delivered) - pending, frozenset(pending))


def unprocessed(
    ids: Sequence[bytes], reached: Sequence[bool | None], found: Delivery, *, patience_is_over: bool
) -> set[bytes]:
    """The entries that the incumbent has not worked off.

    `reached` says of each whether its rev is in the database, None where that says nothing. Where Redis calls entries
    undelivered of which most are in the database, somebody filled it and kept the stream: then the others are done,
    too, up to the last that is there. Of pending entries it is concluded only after waiting: they may be in work.
    """
    open_ = {id_ for id_ in ids if id_ not in found.settled}
    left = {id_ for id_, there in zip(ids, reached, strict=True) if id_ in open_ and not there}
    judged = [
        (place, there)
        for place, (id_, there) in enumerate(zip(ids, reached, strict=True))
        if there is not None and id_ in open_ and (patience_is_over or id_ not in found.pending)
    ]
    last = max((place for place, there in judged if there), default=None)
    if last is None:
        return left
    before = [there for place, there in judged if place <= last]
    if sum(before) < SETTLED_SHARE * len(before):
        return left
    if len(ids) - 1 - last <= max(TAIL, len(ids) // 20):
        last = len(ids)
    return {
        id_
        for place, id_ in enumerate(ids)
        if id_ in left and (place > last or (id_ in found.pending and not patience_is_over))
    }


def position(id_: bytes) -> tuple[int, int]:
    """An entry's id as Redis orders it."""
    ms, _, sequence = id_.partition(b"-")
    return int(ms), int(sequence or 0)
