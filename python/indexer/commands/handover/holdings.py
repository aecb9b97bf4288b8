"""What a consumer holds in which groups, and whether it is alive."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol

import asyncpg
from redis.asyncio import Redis

from indexer.connections.database import Connection
from indexer.daemon.lease import Lease
from indexer.errors import ConfigError, NotFoundError, SchemaError
from indexer.lane.pending import Consumer, consumers

ALIVE_S = 5.0
"""Who read within this time may be alive: it is watched until it has been still for so long, or reads again."""
WATCH_S = 1.0
JITTER_S = 0.5
LISTED = 10


class Places(Protocol):
    """Settings that say which groups there are."""

    @property
    def mode(self) -> str: ...
    @property
    def streams(self) -> tuple[str, ...]: ...
    @property
    def group(self) -> str: ...
    @property
    def label_stream(self) -> str: ...
    @property
    def label_group(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group of a stream."""

    stream: str
    name: str


def groups_of(settings: Places, only: str | None) -> list[Group]:
    """The groups that the settings name, or that of one stream. NotFoundError where the settings do not name it."""
    found = [] if settings.mode == "label" else [Group(stream, settings.group) for stream in settings.streams]
    if settings.mode != "stream":
        found.append(Group(settings.label_stream, settings.label_group))
    if only is None:
        return found
    if chosen := [group for group in found if group.stream == only]:
        return chosen
    raise NotFoundError(
        f"the stream {only} is none of those that are indexed",
        f"these are {', '.join(group.stream for group in found)}",
        "correct --stream, INDEXER_STREAMS or INDEXER_LABEL_STREAM",
    )


async def holdings(redis: "Redis", groups: list[Group], name: str) -> dict[Group, int]:
    """How many entries the consumer holds in each group that knows it. NotFoundError where none does."""
    found: dict[Group, int] = {}
    others: dict[str, int] = {}
    for group in groups:
        for one in await consumers(redis, group.stream, group.name):
            if one.name == name.encode():
                found[group] = one.pending
            elif one.pending:
                other = one.name.decode(errors="replace")
                others[other] = others.get(other, 0) + one.pending
    if found:
        return found
    most = sorted(others.items(), key=lambda item: -item[1])[:LISTED]
    raise NotFoundError(
        f"no group has a consumer {name}",
        "entries are held by " + (", ".join(f"{other} ({number:,})" for other, number in most) or "nobody"),
        "correct --consumer; the groups are those of INDEXER_GROUP and INDEXER_LABEL_GROUP",
    )


async def take_name(connection: "Connection", name: str) -> Lease:
    """The lease of a consumer's name. ConfigError where a living instance has it; one that was killed is waited for."""
    lease = Lease(connection, name)
    try:
        await lease.take()
    except ConfigError as fault:
        raise ConfigError(
            f"the consumer {name} is alive", fault.cause.partition(";")[0], "stop it, then try again"
        ) from None
    except asyncpg.UndefinedTableError:
        raise SchemaError(
            "the database lacks the table indexer.lease", "it tells who is alive", "run `indexer schema create`"
        ) from None
    return lease


async def refuse_living(redis: "Redis", groups: list[Group], name: str) -> None:
    """Return when the consumer has been still for `ALIVE_S`; ConfigError where it reads or something is acknowledged.

    One without a lease shows life in no other way. Two looks are the least: who is busy reads seldom.
    """
    before = await _look(redis, groups, name)
    first = time.monotonic()
    while True:
        await asyncio.sleep(WATCH_S)
        elapsed_s = time.monotonic() - first  # at least, between the answers: the next may be read late
        now = await _look(redis, groups, name)
        for group, was in before.items():
            one = now.get(group, was)
            if one.idle_s < was.idle_s + elapsed_s - JITTER_S:
                raise _living(name, f"it read {group.stream} {one.idle_s:.0f} s ago")
            if one.pending < was.pending:
                raise _living(name, f"entries of {group.stream} were acknowledged, or taken over, just now")
        if all(one.idle_s >= ALIVE_S for one in now.values()):
            return


async def _look(redis: "Redis", groups: list[Group], name: str) -> dict[Group, Consumer]:
    return {
        group: one
        for group in groups
        for one in await consumers(redis, group.stream, group.name)
        if one.name == name.encode()
    }


def _living(name: str, cause: str) -> ConfigError:
    return ConfigError(
        f"the consumer {name} is alive", cause, "stop it, then try again; instances take over the dead by themselves"
    )
