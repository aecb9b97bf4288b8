"""The daemon: opens the servers, runs the lanes, listens for signals, closes in reverse."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from indexer import _native
from indexer.configuration.settings import Settings
from indexer.connections.database import Pool, Turns
from indexer.daemon import signals
from indexer.daemon.handle_worker import HandleWorker
from indexer.daemon.health import health, show_states
from indexer.daemon.http import Health, serving
from indexer.daemon.lease import Lease
from indexer.daemon.metrics import Metrics
from indexer.daemon.obedience import Obedience
from indexer.daemon.opening import opened, resolver_of
from indexer.daemon.page import routes as page_routes
from indexer.daemon.samples import keep_fresh
from indexer.daemon.supervision import Supervisor, end_soon
from indexer.daemon.systemd import Systemd
from indexer.daemon.typescript_metrics import TypeScriptMetrics
from indexer.errors import ExitCode, IndexerError
from indexer.identity import DidCache
from indexer.lane.adoption import Adopter, report_held_by_others
from indexer.lane.budget import Budget
from indexer.lane.canary import Canary
from indexer.lane.intake import Intake
from indexer.lane.lanes import lanes_of
from indexer.lane.pipeline import Lane
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.sink.handles import HandleQueue
from indexer.sink.recount import Recounter

log = structlog.get_logger()

T = TypeVar("T")

CANCEL_AGAIN_S = 0.5


async def run(settings: Settings) -> int:
    """Run until a signal, or with `drain` or `canary` until that is done; returns the exit code.

    UnavailableError, ConfigError or SchemaError where it cannot start; BudgetError where `stop_if` ended it.
    """
    stop, hurry, systemd = asyncio.Event(), asyncio.Event(), Systemd(os.environ)
    _spare_the_collector()
    with signals.heard(stop, hurry, systemd):
        async with contextlib.AsyncExitStack() as stack:
            servers = await _unless(stop, opened(settings, stack))
            if servers is None:
                return ExitCode.DONE
            pool, redis, statements = servers
            metrics, turns = Metrics(settings.streams_read), Turns(settings.pool_max_size)
            intake = Intake(settings.rate, settings.canary)
            lanes = lanes_of(settings, pool, turns, statements, redis, metrics, intake)
            # who takes a dead consumer's entries over is asked to do so now, whatever was asked of the dead
            obedience = None if settings.takeover else Obedience(settings.consumer, intake, settings.rate, lanes)
            lease = Lease(pool, settings.consumer, obedience)
            if await _unless(stop, lease.take()) is None:
                return ExitCode.DONE
            stack.push_async_callback(_quietly, lambda: _give_back(lease, lanes))
            if obedience is not None:
                await lease.renew()  # which tells whether it starts paused
                if settings.drain or settings.canary:
                    obedience.refuse_pause()
            canary = Canary() if settings.canary else None
            budget = Budget(settings.stop_if, intake.close) if settings.stop_if else None
            _watch_lanes(settings, lanes, metrics, canary, budget)

            def say() -> Health:
                return health(lanes, obedience.how_to_go_on if obedience else None)

            page = await stack.enter_async_context(page_routes.offered(settings, pool, turns, redis, lanes, say))
            port = await stack.enter_async_context(
                serving(settings.metrics_host, settings.metrics_port, metrics.registry, say, page)
            )
            log.info("started", version=_native.VERSION, metrics_port_bound=port, **settings.described())
            systemd.ready()
            queue, deletions = HandleQueue(pool, turns, statements), Jobs(pool, turns, statements)
            handles: HandleWorker | None = None
            removal: RemovalWorker | None = None

            def is_paused() -> bool:
                return intake.is_paused

            if settings.did_resolution and not settings.takeover:
                cache = DidCache(redis)
                resolver = await stack.enter_async_context(resolver_of(settings, cache))
                handles = HandleWorker(queue, resolver, cache, metrics, is_paused)
                if settings.account_deletion == "purge":
                    removal = RemovalWorker(deletions, resolver, settings.aggregates, metrics, is_paused)
            adopter = None
            if settings.claim_idle_ms and not (settings.drain or settings.canary):
                adopter = Adopter(pool, redis, lanes, settings.claim_idle_ms)
            # on the way out it counts what it has marked, paused or not
            recounter = Recounter(pool, statements, lambda: is_paused() and not stop.is_set())
            beside = Beside(
                lease, intake, adopter, recounter, handles, deletions, removal, redis, pool, metrics, systemd, say
            )
            code = await _until_done(settings, lanes, beside, stop, hurry)
            if canary is not None:
                canary.tell()
            if budget is not None:
                if code == ExitCode.DONE and (settings.drain or settings.canary) and not stop.is_set():
                    budget.judge_all()
                code = ExitCode.FINDINGS if budget.passed and code == ExitCode.DONE else code
            backlog = {"handle_backlog": await _counted(queue)} if handles is not None else {}
            await _quietly(lambda: _report_deletions(deletions))
            if settings.drain and not settings.takeover:
                await _quietly(lambda: report_held_by_others(redis, lanes))
            log.info("stopped", exit_code=int(code), messages=sum(lane.done for lane in lanes), **backlog)
    if budget is not None and budget.passed and code == ExitCode.FINDINGS:
        raise budget.passed
    return code


def _watch_lanes(
    settings: Settings, lanes: list[Lane[Any]], metrics: Metrics, canary: Canary | None, budget: Budget | None
) -> None:
    """Let everybody know what becomes of batches who was asked for."""
    show_states(lanes, metrics)
    series = TypeScriptMetrics(metrics.registry) if settings.typescript_metrics else None
    for lane in lanes:
        for listener in (canary, budget):
            if listener is not None:
                lane.listen(listener)
        if series is not None:
            is_of_labels = settings.mode != "stream" and lane.source.stream == settings.label_stream
            series.watch(lane, labels=is_of_labels)


def _spare_the_collector() -> None:
    """Let the garbage collector look less often: a tenth of our time went into walking batches that were in use.

    A batch is tens of thousands of objects without cycles, which go when it is done; 700 new ones are no sign of waste.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


