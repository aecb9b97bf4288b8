"""Hands back what a stopped instance of ours holds: TypeScript indexers read new entries and, at their start, what they
hold themselves; they never claim (streams.md 2.4).
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError

from indexer.commands.handover.holdings import Group
from indexer.errors import StoppedEarlyError
from indexer.lane.pending import acknowledge_vanished, claim, held
from indexer.wording import quantity

PAGE = 100
"""Entries that are in memory at a time, bodies included."""
CLAIMED = 1_000
"""Entries that are claimed at a time."""

Fields = list[bytes]
"""Names and values in turn: as Redis has them, also where a name is there twice."""


@dataclass(slots=True)
class Released:
    """What was done with the entries of a group."""

    entries: int = 0
    vanished: int = 0
    """Had no body any more, and were acknowledged."""


async def add_again(redis: "Redis", group: Group, consumer: str, tell: Callable[[int], None]) -> Released:
    """Add what the consumer holds again at the end of the stream, then acknowledge and delete the old entries.

    Never the other way round: whatever ends this, an entry is there once or twice. StoppedEarlyError where Redis
    refuses or goes away.
    """
    done = Released()
    try:
        async for page in _pages(redis, group, consumer):
            whole = [(id_, fields) for id_, fields in page if fields is not None]
            refused = await _add(redis, group, whole)
            settled = [id_ for (id_, _), fault in zip(whole, refused, strict=True) if fault is None]
            vanished = [id_ for id_, fields in page if fields is None]
            await _settle(redis, group, settled + vanished)
            done.entries += len(settled)
            done.vanished += len(vanished)
            tell(done.entries)
            for fault in refused:
                if fault is not None:
                    raise fault
    except (RedisError, OSError) as fault:
        raise _broken_off(group, done, fault) from None
    return done


async def give(redis: "Redis", group: Group, consumer: str, to: str, tell: Callable[[int], None]) -> Released:
    """Make `to` the owner of what the consumer holds, in portions. Needs no memory of Redis. Raises as `add_again`."""
    done, after = Released(), None
    try:
        while ids := await held(redis, group.stream, group.name, consumer.encode(), CLAIMED, after=after):
            done.vanished += len(await acknowledge_vanished(redis, group.stream, group.name, ids))
            done.entries += len(await claim(redis, group.stream, group.name, to.encode(), 0, ids))
            tell(done.entries)
            after = ids[-1]
    except (RedisError, OSError) as fault:
        raise _broken_off(group, done, fault) from None
    return done


async def _pages(redis: "Redis", group: Group, consumer: str) -> AsyncIterator[list[tuple[bytes, Fields | None]]]:
    """What the consumer holds, in its order; None where the body is gone."""
    cursor = b"0"
    as_it_is: Any = lambda reply, **_: reply  # noqa: E731
    redis.set_response_callback("XREADGROUP", as_it_is)  # a dict would lose names that come twice
    while True:
        reply: Any = await redis.xreadgroup(group.name, consumer, {group.stream: cursor}, count=PAGE)
        page = [(id_, fields) for _, entries in reply or () for id_, fields in entries]
        if not page:
            return
        yield page
        cursor = page[-1][0]


async def _add(redis: "Redis", group: Group, entries: list[tuple[bytes, Fields]]) -> list[RedisError | None]:
    """What each addition was refused with, None for those that were made."""
    async with redis.pipeline(transaction=False) as pipeline:
        for _, fields in entries:
            pipeline.execute_command("XADD", group.stream, "*", *fields)
        replies = await pipeline.execute(raise_on_error=False)
    return [reply if isinstance(reply, RedisError) else None for reply in replies]


async def _settle(redis: "Redis", group: Group, ids: list[bytes]) -> None:
    if not ids:
        return
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.xack(group.stream, group.name, *ids)
        pipeline.xdel(group.stream, *ids)
        await pipeline.execute()


def _broken_off(group: Group, done: Released, fault: Exception) -> StoppedEarlyError:
    remedy = "run the command again: nothing is lost, and an entry that is there twice changes nothing"
    if isinstance(fault, OutOfMemoryError):
        remedy = "raise maxmemory, let another indexer make room, or use --to, which needs none; then run it again"
    return StoppedEarlyError(
        f"{group.stream}: broken off after {quantity(done.entries, 'entry', 'entries')}",
        f"Redis: {fault}",
        remedy,
    )
