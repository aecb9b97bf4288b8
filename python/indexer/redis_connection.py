"""The connection to Redis."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from indexer import values
from indexer.errors import UnavailableError

SOCKET_TIMEOUT_S = 15
"""Longer than a blocking read waits."""


async def open_redis(url: str) -> Redis:
    """A client of a server that answers; UnavailableError where none does."""
    # protocol 2: a steadier reply shape than RESP3, and less work. No silent retries: a read that is sent twice leaves
    # what the first was given pending.
    redis = Redis.from_url(
        url,
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT_S,
        socket_connect_timeout=10,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # CLIENT SETINFO would be one right more to ask for (deploy/redis.acl)
    )
    try:
        await redis.ping()
    except (RedisError, OSError) as error:
        await redis.aclose()
        raise UnavailableError(
            f"Redis at {values.mask(url)} cannot be reached",
            values.mask(str(error)),
            "start it, or correct REDIS_HOST; `indexer run --wait` waits for it",
        ) from None
    return redis