@dataclass(frozen=True, slots=True)
class Beside:
    """What works beside the lanes."""

    lease: Lease
    intake: Intake
    adopter: Adopter | None
    """None: what others hold is left to them."""
    recounter: Recounter
    handles: HandleWorker | None
    """None: look-ups are off."""
    deletions: Jobs
    removal: RemovalWorker | None
    """None: no account is removed."""
    redis: Redis
    pool: Pool
    metrics: Metrics
    systemd: Systemd
    say: Callable[[], Health]


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when `stop` was set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await _ended({working, stopping})


async def _counted(queue: HandleQueue) -> int | None:
    """What is left to look up; None where the database does not say."""
    with contextlib.suppress(Exception):
        return await asyncio.wait_for(queue.waiting(), 5)
    return None


async def _report_deletions(deletions: Jobs) -> None:
    waiting = await deletions.waiting()
    if any(waiting.values()):
        log.info("account_deletions_left", **waiting)


async def _until_done(
    settings: Settings, lanes: list[Lane[Any]], beside: Beside, stop: asyncio.Event, hurry: asyncio.Event
) -> ExitCode:
    """Run the lanes until they end; the first signal lets them finish, the second does not."""
    with Supervisor() as supervisor:
        start = supervisor.start
        running = {start(lane.run(stop, drain=settings.drain), f"lane {lane.source.stream}"): lane for lane in lanes}
        start(beside.lease.keep(), "lease")
        start(keep_fresh(lanes, beside.redis, beside.pool, beside.deletions, beside.metrics), "samples")
        if beside.systemd.listens:
            start(beside.systemd.keep_told(beside.say), "systemd")
        if beside.adopter is not None:
            start(beside.adopter.run(stop), "adoption")
        if beside.removal is not None:
            start(beside.removal.asking(), "deletions")
            start(beside.removal.removing(), "removal")
        lanes_ended = asyncio.Event()
        finishing: set[asyncio.Task[None]] = set()
        if settings.aggregates == "recount":
            recount = _recount(beside.recounter, lanes_ended, drain=settings.drain)
            finishing.add(start(recount, "recount"))
        elif settings.aggregates == "delta":
            end = lanes_ended if settings.drain else asyncio.Event()
            left = start(beside.recounter.finish_what_is_left(end), "recount")
            finishing |= {left} if settings.drain else set()
        if beside.handles is not None:
            finishing.add(start(beside.handles.run(lanes_ended), "handles"))
        hurried = asyncio.create_task(signals.too_late(stop, hurry, settings.grace_s), name="grace")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            code = await _watch(settings, beside.intake, supervisor, running, hurried, stopping)
            lanes_ended.set()
            while code == ExitCode.DONE and finishing:
                done = await supervisor.first({*finishing, hurried})
                if hurried in done:
                    return ExitCode.STOPPED_EARLY
                finishing -= done
            return code
        except Exception as fault:
            end_soon(fault)
            raise
        finally:
            await _ended({*supervisor.tasks, hurried, stopping})


async def _ended(tasks: Collection["asyncio.Future[Any]"]) -> None:
    """Cancel tasks until they have ended: a client that is just connecting, or tries again, may lose a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised was looked at before


async def _recount(recounter: Recounter, lanes_ended: asyncio.Event, *, drain: bool) -> None:
    """Count while the lanes run; with `drain` also what they left. Otherwise marks wait for the next start."""
    await recounter.run(lanes_ended)
    if drain:
        await recounter.finish()


async def _watch(
    settings: Settings,
    intake: Intake,
    supervisor: Supervisor,
    running: "dict[asyncio.Task[None], Lane[Any]]",
    hurried: "asyncio.Task[None]",
    stopping: "asyncio.Task[Any]",
) -> ExitCode:
    """Wait until all lanes have ended in order. A halted one stays for people to look at; it is not ready."""
    left = dict(running)
    while left:
        done = await supervisor.first({*left, hurried})
        if hurried in done:
            log.warning("stopped_early", lanes=[task.get_name() for task in left])
            return ExitCode.STOPPED_EARLY
        for task in done:
            lane = left.pop(task)
            if lane.halted and settings.canary:
                intake.close()  # it would wait for messages that the others may never get
            if not (lane.halted or settings.drain or stopping.done() or intake.is_closed or intake.is_spent):
                raise IndexerError(
                    f"the {task.get_name()} has ended", "nobody asked it to", "start the process again, and report it"
                )
    if any(lane.halted for lane in running.values()):
        if settings.drain or intake.is_closed or intake.is_spent:
            return ExitCode.FINDINGS
        await supervisor.first({stopping})
    return ExitCode.DONE


async def _give_back(lease: Lease, lanes: list[Lane[Any]]) -> None:
    """Give the consumer's name back. What it still holds is taken over if nobody comes for it."""
    clean = False
    with contextlib.suppress(RedisError, OSError):
        clean = not any([await lane.source.pending() for lane in lanes])
    await (lease.release() if clean else lease.let_run_out())


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    """Tidying up on the way out: what fails now heals by itself."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(work(), 5)
