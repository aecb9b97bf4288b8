"""Servers, databases and streams for the tests: private ones, or those that INDEXER_TEST_*_URL name.

On named servers only databases that the tests created are touched; the named Redis database must be empty.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import redis

from indexer import embedded
from indexer.configuration.settings import OPTIONS
from indexer.configuration.values import quoted
from indexer.schema import create
from tests import least_authority

# Tests lose nothing with the machine, so nothing needs to reach the disk.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
}
MEMORY, ROOM = Path("/dev/shm"), 8 * 2**30
"""Where the server of the tests has its files, if it has so much room: a copy of the template costs a tenth there."""
COPIED = "" if "INDEXER_TEST_POSTGRES_URL" in os.environ else " STRATEGY FILE_COPY"
"""Half the price of the way by the WAL; PostgreSQL 14 knows no other, and no word for it."""


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_a_daemon() -> Iterator[None]:
    """What this shell has set for a real daemon must not reach a test."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in (name for option in OPTIONS for name in option.variables):
            patch.delenv(variable, raising=False)
            patch.delenv(f"{variable}_FILE", raising=False)
        yield


@pytest.fixture(autouse=True)
def _patience_in_long_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tens of thousands of messages in batches of one keep both cores busy for minutes."""
    if request.node.get_closest_marker("long"):
        monkeypatch.setattr("tests.acceptance.daemon.PATIENCE_S", 900.0)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server's maintenance database."""
    if named := os.environ.get("INDEXER_TEST_POSTGRES_URL"):
        yield named
        return
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
                patch.setattr(tempfile, "tempdir", str(MEMORY))
            server = stack.enter_context(embedded.postgres(POSTGRES_SETTINGS))
        yield server.url


@pytest.fixture(scope="session")
def _names() -> Iterator[str]:
    return (f"indexer_test_{os.getpid()}_{number}" for number in count())


@pytest.fixture(scope="session")
def template(postgres_url: str, _names: Iterator[str]) -> Iterator[str]:
    """The name of a database with both schemas and no rows, made once to be copied."""
    name = next(_names)
    execute(postgres_url, f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING 'UTF8'")
    asyncio.run(create.create(database_url(postgres_url, name), "public"))
    yield name
    execute(postgres_url, f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@pytest.fixture
def database(postgres_url: str, template: str, _names: Iterator[str]) -> Iterator[str]:
    """The URL of a database of this test's own, with both schemas and no rows."""
    yield from _database(postgres_url, next(_names), template)


@pytest.fixture
def other_database(postgres_url: str, template: str, _names: Iterator[str]) -> Iterator[str]:
    """As `database`, another one."""
    yield from _database(postgres_url, next(_names), template)


@pytest.fixture
def empty_database(postgres_url: str, _names: Iterator[str]) -> Iterator[str]:
    """The URL of a database of this test's own, without any table."""
    yield from _database(postgres_url, next(_names), "template0")


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[str]:
    if named := os.environ.get("INDEXER_TEST_REDIS_URL"):
        with redis.Redis.from_url(named) as client:
            if client.dbsize():
                pytest.exit("INDEXER_TEST_REDIS_URL names a database that is not empty", returncode=2)
        yield named
        return
    with embedded.redis({"include": str(least_authority.ACL)}) as server:
        least_authority.URLS[server.url] = least_authority.url(server.url, "indexer")
        yield server.url
        assert least_authority.refused(server.url) == [], "a daemon needs more rights than deploy/redis.acl gives"


@pytest.fixture
def redis_url(_redis_server: str) -> Iterator[str]:
    """The URL of an empty Redis database; emptied again after the test."""
    yield _redis_server
    with redis.Redis.from_url(_redis_server) as client:
        client.flushdb()


def database_url(url: str, name: str) -> str:
    """The URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def execute(url: str, statement: str) -> None:
    """Run one statement; not inside an event loop."""

    async def run() -> None:
        connection = await asyncpg.connect(url, statement_cache_size=0)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())


def _database(server: str, name: str, template: str) -> Iterator[str]:
    execute(server, f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}{COPIED}")
    yield database_url(server, name)
    execute(server, f"DROP DATABASE {quoted(name)} WITH (FORCE)")
