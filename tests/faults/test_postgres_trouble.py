"""PostgreSQL goes, comes back, refuses, kills connections, is full or read-only: nothing is lost, nothing dies."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from indexer import cli, embedded
from indexer.schema import create
from tests.acceptance.daemon import Daemon, count, feed, left_over, query, running
from tests.conftest import POSTGRES_SETTINGS
from tests.faults.indexing import CASE, STREAM, dead_letters, feed_and_wait, nothing_is_lost, working
from tests.faults.proxy import COMMIT, Break, Latency, Slices, proxied
from tests.messages import label, label_message
from tests.oracle import library

MOST_CONNECTIONS = 1.5
"""A second, that a process tries where there is no server."""


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Postgres]:
    """A server that tests may do anything to."""
    # a server that is killed must not lose what it said was committed; the machine is not
    with embedded.postgres({**POSTGRES_SETTINGS, "synchronous_commit": "on"}) as found:
        asyncio.run(create.create(found.create_database("template_trouble"), "public"))
        yield found


@pytest.fixture
def own_database(server: embedded.Postgres, tmp_path: Path) -> str:
    return server.create_database(f"trouble_{tmp_path.name}", "template_trouble")


def run(database: str, script: str) -> None:
    """Run statements over a connection of their own."""

    async def execute() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute(script)
        await connection.close()

    asyncio.run(execute())


def terminate(database: str) -> int:
    """Kill the daemon's connections; how many."""
    statement = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'indexer/%'"""
    return len(asyncio.run(query(database, statement)))


def waits_alive(daemon: Daemon, sqlstate: str) -> None:
    """It says what it waits for, and that a restart would not help; it holds on to what it has."""
    daemon.started()
    daemon.until(lambda: f"waits for PostgreSQL ({sqlstate}" in daemon.get("/readyz")[1])
    assert daemon.get("/readyz")[0] == 503
    assert daemon.get("/livez")[0] == 200


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGQUIT])
def test_restart(
    server: embedded.Postgres, own_database: str, redis_url: str, tmp_path: Path, how: signal.Signals
) -> None:
    """In order, and at once, as after a crash."""
    messages = library.messages(CASE)
    with working(own_database, redis_url, tmp_path) as daemon:
        feed(redis_url, STREAM, messages[:700])
        daemon.until(lambda: left_over(redis_url, STREAM)[0] < 700)
        os.kill(server.pid, how)
        server.stop()
        feed(redis_url, STREAM, messages[700:])
        waits_alive(daemon, "")
        assert left_over(redis_url, STREAM)[1] > 0, "what is in hand is kept"
        server.start()
        nothing_is_lost(daemon, own_database, redis_url)


@pytest.mark.long
def test_pause_outlives_a_restart_of_the_server(
    server: embedded.Postgres, own_database: str, redis_url: str, tmp_path: Path
) -> None:
    """It stays paused while it cannot ask, and hears afterwards that it may go on."""
    with working(own_database, redis_url, tmp_path) as daemon:
        daemon.started()
        assert cli.main(["pause", "--consumer", "one", "--postgres-url", own_database]) == 0
        server.stop()
        feed(redis_url, STREAM, library.messages(CASE))
        daemon.until(lambda: bool(daemon.lines("lease_not_renewed")))
        assert daemon.get("/livez")[0] == 200
        server.start()
        assert cli.main(["rate", "off", "--consumer", "one", "--postgres-url", own_database]) == 0
        assert left_over(redis_url, STREAM) == (len(library.messages(CASE)), 0)
        assert cli.main(["resume", "--consumer", "one", "--postgres-url", own_database]) == 0
        nothing_is_lost(daemon, own_database, redis_url)


def test_failover_to_a_standby_that_is_promoted_later(
    server: embedded.Postgres, own_database: str, redis_url: str, tmp_path: Path
) -> None:
    """Until then it answers, but takes nothing (25006)."""
    (row,) = asyncio.run(query(own_database, "SHOW data_directory"))
    with working(own_database, redis_url, tmp_path) as daemon:
        feed_and_wait(daemon, redis_url)
        server.stop()
        (Path(row[0]) / "standby.signal").touch()
        starting = threading.Thread(target=server.start)  # which returns when it is no standby any more
        starting.start()
        waits_alive(daemon, "25006")
        run(own_database, "SELECT pg_promote()")
        starting.join()
        nothing_is_lost(daemon, own_database, redis_url)


@pytest.mark.long
def test_server_that_is_away_is_not_besieged(
    server: embedded.Postgres,
    own_database: str,
    redis_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """By a process in which everything runs that can: three lanes, removal, look-ups, counting."""
    environment = {"INDEXER_BATCH_SIZE": "10", "ENABLE_DID_RESOLUTION": "true", "INDEXER_AGGREGATES": "recount"}
    seconds, streams = 15, (STREAM, "firehose_backfill", "label_live")
    with proxied(own_database) as proxy, running(proxy.url, redis_url, tmp_path, environment=environment) as daemon:
        daemon.started()
        server.stop()
        proxy.reset_all()
        feed(redis_url, STREAM, library.messages(CASE))
        feed(redis_url, "firehose_backfill", library.messages(CASE))
        feed(redis_url, "label_live", [label_message(label())])
        daemon.until(lambda: daemon.get("/readyz")[1].count("waits for PostgreSQL") == len(streams))
        held, before = [left_over(redis_url, stream) for stream in streams], len(proxy.arrivals)
        time.sleep(seconds)
        rate = (len(proxy.arrivals) - before) / seconds
        assert [left_over(redis_url, stream) for stream in streams] == held, "nothing was acknowledged"
        assert 0.2 < rate < MOST_CONNECTIONS
        server.start()
        daemon.until(lambda: all(left_over(redis_url, stream) == (0, 0) for stream in streams))
    assert dead_letters(own_database) == []
    record_property("connections tried a second", f"{rate:.1f}")


def test_connections_that_are_killed(own_database: str, redis_url: str, tmp_path: Path) -> None:
    messages = library.messages(CASE)
    with working(own_database, redis_url, tmp_path) as daemon:
        feed(redis_url, STREAM, messages)
        for left in range(1200, 0, -300):
            daemon.until(lambda left=left: left_over(redis_url, STREAM)[0] <= left)  # type: ignore[misc]
            assert terminate(own_database) > 0
        nothing_is_lost(daemon, own_database, redis_url)
    assert daemon.lines("database_away")


def test_locks_that_are_held(own_database: str, redis_url: str, tmp_path: Path) -> None:
    settings = {"indexer.sink.statements:LOCK_TIMEOUT_MS": 200}
    with asyncio.Runner() as runner, working(own_database, redis_url, tmp_path, settings=settings) as daemon:
        connection = runner.run(asyncpg.connect(own_database))
        runner.run(connection.execute("BEGIN; LOCK TABLE feed_item IN ACCESS EXCLUSIVE MODE"))
        feed(redis_url, STREAM, library.messages(CASE))
        waits_alive(daemon, "55P03")
        runner.run(connection.execute("COMMIT"))
        runner.run(connection.close())
        nothing_is_lost(daemon, own_database, redis_url)


@pytest.mark.parametrize("sqlstate", ["53100", pytest.param("25P04", marks=pytest.mark.long)])
def test_full_disk_and_the_like(own_database: str, redis_url: str, tmp_path: Path, sqlstate: str) -> None:
    run(
        own_database,
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END $$;
            CREATE TRIGGER trouble BEFORE INSERT ON post FOR EACH STATEMENT EXECUTE FUNCTION refuse()""",
    )
    with working(own_database, redis_url, tmp_path) as daemon:
        feed(redis_url, STREAM, library.messages(CASE))
        waits_alive(daemon, sqlstate)
        assert count(own_database, "post") == 0
        run(own_database, "DROP TRIGGER trouble ON post")
        nothing_is_lost(daemon, own_database, redis_url)


