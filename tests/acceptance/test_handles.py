"""Handles through the real daemon: the oracle's actors, and hosts that hang, answer again, and a kill in between."""

import asyncio
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.acceptance.daemon import Daemon, feed, left_over, query
from tests.acceptance.island import Island, island, needs_island
from tests.identity.stand_in import handle_of
from tests.messages import REVS, account, create, identity, record, uri
from tests.oracle import library

pytestmark = needs_island

PROFILE = "app.bsky.actor.profile"
LONG = [
    pytest.param(case, marks=pytest.mark.long) for case in ("real-firehose", "real-posts", "real-repos", "backfill-10k")
]
TIME = "2025-10-20T10:00:00.000Z"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Island]:
    with island(tmp_path_factory.mktemp("island")) as running:
        yield running


def rows(database: str, statement: str) -> list[Any]:
    return [tuple(row) for row in asyncio.run(query(database, statement))]


def backlog(database: str) -> int:
    ((count,),) = rows(database, "SELECT count(*) FROM indexer.handle_lookup")
    return int(count)


LEASE_S = 30
"""For so long a process has what it takes."""


def due(database: str, beyond_s: float = 0) -> None:
    """As if the time of waiting, or of the lease of a killed process, were over: where there is more left of it."""
    statement = """
        UPDATE indexer.handle_lookup SET next_at = now() WHERE did IN (
            SELECT did FROM indexer.handle_lookup WHERE next_at > now() + $1::float8 * interval '1 second'
            FOR UPDATE SKIP LOCKED
        )"""

    async def run() -> None:
        connection = await asyncpg.connect(database)
        await connection.execute(statement, beyond_s)
        await connection.close()

    asyncio.run(run())


def until_looked_up(daemon: Daemon, database: str, redis_url: str, stream: str) -> None:
    """Return when the stream is empty and no look-up waits."""
    daemon.until(lambda: left_over(redis_url, stream) == (0, 0))
    daemon.until(lambda: backlog(database) == 0)


def index(network: Island, database: str, redis_url: str, folder: Path, case: str, size: int) -> None:
    stream = library.stream(case)
    feed(redis_url, stream, library.messages(case))
    with network.daemon(database, redis_url, folder, environment={"INDEXER_BATCH_SIZE": str(size)}) as daemon:
        daemon.started()
        until_looked_up(daemon, database, redis_url, stream)
        assert daemon.stop() == 0, daemon.output
        (stopped,) = daemon.lines("stopped")
        assert stopped["handle_backlog"] == 0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", ["real-scenarios", "mixed-5k-hostile", *LONG])
def test_actors_are_those_of_the_reference(
    network: Island, database: str, redis_url: str, tmp_path: Path, case: str
) -> None:
    index(network, database, redis_url, tmp_path, case, 500)
    equals_reference(database, case)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [1, 100, 2000])
@pytest.mark.parametrize("case", ["mixed-5k-hostile", "backfill-10k", "mixed-30k"])
def test_actors_of_long_streams_are_those_of_the_reference(
    network: Island, database: str, redis_url: str, tmp_path: Path, case: str, size: int
) -> None:
    index(network, database, redis_url, tmp_path, case, size)
    equals_reference(database, case)


def equals_reference(database: str, case: str) -> None:
    status, said = library.compare(database, case, "--actors")
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said


def profiles(count: int, first: int = 0) -> Iterator[bytes]:
    """Profile events of as many accounts, none of which is known."""
    for number in range(first, first + count):
        text = record(PROFILE, displayName=f"Account {number}")
        yield create(uri(did(number), PROFILE, "self"), text, REVS[0], time=TIME)


def did(number: int) -> str:
    return f"did:plc:{number:024}"


