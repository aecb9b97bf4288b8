"""Pending entries of the consumers of a group: who holds what, claiming it, and entries whose body is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

LOOK_AT = 20
"""Bodies that are looked for at a time: their size is not known before."""


@dataclass(frozen=True, slots=True)
class Consumer:
    """What Redis says of a consumer."""

    name: bytes
    pending: int
    idle_s: float
    """Since it last asked for entries; before Redis 7.2 since it last got some."""


async def consumers(redis: "Redis", stream: str, group: str) -> list[Consumer]:
    """The consumers of a group; none where stream or group is missing."""
    try:
        found = await redis.xinfo_consumers(stream, group)
    except ResponseError as error:
        if str(error).startswith("NOGROUP") or "no such key" in str(error):
            return []
        raise
    return [Consumer(one["name"], one["pending"], one["idle"] / 1000) for one in found]


async def held(
    redis: "Redis", stream: str, group: str, consumer: bytes, count: int, idle_ms: int = 0, after: bytes | None = None
) -> list[bytes]:
    """Ids that a consumer holds, delivered at least `idle_ms` ago, oldest first."""
    low = "-" if after is None else f"({after.decode()}"
    found: Any = await redis.xpending_range(
        stream, group, min=low, max="+", count=count, consumername=cast(str, consumer), idle=idle_ms or None
    )
    return [entry["message_id"] for entry in found]


async def claim(redis: "Redis", stream: str, group: str, to: bytes, idle_ms: int, ids: Sequence[bytes]) -> list[bytes]:
    """Make `to` the owner of entries that were delivered at least `idle_ms` ago; the ids of those.

    What was claimed or acknowledged by others in the meantime stays as it is: of two who claim, one gets an entry.
    """
    claimed: Any = await redis.xclaim(stream, group, cast(str, to), idle_ms, list(ids), justid=True)
    return cast("list[bytes]", claimed)


async def acknowledge_vanished(redis: "Redis", stream: str, group: str, ids: Sequence[bytes]) -> list[bytes]:
    """Acknowledge those of the entries that have no body any more; which these were, each told to one caller only.

    XCLAIM would do the first without a word (since Redis 7).
    """
    gone: list[bytes] = []
    for start in range(0, len(ids), LOOK_AT):
        part = ids[start : start + LOOK_AT]
        async with redis.pipeline(transaction=False) as pipeline:
            for id_ in part:
                pipeline.xrange(stream, min=cast(str, id_), max=cast(str, id_))
            found = await pipeline.execute()
        missing = [id_ for id_, entry in zip(part, found, strict=True) if not entry]
        if missing:
            async with redis.pipeline(transaction=False) as pipeline:
                for id_ in missing:
                    pipeline.xack(stream, group, id_)
                acknowledged = await pipeline.execute()
            gone += [id_ for id_, number in zip(missing, acknowledged, strict=True) if number]
    return gone