def test_too_many_connections(server: embedded.Postgres, own_database: str, redis_url: str, tmp_path: Path) -> None:
    """Those that it has are killed, and others are refused."""
    run(
        own_database,
        """CREATE ROLE indexer LOGIN;
        GRANT ALL ON SCHEMA public, indexer TO indexer;
        GRANT ALL ON ALL TABLES IN SCHEMA public, indexer TO indexer;
        GRANT ALL ON ALL SEQUENCES IN SCHEMA public, indexer TO indexer""",
    )
    url = own_database.replace("postgres@", "indexer@")
    with working(url, redis_url, tmp_path) as daemon:
        feed_and_wait(daemon, redis_url)
        run(own_database, "ALTER ROLE indexer CONNECTION LIMIT 0")
        terminate(own_database)
        waits_alive(daemon, "53300")
        run(own_database, "ALTER ROLE indexer CONNECTION LIMIT -1")
        nothing_is_lost(daemon, own_database, redis_url)


@pytest.mark.long
def test_slow_connection_in_slices(own_database: str, redis_url: str, tmp_path: Path) -> None:
    with proxied(own_database) as proxy, working(proxy.url, redis_url, tmp_path, size=500) as daemon:
        proxy.add(Latency(0.005), Slices(100))
        feed_and_wait(daemon, redis_url)
        nothing_is_lost(daemon, own_database, redis_url)
    assert not daemon.lines("database_away"), "slow is not away"


@pytest.mark.long
@pytest.mark.parametrize("seconds", [1, None])
@pytest.mark.timeout(240)
def test_half_open_connections(own_database: str, redis_url: str, tmp_path: Path, seconds: int | None) -> None:
    """Nothing comes any more and nobody says so; None: for as long as the daemon really waits."""
    settings = {"indexer.connections.database:COMMAND_TIMEOUT_S": seconds} if seconds else None
    with proxied(own_database) as proxy, working(proxy.url, redis_url, tmp_path, settings=settings) as daemon:
        proxy.add(Break("hang", "client", b"COPY", arrives=False, most=1))
        proxy.add(Break("hang", "server", COMMIT, arrives=False, most=1))
        feed_and_wait(daemon, redis_url)
        daemon.until(lambda: not proxy.idle_rules())
        nothing_is_lost(daemon, own_database, redis_url)
