"""The daemon from start to end: `run` opens, takes its name, works, tells what is left; all is closed in reverse."""

import asyncio
import contextlib
import gc
import os
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError

from indexer import _native
from indexer.configuration.settings import Settings
from indexer.daemon import signals
from indexer.daemon.health import show_states
from indexer.daemon.http import serving
from indexer.daemon.lease import Lease
from indexer.daemon.opening import opened
from indexer.daemon.page import routes as page_routes
from indexer.daemon.parts import Parts, assembled
from indexer.daemon.supervision import ended
from indexer.daemon.systemd import Systemd
from indexer.daemon.tasks import until_done
from indexer.daemon.typescript_metrics import TypeScriptMetrics
from indexer.errors import ExitCode
from indexer.lane.adoption import report_held_by_others
from indexer.lane.pipeline import Lane
from indexer.removal.jobs import Jobs
from indexer.sink.handles import HandleQueue

log = structlog.get_logger()

T = TypeVar("T")


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
            parts = await assembled(settings, servers, stack, stop)
            if not await _take_name(settings, parts, stack, stop):
                return ExitCode.DONE
            _watch_lanes(settings, parts)
            port = await _listen(settings, parts, stack)
            log.info("started", version=_native.VERSION, metrics_port_bound=port, **settings.described())
            systemd.ready()
            code = await until_done(settings, parts, systemd, stop, hurry)
            code = _judged(settings, parts, code, stop)
            await _tell_what_is_left(settings, parts, code)
    if parts.budget is not None and parts.budget.passed and code == ExitCode.FINDINGS:
        raise parts.budget.passed
    return code


def _spare_the_collector() -> None:
    """Let the garbage collector look less often: a tenth of our time went into walking batches that were in use.

    A batch is tens of thousands of objects without cycles, which go when it is done; 700 new ones are no sign of waste.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`; None when `stop` was set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await ended({working, stopping})


async def _take_name(settings: Settings, parts: Parts, stack: contextlib.AsyncExitStack, stop: asyncio.Event) -> bool:
    """Take the consumer's name, and hear whether it starts paused. False where `stop` came first."""
    if await _unless(stop, parts.lease.take()) is None:
        return False
    stack.push_async_callback(_quietly, lambda: _give_back(parts.lease, parts.lanes))
    if parts.obedience is not None:
        await parts.lease.renew()  # which brings the wishes
        if settings.drain or settings.canary:
            parts.obedience.refuse_pause()
    return True


async def _give_back(lease: Lease, lanes: list[Lane[Any]]) -> None:
    """Give the consumer's name back. What it still holds is taken over if nobody comes for it."""
    clean = False
    with contextlib.suppress(RedisError, OSError):
        clean = not any([await lane.source.pending() for lane in lanes])
    await (lease.release() if clean else lease.let_run_out())


def _watch_lanes(settings: Settings, parts: Parts) -> None:
    """Let everybody know what becomes of batches who was asked for."""
    show_states(parts.lanes, parts.metrics)
    series = TypeScriptMetrics(parts.metrics.registry) if settings.typescript_metrics else None
    for lane in parts.lanes:
        for listener in (parts.canary, parts.budget):
            if listener is not None:
                lane.listen(listener)
        if series is not None:
            is_of_labels = settings.mode != "stream" and lane.source.stream == settings.label_stream
            series.watch(lane, labels=is_of_labels)


async def _listen(settings: Settings, parts: Parts, stack: contextlib.AsyncExitStack) -> int:
    """Serve metrics, health and the page; the port that was had."""
    page = await stack.enter_async_context(
        page_routes.offered(settings, parts.pool, parts.turns, parts.redis, parts.lanes, parts.health)
    )
    return await stack.enter_async_context(
        serving(settings.metrics_host, settings.metrics_port, parts.metrics.registry, parts.health, page)
    )


def _judged(settings: Settings, parts: Parts, code: ExitCode, stop: asyncio.Event) -> ExitCode:
    """The exit code, after a last look at what a canary and a budget have seen."""
    if parts.canary is not None:
        parts.canary.tell()
    if (budget := parts.budget) is None or code != ExitCode.DONE:
        return code
    if (settings.drain or settings.canary) and not stop.is_set():
        budget.judge_all()
    return ExitCode.FINDINGS if budget.passed else code


async def _tell_what_is_left(settings: Settings, parts: Parts, code: ExitCode) -> None:
    backlog = {"handle_backlog": await _counted(parts.queue)} if parts.handles is not None else {}
    await _quietly(lambda: _report_deletions(parts.deletions))
    if settings.drain and not settings.takeover:
        await _quietly(lambda: report_held_by_others(parts.redis, parts.lanes))
    log.info("stopped", exit_code=int(code), messages=sum(lane.done for lane in parts.lanes), **backlog)


async def _counted(queue: HandleQueue) -> int | None:
    """What is left to look up; None where the database does not say."""
    with contextlib.suppress(Exception):
        return await asyncio.wait_for(queue.waiting(), 5)
    return None


async def _report_deletions(deletions: Jobs) -> None:
    waiting = await deletions.waiting()
    if any(waiting.values()):
        log.info("account_deletions_left", **waiting)


async def _quietly(work: Callable[[], Awaitable[None]]) -> None:
    """Tidying up on the way out: what fails now heals by itself."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(work(), 5)
