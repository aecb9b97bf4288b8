"""The daemon: opens the servers, runs the lanes, listens for signals, closes in reverse."""

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from indexer import _native, values
from indexer.adoption import Adopter, report_held_by_others
from indexer.database import Pool, Turns, open_pool
from indexer.errors import ExitCode, IndexerError, UnavailableError
from indexer.handle_worker import HandleWorker
from indexer.http import Health, serving
from indexer.identity import DidCache, Resolver
from indexer.lanes import lanes_of
from indexer.lease import Lease
from indexer.metrics import Metrics
from indexer.pipeline import Lane
from indexer.redis_connection import open_redis
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.schema.check import check_url
from indexer.settings import Settings
from indexer.sink.handles import HandleQueue
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements
from indexer.streams import sample
from indexer.supervision import Supervisor, end_soon
from indexer.systemd import Systemd

log = structlog.get_logger()

T = TypeVar("T")

SAMPLE_S = 5
CANCEL_AGAIN_S = 0.5
STALLED_S = 120
"""A lane that neither wrote anything nor had nothing to do for so long, while servers answer, is not alive."""


async def run(settings: Settings) -> int:
    """Run until a signal, or with `drain` until nothing is left; returns the exit code.

    UnavailableError, ConfigError or SchemaError where it cannot start.
    """
    stop, hurry, systemd = asyncio.Event(), asyncio.Event(), Systemd(os.environ)
    _spare_the_collector()
    with _signals(stop, hurry, systemd):
        async with contextlib.AsyncExitStack() as stack:
            opened = await _unless(stop, _opened(settings, stack))
            if opened is None:
                return ExitCode.DONE
            pool, redis, statements = opened
            lease = Lease(pool, settings.consumer)
            if await _unless(stop, lease.take()) is None:
                return ExitCode.DONE
            metrics = Metrics(settings.streams_read)
            turns = Turns(settings.pool_max_size)
            lanes = lanes_of(settings, pool, turns, statements, redis, metrics)
            stack.push_async_callback(_quietly, lambda: _give_back(lease, lanes))
            port = await stack.enter_async_context(
                serving(settings.metrics_host, settings.metrics_port, metrics.registry, lambda: _health(lanes))
            )
            log.info("started", version=_native.VERSION, metrics_port_bound=port, **settings.described())
            systemd.ready()
            queue, deletions = HandleQueue(pool, turns, statements), Jobs(pool, turns, statements)
            cache = DidCache(redis)
            handles: HandleWorker | None = None
            removal: RemovalWorker | None = None
            if settings.did_resolution and not settings.takeover:
                resolver = await stack.enter_async_context(_resolver(settings, cache))
                handles = HandleWorker(queue, resolver, cache, metrics)
                if settings.account_deletion == "purge":
                    removal = RemovalWorker(deletions, resolver, settings.aggregates, metrics)
            adopter = None
            if settings.claim_idle_ms and not settings.drain:
                adopter = Adopter(pool, redis, lanes, settings.claim_idle_ms)
            recounter = Recounter(pool, statements)
            beside = Beside(lease, adopter, recounter, handles, deletions, removal, redis, pool, metrics, systemd)
            code = await _until_done(settings, lanes, beside, stop, hurry)
            backlog = {"handle_backlog": await _counted(queue)} if handles is not None else {}
            await _quietly(lambda: _report_deletions(deletions))
            if settings.drain and not settings.takeover:
                await _quietly(lambda: report_held_by_others(redis, lanes))
            log.info("stopped", exit_code=int(code), messages=sum(lane.done for lane in lanes), **backlog)
    return code


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


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when `stop` was set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await _ended({working, stopping})


