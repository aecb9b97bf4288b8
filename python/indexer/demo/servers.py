"""Where the demo runs: private servers, or those that INDEXER_TEST_*_URL name, and there only what it made itself."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from redis import Redis
from redis.exceptions import RedisError

from indexer import embedded
from indexer.configuration import values
from indexer.errors import ConfigError, UnavailableError

REDIS, POSTGRES = "INDEXER_TEST_REDIS_URL", "INDEXER_TEST_POSTGRES_URL"
# The demo's data is thrown away: nothing in it needs to reach the disk.
SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, with an empty database in each."""

    redis_url: str
    postgres_url: str
    postmaster: int | None
    """The process id of a private PostgreSQL."""


@contextmanager
def servers(environ: Mapping[str, str]) -> Iterator[Servers]:
    """The servers for the time of the block; everything in their databases is gone afterwards.

    ConfigError where there are no programs to start, or where the named Redis database is not empty; UnavailableError
    where a server cannot be used.
    """
    with ExitStack() as stack:
        named = _named(environ, REDIS, values.redis_url)
        redis_url = stack.enter_context(_named_redis(named) if named else _private_redis())
        if named := _named(environ, POSTGRES, values.postgres_url):
            own = stack.enter_context(database(named, f"indexer_demo_{os.getpid()}"))
            yield Servers(redis_url, own, None)
        else:
            private = stack.enter_context(embedded.postgres(SETTINGS))
            yield Servers(redis_url, private.url, private.pid)


def _named(environ: Mapping[str, str], variable: str, parse: Callable[[str], str]) -> str | None:
    text = environ.get(variable, "").strip()
    try:
        return parse(text) if text else None
    except ValueError as fault:
        shown = values.masked_secret(text)
        raise ConfigError(
            f"{variable}={shown} is not allowed", str(fault), f"correct {variable}, or unset it"
        ) from None


@contextmanager
def _private_redis() -> Iterator[str]:
    with embedded.redis() as server:
        yield server.url


@contextmanager
def _named_redis(url: str) -> Iterator[str]:
    with Redis.from_url(url) as client:
        try:
            keys = client.dbsize()
        except (RedisError, OSError) as fault:
            raise _unavailable(REDIS, fault) from None
        if keys:
            raise ConfigError(
                f"{REDIS} names a database that is not empty",
                "it may be somebody's, and the demo would index it",
                "name an empty database (/1 to /15 at the end of the URL), or unset the variable",
            )
        yield url
        client.flushdb()


@contextmanager
def database(url: str, name: str) -> Iterator[str]:
    """A new database on the server of `url`, dropped at the end of the block."""
    try:
        _execute(url, f"CREATE DATABASE {values.quoted(name)} TEMPLATE template0 ENCODING 'UTF8'")
    except (asyncpg.PostgresError, OSError) as fault:
        raise _unavailable(POSTGRES, fault) from None
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        _execute(url, f"DROP DATABASE {values.quoted(name)} WITH (FORCE)")


def _unavailable(variable: str, fault: Exception) -> UnavailableError:
    return UnavailableError(
        f"the server that {variable} names cannot be used", values.mask(str(fault)), "correct it, or unset it"
    )


def _execute(url: str, statement: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url, statement_cache_size=0)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