def hanging_look_ups_cost_nothing_but_time(
    network: Island, database: str, redis_url: str, folder: Path, count: int, pool: int = 3, *, only_dns: bool = False
) -> None:
    """All of them hang, the process is killed, the hosts answer again: every handle arrives, none became NULL."""
    settings = {"DB_POOL_MAX_SIZE": str(pool), "INDEXER_BATCH_SIZE": "500"}
    network.say("hang")
    feed(redis_url, "firehose_live", profiles(count // 2))
    peaks: list[int] = []
    memory: list[int] = []
    with network.daemon(database, redis_url, folder, environment=settings) as daemon:
        daemon.started()

        def is_indexed() -> bool:
            peaks.append(connections(database))
            memory.append(resident_kib(daemon.process.pid))
            return left_over(redis_url, "firehose_live") == (0, 0)

        daemon.until(is_indexed)
        assert backlog(database) == count // 2, "each look-up is durable, none is done"
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
    assert max(peaks) <= pool
    assert max(memory) - memory[len(memory) // 2] < 40_000, "KiB; the backlog is in the database"
    assert rows(database, "SELECT count(*) FROM actor") == [(0,)]

    feed(redis_url, "firehose_live", profiles(count - count // 2, count // 2))
    due(database)
    with network.daemon(database, redis_url, folder, environment=settings) as daemon:
        daemon.started()
        daemon.until(lambda: left_over(redis_url, "firehose_live") == (0, 0))
        assert backlog(database) == count
        network.say("answer")
        if only_dns:
            network.say("only_dns")
        due(database)
        limit = time.monotonic() + count / 10
        while backlog(database):
            assert daemon.process.poll() is None, daemon.output
            assert time.monotonic() < limit + 60, daemon.output
            time.sleep(0.5)
            due(database, LEASE_S)
        assert daemon.stop() == 0, daemon.output
    found = rows(database, 'SELECT did, handle, "indexedAt" FROM actor ORDER BY did')
    assert found == [(did(number), handle_of(did(number)), TIME) for number in range(count)]


@pytest.mark.long
@pytest.mark.timeout(180)
def test_hanging_look_ups_cost_nothing_but_time(network: Island, database: str, redis_url: str, tmp_path: Path) -> None:
    hanging_look_ups_cost_nothing_but_time(network, database, redis_url, tmp_path, 400)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_200_000_hanging_look_ups_cost_nothing_but_time(
    network: Island, database: str, redis_url: str, tmp_path: Path
) -> None:
    """By DNS: a TLS handshake each, of which the stand-in does one half, would take an hour."""
    hanging_look_ups_cost_nothing_but_time(network, database, redis_url, tmp_path, 200_000, only_dns=True)


def connections(database: str) -> int:
    """How many the daemon has open to PostgreSQL."""
    ((count,),) = rows(
        database,
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'indexer/%'",
    )
    return int(count)


def resident_kib(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found is not None
    return int(found[1])


def test_drain_reports_the_backlog_and_does_not_wait_for_it(
    network: Island, database: str, redis_url: str, tmp_path: Path
) -> None:
    network.say("limit 300")
    try:
        feed(redis_url, "firehose_live", [identity(did(1), TIME), identity(did(2), TIME)])
        with network.daemon(database, redis_url, tmp_path, "--drain") as daemon:
            assert daemon.wait() == 0, daemon.output
            assert [line["handle_backlog"] for line in daemon.lines("stopped")] == [2]
    finally:
        network.say("answer")


def test_private_addresses_are_warned_about(network: Island, database: str, redis_url: str, tmp_path: Path) -> None:
    for allowed in ("true", "false"):
        settings = {"INDEXER_ALLOW_PRIVATE_ADDRESSES": allowed}
        with network.daemon(database, redis_url, tmp_path, "--drain", environment=settings) as daemon:
            assert daemon.wait() == 0, daemon.output
            warned = [line["level"] for line in daemon.lines("private_addresses_allowed")]
            assert warned == (["warning"] if allowed == "true" else [])


def test_metrics_tell_what_came_of_look_ups(network: Island, database: str, redis_url: str, tmp_path: Path) -> None:
    dids = [did(1), did(2), "did:plc:missing", "did:key:zabc"]
    ignored = account(did(3), TIME, active=False, status="throttled")
    feed(redis_url, "firehose_live", [*(identity(each, TIME) for each in dids), ignored])
    with network.daemon(database, redis_url, tmp_path) as daemon:
        daemon.started()
        until_looked_up(daemon, database, redis_url, "firehose_live")
        daemon.until(lambda: 'indexer_look_ups_total{outcome="found"} 2.0' in network.get(daemon, "/metrics"))
        text = network.get(daemon, "/metrics")
        assert 'indexer_look_ups_total{outcome="not_found"} 1.0' in text
        assert 'indexer_look_up_causes_total{cause="unknown_method"} 1.0' in text
        assert 'indexer_ignored_total{reason="account_status",stream="firehose_live"} 1.0' in text
        assert daemon.stop() == 0, daemon.output
