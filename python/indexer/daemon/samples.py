"""The gauges of what others know: lengths and pending entries of streams, accounts to be removed, connections."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from indexer.connections.database import POSTGRES_FAULTS, Pool
from indexer.lane.pipeline import Lane
from indexer.metrics import Metrics
from indexer.removal.jobs import Jobs

SAMPLE_S = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """Entries in a stream, entries pending in its group, and the age of the oldest of these in seconds."""

    length: int
    pending: int
    oldest_pending_s: float


async def keep_fresh(lanes: Sequence[Lane[Any]], redis: Redis, pool: Pool, deletions: Jobs, metrics: Metrics) -> None:
    """Ask for them again and again, for ever."""
    while True:
        metrics.db_connections.set(pool.get_size())
        with contextlib.suppress(*POSTGRES_FAULTS):
            for step, number in (await deletions.waiting()).items():
                metrics.account_deletions.labels(step).set(number)
        for lane in lanes:
            with contextlib.suppress(RedisError, OSError):
                state = await sample(redis, lane.source.stream, lane.source.group)
                metrics.stream_length.labels(lane.source.stream).set(state.length)
                metrics.stream_pending.labels(lane.source.stream).set(state.pending)
                metrics.stream_oldest_pending_seconds.labels(lane.source.stream).set(state.oldest_pending_s)
        await asyncio.sleep(SAMPLE_S)


async def sample(redis: Redis, stream: str, group: str) -> Sample:
    """Raises redis' errors; a stream or group that is missing counts as empty."""
    length = int(await redis.xlen(stream))
    summary = await redis.xpending(stream, group) if length else None
    if not summary or not summary["pending"]:
        return Sample(length, 0, 0.0)
    oldest_ms = int(summary["min"].partition(b"-")[0])
    return Sample(length, int(summary["pending"]), max(0.0, time.time() - oldest_ms / 1000))
