"""Servers that go and come back, and processes that are killed: the daemon goes on, nothing is lost."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from indexer import embedded
from indexer.schema import create as schema
from tests.acceptance.daemon import Daemon, count, feed, left_over, running
from tests.messages import A, create, label, label_message, post, post_uri
from tests.oracle import library

KEPT = {"appendonly": "yes", "appendfsync": "always", "save": ""}
"""Settings of a Redis whose data outlives it."""


def posts(first: int, number: int) -> list[bytes]:
    return [create(post_uri(A, f"p{n}"), post(str(n))) for n in range(first, first + number)]


def is_drained(redis_url: str) -> bool:
    return left_over(redis_url, "firehose_live") == (0, 0)


def test_redis_that_restarts_loses_nothing(database: str, tmp_path: Path) -> None:
    messages = library.messages("real-posts")
    with (
        embedded.redis(KEPT) as server,
        running(database, server.url, tmp_path, environment={"INDEXER_BATCH_SIZE": "30"}) as daemon,
    ):
        feed(server.url, "firehose_live", messages)
        daemon.until(lambda: left_over(server.url, "firehose_live")[0] < len(messages))
        server.stop()
        daemon.until(lambda: bool(daemon.lines("redis_away")))
        assert daemon.get("/readyz")[0] == 503, "it cannot make progress"
        assert daemon.get("/livez")[0] == 200, "a restart would not help"
        server.start()
        daemon.until(lambda: is_drained(server.url))
        daemon.until(lambda: daemon.get("/readyz")[0] == 200)
        assert daemon.stop() == 0
    status, said = library.compare(database, "real-posts")
    assert status == 0, said


def test_redis_that_comes_back_empty_gets_its_group_again(database: str, tmp_path: Path) -> None:
    with embedded.redis() as server, running(database, server.url, tmp_path) as daemon:
        feed(server.url, "firehose_live", posts(0, 3))
        daemon.until(lambda: count(database, "post") == 3)
        server.stop()
        server.start()
        feed(server.url, "firehose_live", posts(3, 3))
        daemon.until(lambda: count(database, "post") == 6)
        daemon.until(lambda: is_drained(server.url))
        assert daemon.stop() == 0


@pytest.mark.parametrize("how", ["destroy", "delete", "flush"])
def test_group_that_is_gone_is_made_again(database: str, redis_url: str, tmp_path: Path, how: str) -> None:
    """Under a daemon that waits for news (P10)."""
    with running(database, redis_url, tmp_path) as daemon:
        feed(redis_url, "firehose_live", posts(0, 3))
        daemon.until(lambda: count(database, "post") == 3)
        with redis.Redis.from_url(redis_url) as client:
            match how:
                case "destroy":
                    client.xgroup_destroy("firehose_live", "firehose_group")
                case "delete":
                    client.delete("firehose_live")
                case "flush":
                    client.flushdb()
        feed(redis_url, "firehose_live", posts(3, 3))
        daemon.until(lambda: count(database, "post") == 6)
        daemon.until(lambda: is_drained(redis_url))
        assert "firehose_live" in {line["stream"] for line in daemon.lines("group_lost")}
        assert daemon.metrics()["indexer_groups_lost_total", (("stream", "firehose_live"),)] == 1
        assert daemon.stop() == 0


@pytest.mark.parametrize("flags", [("--drain",), ()])
def test_redis_that_is_full_is_drained(database: str, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """At maxmemory XGROUP CREATE is refused although the group is there; only the consumer can make room (P17).

    The stream of backfill is not there: its group is made as soon as there is room.
    """
    with embedded.redis({"maxmemory-policy": "noeviction"}) as server, redis.Redis.from_url(server.url) as client:
        client.xgroup_create("firehose_live", "firehose_group", id="0", mkstream=True)
        client.xgroup_create("label_live", "label_group", id="0", mkstream=True)
        feed(server.url, "firehose_live", posts(0, 2000))
        feed(server.url, "label_live", [label_message(label(val=f"v{n}")) for n in range(500)])
        client.config_set("maxmemory", "1mb")
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.xgroup_create("firehose_live", "firehose_group", id="0")
        with running(database, server.url, tmp_path, *flags) as daemon:
            if flags:
                assert daemon.wait() == 0, daemon.output
            else:
                daemon.until(lambda: is_drained(server.url) and left_over(server.url, "label_live") == (0, 0))
                client.config_set("maxmemory", "0")
                daemon.until(lambda: daemon.get("/readyz")[0] == 200)
                assert client.xinfo_groups("firehose_backfill")
                assert daemon.stop() == 0
        assert is_drained(server.url)
        assert left_over(server.url, "label_live") == (0, 0)
    assert (count(database, "post"), count(database, "label")) == (2000, 500)


def test_postgres_that_restarts_loses_nothing(tmp_path: Path, redis_url: str) -> None:
    messages = library.messages("real-posts")
    with embedded.postgres({"fsync": "off"}) as server:
        database = server.create_database("indexed")
        asyncio.run(schema.create(database, "public"))
        with running(database, redis_url, tmp_path, environment={"INDEXER_BATCH_SIZE": "10"}) as daemon:
            feed(redis_url, "firehose_live", messages[:700])
            daemon.until(lambda: left_over(redis_url, "firehose_live")[0] < 700)
            server.stop()
            feed(redis_url, "firehose_live", messages[700:])
            daemon.until(lambda: bool(daemon.lines("database_away")))
            assert left_over(redis_url, "firehose_live")[1] > 0, "what is in hand is kept"
            server.start()
            daemon.until(lambda: is_drained(redis_url))
            assert daemon.stop() == 0
        status, said = library.compare(database, "real-posts")
    assert status == 0, said


@pytest.fixture
def killed(database: str, redis_url: str, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon that was killed in the middle of a stream."""
    messages = library.messages("real-posts")
    with running(database, redis_url, tmp_path, environment={"INDEXER_BATCH_SIZE": "4"}) as daemon:
        feed(redis_url, "firehose_live", messages)
        daemon.until(lambda: left_over(redis_url, "firehose_live")[0] < len(messages) - 50)
        daemon.kill()
        assert left_over(redis_url, "firehose_live")[1] > 0, "it held messages"
        yield daemon


def test_killed_daemon_is_replaced_under_its_name_and_nothing_is_lost(
    killed: Daemon, database: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database, redis_url, tmp_path, "--drain") as successor:
        assert successor.wait() == 0, successor.output
    (taken,) = successor.lines("lease_taken")
    assert taken["pid"] == killed.process.pid
    assert left_over(redis_url, "firehose_live") == (0, 0)
    status, said = library.compare(database, "real-posts")
    assert status == 0, said


def test_second_process_with_the_name_ends_with_78_and_names_the_first(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    with running(database, redis_url, tmp_path) as first:
        first.started()
        with running(database, redis_url, tmp_path) as second:
            assert second.wait() == 78
        assert str(first.process.pid) in second.output
        assert socket.gethostname() in second.output
        assert "INDEXER_CONSUMER" in second.output
        assert os.getpid() != first.process.pid
        assert first.process.poll() is None, "the first goes on"
        feed(redis_url, "firehose_live", posts(0, 1))
        first.until(lambda: is_drained(redis_url))
        assert first.stop() == 0


def test_name_is_free_at_once_after_an_orderly_stop(database: str, redis_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        with running(database, redis_url, tmp_path) as daemon:
            daemon.started()
            assert not daemon.lines("lease_taken")
            assert daemon.stop(signal.SIGTERM) == 0
