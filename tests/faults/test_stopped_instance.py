"""A process that stands still for longer than its lease (SIGSTOP, a machine that is moved) and then goes on."""

import asyncio
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from indexer.daemon import lease
from tests.acceptance.daemon import Daemon, feed, left_over, query, running
from tests.faults.truth import STREAM, equals, index_alone, traffic

QUICK = {
    "indexer.daemon.lease:LENGTH_S": 1.5,
    "indexer.daemon.lease:RENEWAL_S": 0.3,
    "indexer.lane.pipeline:LOOK_AGAIN_S": 1,
}
SIZE = {"INDEXER_BATCH_SIZE": "5"}
LONGER_THAN_LEASE = pytest.mark.parametrize(
    "settings",
    [pytest.param(QUICK, id="quick"), pytest.param({}, id="as_in_production", marks=pytest.mark.long)],
)
OPEN = """SELECT state FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'indexer/one' AND state LIKE 'idle in transaction%'"""
"""Transactions of the first process that wait for its next statement."""


def stopped_in_a_transaction(daemon: Daemon, database: str) -> None:
    """Stop it (SIGSTOP) in the middle of a batch."""
    while True:
        daemon.process.send_signal(signal.SIGSTOP)
        if asyncio.run(query(database, OPEN)):
            return
        daemon.process.send_signal(signal.SIGCONT)
        time.sleep(0.01)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_another_works_meanwhile_and_both_go_on(
    database: str, other_database: str, redis_url: str, tmp_path: Path
) -> None:
    messages = traffic(500, accounts=200)
    index_alone(other_database, redis_url, tmp_path, messages)
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(running(database, redis_url, tmp_path, consumer=name, environment=SIZE))
            for name in ("one", "two")
        )
        one.started()
        two.started()
        feed(redis_url, STREAM, messages)
        two.until(lambda: left_over(redis_url, STREAM)[0] < len(messages) - 50)
        stopped_in_a_transaction(one, database)
        stopped_at = time.monotonic()
        two.until(lambda: time.monotonic() - stopped_at > 1.2 * lease.LENGTH_S)
        one.process.send_signal(signal.SIGCONT)
        two.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert one.stop() == 0, one.output
        assert two.stop() == 0, two.output
    equals(database, other_database, messages, in_stream_order=False)


@LONGER_THAN_LEASE
@pytest.mark.timeout(180)
def test_another_took_its_name_and_it_leaves(
    database: str, other_database: str, redis_url: str, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Both had the same messages in hand, the first still holds its locks, and it reads on until it notices."""
    messages = traffic(500, accounts=200)
    index_alone(other_database, redis_url, tmp_path, messages)
    with ExitStack() as stack:

        def start() -> Daemon:
            return stack.enter_context(running(database, redis_url, tmp_path, environment=SIZE, settings=settings))

        one = start()
        one.started()
        feed(redis_url, STREAM, messages)
        one.until(lambda: left_over(redis_url, STREAM)[0] < len(messages) - 50)
        stopped_in_a_transaction(one, database)
        time.sleep(1)  # the next is to find a lease that runs out, not one that was just renewed
        successor = start()
        successor.until(lambda: bool(successor.lines("started")))
        one.process.send_signal(signal.SIGCONT)
        assert one.wait() == 78, one.output
        successor.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert successor.stop() == 0, successor.output
    equals(database, other_database, messages, in_stream_order=False)  # for a moment there were two


@pytest.mark.long
def test_server_that_ended_its_transaction_meanwhile_is_no_fault(
    database: str, other_database: str, redis_url: str, tmp_path: Path
) -> None:
    """idle_in_transaction_session_timeout (25P03): the batch is done again."""
    messages = traffic(400, accounts=100)
    index_alone(other_database, redis_url, tmp_path, messages)
    name = database.partition("?")[0].rpartition("/")[2]
    asyncio.run(query(database, f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '300ms'"))
    with running(database, redis_url, tmp_path, environment=SIZE) as daemon:
        daemon.started()
        feed(redis_url, STREAM, messages)
        daemon.until(lambda: left_over(redis_url, STREAM)[0] < len(messages) - 50)
        stopped_in_a_transaction(daemon, database)
        until_gone(database)
        daemon.process.send_signal(signal.SIGCONT)
        daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert daemon.stop() == 0, daemon.output
    assert not daemon.lines("lane_halted")
    equals(database, other_database, messages, in_stream_order=True)


def until_gone(database: str) -> None:
    """Return when the server has ended the transaction."""
    while asyncio.run(query(database, OPEN)):
        time.sleep(0.05)
