"""A stranger holds locks, and an observer of the server looks at how long our statements last."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.daemon import count, feed, left_over, query
from tests.faults.indexing import CASE, STREAM, nothing_is_lost, working
from tests.messages import label, label_message
from tests.oracle import library

LOCK_S, STATEMENT_S, COMMAND_S = 0.5, 1.0, 2.0
LIMITS = {
    "indexer.sink.statements:LOCK_TIMEOUT_MS": int(LOCK_S * 1000),
    "indexer.sink.statements:STATEMENT_TIMEOUT_MS": int(STATEMENT_S * 1000),
    "indexer.connections.database:COMMAND_TIMEOUT_S": COMMAND_S,
}
OURS = """
SELECT query LIKE '%indexer.lease%', extract(epoch FROM clock_timestamp() - query_start)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'indexer/%' AND state = 'active'
"""


class Observer:
    """The longest statement that was seen, by the server's clock: those on leases, and all others."""

    def __init__(self, database: str) -> None:
        self._database = database
        self.longest = {True: 0.0, False: 0.0}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()))

    async def _look(self) -> None:
        connection = await asyncpg.connect(self._database)
        while not self._stop.is_set():
            for of_leases, seconds in await connection.fetch(OURS):
                self.longest[of_leases] = max(self.longest[of_leases], seconds)
            await asyncio.sleep(0.05)
        await connection.close()

    @contextmanager
    def looking(self) -> Iterator["Observer"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            self._thread.join()


@contextmanager
def held(database: str, lock: str) -> Iterator[None]:
    """A lock, for the time of the block."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(database))
        try:
            runner.run(connection.execute(f"BEGIN; {lock}"))
            yield
        finally:
            runner.run(connection.close())


@pytest.mark.long
def test_no_statement_outlasts_its_limit(
    database: str, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Statements of the work end by the limits of their transaction, those on leases by that of the driver."""
    locks = {
        "SELECT 1 FROM record FOR UPDATE": "",
        "LOCK TABLE feed_item IN ACCESS EXCLUSIVE MODE": "",
        "LOCK TABLE post_agg IN EXCLUSIVE MODE": "",
        "LOCK TABLE indexer.lease IN ACCESS EXCLUSIVE MODE": "lease_not_renewed",
    }
    messages = library.messages(CASE)
    part = len(messages) // len(locks)
    observer = Observer(database)
    with working(database, redis_url, tmp_path, size=100, settings=LIMITS) as daemon, observer.looking():
        feed(redis_url, STREAM, messages[:50])
        daemon.until(lambda: count(database, "record") == 50)
        for number, (lock, told) in enumerate(locks.items()):
            with held(database, lock):
                feed(redis_url, STREAM, messages[number * part : (number + 1) * part])  # the first 50 once more
                if told:
                    daemon.until(lambda told=told: len(daemon.lines(told)) > 1)  # type: ignore[misc]
                else:
                    daemon.until(lambda: "waits for PostgreSQL (55P03" in daemon.get("/readyz")[1])
                feed(redis_url, "label_live", [label_message(label(val=f"v{number}"))])
                daemon.until(lambda number=number: count(database, "label") == number + 1)  # type: ignore[misc]
        feed(redis_url, STREAM, messages[len(locks) * part :])
        daemon.until(lambda: left_over(redis_url, "label_live") == (0, 0))
        asyncio.run(query(database, "DELETE FROM label"))  # which the reference has none of
        nothing_is_lost(daemon, database, redis_url)
    work, leases = observer.longest[False], observer.longest[True]
    record_property("longest statement of the work and on leases, s", f"{work:.2f}, {leases:.2f}")
    assert LOCK_S * 0.9 < work < STATEMENT_S + 1
    assert COMMAND_S * 0.9 < leases < COMMAND_S + 1
