"""Looks handles up beside the lanes, so that no directory, name server or host ever delays a message (design.md).

What is asked for stands in `indexer.handle_lookup`, committed with the events that asked. A window of look-ups is under
way; answers are written a few times a second, in one transaction each, with no connection held in between.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping

import structlog

from indexer.identity import Deferred, DidCache, Found, NotFound, Resolver
from indexer.metrics import Metrics
from indexer.pulse import beat
from indexer.sink.faults import FaultClass, fault_class
from indexer.sink.handles import Answer, HandleQueue, PutOff

log = structlog.get_logger()

WINDOW = 64
"""Look-ups under way: with a directory that takes 0.75 s nobody waits for a place there longer than `Limits.wait_s`."""
REFILL = WINDOW // 4
"""Places that are free before more are taken: fewer, larger portions."""
ROUND_S = 0.2
"""Answers gather for so long before they are written."""
IDLE_S = 1.0
"""Between two looks at a queue in which nothing was due."""
SAMPLE_S = 10.0
"""Between two counts of the queue: it may be long."""
PAUSE_MOST_S = 30.0
"""Longest pause while nothing can be looked up."""
TROUBLE_ROUNDS = 3
"""Rounds without any answer after which that is told."""
BACKOFF_S = 5.0
BACKOFF_MOST_S = 600.0
FAULT_S = 3600.0
"""A look-up that failed for a fault of ours is put off for so long."""
TRIES = 5
"""Of a portion that PostgreSQL refuses as data, before it is halved: somebody else may just have set a handle of it."""


class HandleWorker:
    """One task; it works until it is told to stop, and then gives back what it has taken."""

    def __init__(
        self,
        queue: HandleQueue,
        resolver: Resolver,
        cache: DidCache,
        metrics: Metrics,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """While `is_paused` it takes nothing new."""
        self._is_paused = is_paused
        self._queue = queue
        self._resolver = resolver
        self._cache = cache
        self._metrics = metrics
        self._tasks: dict[asyncio.Task[Answer], str] = {}
        self._take_at = 0.0
        self._sample_at = 0.0
        self._fruitless = 0
        """Rounds in a row in which every look-up was put off."""
        self._refused = 0
        """Writes that the cache had refused when it was last looked at."""
        self._database_is_away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Look up until `stop` is set. Raises only what is a fault of our own statements."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                beat()
                await self._take()
                await asyncio.wait({stopping, *self._tasks}, timeout=IDLE_S, return_when=asyncio.FIRST_COMPLETED)
                await asyncio.wait({stopping}, timeout=ROUND_S)
                await self._settle(stop)
            await self._leave(stop)
        finally:
            stopping.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(stopping, *self._tasks, return_exceptions=True)

    async def _take(self) -> None:
        """Fill the window, when it is time, and count what waits."""
        now, free = time.monotonic(), WINDOW - len(self._tasks)
        try:
            if now >= self._sample_at:
                self._metrics.handle_backlog.set(await self._queue.waiting())
                self._sample_at = now + SAMPLE_S
            if now < self._take_at or free < REFILL or self._is_paused():
                return
            taken = await self._queue.take(free)
        except Exception as error:
            self._forgive(error)
            self._take_at = now + IDLE_S
            return
        self._database_is_away = False
        if len(taken) < free:
            self._take_at = now + IDLE_S
        for did, attempts in taken.items():
            self._tasks[asyncio.create_task(self._look_up(did, attempts))] = did

    async def _look_up(self, did: str, attempts: int) -> Answer:
        try:
            answer = await self._resolver.look_up(did)
        except Exception:
            log.exception("look_up_failed", did=did)
            return PutOff(FAULT_S, "local")
        if isinstance(answer, Deferred):
            backoff_s = min(BACKOFF_S * 2 ** min(attempts, 10), BACKOFF_MOST_S)
            return PutOff(max(answer.retry_after_s, backoff_s), answer.cause)
        return answer

    async def _settle(self, stop: asyncio.Event) -> None:
        """Write the answers that have come."""
        done = {task: did for task, did in self._tasks.items() if task.done()}
        for task in done:
            del self._tasks[task]
        answers = {did: task.result() for task, did in done.items()}
        if not answers:
            return
        await self._write(answers, stop)
        self._count(answers)
        self._pace(answers)

    async def _write(self, answers: Mapping[str, Answer], stop: asyncio.Event) -> None:
        """Write until it is done; at the end of the process one try is enough."""
        tries = 0
        while True:
            try:
                await self._queue.write(answers)
                self._database_is_away = False
                return
            except Exception as error:
                kind = self._forgive(error)
                tries += 1
                if kind == "data" and tries >= TRIES:
                    await self._isolate(list(answers.items()), error, stop)
                    return
            if stop.is_set() and kind == "outage":
                return
            await asyncio.sleep(min(0.01 * 2 ** min(tries, 10), 5.0) * random.uniform(0.5, 1))

    async def _isolate(self, answers: list[tuple[str, Answer]], error: Exception, stop: asyncio.Event) -> None:
        """Find the answer that PostgreSQL refuses as data, and put it off."""
        if len(answers) > 1:
            half = len(answers) // 2
            await self._write(dict(answers[:half]), stop)
            await self._write(dict(answers[half:]), stop)
            return
        ((did, _),) = answers
        log.error("look_up_refused", did=did, error=error)
        await self._write({did: PutOff(FAULT_S, "local")}, stop)

    async def _leave(self, stop: asyncio.Event) -> None:
        """What has been answered is written, the rest is anybody's."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        answers: dict[str, Answer] = {
            did: PutOff(0.0, None) if task.cancelled() else task.result() for task, did in self._tasks.items()
        }
        self._tasks.clear()
        if answers:
            await self._write(answers, stop)

    def _forgive(self, error: Exception) -> FaultClass:
        """What fails is tried again, but for faults of our own."""
        kind = fault_class(error)
        if kind == "programming":
            raise error
        if kind == "outage" and not self._database_is_away:
            log.warning("database_away", worker="handles", error=error)
            self._database_is_away = True
        return kind

    def _count(self, answers: Mapping[str, Answer]) -> None:
        for answer in answers.values():
            if isinstance(answer, Found):
                outcome = "found" if answer.handle is not None else "without_handle"
            elif isinstance(answer, PutOff):
                outcome = "put_off"
            else:
                outcome = "not_found" if isinstance(answer, NotFound) else "unusable"
            self._metrics.look_ups.labels(outcome).inc()
            if answer.cause is not None:
                self._metrics.look_up_causes.labels(answer.cause).inc()
        refused = self._cache.refused
        if refused != self._refused:
            self._metrics.did_cache_refused.inc(refused - self._refused)
            self._refused = refused

    def _pace(self, answers: Mapping[str, Answer]) -> None:
        """Where nothing gets an answer, take it slower: nothing is wrong with those that wait."""
        causes = [answer.cause for answer in answers.values() if isinstance(answer, PutOff)]
        if len(causes) < len(answers):
            if self._fruitless >= TROUBLE_ROUNDS:
                log.info("look_ups_resumed")
            self._fruitless = 0
            return
        self._fruitless += 1
        self._take_at = time.monotonic() + min(2.0 ** (self._fruitless - 1), PAUSE_MOST_S)
        if self._fruitless == TROUBLE_ROUNDS:
            log.warning("look_ups_delayed", cause=causes[-1], remedy="check PLC_URL, the name servers and the network")
