"""The daemon as a process: how it starts, stops, reports, and what it refuses."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest
import redis

from indexer import embedded
from indexer.metrics import Metrics
from tests.acceptance.daemon import GROUP, Daemon, feed, left_over, running
from tests.messages import A, B, create, like, like_uri, post, post_uri
from tests.oracle import library

CANARY = "pa55-canary"
CASE = "real-posts"


def run_once(database: str, redis_url: str, folder: Path, *flags: str, **environment: str) -> Daemon:
    """A daemon that ended by itself."""
    with running(database, redis_url, folder, *flags, environment=environment) as daemon:
        daemon.wait()
    return daemon


async def query(database: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def count(database: str, table: str) -> int:
    number: int = asyncio.run(query(database, f'SELECT count(*) FROM "{table}"'))[0][0]
    return number


def test_sigterm_finishes_the_batch_in_hand_and_loses_nothing(database: str, redis_url: str, tmp_path: Path) -> None:
    messages = library.messages(CASE)
    feed(redis_url, "firehose_live", messages)
    environment = {"INDEXER_BATCH_SIZE": "4"}
    with running(database, redis_url, tmp_path, environment=environment) as daemon:
        daemon.until(lambda: left_over(redis_url, "firehose_live")[0] < len(messages))
        assert daemon.stop() == 0
    left, pending = left_over(redis_url, "firehose_live")
    assert 0 < left < len(messages), "the signal came too late to show anything"
    assert pending == 0, "what was read was also finished"
    # a post and nothing else a message: what is settled is there, what is there is settled
    assert count(database, "record") == len(messages) - left
    assert daemon.lines("stopped")[0]["messages"] == len(messages) - left
    run_once(database, redis_url, tmp_path, "--drain")
    assert left_over(redis_url, "firehose_live") == (0, 0)
    status, said = library.compare(database, CASE)
    assert status == 0, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_daemon_stops_with_0(database: str, redis_url: str, tmp_path: Path, number: signal.Signals) -> None:
    with running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        assert daemon.stop(number) == 0


def test_second_signal_stops_at_once_with_75(database: str, redis_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        blocker = stack.enter_context(_lock_held(database, "LOCK TABLE record IN ACCESS EXCLUSIVE MODE"))
        daemon = stack.enter_context(running(database, redis_url, tmp_path))
        feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
        daemon.until(lambda: blocker() == 1)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until(lambda: bool(daemon.lines("stopping")))
        assert daemon.stop() == 75
    assert left_over(redis_url, "firehose_live") == (1, 1), "nothing was acknowledged"


def test_grace_time_that_is_over_ends_it_with_75(database: str, redis_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        blocker = stack.enter_context(_lock_held(database, "LOCK TABLE record IN ACCESS EXCLUSIVE MODE"))
        daemon = stack.enter_context(running(database, redis_url, tmp_path, environment={"INDEXER_GRACE_SECONDS": "0"}))
        feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
        daemon.until(lambda: blocker() == 1)
        assert daemon.stop() == 75
    assert left_over(redis_url, "firehose_live") == (1, 1)


def test_missing_own_schema_ends_the_start_and_names_the_remedy(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(query(database, "DROP SCHEMA indexer CASCADE"))
    daemon = run_once(database, redis_url, tmp_path)
    assert daemon.process.returncode == 78
    assert "indexer schema create" in daemon.output


def test_empty_database_ends_the_start_and_gets_no_table(empty_database: str, redis_url: str, tmp_path: Path) -> None:
    daemon = run_once(empty_database, redis_url, tmp_path, "--drain")
    assert daemon.process.returncode == 78
    assert "indexer schema create" in daemon.output
    made = "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert asyncio.run(query(empty_database, made)) == []


def test_missing_column_ends_the_start_and_is_named(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(query(database, 'ALTER TABLE post DROP COLUMN "hasThreadGate"'))
    daemon = run_once(database, redis_url, tmp_path)
    assert daemon.process.returncode == 78
    assert "public.post.hasThreadGate" in daemon.output


@pytest.mark.parametrize("missing", ["DB_POSTGRES_URL", "REDIS_HOST", "INDEXER_CONSUMER"])
def test_missing_setting_ends_the_start(database: str, redis_url: str, tmp_path: Path, missing: str) -> None:
    daemon = run_once(database, redis_url, tmp_path, **{missing: ""})
    assert daemon.process.returncode == 78
    assert missing in daemon.output


def test_postgres_that_is_away_at_start_is_69(redis_url: str, tmp_path: Path) -> None:
    url = f"postgresql://postgres:{CANARY}@/gone?host={tmp_path}"
    daemon = run_once(url, redis_url, tmp_path)
    assert daemon.process.returncode == 69
    assert CANARY not in daemon.output


def test_redis_that_is_away_at_start_is_69(database: str, tmp_path: Path) -> None:
    daemon = run_once(database, f"unix://:{CANARY}@{tmp_path}/gone.sock", tmp_path)
    assert daemon.process.returncode == 69
    assert CANARY not in daemon.output


def test_wait_waits_for_a_redis_that_comes_later(database: str, tmp_path: Path) -> None:
    with embedded.redis() as server:
        server.stop()
        with running(database, server.url, tmp_path, "--wait") as daemon:
            daemon.until(lambda: bool(daemon.lines("waiting_for_server")))
            server.start()
            feed(server.url, "firehose_live", [create(post_uri(A, "p"), post())])
            daemon.until(lambda: left_over(server.url, "firehose_live") == (0, 0))
            assert daemon.stop() == 0
    assert count(database, "post") == 1


def test_sigterm_while_it_waits_for_a_server_ends_it_in_order(database: str, tmp_path: Path) -> None:
    with running(database, f"unix://{tmp_path}/gone.sock", tmp_path, "--wait") as daemon:
        daemon.until(lambda: bool(daemon.lines("waiting_for_server")))
        assert daemon.stop() == 0


def test_metrics_port_that_is_taken_ends_the_start(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path) as first:
        first.started()
        port = str(first.lines("started")[0]["metrics_port_bound"])
        with running(database, redis_url, tmp_path, consumer="two", environment={"METRICS_PORT": port}) as second:
            assert second.wait() == 78
    assert "METRICS_PORT" in second.output


def test_every_series_is_there_and_zero_at_start(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        found = daemon.metrics()
        assert daemon.get("/livez") == (200, "ok\n")
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.get("/other")[0] == 404
    declared = {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in Metrics(("firehose_live", "firehose_backfill")).registry.collect()
        if family.name.startswith("indexer_")
        for sample in family.samples
    }
    assert {key for key in found if key[0].startswith("indexer_")} == declared
    # those that tell of the start itself
    moved = ("indexer_build_info", "indexer_db_connections")
    zero = [key for key in declared if not key[0].endswith("_created") and key[0] not in moved]
    assert {key: found[key] for key in zero if found[key]} == {}
    assert [value for (name, _), value in found.items() if name == "indexer_build_info"] == [1]


def test_start_is_logged_with_what_it_runs_on_and_no_password(tmp_path: Path, database: str) -> None:
    """Passwords in both URLs, at the most talkative level, over a start, work, an outage and a stop (lessons L-48)."""
    secret_database = database.replace("postgres@", f"postgres:{CANARY}@")
    assert CANARY in secret_database
    with embedded.redis() as server:
        with redis.Redis.from_url(server.url) as client:
            client.config_set("requirepass", CANARY)
        secret_redis = server.url.replace("unix://", f"unix://:{CANARY}@")
        environment = {"LOG_LEVEL": "debug"}
        with running(secret_database, secret_redis, tmp_path, environment=environment) as daemon:
            daemon.started()
            feed(secret_redis, "firehose_live", [create(post_uri(A, "p"), post())])
            daemon.until(lambda: left_over(secret_redis, "firehose_live") == (0, 0))
            server.stop()
            daemon.until(lambda: bool(daemon.lines("redis_away")))
            assert daemon.stop() == 0
    started = daemon.lines("started")[0]
    assert started["consumer"] == "one"
    assert started["group"] == GROUP
    assert started["streams"] == ["firehose_live", "firehose_backfill"]
    assert started["version"]
    assert started["postgres_url"].startswith("postgresql://postgres:***@")
    assert CANARY not in daemon.output


def test_bad_url_is_refused_without_its_password(redis_url: str, tmp_path: Path) -> None:
    daemon = run_once(f"mysql://root:{CANARY}@host/db", redis_url, tmp_path)
    assert daemon.process.returncode == 78
    assert "DB_POSTGRES_URL" in daemon.output
    assert CANARY not in daemon.output


def test_unknown_variable_is_warned_about_with_a_suggestion(database: str, redis_url: str, tmp_path: Path) -> None:
    daemon = run_once(database, redis_url, tmp_path, "--drain", INDEXER_BATCHSIZE="7")
    assert daemon.process.returncode == 0
    (warning,) = daemon.lines("configuration")
    assert "INDEXER_BATCHSIZE" in warning["detail"]
    assert "INDEXER_BATCH_SIZE" in warning["detail"]


def test_programming_error_halts_the_lane_and_acknowledges_nothing(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(_refuse(database, "like", "42501"))
    feed(redis_url, "firehose_live", [create(like_uri(A, "l"), like(post_uri(B, "p")))])
    with running(database, redis_url, tmp_path) as daemon:
        daemon.until(lambda: bool(daemon.lines("lane_halted")))
        status, said = daemon.get("/readyz")
        assert status == 503
        assert "firehose_live" in said
        assert daemon.get("/livez")[0] == 200, "a restart would not help"
        daemon.stop()
    assert left_over(redis_url, "firehose_live") == (1, 1)
    assert count(database, "record") == 0
    assert count_letters(database) == 0


def test_drain_with_a_halted_lane_ends_with_1_and_the_reason(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(_refuse(database, "like", "42501"))
    feed(redis_url, "firehose_live", [create(like_uri(A, "l"), like(post_uri(B, "p")))])
    feed(redis_url, "firehose_backfill", [create(post_uri(A, "p"), post(), seq=-2)])
    daemon = run_once(database, redis_url, tmp_path, "--drain")
    assert daemon.process.returncode == 1
    (halted,) = daemon.lines("lane_halted")
    assert halted["stream"] == "firehose_live"
    assert "refused by a test" in str(halted["error"])
    assert left_over(redis_url, "firehose_live") == (1, 1)
    assert left_over(redis_url, "firehose_backfill") == (0, 0), "the other lane went on"
    assert count(database, "post") == 1


def test_backlog_and_live_are_drained_together(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, "firehose_live", library.messages("real-scenarios"))
    feed(redis_url, "firehose_backfill", library.messages("real-repos"))
    daemon = run_once(database, redis_url, tmp_path, "--drain")
    assert daemon.process.returncode == 0
    assert left_over(redis_url, "firehose_live") == (0, 0)
    assert left_over(redis_url, "firehose_backfill") == (0, 0)
    total = len(library.messages("real-scenarios")) + len(library.messages("real-repos"))
    assert daemon.lines("stopped")[0]["messages"] == total


def test_connections_carry_the_consumers_name(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path, consumer="box-7") as daemon:
        daemon.started()
        names = "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database()"
        found = {row[0] for row in asyncio.run(query(database, names))}
    assert "indexer/box-7" in found


def count_letters(database: str) -> int:
    return len(asyncio.run(query(database, "SELECT 1 FROM indexer.dead_letter")))


@contextmanager
def _lock_held(database: str, statement: str) -> Iterator[Callable[[], int]]:
    """A transaction that stands in the daemon's way; gives a function that counts who waits for it."""
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(database))
    loop.run_until_complete(connection.execute(f"BEGIN; {statement}"))
    waiting = """SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE NOT granted AND datname = current_database()"""
    try:
        yield lambda: loop.run_until_complete(connection.fetchval(waiting))
    finally:
        loop.run_until_complete(connection.close())
        loop.close()


async def _refuse(database: str, table: str, sqlstate: str) -> None:
    """Make PostgreSQL refuse every insertion into a table."""
    await query(
        database,
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{sqlstate}'; END $$""",
    )
    await query(database, f'CREATE TRIGGER refuse BEFORE INSERT ON "{table}" EXECUTE FUNCTION refuse()')
