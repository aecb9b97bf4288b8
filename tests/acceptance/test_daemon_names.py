"""Processes that are killed, and the names they had."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.daemon import Daemon, feed, left_over, running
from tests.messages import A, create, post, post_uri
from tests.oracle import library


def posts(first: int, number: int) -> list[bytes]:
    return [create(post_uri(A, f"p{n}"), post(str(n))) for n in range(first, first + number)]


def is_drained(redis_url: str) -> bool:
    return left_over(redis_url, "firehose_live") == (0, 0)


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


@pytest.mark.long
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
