"""INDEXER_AGGREGATES=recount: counters are counted again, for fleets that share the tables with the reference.

A batch marks the counters that it changed, in its own transaction (`dirty_count`). Here the marks are merged, each
counter is counted once, and the marks go with the count: none is ever dropped. The reference guards two counters with
advisory locks; so do we, with the same ids (records.md 8).
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from indexer.connections.database import Connection, Pool, transaction
from indexer.pulse import beat, relying
from indexer.sink.faults import fault_class
from indexer.sink.murmur import murmur3_32
from indexer.sink.statements import Statements
from indexer.sink.tables import COUNTERS

log = structlog.get_logger()

PORTION = 1_000
"""Marks per transaction: each guarded key takes a slot of the server's lock table, which has 6,400 by default."""
WINDOW_S = 1.0
"""Between two rounds: marks of popular posts gather meanwhile."""
RETRY_S = 0.1
"""Between two looks at what is in somebody else's hands, at the end."""

_GUARDED = {"postsCount": "postCount", "followsCount": "followsCount"}
"""Counters that the reference guards, and what it calls them in the keys of its locks."""


class Recounter:
    """Counts what is marked, beside the lanes, with one connection."""

    def __init__(self, pool: Pool, statements: Statements, is_paused: Callable[[], bool] = lambda: False) -> None:
        """While `is_paused` it counts nothing."""
        self._is_paused = is_paused
        self._pool = pool
        self._statements = statements

    async def run(self, stop: asyncio.Event) -> None:
        """Count until `stop` is set; what is in hand then is finished."""
        while not stop.is_set():
            beat()  # also while it rests
            await self._round(lambda: self.drain(stop))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WINDOW_S)

    async def finish(self) -> None:
        """Count until everything that is marked now is counted, by us or by somebody else."""
        newest: int | None = None
        left = True
        while left:
            try:
                newest = newest or await self._pool.fetchval(self._statements["newest_mark"])
                left = newest is not None and await self._is_left(newest)
                if newest is not None and left and not self._is_paused():
                    await self.count_up_to(newest)
                    left = await self._is_left(newest)
            except Exception as error:
                self._forgive(error)
            if left:
                await asyncio.sleep(WINDOW_S if self._is_paused() else RETRY_S)

    async def finish_what_is_left(self, end: asyncio.Event) -> None:
        """For an instance with deltas: marks of those that recounted and are gone; then wait for `end`."""
        await self.finish()
        with relying():
            await end.wait()

    async def drain(self, stop: asyncio.Event | None = None) -> None:
        """Count until nothing is marked, or what is marked is in somebody else's hands."""
        while not (self._is_paused() or (stop is not None and stop.is_set())) and await self.portion():
            pass

    async def count_present(self) -> None:
        """As `drain`, of what is marked now: while instances write, the marks never end."""
        newest = await self._pool.fetchval(self._statements["newest_mark"])
        if newest is not None:
            await self.count_up_to(newest)

    async def count_up_to(self, newest: int) -> None:
        """As `drain`, of marks up to this one."""
        while await self.portion() and await self._is_left(newest):
            pass

    async def _is_left(self, newest: int) -> bool:
        return bool(await self._pool.fetchval(self._statements["is_marked"], newest))

    async def portion(self) -> int:
        """Count once for a portion of the marks; returns how many of these are dealt with."""
        async with self._transaction() as connection:
            marks = await connection.fetch(self._statements["take_dirty"], PORTION)
            keys: defaultdict[str, set[str]] = defaultdict(set)
            for counter, key in marks:
                keys[counter].add(key)
            busy: list[tuple[str, str]] = []
            for counter in _GUARDED.keys() & keys.keys():
                free = await self._try(connection, counter, sorted(keys[counter]), "run")
                busy += [(counter, key) for key in sorted(keys[counter] - free)]
                keys[counter] = free
            if busy:
                columns = [list(column) for column in zip(*busy, strict=True)]
                await connection.execute(self._statements["mark_dirty"], *columns)
            await self._count(connection, keys)
        waited = [await self._after_the_other(counter, key) for counter, key in busy]
        left = Counter(key for key, done in zip(busy, waited, strict=True) if not done)
        return len(marks) - sum(1 for counter, key in marks if (counter, key) in left)

    async def _after_the_other(self, counter: str, key: str) -> bool:
        """Count a key that a foreign indexer counts just now: it may have missed the change (records.md 8).

        In a transaction of its own that holds nothing else, so that two that wait never wait in a circle. False where
        somebody waits already: the mark stays, because that one may have begun to count in the meantime.
        """
        async with self._transaction() as connection:
            if not await self._try(connection, counter, [key], "wait"):
                return False
            await connection.fetchval(self._statements["wait_for_lock"], _lock(counter, key, "run"))
            await connection.execute(self._statements["take_marks"], counter, key)
            await self._count(connection, {counter: {key}})
        return True

    async def _count(self, connection: Connection, keys: dict[str, set[str]]) -> None:
        for aggregate in ("post", "profile"):
            mine = {
                counter: sorted(subjects)
                for counter, subjects in sorted(keys.items())
                if COUNTERS[counter][1].aggregate == f"{aggregate}_agg" and subjects
            }
            rows = sorted(set().union(*mine.values()))
            if rows:
                await connection.execute(self._statements[f"add_{aggregate}_aggregates"], rows)
                await connection.execute(self._statements[f"lock_{aggregate}_aggregates"], rows)
            for counter, subjects in mine.items():
                await connection.execute(self._statements.recount(*COUNTERS[counter]), subjects)

    async def _try(self, connection: Connection, counter: str, keys: list[str], which: str) -> set[str]:
        """Those of `keys` whose lock was free; it is ours until the end of the transaction."""
        if not keys:
            return set()
        locks = [_lock(counter, key, which) for key in keys]
        return {keys[row[0] - 1] for row in await connection.fetch(self._statements["try_locks"], locks)}

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with transaction(self._pool, self._statements["begin"]) as connection:
            yield connection

    async def _round(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self._forgive(error)

    def _forgive(self, error: Exception) -> None:
        """What fails is tried again, but for our own faults."""
        if fault_class(error) == "programming":
            raise error
        log.warning("recount_failed", error=error)


def _lock(counter: str, did: str, which: str) -> int:
    return lock_id(_GUARDED[counter], did, which)


def lock_id(name: str, did: str, which: str) -> int:
    """The id of the reference's lock on a counter of an account; `which` is `run` or `wait`."""
    return murmur3_32(f"{name}:{did}:{which}".encode())
