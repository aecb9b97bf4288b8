"""Removals of accounts beside other work, in small portions, cut off anywhere; the PDS is a stand-in."""

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import cast

from indexer.connections.database import Pool, Turns
from indexer.identity import Hosting
from indexer.metrics import Metrics
from indexer.removal import account, remains
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.sink.faults import fault_class
from indexer.sink.statements import Statements
from tests.convergence.accidents import Accident, CrashError, FragilePool

MOST_ROUNDS = 200
"""Until all jobs are done."""
LONGEST_S = 120
"""For one round: what takes longer goes in a circle."""
_UNKNOWN = 0.2
_ACCIDENTS = 0.3
"""Shares of the answers, and of the rounds."""

Doomed = tuple[str, str, int, int]
"""A DID, its newest deletion (`time`, `at_ms`), and up to when its rows are to go."""

_DUE = "UPDATE indexer.account_deletion SET next_at = now() WHERE state <> 'removed'"
_LEFT = "SELECT count(*) FROM indexer.account_deletion WHERE state <> 'removed'"
_FORCE = """INSERT INTO indexer.account_deletion (did, time, at_ms, removed_ms, state)
VALUES ($1, $2, $3, $4, 'removing')
ON CONFLICT (did) DO UPDATE SET removed_ms = excluded.removed_ms, state = 'removing'"""


@contextmanager
def small_portions() -> Iterator[None]:
    """Make removals of a few records take several transactions."""
    before = account.PORTION, account.PAGE, remains.PORTION
    account.PORTION, account.PAGE, remains.PORTION = 4, 3, 3
    try:
        yield
    finally:
        account.PORTION, account.PAGE, remains.PORTION = before


class Pds:
    """The host of all accounts: it has only these, and often gives no answer."""

    def __init__(self, hosted: Collection[str], chance: Random) -> None:
        self._hosted = hosted
        self._chance = chance

    async def hosting(self, did: str) -> Hosting:
        await asyncio.sleep(0)
        if self._chance.random() < _UNKNOWN:
            return Hosting("unknown", "timeout")
        return Hosting("hosted") if did in self._hosted else Hosting("gone", "repo_not_found")


class Remover:
    """An instance that works off deletions, a round at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = FragilePool(pool)
        self._jobs = Jobs(cast(Pool, self._pool), Turns(2), Statements("public"))
        self._metrics = Metrics(())
        self._busy = asyncio.Lock()
        self._chance = Random(0)
        self._pds = Pds((), self._chance)
        self._accidents = False
        self._worker = self._started()

    def start(self, pds: Pds, chance: Random, *, accidents: bool) -> None:
        """Begin anew, for another history."""
        self._pds, self._chance, self._accidents = pds, chance, accidents
        self._worker = self._started()

    def _started(self) -> RemovalWorker:
        return RemovalWorker(self._jobs, self._pds, "delta", self._metrics)

    async def round(self) -> None:
        """Ask for accounts and remove one, as far as it goes; all jobs are due, as when leases have run out."""
        async with self._busy, asyncio.timeout(LONGEST_S):
            await self._pool.pool.execute(_DUE)
            if self._accidents and self._chance.random() < _ACCIDENTS:
                self._pool.accident = Accident.of(self._chance)
            try:
                await self._worker.ask_some()
                await self._worker.remove_one()
            except CrashError:
                self._worker = self._started()
            except Exception as error:
                if fault_class(error) == "programming":
                    raise
            finally:
                self._pool.accident = None

    async def finish(self, doomed: Iterable[Doomed] = ()) -> None:
        """Do what is to be done, and remove `doomed` whether their jobs are there or not."""
        await self._pool.pool.executemany(_FORCE, doomed)
        rounds = 0
        while await self._pool.pool.fetchval(_LEFT):
            await self.round()
            rounds += 1
            assert rounds < MOST_ROUNDS, "removals that do not come to an end"
