"""A portion of the work on one account: a short transaction that counts what it removed and keeps the job."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog

from indexer.fold import aturi
from indexer.fold.world import World
from indexer.metrics import Metrics
from indexer.removal.eraser import Eraser
from indexer.removal.jobs import Job, Jobs
from indexer.sink.counts import Aggregates
from indexer.sink.faults import fault_class
from indexer.sink.stale import are_newer, rev_after

log = structlog.get_logger()

TELL_EVERY = 100
"""Portions between two lines in the log."""

T = TypeVar("T")


class Portions:
    """What all steps of a removal share."""

    def __init__(self, jobs: Jobs, job: Job, aggregates: Aggregates, metrics: Metrics) -> None:
        self.jobs = jobs
        self.job = job
        self.statements = jobs.statements
        self.aggregates: Aggregates = aggregates
        self.prefix = f"{aturi.SCHEME}{job.did}/"
        """Of the URIs of the account's records."""
        self._metrics = metrics
        self.bound_ms = job.at_ms if job.removed_ms is None else job.removed_ms
        """What is newer stays."""
        self._done = 0
        self.removed = 0
        """Rows that went so far."""

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Eraser]:
        """A portion. LostError where somebody else has the job by now: nothing of the portion stays then."""
        async with self.jobs.transaction() as connection:
            eraser = Eraser(connection, self.statements, World(""), careful=True)
            yield eraser
            if eraser.removed:
                await self.jobs.note(connection, self.job, eraser.removed)
                await eraser.counters(self.aggregates, self._is_own)
        if eraser.removed:
            self._tell(eraser)

    async def patiently(self, work: Callable[..., Awaitable[T]], *arguments: object) -> T:
        """Try again what others stood in the way of."""
        tries = 0
        while True:
            try:
                return await work(*arguments)
            except Exception as error:
                if fault_class(error) != "contention":
                    raise
                tries += 1
                await asyncio.sleep(random.uniform(0.5, 1) * min(0.005 * 2**tries, 1))

    async def fetch(self, statement: str, *arguments: object) -> list[Any]:
        """Read; `statement` is a name or SQL."""
        async with self.jobs.transaction() as connection:
            sql = statement if " " in statement else self.statements[statement]
            return list(await connection.fetch(sql, *arguments))

    def are_newer(self, times: Sequence[str | None]) -> list[bool]:
        """Which times are later than the deletion."""
        return are_newer(times, [self.bound_ms] * len(times))

    def stay(self, times: Sequence[str | None], tombstones: Sequence[str | None]) -> list[bool]:
        """Which records are later than the deletion: by their times, or by the revs of those that are `tombstones`.

        A tombstone has the time of the version that it found. Without it a late version of the record would live again.
        """
        least = rev_after(self.bound_ms)
        is_newer = self.are_newer(times)
        return [newer or (rev or "") >= least for newer, rev in zip(is_newer, tombstones, strict=True)]

    def _is_own(self, key: str) -> bool:
        return key == self.job.did or key.startswith(self.prefix)

    def _tell(self, eraser: Eraser) -> None:
        self.removed += eraser.removed
        self._metrics.removed_rows.inc(eraser.removed)
        for (table, change), number in eraser.rows.items():
            self._metrics.rows.labels(table, change).inc(number)
        self._done += 1
        if self._done % TELL_EVERY == 0:
            log.info("account_removal_goes_on", did=self.job.did, portions=self._done)
