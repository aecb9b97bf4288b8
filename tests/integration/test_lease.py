"""A consumer's name belongs to one process (interface.md, INDEXER_CONSUMER)."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from indexer.connections.database import Pool, open_pool
from indexer.daemon import lease
from indexer.daemon.lease import Lease
from indexer.errors import ConfigError
from indexer.lane.adoption import overdue_leases


@pytest.fixture
async def pool(database: str) -> AsyncIterator["Pool"]:
    pool = await open_pool(database, "one", 1, 4, None)
    yield pool
    await pool.close()


@pytest.fixture
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same proportions in less time."""
    monkeypatch.setattr(lease, "LENGTH_S", 2)
    monkeypatch.setattr(lease, "RENEWAL_S", 0.3)


async def holders(pool: "Pool") -> list[tuple[str, str, int]]:
    rows = await pool.fetch("SELECT consumer, host, pid FROM indexer.lease ORDER BY consumer")
    return [tuple(row) for row in rows]


async def expiry(pool: "Pool", consumer: str) -> float:
    seconds: float = await pool.fetchval(
        "SELECT extract(epoch FROM expires_at - now())::float FROM indexer.lease WHERE consumer = $1", consumer
    )
    return seconds


async def test_lease_names_the_process_and_lasts_ten_seconds(pool: "Pool") -> None:
    await Lease(pool, "one").take()
    assert await holders(pool) == [("one", socket.gethostname(), os.getpid())]
    assert 5 < await expiry(pool, "one") <= 10
    assert lease.RENEWAL_S == 3


async def test_other_names_are_free(pool: "Pool") -> None:
    await Lease(pool, "one").take()
    await Lease(pool, "two").take()
    assert [consumer for consumer, _, _ in await holders(pool)] == ["one", "two"]


@pytest.mark.usefixtures("_fast")
async def test_name_whose_lease_is_renewed_is_refused_with_its_holder(pool: "Pool") -> None:
    first = Lease(pool, "one")
    await first.take()
    keeping = asyncio.create_task(first.keep())
    try:
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on {socket.gethostname()}"):
            await Lease(pool, "one").take()
    finally:
        keeping.cancel()


@pytest.mark.usefixtures("_fast")
async def test_name_whose_holder_is_dead_is_taken_over(pool: "Pool") -> None:
    dead, heir = Lease(pool, "one"), Lease(pool, "one")
    await dead.take()
    await heir.take()
    assert await pool.fetchval("SELECT owner FROM indexer.lease") == heir.owner


async def test_released_name_is_free_at_once(pool: "Pool") -> None:
    first = Lease(pool, "one")
    await first.take()
    await first.release()
    assert await holders(pool) == []
    await asyncio.wait_for(Lease(pool, "one").take(), 5)


async def test_release_of_a_name_that_another_has_leaves_it(pool: "Pool") -> None:
    first = Lease(pool, "one")
    await first.take()
    await Lease(pool, "one").release()
    assert len(await holders(pool)) == 1


@pytest.mark.usefixtures("_fast")
async def test_renewing_ends_with_a_fault_when_another_took_the_name_over(pool: "Pool") -> None:
    """As after a database that was away for longer than the lease."""
    first, second = Lease(pool, "one"), Lease(pool, "one")
    await first.take()
    await pool.execute("UPDATE indexer.lease SET expires_at = now() - interval '1 second'")
    await second.take()
    kept = asyncio.create_task(second.keep())
    try:
        with pytest.raises(ConfigError, match="in use"):
            await asyncio.wait_for(first.keep(), 20)
    finally:
        kept.cancel()


@pytest.mark.usefixtures("_fast")
async def test_lease_that_ran_out_unnoticed_is_renewed(pool: "Pool") -> None:
    first = Lease(pool, "one")
    await first.take()
    await pool.execute("UPDATE indexer.lease SET expires_at = now() - interval '1 second'")
    keeping = asyncio.create_task(first.keep())
    try:
        while True:
            if await expiry(pool, "one") > 0:
                break
            await asyncio.sleep(0.02)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


@pytest.mark.usefixtures("_fast")
async def test_renewing_outlives_an_error_of_the_database(pool: "Pool") -> None:
    first = Lease(pool, "one")
    await first.take()
    await pool.execute("ALTER TABLE indexer.lease RENAME TO away")
    keeping = asyncio.create_task(first.keep())
    await asyncio.sleep(0.5)
    await pool.execute("ALTER TABLE indexer.away RENAME TO lease")
    before = await pool.fetchval("SELECT expires_at FROM indexer.lease")
    try:
        while await pool.fetchval("SELECT expires_at FROM indexer.lease") == before:
            assert not keeping.done()
            await asyncio.sleep(0.02)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def test_lease_tells_for_how_long_it_has_been_over(pool: "Pool") -> None:
    living, dead = Lease(pool, "living"), Lease(pool, "dead")
    await living.take()
    await dead.take()
    await pool.execute("UPDATE indexer.lease SET expires_at = now() - interval '100 seconds' WHERE consumer = 'dead'")
    found = await overdue_leases(pool)
    assert found.keys() == {"living", "dead"}
    assert -10 <= found["living"] < 0
    assert found["dead"] >= 100


async def test_lease_that_is_left_to_run_out_is_free_at_once_and_still_known(pool: "Pool") -> None:
    first, heir = Lease(pool, "one"), Lease(pool, "one")
    await first.take()
    await first.let_run_out()
    assert (await overdue_leases(pool))["one"] >= 0
    await asyncio.wait_for(heir.take(), 5)
    await first.let_run_out()
    assert (await overdue_leases(pool))["one"] < 0, "it is another's"
