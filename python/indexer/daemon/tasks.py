"""The tasks of the process: started together, watched, ended in order."""

import asyncio
from typing import Any

import structlog

from indexer.configuration.settings import Settings
from indexer.daemon import signals
from indexer.daemon.parts import Parts
from indexer.daemon.samples import keep_fresh
from indexer.daemon.supervision import Supervisor, end_soon, ended
from indexer.daemon.systemd import Systemd
from indexer.errors import ExitCode, IndexerError
from indexer.lane.intake import Intake
from indexer.lane.pipeline import Lane
from indexer.sink.recount import Recounter

log = structlog.get_logger()


async def until_done(
    settings: Settings, parts: Parts, systemd: Systemd, stop: asyncio.Event, hurry: asyncio.Event
) -> ExitCode:
    """Run the lanes until they end; the first signal lets them finish, the second does not."""
    with Supervisor() as supervisor:
        lanes = {
            supervisor.start(lane.run(stop, drain=settings.drain), f"lane {lane.source.stream}"): lane
            for lane in parts.lanes
        }
        lanes_ended = asyncio.Event()
        _start_what_lasts(supervisor, parts, systemd, stop)
        finishing = _start_what_finishes(supervisor, settings, parts, lanes_ended)
        hurried = asyncio.create_task(signals.too_late(stop, hurry, settings.grace_s), name="grace")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            code = await _until_lanes_end(settings, parts.intake, supervisor, lanes, hurried, stopping)
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
            await ended({*supervisor.tasks, hurried, stopping})


def _start_what_lasts(supervisor: Supervisor, parts: Parts, systemd: Systemd, stop: asyncio.Event) -> None:
    """What works for as long as the process."""
    start = supervisor.start
    start(parts.lease.keep(), "lease")
    start(keep_fresh(parts.lanes, parts.redis, parts.pool, parts.deletions, parts.metrics), "samples")
    if systemd.listens:
        start(systemd.keep_told(parts.health), "systemd")
    if parts.adopter is not None:
        start(parts.adopter.run(stop), "adoption")
    if parts.removal is not None:
        start(parts.removal.asking(), "deletions")
        start(parts.removal.removing(), "removal")


def _start_what_finishes(
    supervisor: Supervisor, settings: Settings, parts: Parts, lanes_ended: asyncio.Event
) -> set[asyncio.Task[None]]:
    """What has something to finish when the lanes have ended: the tasks to wait for."""
    finishing: set[asyncio.Task[None]] = set()
    if settings.aggregates == "recount":
        recount = _recount(parts.recounter, lanes_ended, drain=settings.drain)
        finishing.add(supervisor.start(recount, "recount"))
    elif settings.aggregates == "delta":
        end = lanes_ended if settings.drain else asyncio.Event()
        left = supervisor.start(parts.recounter.finish_what_is_left(end), "recount")
        finishing |= {left} if settings.drain else set()
    if parts.handles is not None:
        finishing.add(supervisor.start(parts.handles.run(lanes_ended), "handles"))
    return finishing


async def _recount(recounter: Recounter, lanes_ended: asyncio.Event, *, drain: bool) -> None:
    """Count while the lanes run; with `drain` also what they left. Otherwise marks wait for the next start."""
    await recounter.run(lanes_ended)
    if drain:
        await recounter.finish()


async def _until_lanes_end(
    settings: Settings,
    intake: Intake,
    supervisor: Supervisor,
    lanes: "dict[asyncio.Task[None], Lane[Any]]",
    hurried: "asyncio.Task[None]",
    stopping: "asyncio.Task[Any]",
) -> ExitCode:
    """Wait until all lanes have ended in order. A halted one stays for people to look at; it is not ready."""
    left = dict(lanes)
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
    if any(lane.halted for lane in lanes.values()):
        if settings.drain or intake.is_closed or intake.is_spent:
            return ExitCode.FINDINGS
        await supervisor.first({stopping})
    return ExitCode.DONE
