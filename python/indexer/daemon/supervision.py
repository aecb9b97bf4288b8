"""No task of the daemon dies or stands still unnoticed: half alive is worse than dead."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Collection, Coroutine
from types import FrameType
from typing import Any, NoReturn, TypeVar

import structlog

from indexer.errors import ExitCode, IndexerError
from indexer.pulse import Pulse, with_pulse

log = structlog.get_logger()

T = TypeVar("T")

TICK_S = 0.5
BLOCKED_S = 7.0
"""Of processor time in which the event loop did not come round: one batch takes it for a tenth of a second."""
LAST_S = 2.0
"""From a fault to the end of the process, whatever closing takes."""
CANCEL_AGAIN_S = 0.5


class Supervisor:
    """Starts the tasks of the daemon and watches them."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self._pulses: set[Pulse] = set()

    def start(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        task = asyncio.create_task(with_pulse(name, work, self._pulses), name=name)
        self.tasks.add(task)
        return task

    async def first(self, expected: "set[asyncio.Task[Any]]") -> "set[asyncio.Task[Any]]":
        """Wait until some of `expected` have ended in order.

        Raises what any task died of; IndexerError where one ended that must not, was cancelled, or stands still.
        """
        while True:
            signal.setitimer(signal.ITIMER_VIRTUAL, BLOCKED_S)
            watched = self.tasks | expected
            done, _ = await asyncio.wait(watched, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.cancelled() or task.exception() is not None or task not in expected:
                    self._died(task)
            if done:
                self.tasks -= done
                return done
            for pulse in self._pulses:
                pulse.still_s += TICK_S
                if pulse.is_still:
                    self._fail(pulse.name, "stands still", f"it gave no sign of life for {pulse.still_s:g} s")

    def _died(self, task: "asyncio.Task[Any]") -> NoReturn:
        if task.cancelled():
            self._fail(task.get_name(), "was cancelled", "nobody in this process should do that")
        if (fault := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), error=fault)
            raise fault
        self._fail(task.get_name(), "has ended", "it should run as long as the process")

    def _fail(self, name: str, what: str, cause: str) -> NoReturn:
        fault = IndexerError(
            f"the task `{name}` {what}", cause, "start the process again: nothing is lost; report it with the log"
        )
        log.error("task_failed", task=name, error=fault)
        raise fault

    def __enter__(self) -> "Supervisor":
        signal.signal(signal.SIGVTALRM, _blocked)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


async def ended(tasks: Collection["asyncio.Future[Any]"]) -> None:
    """Cancel tasks until they have ended: a client that is just connecting, or tries again, may lose a cancellation."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised was looked at before


def end_soon(fault: Exception) -> None:
    """End the process after `LAST_S` even if closing takes longer: a task at fault may not let itself be cancelled."""
    code = fault.exit_code if isinstance(fault, IndexerError) else ExitCode.INTERNAL
    asyncio.get_running_loop().call_later(LAST_S, _exit, code)


def _exit(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be in use right now
            stream.flush()
    os._exit(code)


def _blocked(_number: int, frame: FrameType | None) -> None:
    """The event loop has not come round: none of its tasks can do anything about it."""
    with contextlib.suppress(Exception):
        stack = "".join(traceback.format_stack(frame, limit=20))
        log.error("event_loop_blocked", processor_s=BLOCKED_S, stack=stack)
    _exit(ExitCode.INTERNAL)
