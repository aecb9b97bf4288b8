"""Work off the deletions of accounts beside the lanes: ask the PDS (actors.md 4), then remove.

The PDS hosts the account: nothing happens. It does not: `removing`, and everything goes. Nobody knows: asked again
later, less and less often.

A transaction that did not see the mark (`sink/stale.py`), or saw rows that are gone by now, may commit behind our back.
It has got its number before it looked. So the account is swept again and again, until a sweep finds nothing that began
when all transactions were over that had a number when the last one had found something.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from indexer.identity import Hosting
from indexer.metrics import Metrics
from indexer.pulse import beat, waiting
from indexer.removal.account import Account
from indexer.removal.jobs import Job, Jobs, LostError
from indexer.removal.portions import Portions
from indexer.sink.counts import Aggregates
from indexer.sink.faults import fault_class, sqlstate_of

log = structlog.get_logger()

POLL_S = 2.0
"""Between two looks for jobs."""
ASKED_AT_ONCE = 16
AGAIN_S = 60.0
"""Until a PDS that could not be asked is asked again; twice as long after each try."""
AGAIN_MOST_S = 6 * 3600.0
OTHERS_S = 1.0
"""Between two looks whether older transactions are over."""


class Asks(Protocol):
    """Who knows whether an account is hosted: `identity.Resolver`."""

    async def hosting(self, did: str) -> Hosting: ...


class RemovalWorker:
    """Two loops, to be run as tasks and cancelled at any point."""

    def __init__(
        self,
        jobs: Jobs,
        resolver: Asks,
        aggregates: Aggregates,
        metrics: Metrics,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """While `is_paused` it takes no job; one that it has it finishes."""
        self._is_paused = is_paused
        self._jobs = jobs
        self._resolver = resolver
        self._aggregates: Aggregates = aggregates
        self._metrics = metrics
        self._numbers: dict[tuple[str, int | None], int] = {}
        """By removal: transactions with lower numbers may not know how far it is."""

    async def asking(self) -> None:
        """Ask for accounts whose deletion was announced, for ever."""
        await self._rounds(self.ask_some)

    async def removing(self) -> None:
        """Remove accounts that are gone, one after the other, for ever."""
        await self._rounds(self.remove_one)

    async def _rounds(self, work: Callable[[], Awaitable[bool]]) -> None:
        away = False
        while True:
            beat()  # also while it rests
            try:
                busy = not self._is_paused() and await work()
                away = False
            except Exception as error:
                if fault_class(error) == "programming":
                    raise
                if not away:
                    log.warning("account_removal_waits", error=error)
                busy, away = False, True
            if not busy:
                await asyncio.sleep(POLL_S)

    async def ask_some(self) -> bool:
        """Ask for some of those that are due; whether there were any. No connection is held meanwhile."""
        jobs = await self._jobs.take("asked", ASKED_AT_ONCE)
        for fault in await asyncio.gather(*(self._ask(job) for job in jobs), return_exceptions=True):
            if isinstance(fault, BaseException):
                raise fault
        return bool(jobs)

    async def _ask(self, job: Job) -> None:
        with waiting():
            hosting = await self._resolver.hosting(job.did)
        self._metrics.account_hosting.labels(hosting.answer).inc()
        match hosting.answer:
            case "gone":
                await self._jobs.gone(job, hosting.cause)
            case "hosted":
                await self._jobs.hosted(job)
            case "unknown":
                pause_s = min(AGAIN_S * 2 ** min(job.taken - 1, 20), AGAIN_MOST_S)
                await self._jobs.put_off(job, max(pause_s, hosting.retry_after_s or 0), hosting.cause)

    async def remove_one(self) -> bool:
        """Remove one of the accounts that are gone; whether there was one."""
        jobs = await self._jobs.take("removing", 1)
        for job in jobs:
            try:
                await self._remove(job)
            except LostError:
                log.info("account_removal_lost", did=job.did)
            except Exception as error:
                if fault_class(error) != "data":
                    raise
                log.error("account_removal_failed", did=job.did, error=error)
                await self._jobs.put_off(job, AGAIN_S, f"db_{sqlstate_of(error)}")
        return bool(jobs)

    async def _remove(self, job: Job) -> None:
        removal = job.did, job.removed_ms
        if removal not in self._numbers:
            self._numbers[removal] = await self._jobs.next_number()
            log.info("account_removal_started", did=job.did)
        portions = Portions(self._jobs, job, self._aggregates, self._metrics)
        while True:
            alone, removed = await self._is_alone(removal), portions.removed
            await Account(portions).sweep()
            if portions.removed > removed:
                self._numbers[removal] = await self._jobs.next_number()
            elif alone:
                break
            if not await self._is_alone(removal):
                await self._jobs.put_off(job, OTHERS_S, "older_transactions")
                return
        rows = await self._jobs.done(job)
        del self._numbers[removal]
        log.info("account_removed", did=job.did, rows=rows)

    async def _is_alone(self, removal: tuple[str, int | None]) -> bool:
        """Whether whoever still writes knows how far the removal is."""
        return await self._jobs.oldest_number() >= self._numbers[removal]
