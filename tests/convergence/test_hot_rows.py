"""Eight writers on twenty posts: they wait for each other, never in a circle, and every counter is right at the end."""

import asyncio
import urllib.parse
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest

from indexer import embedded
from indexer._native import Event, decode_events
from indexer.lane.decoding import decode
from indexer.lane.source import Message
from indexer.schema import create
from indexer.sink.commit import Sink
from indexer.sink.halving import Outcome
from tests.convergence.expected import expected
from tests.convergence.hot import hot_messages
from tests.convergence.laboratory import CLOCK_MS, STREAM, all_tables, opened_sink
from tests.convergence.tables import broken

WRITERS = 8
BATCH = 40
SERVER = {
    "fsync": "off",
    "max_connections": "30",
    "deadlock_timeout": "20ms",  # a circle is found at once, and seen by everyone
    "log_error_verbosity": "verbose",  # with SQLSTATE
}


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param(25, marks=pytest.mark.timeout(180)),
        pytest.param(1200, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)
def test_eight_writers_on_twenty_posts_never_deadlock(
    batches: int, record_property: Callable[[str, object], None]
) -> None:
    payloads = [hot_messages(seed, batches * BATCH) for seed in range(WRITERS)]
    with embedded.postgres(SERVER) as server:
        database = server.create_database("hot")
        asyncio.run(create.create(database, "public"))
        outcomes, wrong = asyncio.run(_write(database, payloads))
        assert wrong == []
        waited = sum((outcome.retries for outcome in outcomes), Counter[str]())
        assert set(waited) <= {"contention"}, "nobody was refused anything else"
        assert waited["contention"], "they never met"
        log = _log_of(server.url)
        assert "40P01" not in log.read_text(encoding="utf-8")
        assert asyncio.run(_deadlocks(database)) == 0
        record_property("40P01 seen, batches tried again", f"0, {waited['contention']}")
        asyncio.run(_cross(database))
        assert "40P01" in log.read_text(encoding="utf-8"), "the server logs what this test looks for"
        assert asyncio.run(_deadlocks(database)) == 1


async def _write(database: str, payloads: list[list[bytes]]) -> tuple[list[Outcome], list[str]]:
    """What became of each writer's batches, and what is wrong in the tables after them."""
    async with AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(opened_sink(database, f"writer{n}")) for n in range(WRITERS)]
        outcomes = await asyncio.gather(*map(_deliver, sinks, payloads))
        connection = await asyncpg.connect(database)
        tables = await all_tables(connection)
        await connection.close()
    events = decode_events([said for each in payloads for said in each], [CLOCK_MS] * sum(map(len, payloads)))
    good = [event for event in events if isinstance(event, Event)]
    assert len(good) == len(events), "all of them are good"
    return [each for some in outcomes for each in some], broken(tables, expected(good))


async def _deliver(sink: Sink, payloads: list[bytes]) -> list[Outcome]:
    outcomes = []
    for start in range(0, len(payloads), BATCH):
        messages = [Message(b"1-%d" % start, payload) for payload in payloads[start : start + BATCH]]
        outcomes.append(await sink.commit(decode(messages, STREAM, CLOCK_MS).entries, ()))
    return outcomes


def _log_of(url: str) -> Path:
    """The log of an embedded server, which lies beside its socket."""
    host = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["host"][0]
    return Path(host) / "postgres.log"


async def _deadlocks(database: str) -> int:
    """How many the server found in this database; the sessions must have ended."""
    connection = await asyncpg.connect(database)
    try:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while await connection.fetchval(others):
            await asyncio.sleep(0.05)  # a session reports what it counted when it ends
        found: int = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return found
    finally:
        await connection.close()


async def _cross(database: str) -> None:
    """Two sessions that lock two rows in two orders."""
    async with AsyncExitStack() as stack:
        one, two = [await asyncpg.connect(database) for _ in range(2)]
        for session in (one, two):
            stack.push_async_callback(session.close)
            await session.execute("BEGIN")
        await one.execute("SELECT pg_advisory_xact_lock(1)")
        await two.execute("SELECT pg_advisory_xact_lock(2)")
        results = await asyncio.gather(
            one.execute("SELECT pg_advisory_xact_lock(2)"),
            two.execute("SELECT pg_advisory_xact_lock(1)"),
            return_exceptions=True,
        )
        assert any(isinstance(result, asyncpg.DeadlockDetectedError) for result in results)
