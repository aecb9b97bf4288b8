"""Behind PgBouncer in transaction mode, with two server connections for four instances."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from indexer import cli, embedded
from indexer.commands.dlq import letters
from indexer.commands.verify import walk
from indexer.connections.database import open_pool
from indexer.schema import create
from tests.acceptance.bouncer import SERVER_CONNECTIONS, Bouncer, bouncer
from tests.acceptance.daemon import GROUP, Daemon, feed, left_over, query, running
from tests.integration.dead_letters import environment, keep, letter
from tests.integration.verifying import LIKE, reconcile, verify, world
from tests.integration.writing import writing, wrong_counters
from tests.oracle import library

pytestmark = pytest.mark.needs_pgbouncer

NAMES = ("one", "two", "three", "four")
LONG = ("real-firehose", "real-scenarios", "real-repos", "mixed-5k-hostile", "backfill-10k", "mixed-30k")


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.servers.Postgres]:
    """A PostgreSQL that PgBouncer, which runs as another user than root, may connect to."""
    settings = {"fsync": "off", "unix_socket_permissions": "0777", "max_connections": "30"}
    with embedded.postgres(settings) as found:
        yield found


@pytest.fixture
def behind(server: embedded.servers.Postgres, tmp_path: Path) -> Iterator[tuple[str, Bouncer]]:
    """A database of the test's own, and the pooler in front of it."""
    database = server.create_database(f"behind_{tmp_path.name}")
    asyncio.run(create.create(database, "public"))
    with bouncer(database) as found:
        yield database, found
    server.execute(f'DROP DATABASE "behind_{tmp_path.name}" WITH (FORCE)')


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["real-posts", *(pytest.param(case, marks=pytest.mark.long) for case in LONG)])
def test_four_instances_behind_it_give_the_reference_tables(
    behind: tuple[str, Bouncer], redis_url: str, tmp_path: Path, case: str
) -> None:
    database, pooler = behind
    feed(redis_url, library.stream(case), library.messages(case))
    with ExitStack() as stack:
        daemons = [stack.enter_context(instance(pooler.url(database), redis_url, tmp_path, name)) for name in NAMES]
        for daemon in daemons:
            assert daemon.wait() == 0, daemon.output
            undisturbed(daemon)
    assert left_over(redis_url, library.stream(case)) == (0, 0)
    status, said = library.compare(database, case, "--order-free")
    assert status == 0, said


@pytest.mark.long
@pytest.mark.timeout(240)
def test_pause_resume_and_restarts_of_it_lose_nothing(
    behind: tuple[str, Bouncer], redis_url: str, tmp_path: Path
) -> None:
    """Daemons go on when it does: it is paused, resumed, killed and started again while they work."""
    database, pooler = behind
    case = "mixed-5k-hostile"
    stream, messages = library.stream(case), library.messages(case)
    quarter = len(messages) // 4
    parts = [messages[start : start + quarter] for start in range(0, len(messages), quarter)]
    with ExitStack() as stack:
        daemons = [
            stack.enter_context(instance(pooler.url(database), redis_url, tmp_path, name, drain=False))
            for name in NAMES
        ]
        for daemon in daemons:
            daemon.started()
        feed(redis_url, stream, parts[0])
        daemons[0].until(lambda: settled(database) > 0)
        assert 0 < server_connections(database) <= SERVER_CONNECTIONS

        pooler.command("PAUSE")
        before = left_over(redis_url, stream)[0] + len(parts[1])
        feed(redis_url, stream, parts[1])
        # the batches that were committed are settled, then everyone waits with one in hand
        daemons[0].until(lambda: all(pending(redis_url, stream, name) for name in NAMES))
        rows = settled(database)
        assert 0 < left_over(redis_url, stream)[0] <= before
        assert settled(database) == rows, "nobody writes while it is paused"
        pooler.command("RESUME")
        daemons[0].until(lambda: settled(database) > rows)

        feed(redis_url, stream, parts[2])
        pooler.stop()
        feed(redis_url, stream, parts[3])
        daemons[0].until(lambda: any(daemon.lines("database_away") for daemon in daemons))
        pooler.start()
        for rest in parts[4:]:
            feed(redis_url, stream, rest)
        daemons[0].until(lambda: left_over(redis_url, stream) == (0, 0))
        for daemon in daemons:
            assert daemon.stop() == 0, daemon.output
    status, said = library.compare(database, case, "--order-free")
    assert status == 0, said


