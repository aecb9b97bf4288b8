"""`indexer` with a fault at a named point: a program for tests, which takes the arguments of `indexer`.

    FAULTS='["indexer.lane.source:Source.settle", "kill", 3]' python tests/faults/faulty.py run

FAULTS is a JSON list of point, action and, if need be, the number of the call at which it happens (from 1; each later
call, too). A point is a module and a name in it, of a function or coroutine. An action:

    kill      the process dies as by kill -9, before the point does anything
    killed    the same, after it is done
    raise     the point raises an exception that nobody expects
    cancel    the task is cancelled
    return    the point does nothing
    hang      the point never returns; the task can be cancelled
    deaf      the same; it cannot
    spin      an endless loop that never gives way
    die of    SIGSEGV where one of the payloads in the first argument is the text in place of the number
SETTINGS is a JSON object of values of modules' names, such as {"indexer.daemon.lease:LENGTH_S": 1}.

With the one argument `trial` it is `indexer.lane.trial` with that fault.
"""

import asyncio
import functools
import importlib
import inspect
import itertools
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any


class InjectedError(Exception):
    """What a test makes happen."""


def main() -> int:
    for name, value in json.loads(os.environ.get("SETTINGS", "{}")).items():
        holder, attribute = found(name)
        setattr(holder, attribute, value)
    if fault := json.loads(os.environ.get("FAULTS", "null")):
        point, action, *at = fault
        holder, attribute = found(point)
        if action == "die of":
            setattr(holder, attribute, deadly(getattr(holder, attribute), at[0].encode()))
        else:
            setattr(holder, attribute, faulty(getattr(holder, attribute), action, at[0] if at else 1))
    from indexer import cli
    from indexer.lane import trial

    if sys.argv[1:] == ["trial"]:
        trial.main()
        return 0

    return cli.main()


def found(point: str) -> tuple[Any, str]:
    """What holds the name, and the name."""
    module, _, path = point.partition(":")
    *path_to, name = path.split(".")
    return functools.reduce(getattr, path_to, importlib.import_module(module)), name


def faulty(function: Callable[..., Any], action: str, at: int) -> Callable[..., Any]:
    calls = itertools.count(1)
    if not inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        def plain(*arguments: Any, **options: Any) -> Any:
            if next(calls) >= at:
                act(action)
            return function(*arguments, **options)

        return plain

    @functools.wraps(function)
    async def wrapped(*arguments: Any, **options: Any) -> Any:
        if next(calls) < at:
            return await function(*arguments, **options)
        if action == "killed":
            await function(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)
        if action in ("cancel", "return", "hang", "deaf"):
            return await ASIDE[action]()
        act(action)
        raise AssertionError

    return wrapped


def deadly(function: Callable[..., Any], poison: bytes) -> Callable[..., Any]:
    def wrapped(payloads: list[bytes], *arguments: Any) -> Any:
        if poison in payloads:
            os.kill(os.getpid(), signal.SIGSEGV)
        return function(payloads, *arguments)

    return wrapped


def act(action: str) -> None:
    """What needs no task."""
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "spin":
        while True:
            pass
    raise InjectedError(f"injected: {action}")


async def cancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def nothing() -> None:
    """Returns at once."""


async def hang() -> None:
    await asyncio.Event().wait()


async def deaf() -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


ASIDE: dict[str, Callable[[], Awaitable[None]]] = {"cancel": cancel, "return": nothing, "hang": hang, "deaf": deaf}

if __name__ == "__main__":
    sys.exit(main())
