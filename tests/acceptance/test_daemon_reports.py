"""What the daemon says of itself: metrics, log lines, health, and the end of a drain."""

import asyncio
from pathlib import Path

import redis

from indexer import embedded
from indexer.metrics import Metrics
from tests.acceptance.daemon import GROUP, count, feed, left_over, query, refuse, run_once, running
from tests.messages import A, B, create, like, like_uri, post, post_uri
from tests.oracle import library

CANARY = "pa55-canary"


def test_every_series_is_there_and_zero_at_start(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        found = daemon.metrics()
        assert daemon.get("/livez") == (200, "ok\n")
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.get("/other")[0] == 404
    declared = {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in Metrics(("firehose_live", "firehose_backfill", "label_live")).registry.collect()
        if family.name.startswith("indexer_")
        for sample in family.samples
    }
    assert {key for key in found if key[0].startswith("indexer_")} == declared
    # those that tell of the start itself
    moved = ("indexer_build_info", "indexer_db_connections", "indexer_lane_state")
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


def test_programming_error_halts_the_lane_and_acknowledges_nothing(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(refuse(database, "like", "42501"))
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
    asyncio.run(refuse(database, "like", "42501"))
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