async def _opened(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[Pool, Redis, Statements]:
    """Connections to both servers, and a look at the schema."""
    while True:
        try:
            findings = await check_url(settings.postgres_url, settings.postgres_schema)
            findings.raise_if_missing()
            redis = await open_redis(settings.redis_url)
            pool = await open_pool(
                settings.postgres_url,
                settings.consumer,
                settings.pool_min_idle,
                settings.pool_max_size,
                settings.statement_cache,
            )
        except UnavailableError as error:
            if not settings.wait:
                raise
            log.warning("waiting_for_server", what=error.what, cause=error.cause)
            await asyncio.sleep(1)
            continue
        for note in findings.notes:
            log.warning("schema_note", note=str(note))
        stack.push_async_callback(_closed, pool)
        stack.push_async_callback(redis.aclose)
        return pool, redis, Statements(settings.postgres_schema, findings.absent)


def _resolver(settings: Settings, cache: DidCache) -> Resolver:
    """Who is asked for handles and hosts, by all workers together: its limits hold for the process."""
    if settings.allow_private_addresses:
        log.warning(
            "private_addresses_allowed",
            detail="INDEXER_ALLOW_PRIVATE_ADDRESSES=true: whoever has an account can make this process send requests "
            "into its own network; for development only, unset it in production",
        )
    return Resolver(plc_url=settings.plc_url, allow_private_addresses=settings.allow_private_addresses, cache=cache)


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
        start(_samples(lanes, beside), "samples")
        if beside.systemd.listens:
            start(beside.systemd.keep_told(lambda: _health(lanes)), "systemd")
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
        if beside.handles is not None:
            finishing.add(start(beside.handles.run(lanes_ended), "handles"))
        hurried = asyncio.create_task(_too_late(stop, hurry, settings.grace_s), name="grace")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            code = await _watch(settings, supervisor, running, hurried, stopping)
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
            if not (lane.halted or settings.drain or stopping.done()):
                raise IndexerError(
                    f"the {task.get_name()} has ended", "nobody asked it to", "start the process again, and report it"
                )
    if any(lane.halted for lane in running.values()):
        if settings.drain:
            return ExitCode.FINDINGS
        await supervisor.first({stopping})
    return ExitCode.DONE


@contextlib.contextmanager
def _signals(stop: asyncio.Event, hurry: asyncio.Event, systemd: Systemd) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            hurry.set()
        log.info("stopping")
        systemd.stopping()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _too_late(stop: asyncio.Event, hurry: asyncio.Event, grace_s: float) -> None:
    """Returns when there is no more time: at the second signal, or when the grace time after the first is over."""
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), grace_s)


async def _samples(lanes: list[Lane[Any]], beside: Beside) -> None:
    """Keep the gauges fresh."""
    redis, pool, metrics = beside.redis, beside.pool, beside.metrics
    while True:
        metrics.db_connections.set(pool.get_size())
        with contextlib.suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
            for step, number in (await beside.deletions.waiting()).items():
                metrics.account_deletions.labels(step).set(number)
        for lane in lanes:
            with contextlib.suppress(RedisError, OSError):
                state = await sample(redis, lane.source.stream, lane.source.group)
                metrics.stream_length.labels(lane.source.stream).set(state.length)
                metrics.stream_pending.labels(lane.source.stream).set(state.pending)
                metrics.stream_oldest_pending_seconds.labels(lane.source.stream).set(state.oldest_pending_s)
        await asyncio.sleep(SAMPLE_S)


def _health(lanes: list[Lane[Any]]) -> Health:
    """A lane is alive while it goes on, and while no restart would help it: it waits for a server, or is halted."""
    halted, waits, stalled = [], [], []
    for lane in lanes:
        name, waits_for = f"lane {lane.source.stream}", "Redis" if lane.waiting else lane.sink.waits_for
        if lane.halted:
            halted.append(f"{name} halted: {values.mask(lane.halted)}")
        elif waits_for:
            waits.append(f"{name} waits for {waits_for}")
        elif time.monotonic() - max(lane.progress, lane.sink.progress) > STALLED_S:
            stalled.append(f"{name} made no progress for {STALLED_S} s")
    reasons = (*halted, *waits, *stalled)
    return Health(live=not stalled, ready=not reasons, reasons=reasons)


async def _give_back(lease: Lease, lanes: list[Lane[Any]]) -> None:
    """Give the consumer's name back. What it still holds is taken over if nobody comes for it."""
    clean = False
    with contextlib.suppress(RedisError, OSError):
        clean = not any([await lane.source.pending() for lane in lanes])
    await (lease.release() if clean else lease.let_run_out())


async def _closed(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), 5)
    except (TimeoutError, asyncpg.PostgresError, OSError):
        pool.terminate()


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    """Tidying up on the way out: what fails now heals by itself."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(work(), 5)
