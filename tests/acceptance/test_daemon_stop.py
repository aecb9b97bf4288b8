"""How the daemon stops: what it finishes, and what it leaves to the next one."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.daemon import count, feed, left_over, query, run_once, running
from tests.messages import A, create, post, post_uri
from tests.oracle import library

CASE = "real-posts"


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
    assert asyncio.run(query(database, "SELECT 1 FROM indexer.lease")) == [], "it held nothing"


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
    lease = "SELECT expires_at <= now() FROM indexer.lease WHERE consumer = 'one'"
    assert [row[0] for row in asyncio.run(query(database, lease))] == [True], "others see whose it was"


def test_grace_time_that_is_over_ends_it_with_75(database: str, redis_url: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        blocker = stack.enter_context(_lock_held(database, "LOCK TABLE record IN ACCESS EXCLUSIVE MODE"))
        daemon = stack.enter_context(running(database, redis_url, tmp_path, environment={"INDEXER_GRACE_SECONDS": "0"}))
        feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
        daemon.until(lambda: blocker() == 1)
        assert daemon.stop() == 75
    assert left_over(redis_url, "firehose_live") == (1, 1)


def test_sigterm_while_it_waits_for_a_server_ends_it_in_order(database: str, tmp_path: Path) -> None:
    with running(database, f"unix://{tmp_path}/gone.sock", tmp_path, "--wait") as daemon:
        daemon.until(lambda: bool(daemon.lines("waiting_for_server")))
        assert daemon.stop() == 0


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
