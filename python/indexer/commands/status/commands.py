"""The commands `status` and `top`, from settings to lines."""

import asyncio
import itertools
import os
import signal
import sys
import time
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

from indexer.commands.status import texts
from indexer.commands.status.screen import Screen
from indexer.commands.status.watch import Snapshot, Watch, measured
from indexer.errors import ExitCode, IndexerError

DATABASE_S = 10.0
"""Between two reads of the database by `top`: what it counts may be much."""


async def status(settings: Mapping[str, Any], interval_s: float, *, as_json: bool) -> int:
    """Look once; the exit code is that of the first server that is away."""
    _take_any_letter()
    async with Watch(settings) as watch:
        found = await measured(watch, interval_s)
    text = texts.document(found) if as_json else "\n".join(texts.lines(found))
    sys.stdout.write(f"{text}\n")
    return found.away[0].exit_code if found.away else ExitCode.DONE


async def top(settings: Mapping[str, Any], interval_s: float, looks: int | None) -> int:
    """Look again and again until `q`, a signal, or so many looks."""
    _take_any_letter()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Watch(settings) as watch:
        with Screen(sys.stdin, sys.stdout, os.environ, stop.set) as screen:
            watching = asyncio.create_task(_watch(watch, screen, interval_s, looks))
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    watching.result()
            finally:
                watching.cancel()
                stopping.cancel()
                await asyncio.gather(watching, stopping, return_exceptions=True)
    return ExitCode.DONE


async def _watch(watch: Watch, screen: Screen, interval_s: float, looks: int | None) -> None:
    read_at, known, away = float("-inf"), None, None
    for done in itertools.count(1):
        await watch.count()
        if away is not None or time.monotonic() - read_at >= DATABASE_S:
            known, away = await watch.read_database()
            read_at = time.monotonic()
        _show(screen, await watch.snapshot(known, away))
        if done == looks:
            return
        await asyncio.sleep(interval_s)


def _show(screen: Screen, found: Snapshot) -> None:
    if screen.is_moving:
        screen.draw(["indexer top: q ends", *texts.lines(found)])
        return
    for one in found.streams:
        queue = one.queue
        screen.say(
            f"{found.at:%Y-%m-%dT%H:%M:%SZ} {queue.group.stream}: length {queue.length:,}, undelivered "
            f"{queue.undelivered:,}, pending {queue.pending:,}, in {texts.rate(one.rates.into)}/s, "
            f"out {texts.rate(one.rates.out)}/s, empty: {texts.empty_text(one.empty)}"
        )
    for fault in found.away:
        screen.say(f"{found.at:%Y-%m-%dT%H:%M:%SZ} {_short(fault)}")


def _short(fault: IndexerError) -> str:
    return f"{fault.what}: {fault.cause}"


def _take_any_letter() -> None:
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer letters than the network
