"""Recounters beside instances that mark counters faster than they are counted: nobody is kept for ever."""

import asyncio
import itertools

from indexer.connections.database import Pool
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements
from tests.integration.test_recount import P, fill, likes, recounting
from tests.messages import create, like, like_uri


class Busy(Recounter):
    """After each portion somebody likes the post."""

    def __init__(self, pool: Pool, database: str, stop: asyncio.Event | None = None) -> None:
        """`stop` is set after the first portion."""
        super().__init__(pool, Statements("public"))
        self._database = database
        self._stop = stop
        self._numbers = itertools.count(100)

    async def portion(self) -> int:
        counted = await super().portion()
        author = f"did:plc:{next(self._numbers):024}"
        await fill(self._database, create(like_uri(author, "l"), like(P)))
        if self._stop is not None:
            self._stop.set()
        return counted


async def marked(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT EXISTS (SELECT 1 FROM indexer.dirty_count)"))


async def test_reconcile_counts_what_is_marked_now(database: str) -> None:
    await fill(database, *likes(3))
    async with recounting(database) as (recounter, pool):
        await asyncio.wait_for(Busy(pool, database).count_present(), 10)
        assert await marked(pool), "what came meanwhile is left to others"
        await recounter.count_present()
        assert not await marked(pool)
        assert await pool.fetchval('SELECT "likeCount" FROM post_agg') == 4


async def test_drain_ends(database: str) -> None:
    await fill(database, *likes(3))
    async with recounting(database) as (_, pool):
        await asyncio.wait_for(Busy(pool, database).finish(), 10)
        assert await pool.fetchval('SELECT "likeCount" FROM post_agg') == 3


async def test_stop_is_obeyed(database: str) -> None:
    await fill(database, *likes(3))
    stop = asyncio.Event()
    async with recounting(database) as (_, pool):
        await asyncio.wait_for(Busy(pool, database, stop).run(stop), 10)


async def test_paused_instance_that_drains_can_be_stopped(database: str) -> None:
    """On its way out it counts what it has marked: nobody else may be there to do it."""
    await fill(database, *likes(3))
    stop = asyncio.Event()
    async with recounting(database) as (_, pool):
        recounter = Recounter(pool, Statements("public"), lambda: not stop.is_set())
        finishing = asyncio.create_task(recounter.finish())
        await asyncio.sleep(0.3)
        assert not finishing.done()
        assert await marked(pool), "it is paused"
        stop.set()
        await asyncio.wait_for(finishing, 10)
        assert not await marked(pool)
