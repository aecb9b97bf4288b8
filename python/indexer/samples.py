"""The gauges of what others know: lengths and pending entries of streams, accounts to be removed, connections."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from indexer.database import Pool
from indexer.metrics import Metrics
from indexer.pipeline import Lane
from indexer.removal.jobs import Jobs
from indexer.streams import sample

SAMPLE_S = 5


async def keep_fresh(lanes: Sequence[Lane[Any]], redis: Redis, pool: Pool, deletions: Jobs, metrics: Metrics) -> None:
    """Ask for them again and again, for ever."""
    while True:
        metrics.db_connections.set(pool.get_size())
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            for step, number in (await deletions.waiting()).items():
                metrics.account_deletions.labels(step).set(number)
        for lane in lanes:
            with contextlib.suppress(RedisError, OSError):
                state = await sample(redis, lane.source.stream, lane.source.group)
                metrics.stream_length.labels(lane.source.stream).set(state.length)
                metrics.stream_pending.labels(lane.source.stream).set(state.pending)
                metrics.stream_oldest_pending_seconds.labels(lane.source.stream).set(state.oldest_pending_s)
        await asyncio.sleep(SAMPLE_S)
