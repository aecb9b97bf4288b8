"""Opens what the daemon works with: both servers, after a look at the schema, and who is asked for handles."""

import asyncio
import contextlib

import structlog
from redis.asyncio import Redis

from indexer.configuration.settings import Settings
from indexer.connections.database import POSTGRES_FAULTS, Pool, open_pool
from indexer.connections.redis_connection import open_redis
from indexer.errors import UnavailableError
from indexer.identity import DidCache, Resolver
from indexer.schema.check import check_url
from indexer.sink.statements import Statements

log = structlog.get_logger()


async def opened(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[Pool, Redis, Statements]:
    """Connections to both servers, and a look at the schema."""
    while True:
        try:
            findings = await check_url(settings.postgres_url, settings.postgres_schema)
            findings.raise_if_missing()
            redis = await open_redis(settings.redis_url)
            pool = await open_pool(
                settings.postgres_url,
                settings.consumer,
                settings.pool_min_idle,
                settings.pool_max_size,
                settings.statement_cache,
            )
        except UnavailableError as error:
            if not settings.wait:
                raise
            log.warning("waiting_for_server", what=error.what, cause=error.cause)
            await asyncio.sleep(1)
            continue
        for note in findings.notes:
            log.warning("schema_note", note=str(note))
        stack.push_async_callback(_closed, pool)
        stack.push_async_callback(redis.aclose)
        return pool, redis, Statements(settings.postgres_schema, findings.absent)


def resolver_of(settings: Settings, cache: DidCache) -> Resolver:
    """Who is asked for handles and hosts, by all workers together: its limits hold for the process."""
    if settings.allow_private_addresses:
        log.warning(
            "private_addresses_allowed",
            detail="INDEXER_ALLOW_PRIVATE_ADDRESSES=true: whoever has an account can make this process send requests "
            "into its own network; for development only, unset it in production",
        )
    return Resolver(plc_url=settings.plc_url, allow_private_addresses=settings.allow_private_addresses, cache=cache)


async def _closed(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 5)
    except POSTGRES_FAULTS:
        pool.terminate()
