"""The connection to Redis."""

from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from indexer.configuration import secrets, values
from indexer.errors import ConfigError, UnavailableError
from indexer.pulse import Pulse, begin_to_wait, end_of_wait, waiting

SOCKET_TIMEOUT_S = 15
"""Longer than a blocking read waits."""
CONNECT_TIMEOUT_S = 10


class WatchedPool(ConnectionPool):
    """Who holds a connection, or waits for one, waits for Redis (`pulse.py`)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._holders: dict[AbstractConnection, Pulse | None] = {}

    async def get_connection(self, *arguments: Any, **options: Any) -> AbstractConnection:
        with waiting():
            connection: AbstractConnection = await super().get_connection(*arguments, **options)  # type: ignore[no-untyped-call]
        self._holders[connection] = begin_to_wait()
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        end_of_wait(self._holders.pop(connection, None))
        await super().release(connection)


async def open_redis(url: str, timeout_s: float = SOCKET_TIMEOUT_S) -> Redis:
    """A client of a server that answers; UnavailableError where none does. No command waits longer than `timeout_s`."""
    # protocol 2: a steadier reply shape than RESP3, and less work. No silent retries: a read that is sent twice leaves
    # what the first was given pending.
    pool = WatchedPool.from_url(
        url,
        protocol=2,
        socket_timeout=timeout_s,
        socket_connect_timeout=min(timeout_s, CONNECT_TIMEOUT_S),
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # CLIENT SETINFO would be one right more to ask for (deploy/redis.acl)
    )
    redis = Redis.from_pool(pool)
    try:
        await redis.ping()
    except TypeError as error:  # of the client's own classes, which take parameters of the URL as they come
        await redis.aclose()
        raise ConfigError(
            f"{values.masked_secret(url)} was refused",
            f"it has a parameter that this kind of connection does not know: {error}",
            "correct REDIS_HOST; parameters for TLS belong to rediss://",
        ) from None
    except (RedisError, OSError) as error:
        await redis.aclose()
        raise UnavailableError(
            f"Redis at {values.masked_secret(url)} cannot be reached",
            secrets.quoted(error, url),
            "start it, or correct REDIS_HOST; `indexer run --wait` waits for it",
        ) from None
    return redis
