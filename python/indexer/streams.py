"""What Redis says of a stream, for the gauges."""

import time
from dataclasses import dataclass

from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class StreamState:
    """Entries in the stream, entries pending in the group, and the age of the oldest of these in seconds."""

    length: int
    pending: int
    oldest_pending_s: float


async def sample(redis: Redis, stream: str, group: str) -> StreamState:
    """Raises redis' errors; a stream or group that is missing counts as empty."""
    length = int(await redis.xlen(stream))
    summary = await redis.xpending(stream, group) if length else None
    if not summary or not summary["pending"]:
        return StreamState(length, 0, 0.0)
    oldest_ms = int(summary["min"].partition(b"-")[0])
    return StreamState(length, int(summary["pending"]), max(0.0, time.time() - oldest_ms / 1000))
