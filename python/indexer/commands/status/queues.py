"""What Redis says of the streams and of itself, in a pipeline of reads each; what it refuses to show is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from indexer.commands.handover.holdings import Group
from indexer.lane.pending import Consumer

COUNTED = 10_000
"""Most entries that are counted one by one, where Redis has no figure."""
PAGE = 100
"""Their bodies come along, whatever size they have."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A stream and the group that reads it here."""

    group: Group
    length: int
    undelivered: int
    """Entries that the group has not given to anybody."""
    is_exact: bool
    """Whether that is so; otherwise entries were deleted out of turn, and it is the length less what is pending."""
    pending: int
    has_group: bool
    added: int | None
    """Entries that were ever added."""
    oldest_ms: int | None
    """When the oldest entry was added, by its id: milliseconds since the epoch."""
    oldest_pending_ms: int | None
    consumers: tuple[Consumer, ...] = ()
    other_groups: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """Entries that the group has not settled."""
        return self.undelivered + self.pending


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes; `most` 0: no limit."""

    used: int
    most: int
    policy: str


async def queue(redis: "Redis", group: Group, *, modest: bool = False) -> Queue:
    """Raises redis' errors, but a stream or group that is missing is an empty one.

    A `modest` look needs no right that the daemon has not, counts nothing one by one and fetches no entry: the oldest
    one is that which is pending, or not known.
    """
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.xlen(group.stream)
        pipeline.xinfo_groups(group.stream)
        pipeline.xinfo_consumers(group.stream, group.name)
        pipeline.xpending(group.stream, group.name)
        if not modest:
            pipeline.xrange(group.stream, count=1)
            pipeline.xinfo_stream(group.stream)
        length, groups, consumers, pending, *more = await pipeline.execute(raise_on_error=False)
    first, stream = more or ([], None)
    _raise(length, first)
    groups, consumers = _or_none(groups) or [], _or_none(consumers) or []
    mine = next((one for one in groups if one["name"] == group.name.encode()), None)
    summary = _or_none(pending) or {"pending": 0, "min": None}
    if modest or isinstance(stream, NoPermissionError):
        added = None
    else:
        added = (_or_none(stream) or {"entries-added": 0}).get("entries-added")
    undelivered, is_exact = length, True
    if mine is not None:
        lag, entries_read = mine.get("lag"), mine.get("entries-read")
        if lag is None and modest:
            undelivered, is_exact = max(0, length - summary["pending"]), False
        elif lag is None:
            undelivered, is_exact = await _counted(redis, group, mine, length - summary["pending"])
        else:
            undelivered = lag
            added = added if added is not None or entries_read is None else lag + entries_read
    oldest_pending_ms = _ms(summary["min"]) if summary["min"] else None
    return Queue(
        group,
        length,
        undelivered,
        is_exact,
        summary["pending"],
        mine is not None,
        added,
        _ms(first[0][0]) if first else oldest_pending_ms if modest else None,
        oldest_pending_ms,
        tuple(Consumer(one["name"], one["pending"], one["idle"] / 1000) for one in consumers),
        tuple(one["name"].decode(errors="replace") for one in groups if one is not mine),
    )


async def oldest_ms(redis: "Redis", stream: str) -> int | None:
    """When the oldest entry was added. Its body comes along, whatever size it has."""
    first: Any = await redis.xrange(stream, count=1)
    return _ms(first[0][0]) if first else None


async def _counted(redis: "Redis", group: Group, mine: dict[str, Any], about: int) -> tuple[int, bool]:
    """Entries behind the last that was delivered. Redis has no figure where some were deleted there."""
    after, number = mine["last-delivered-id"].decode(), 0
    while number < COUNTED:
        page: Any = await redis.xrange(group.stream, min=f"({after}", count=PAGE)
        number += len(page)
        if len(page) < PAGE:
            return number, True
        after = page[-1][0].decode()
    return max(number, about), False


async def memory(redis: "Redis") -> Memory:
    """How full Redis is. NoPermissionError where the user may not see it."""
    info = await redis.info("memory")
    return Memory(int(info["used_memory"]), int(info.get("maxmemory", 0)), str(info.get("maxmemory_policy", "")))


async def libraries(redis: "Redis") -> tuple[str, ...] | None:
    """What the clients that wait in XREADGROUP say of themselves, empty texts included; None: it is not shown."""
    try:
        clients: Sequence[dict[str, str]] = await redis.client_list()
    except ResponseError:
        return None
    return tuple(client.get("lib-name", "") for client in clients if client.get("cmd") == "xreadgroup")


def _ms(id_: bytes) -> int:
    return int(id_.partition(b"-")[0])


def _raise(*replies: object) -> None:
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply


def _or_none(reply: Any) -> Any:
    """None for what is missing; what was refused for another reason is raised."""
    if isinstance(reply, NoPermissionError):
        raise reply
    if isinstance(reply, ResponseError) and ("NOGROUP" in str(reply) or "no such key" in str(reply)):
        return None
    _raise(reply)
    return reply
