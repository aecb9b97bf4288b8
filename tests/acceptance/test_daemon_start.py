"""What the daemon needs to start, and what it says when that is missing (interface.md, exit codes)."""

import asyncio
from pathlib import Path

import pytest

from indexer import embedded
from tests.acceptance.daemon import count, feed, left_over, query, run_once, running
from tests.messages import A, create, post, post_uri

CANARY = "pa55-canary"


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


def test_metrics_port_that_is_taken_ends_the_start(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path) as first:
        first.started()
        port = str(first.lines("started")[0]["metrics_port_bound"])
        with running(database, redis_url, tmp_path, consumer="two", environment={"METRICS_PORT": port}) as second:
            assert second.wait() == 78
    assert "METRICS_PORT" in second.output


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
