"""What the process is made of, made in one place from the settings and the two servers."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from indexer.configuration.settings import Settings
from indexer.connections.database import Pool, Turns
from indexer.daemon.handle_worker import HandleWorker
from indexer.daemon.health import health
from indexer.daemon.http import Health
from indexer.daemon.lease import Lease
from indexer.daemon.obedience import Obedience
from indexer.daemon.opening import resolver_of
from indexer.identity import DidCache
from indexer.lane.adoption import Adopter
from indexer.lane.budget import Budget
from indexer.lane.canary import Canary
from indexer.lane.intake import Intake
from indexer.lane.lanes import lanes_of
from indexer.lane.pipeline import Lane
from indexer.metrics import Metrics
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.sink.handles import HandleQueue
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements


@dataclass(frozen=True, slots=True)
class Parts:
    """The lanes, and what works beside them."""

    pool: Pool
    turns: Turns
    redis: Redis
    metrics: Metrics
    intake: Intake
    lanes: list[Lane[Any]]
    lease: Lease
    obedience: Obedience | None
    """None: no wishes are heard."""
    canary: Canary | None
    """None: the run is not limited to a number of messages."""
    budget: Budget | None
    """None: no number of dead letters and no delay ends it."""
    adopter: Adopter | None
    """None: what others hold is left to them."""
    recounter: Recounter
    queue: HandleQueue
    handles: HandleWorker | None
    """None: look-ups are off."""
    deletions: Jobs
    removal: RemovalWorker | None
    """None: no account is removed."""

    def health(self) -> Health:
        """What `/livez`, `/readyz` and the watchdog say."""
        return health(self.lanes, self.obedience.how_to_go_on if self.obedience else None)


async def assembled(
    settings: Settings,
    servers: tuple[Pool, Redis, Statements],
    stack: contextlib.AsyncExitStack,
    stop: asyncio.Event,
) -> Parts:
    """All parts; nothing is at work yet. What must be closed is left to the stack."""
    pool, redis, statements = servers
    metrics, turns = Metrics(settings.streams_read), Turns(settings.pool_max_size)
    intake = Intake(settings.rate, settings.canary)
    lanes = lanes_of(settings, pool, turns, statements, redis, metrics, intake)
    # who takes a dead consumer's entries over is asked to do so now, whatever was asked of the dead
    obedience = None if settings.takeover else Obedience(settings.consumer, intake, settings.rate, lanes)
    queue, deletions = HandleQueue(pool, turns, statements), Jobs(pool, turns, statements)

    def is_paused() -> bool:
        return intake.is_paused

    handles, removal = await _workers(settings, queue, deletions, redis, metrics, is_paused, stack)
    adopter = None
    if settings.claim_idle_ms and not (settings.drain or settings.canary):
        adopter = Adopter(pool, redis, lanes, settings.claim_idle_ms)
    return Parts(
        pool,
        turns,
        redis,
        metrics,
        intake,
        lanes,
        Lease(pool, settings.consumer, obedience),
        obedience,
        Canary() if settings.canary else None,
        Budget(settings.stop_if, intake.close) if settings.stop_if else None,
        adopter,
        # on the way out it counts what it has marked, paused or not
        Recounter(pool, statements, lambda: is_paused() and not stop.is_set()),
        queue,
        handles,
        deletions,
        removal,
    )


async def _workers(
    settings: Settings,
    queue: HandleQueue,
    deletions: Jobs,
    redis: Redis,
    metrics: Metrics,
    is_paused: Callable[[], bool],
    stack: contextlib.AsyncExitStack,
) -> tuple[HandleWorker | None, RemovalWorker | None]:
    """Those that ask other hosts, by one resolver: its limits hold for the process."""
    if settings.takeover or not settings.did_resolution:
        return None, None
    cache = DidCache(redis)
    resolver = await stack.enter_async_context(resolver_of(settings, cache))
    handles = HandleWorker(queue, resolver, cache, metrics, is_paused)
    if settings.account_deletion != "purge":
        return handles, None
    return handles, RemovalWorker(deletions, resolver, settings.aggregates, metrics, is_paused)
