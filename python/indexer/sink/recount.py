"""INDEXER_AGGREGATES=recount: counters are counted again, for fleets that share the tables with the reference.

A batch marks the counters that it changed, in its own transaction (`dirty_count`). Here the marks are merged, each
counter is counted once, and the marks go with the count: none is ever dropped. The reference guards two counters with
advisory locks; so do we, with the same ids (records.md 8).
"""

import asyncio
from collections import defaultdict
from contextlib import suppress

import structlog

from indexer.database import Connection, Pool
from indexer.murmur import murmur3_32
from indexer.sink.faults import fault_class
from indexer.sink.statements import Statements

log = structlog.get_logger()

PORTION = 1_000
"""Marks per transaction: each guarded key takes a slot of the server's lock table, which has 6,400 by default."""
WINDOW_S = 1.0
"""Between two rounds: marks of popular posts gather meanwhile."""

_OF_POSTS = ("likeCount", "repostCount", "replyCount", "quoteCount")
_GUARDED = {"postsCount": "postCount", "followsCount": "followsCount"}
"""Counters that the reference guards, and what it calls them in the keys of its locks."""


class Recounter:
    """Counts what is marked, beside the lanes, with one connection."""

    def __init__(self, pool: Pool, statements: Statements) -> None:
        self._pool = pool
        self._statements = statements

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            try:
                await self.drain()
            except Exception as error:
                if fault_class(error) == "programming":
                    raise
                log.warning("recount_failed", error=error)
            await asyncio.sleep(WINDOW_S)

    async def drain(self) -> None:
        """Count until nothing is marked, or what is marked is in somebody else's hands."""
        while await self.portion():
            pass

    async def portion(self) -> int:
        """Count once for a portion of the marks; returns how many these were."""
        async with self._pool.acquire() as connection:
            try:
                await connection.execute(self._statements["begin"])
                marks = await connection.fetch(self._statements["take_dirty"], PORTION)
                keys: defaultdict[str, set[str]] = defaultdict(set)
                for counter, key in marks:
                    keys[counter].add(key)
                await self._count(connection, keys)
                await connection.execute("COMMIT")
            except BaseException:
                with suppress(Exception):
                    await asyncio.wait_for(connection.execute("ROLLBACK"), 5)
                raise
        return len(marks)

    async def _count(self, connection: Connection, keys: dict[str, set[str]]) -> None:
        for counter, name in _GUARDED.items():
            if counter in keys:
                keys[counter] = await self._guarded(connection, name, sorted(keys[counter]))
        for aggregate, is_here in (("post", True), ("profile", False)):
            mine = {c: sorted(k) for c, k in sorted(keys.items()) if (c in _OF_POSTS) is is_here and k}
            rows = sorted(set().union(*mine.values()))
            if rows:
                await connection.execute(self._statements[f"add_{aggregate}_aggregates"], rows)
                await connection.execute(self._statements[f"lock_{aggregate}_aggregates"], rows)
            for counter, subjects in mine.items():
                await connection.execute(self._statements[f"recount_{counter}"], subjects)

    async def _guarded(self, connection: Connection, name: str, keys: list[str]) -> set[str]:
        """Those of `keys` that are ours to count. Where somebody waits already, they will count after us."""
        free = await self._try(connection, name, keys, "run")
        taken = [key for key in keys if key not in free]
        ours = await self._try(connection, name, taken, "wait")
        if ours:
            locks = [lock_id(name, key, "run") for key in sorted(ours)]
            await connection.fetchval(self._statements["wait_for_locks"], locks)
        return free | ours

    async def _try(self, connection: Connection, name: str, keys: list[str], which: str) -> set[str]:
        if not keys:
            return set()
        locks = [lock_id(name, key, which) for key in keys]
        return {keys[row[0] - 1] for row in await connection.fetch(self._statements["try_locks"], locks)}


def lock_id(name: str, did: str, which: str) -> int:
    """The id of the reference's lock on a counter of an account; `which` is `run` or `wait`."""
    return murmur3_32(f"{name}:{did}:{which}".encode())
