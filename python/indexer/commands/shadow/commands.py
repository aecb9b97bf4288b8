"""The command `shadow`, from settings to a report."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from indexer.commands.handover.holdings import Group
from indexer.commands.shadow.comparing import Rules
from indexer.commands.shadow.report import Report, StreamResult
from indexer.commands.shadow.staging import Layout
from indexer.commands.shadow.stream import EventComparison, LabelComparison, Limits, StreamComparison
from indexer.configuration import secrets
from indexer.connections.database import POSTGRES_FAULTS
from indexer.connections.redis_connection import open_redis
from indexer.errors import ExitCode, StoppedEarlyError, UnavailableError
from indexer.fold.accounts import AccountRules
from indexer.schema.connection import connected, needing_to_read
from indexer.terminal import Terminal

TELL_S = 2.0
LINES_S = 10.0
"""Where no line can move."""


async def shadow(settings: Mapping[str, Any], limits: Limits, examples: int, *, as_json: bool) -> int:
    """Compare, and tell; FINDINGS where rows differ. Ctrl-C ends it with a report of what was compared so far."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    terminal = Terminal(sys.stderr, os.environ)
    results: list[StreamResult] = []
    working = asyncio.create_task(_work(settings, limits, terminal, results))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)
        terminal.clear()
    report = Report.of(results, examples)
    sys.stdout.write((report.document() if as_json else "\n".join(report.lines())) + "\n")
    if report.found:
        return ExitCode.FINDINGS
    return ExitCode.STOPPED_EARLY if stop.is_set() else ExitCode.DONE


async def _work(settings: Mapping[str, Any], limits: Limits, terminal: Terminal, results: list[StreamResult]) -> None:
    rules = Rules(
        settings["notifications"], AccountRules(look_ups=False, deletion=settings["account_deletion"]),
        settings["max_attempts"],
    )  # fmt: skip
    redis = await open_redis(settings["redis_url"])
    try:
        async with connected(settings["postgres_url"], "shadow") as connection:
            layout = await Layout.read(connection, settings["postgres_schema"])
            comparisons: list[StreamComparison[Any]] = []
            for stream in () if settings["mode"] == "label" else settings["streams"]:
                group = Group(stream, settings["group"])
                comparisons.append(EventComparison(redis, connection, layout, group, limits, rules))
            if settings["mode"] != "stream":
                group = Group(settings["label_stream"], settings["label_group"])
                comparisons.append(LabelComparison(redis, connection, layout, group, limits, rules))
            for comparison in comparisons:
                with needing_to_read("shadow"):
                    await _compare(comparison, limits, terminal, results)
    except RedisError as fault:
        raise UnavailableError(
            "Redis refused or broke off a read",
            secrets.quoted(fault, settings["redis_url"]),
            "see `indexer doctor`, and start again",
        ) from None
    except POSTGRES_FAULTS as fault:
        raise StoppedEarlyError(
            "PostgreSQL broke off the comparison",
            f"{type(fault).__name__}: {secrets.quoted(fault, settings['postgres_url'])}",
            "start again, with a smaller --window if a statement took too long",
        ) from None
    finally:
        await redis.aclose()


async def _compare(
    comparison: StreamComparison[Any], limits: Limits, terminal: Terminal, results: list[StreamResult]
) -> None:
    result = StreamResult(comparison.group.stream)
    results.append(result)
    total = min(limits.count, await comparison.length())
    telling = asyncio.create_task(_tell(comparison, result, total, terminal))
    try:
        async for found in comparison.windows():
            result.add(found, comparison.touched())
            result.read = comparison.read
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)
    if not comparison.ended:
        result.left = max(0, await comparison.length() - comparison.read)


async def _tell(comparison: StreamComparison[Any], result: StreamResult, total: int, terminal: Terminal) -> None:
    began = time.monotonic()
    told = ""
    while True:
        await asyncio.sleep(TELL_S if terminal.moves or not told else LINES_S)
        rate = result.read / (time.monotonic() - began)
        line = f"{comparison.group.stream}: {result.read:,} of about {total:,} compared"
        if rate:
            line += f", {rate:,.0f} a second, {max(0, total - result.read) / rate:,.0f} s left"
        if comparison.waiting_for:
            line += f"; {comparison.waiting_for:,} not yet processed by the incumbent"
        if terminal.moves:
            terminal.doing(line)
        elif line != told:
            terminal.say(line)
            told = line