@pytest.mark.long
@pytest.mark.timeout(240)
def test_server_connections_that_are_renewed_all_the_time_cost_nothing(
    server: embedded.servers.Postgres, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """After a second of life (`server_lifetime`), and as often as an operator says RECONNECT.

    That ends connections that are just made, too, which PgBouncer takes for a server that refuses it: clients are
    refused for `server_login_retry`, 15 s by default.
    """
    case, name = "mixed-5k-hostile", f"renewed_{tmp_path.name}"
    database = server.create_database(name)
    asyncio.run(create.create(database, "public"))
    feed(redis_url, library.stream(case), library.messages(case))
    backends: set[int] = set()
    reconnects = 0
    with bouncer(database, server_lifetime="1", server_login_retry="1") as pooler, ExitStack() as stack:
        daemons = [stack.enter_context(instance(pooler.url(database), redis_url, tmp_path, each)) for each in NAMES]
        while any(daemon.process.poll() is None for daemon in daemons):
            pooler.command("RECONNECT")
            reconnects += 1
            backends |= backend_pids(database)
            time.sleep(0.2)
        for daemon in daemons:
            assert daemon.wait() == 0, daemon.output
            assert "prepared statement" not in daemon.output
    assert len(backends) > 5 * SERVER_CONNECTIONS, "hardly any connection was renewed"
    record_property("reconnects, server connections seen", f"{reconnects}, {len(backends)}")
    assert left_over(redis_url, library.stream(case)) == (0, 0)
    status, said = library.compare(database, case, "--order-free")
    assert status == 0, said
    server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_dead_letters_are_handled_behind_it(
    behind: tuple[str, Bouncer], redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """More commands at once than it has server connections, each with many transactions."""
    database, pooler = behind
    keep(database, [letter(b"%d" % n, f"{n}-0", "bad_rev" if n % 2 else "not_json") for n in range(100)])
    for name, text in environment(pooler.url(database), redis_url).items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(letters, "PORTION", 7)
    assert cli.main(["dlq", "ls"]) == 0
    assert "100 dead letters, 2 causes" in capsys.readouterr().out
    with ThreadPoolExecutor() as threads:
        assert [*threads.map(cli.main, [["dlq", "retry", "--all"]] * 4)] == [0] * 4
    assert settled(database) == 0
    with redis.Redis.from_url(redis_url) as client:
        entries: Any = client.xrange("firehose_live")
    assert {fields[b"event"] for _, fields in entries} == {b"%d" % n for n in range(100)}


async def test_statement_cache_is_off_behind_it_and_on_without(behind: tuple[str, Bouncer]) -> None:
    """Left to itself, `open_pool` finds out; what the operator sets counts (interface.md)."""
    database, pooler = behind
    assert await prepared(pooler.url(database), None) == 0
    assert await prepared(database, None) > 0
    assert await prepared(database, 0) == 0


async def prepared(url: str, statement_cache: int | None) -> int:
    """How many statements are kept prepared in a session that ran some."""
    pool = await open_pool(url, "one", 1, 1, statement_cache)
    try:
        async with pool.acquire() as connection, connection.transaction():
            for number in range(3):
                await connection.fetchval(f"SELECT $1::int + {number}", number)
            found: int = await connection.fetchval("SELECT count(*) FROM pg_prepared_statements")
            return found
    finally:
        await pool.close()


def instance(
    url: str, redis_url: str, folder: Path, name: str, *, drain: bool = True
) -> AbstractContextManager[Daemon]:
    environment = {"INDEXER_BATCH_SIZE": "20", "DB_POOL_MAX_SIZE": "4"}
    flags = ("--drain",) if drain else ()
    return running(url, redis_url, folder, *flags, consumer=name, environment=environment)


def undisturbed(daemon: Daemon) -> None:
    """Nothing failed on the way: no session was missed."""
    assert [line for line in daemon.lines() if line["level"] in ("warning", "error")] == []


def settled(database: str) -> int:
    """Records and dead letters: what has become of the messages so far."""
    query = "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM indexer.dead_letter)"
    return asyncio.run(_value(database, query))


def server_connections(database: str) -> int:
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return asyncio.run(_value(database, others))


def backend_pids(database: str) -> set[int]:
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return {row["pid"] for row in asyncio.run(query(database, others))}


async def _value(database: str, query: str) -> int:
    connection = await asyncpg.connect(database)
    try:
        found: int = await connection.fetchval(query)
        return found
    finally:
        await connection.close()


def pending(redis_url: str, stream: str, name: str) -> int:
    """How many entries a consumer was given and has not settled."""
    with redis.Redis.from_url(redis_url) as client:
        consumers: list[dict[str, Any]] = client.xinfo_consumers(stream, GROUP)
        return sum(int(each["pending"]) for each in consumers if each["name"] == name.encode())


@pytest.mark.long
async def test_faults_are_found_and_mended_behind_it(
    behind: tuple[str, Bouncer], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, pooler = behind
    monkeypatch.setattr(walk, "SECOND_LOOK_S", 0.01)
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute(f"""UPDATE post_agg SET "likeCount" = 7; DELETE FROM "like" WHERE uri = '{LIKE}'""")
        only = ("like", "aggregates")
        url = pooler.url(database)
        assert {"like.missing", "post_agg.likeCount"} <= (await verify(url, *only)).keys()
        await reconcile(url, only)
        assert await wrong_counters(sink.pool) == []
        assert await verify(url, *only) == {}
