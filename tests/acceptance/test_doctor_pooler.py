"""`indexer doctor` behind PgBouncer: its mode, its version, and what does not fit."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
import redis

from indexer import embedded
from indexer.schema import create
from tests.acceptance.bouncer import Bouncer, bouncer
from tests.integration.planting import HEALTHY, Deployment, healthy

pytestmark = pytest.mark.needs_pgbouncer


@pytest.fixture(scope="module")
def behind() -> Iterator[tuple[str, Bouncer]]:
    """A database, and a pooler in front of it that may connect to it."""
    with embedded.postgres({"fsync": "off", "unix_socket_permissions": "0777"}) as server:
        database = server.create_database("behind")
        asyncio.run(create.create(database, "public"))
        with bouncer(database, max_client_conn="60") as found:
            yield database, found


@pytest.fixture(scope="module")
def redis_server() -> Iterator[embedded.Redis]:
    with embedded.redis(HEALTHY) as server:
        yield server


@pytest.fixture
async def deployment(redis_server: embedded.Redis, behind: tuple[str, Bouncer]) -> AsyncIterator[Deployment]:
    database, pooler = behind
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        found = await healthy(redis_server, client, database)
        found.environ["DATABASE_URL"] = pooler.url(database)
        yield found


async def test_nothing_is_found_and_its_mode_is_told(deployment: Deployment) -> None:
    deployment.environ["DB_POOL_MAX_SIZE"] = "30"
    deployment.subject["instances"] = 2
    report = await deployment.examined()
    assert (report.findings, report.unseen) == ([], [])
    (fact,) = [fact.text for fact in report.facts if fact.area == "pooler"]
    assert fact.startswith("PgBouncer 1.")
    assert fact.endswith(", pool_mode transaction, max_client_conn 60")


async def test_pools_that_do_not_fit_are_found(deployment: Deployment) -> None:
    deployment.environ["DB_POOL_MAX_SIZE"] = "31"
    deployment.subject["instances"] = 2
    report = await deployment.examined()
    (finding,) = report.findings
    assert finding.code == "pooler.connections"
    assert "max_client_conn" in finding.what
    assert "DB_POOL_MAX_SIZE to 30 or less" in finding.remedy


async def test_prepared_statements_are_found(deployment: Deployment) -> None:
    deployment.environ["INDEXER_STATEMENT_CACHE"] = "100"
    report = await deployment.examined()
    (finding,) = report.findings
    assert finding.code == "pooler.prepared_statements"
    assert "unset INDEXER_STATEMENT_CACHE" in finding.remedy


async def test_statement_mode_is_found(deployment: Deployment, behind: tuple[str, Bouncer]) -> None:
    """By its console, and by every check that is refused its transaction: told once."""
    database, _ = behind
    with bouncer(database, pool_mode="statement") as pooler:
        deployment.environ["DATABASE_URL"] = pooler.url(database)
        (finding,) = (await deployment.examined()).findings
    assert finding.code == "pooler.statement_mode"
    assert "pool_mode = transaction" in finding.remedy


async def test_full_pooler_is_found(deployment: Deployment, behind: tuple[str, Bouncer]) -> None:
    database, _ = behind
    with bouncer(database, max_client_conn="3") as pooler:
        connections = []
        with contextlib.suppress(asyncpg.ProtocolViolationError):
            while True:
                connections.append(await asyncpg.connect(pooler.url(database), statement_cache_size=0))
        deployment.environ["DATABASE_URL"] = pooler.url(database)
        (finding,) = (await deployment.examined()).findings
        for connection in connections:
            connection.terminate()
    assert finding.code == "pooler.full"
    assert "lower DB_POOL_MAX_SIZE" in finding.remedy


async def test_console_that_may_not_be_seen_is_told(deployment: Deployment, behind: tuple[str, Bouncer]) -> None:
    database, _ = behind
    with bouncer(database, auth_type="trust") as pooler:
        deployment.environ["DATABASE_URL"] = pooler.url(database, "somebody")
        report = await deployment.examined()
    assert report.findings == []
    (unseen,) = report.unseen
    assert "stats_users" in unseen.why
