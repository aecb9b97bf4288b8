"""The sign of life that each task of the daemon gives (`daemon/supervision.py` watches it).

A pulse beats when the task gets a connection to a server or gives one back, and where a loop says `beat()`. A task
without one is at fault unless it waits: for a server, which drivers limit, or for another task, which has a pulse of
its own. Times are counted in ticks of the event loop: a process that is stopped, or gets no processor, counts none.
"""

import contextlib
from collections.abc import Coroutine, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

STILL_S = 7.0
"""Without a pulse, waiting for nobody: more than any task sleeps (5 s)."""
WAITED_S = 300.0
"""The same while waiting for a server: more than any driver lets it take."""


class Pulse:
    """The sign of life of a task, and of those that it starts."""

    def __init__(self, name: str, all_pulses: set["Pulse"]) -> None:
        self.name = name
        self.all = all_pulses
        self.waits = 0
        """For how many servers it waits."""
        self.relies = 0
        """On how many other tasks."""
        self.still_s = 0.0

    @property
    def is_still(self) -> bool:
        return not self.relies and self.still_s >= (WAITED_S if self.waits else STILL_S)


_current: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def beat() -> None:
    """The current task goes on."""
    if (pulse := _current.get()) is not None:
        pulse.still_s = 0.0


def begin_to_wait() -> Pulse | None:
    """The current task waits for a server; to be given to `end_of_wait`."""
    if (pulse := _current.get()) is not None:
        pulse.waits += 1
        pulse.still_s = 0.0
    return pulse


def end_of_wait(pulse: Pulse | None) -> None:
    """What it waited for is there."""
    if pulse is not None:
        pulse.waits -= 1
        pulse.still_s = 0.0


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Wait for a server, or for a thread, within the block."""
    pulse = begin_to_wait()
    try:
        yield
    finally:
        end_of_wait(pulse)


@contextlib.contextmanager
def relying() -> Iterator[None]:
    """Wait within the block for other tasks, for as long as they take: an idle stream gives no batch for days."""
    if (pulse := _current.get()) is None:
        yield
        return
    pulse.relies += 1
    try:
        yield
    finally:
        pulse.relies -= 1
        pulse.still_s = 0.0


async def with_pulse(name: str, work: Coroutine[Any, Any, T], all_pulses: set[Pulse] | None = None) -> T:
    """Do `work`, in a task of its own, with a pulse beside those of the task that started it."""
    if all_pulses is None:
        if (parent := _current.get()) is None:
            return await work
        all_pulses = parent.all
    pulse = Pulse(name, all_pulses)
    all_pulses.add(pulse)
    token = _current.set(pulse)
    try:
        return await work
    finally:
        _current.reset(token)
        all_pulses.discard(pulse)
