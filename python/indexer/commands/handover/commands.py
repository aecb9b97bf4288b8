"""The commands `takeover` and `release`, from settings to lines."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis

from indexer.commands.handover.holdings import Group, groups_of, holdings, refuse_living, take_name
from indexer.commands.handover.release import Released, add_again, give
from indexer.configuration.settings import Settings
from indexer.connections.database import Connection
from indexer.connections.redis_connection import open_redis
from indexer.daemon import service
from indexer.errors import ConfigError, ExitCode
from indexer.lane.faults import REDIS_AWAY
from indexer.schema.connection import connected
from indexer.wording import quantity

TELL_S = 2.0
"""Between two lines that say how far it is."""


async def takeover(settings: Settings, stream: str | None, *, dry_run: bool) -> int:
    """Index what `settings.consumer` holds, under its name. ConfigError where it is alive.

    Its entries stay its own until they are acknowledged: whatever ends this, the next one finds what is left.
    """
    name = settings.consumer
    async with _servers(settings.redis_url, settings.postgres_url, "takeover") as (redis, connection):
        held = await holdings(redis, groups_of(settings, stream), name)
        lease = await take_name(connection, name)
        try:
            await refuse_living(redis, list(held), name)
        finally:
            await lease.release()
        holding = {group: number for group, number in held.items() if number}
        if dry_run or not holding:
            _say(*(f"{group.stream}: {_entries(number)} would be indexed" for group, number in holding.items()))
            _say(*([] if holding else [f"{name} holds nothing"]))
            return ExitCode.DONE
        ended = asyncio.Event()
        telling = asyncio.create_task(_tell_what_is_left(redis, holding, name, ended))
        try:
            code = await service.run(_narrowed(settings, list(holding)))
        finally:
            ended.set()
            await telling
        left = await holdings(redis, list(holding), name)
    for group, number in holding.items():
        _say(f"{group.stream}: {number - left[group]:,} of {_entries(number)} indexed, ignored or dead letters")
    return ExitCode.STOPPED_EARLY if code == ExitCode.DONE and any(left.values()) else code


def _narrowed(settings: Settings, groups: list[Group]) -> Settings:
    """For a daemon that reads what the consumer holds of these groups, and ends."""
    events = tuple(group.stream for group in groups if group.stream != settings.label_stream)
    label = any(group.stream == settings.label_stream for group in groups)
    return replace(
        settings,
        streams=events,
        mode="all" if events and label else "label" if label else "stream",
        drain=True,
        takeover=True,
        canary=None,
        stop_if=None,
        typescript_metrics=False,
        metrics_host="127.0.0.1",
        metrics_port=0,
    )


async def _tell_what_is_left(redis: "Redis", groups: Mapping[Group, int], name: str, ended: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), TELL_S)
        if ended.is_set():
            return
        try:
            left = await holdings(redis, list(groups), name)
        except REDIS_AWAY:
            continue  # the lanes wait for it, and tell
        _progress(
            *(f"{group.stream}: {groups[group] - number:,} of {groups[group]:,}" for group, number in left.items())
        )


async def release(settings: Mapping[str, Any], to: str | None, stream: str | None, *, dry_run: bool) -> int:
    """Hand back what the consumer holds. ConfigError where it is alive, StoppedEarlyError where Redis refuses."""
    name: str = settings["consumer"]
    if to == name:
        raise ConfigError(f"--to {to} is the consumer itself", "it holds the entries already", "name another one")
    async with _servers(settings["redis_url"], settings["postgres_url"], "release") as (redis, connection):
        held = await holdings(redis, groups_of(SimpleNamespace(**settings), stream), name)
        lease = await take_name(connection, name)
        keeping = asyncio.create_task(lease.keep())  # nobody may start under the name meanwhile, or take it for dead
        try:
            await refuse_living(redis, list(held), name)
            holding = {group: number for group, number in held.items() if number}
            done = {} if dry_run else await _released(redis, holding, name, to)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await lease.release()
    where = f"given to {to}, which reads them at its next start" if to else "added again at the end"
    if not holding:
        _say(f"{name} holds nothing")
    for group, number in holding.items():
        if dry_run:
            _say(f"{group.stream}: {_entries(number)} would be {where}")
            continue
        vanished = done[group].vanished
        gone = f"; {vanished:,} had no body any more: acknowledged" if vanished else ""
        _say(f"{group.stream}: {_entries(done[group].entries)} {where}{gone}")
    return ExitCode.DONE


async def _released(redis: "Redis", holding: Mapping[Group, int], name: str, to: str | None) -> dict[Group, Released]:
    done: dict[Group, Released] = {}
    for group, number in holding.items():
        tell = _teller(group, number)
        done[group] = await (give(redis, group, name, to, tell) if to else add_again(redis, group, name, tell))
    return done


def _teller(group: Group, of: int) -> Callable[[int], None]:
    """Tells now and then how many of them are done."""
    clock = asyncio.get_running_loop().time
    due = clock() + TELL_S

    def tell(done: int) -> None:
        nonlocal due
        if clock() >= due:
            _progress(f"{group.stream}: {done:,} of {of:,}")
            due = clock() + TELL_S

    return tell


@contextlib.asynccontextmanager
async def _servers(redis_url: str, postgres_url: str, command: str) -> AsyncIterator[tuple["Redis", "Connection"]]:
    redis = await open_redis(redis_url)
    try:
        async with connected(postgres_url, command) as connection:
            yield redis, connection
    finally:
        await redis.aclose()


def _entries(number: int) -> str:
    return quantity(number, "entry", "entries")


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _progress(*lines: str) -> None:
    sys.stderr.writelines(f"{line}\n" for line in lines)
    sys.stderr.flush()
