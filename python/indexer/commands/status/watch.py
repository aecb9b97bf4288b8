"""Looks at both servers, once or again and again; either may be away, and then only its figures are missing."""

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError

from indexer.commands.handover.holdings import Group, groups_of
from indexer.commands.status import queues
from indexer.commands.status.estimates import Count, Empty, Rates, empty, full, rates
from indexer.commands.status.implementations import Implementation, looks_like
from indexer.commands.status.instance import Instance, ask
from indexer.commands.status.ledger import Ledger, ledger
from indexer.commands.status.queues import Memory, Queue
from indexer.configuration import secrets, values
from indexer.connections.database import POSTGRES_FAULTS, Connection
from indexer.connections.redis_connection import open_redis
from indexer.errors import ConfigError, UnavailableError
from indexer.schema.connection import connected

REMEMBERED_S = 60.0
"""Rates are those of so long."""
CONNECT_S = 5.0
LEDGER_S = 20.0
"""Longer than all its reads may last."""


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """A consumer of a group."""

    name: str
    pending: int
    idle_s: float
    implementation: Implementation


@dataclass(frozen=True, slots=True)
class StreamState:
    """A stream as it is, and as it goes."""

    queue: Queue
    rates: Rates
    empty: Empty
    oldest_s: float | None
    oldest_pending_s: float | None
    consumers: tuple[ConsumerState, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that `status` shows."""

    at: datetime
    measured_s: float
    streams: tuple[StreamState, ...]
    memory: Memory | None
    full_s: float | None
    ledger: Ledger
    instance: Instance
    notes: tuple[str, ...]
    away: tuple[UnavailableError | ConfigError, ...] = ()
    """The servers that could not be had."""


@dataclass(slots=True)
class _History:
    counts: dict[Group, deque[Count]] = field(default_factory=dict)
    memory: deque[tuple[float, int]] = field(default_factory=deque)


class Watch:
    """Opened with `async with`; both servers are tried again where they were lost."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._settings = settings
        self._groups = groups_of(SimpleNamespace(**settings), None)
        self._stack = AsyncExitStack()
        self._redis: Redis | None = None
        self._database: Connection | None = None
        self._history = _History({group: deque() for group in self._groups})
        self._queues: list[Queue] = []
        self._memory: Memory | None = None
        self._memory_note: str | None = None
        self._libraries: tuple[str, ...] | None = None
        self._redis_away: UnavailableError | ConfigError | None = None

    async def __aenter__(self) -> "Watch":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def count(self) -> None:
        """Count what is in the streams now: rates are what changes from one count to the next."""
        try:
            if self._redis is None:
                self._redis = await open_redis(self._settings["redis_url"])
                self._stack.push_async_callback(self._redis.aclose)
            self._queues = await self._look(self._redis)
            await self._count_memory(self._redis)
            self._redis_away = None
        except UnavailableError as fault:
            self._lost(fault)
            return
        except (RedisError, OSError) as fault:
            self._lost(
                UnavailableError(
                    f"Redis at {values.masked_secret(self._settings['redis_url'])} does not show the streams",
                    secrets.quoted(fault, self._settings["redis_url"]),
                    "start it, correct REDIS_HOST, or give its user the rights in deploy/redis.acl",
                )
            )
            return
        now = time.monotonic()
        for queue in self._queues:
            _keep(self._history.counts[queue.group], Count(now, queue.added, queue.left), now)

    async def _look(self, redis: "Redis") -> list[Queue]:
        return [await queues.queue(redis, group) for group in self._groups]

    def _lost(self, fault: UnavailableError) -> None:
        self._redis_away, self._queues, self._memory = fault, [], None
        self._history = _History({group: deque() for group in self._groups})

    async def _count_memory(self, redis: "Redis") -> None:
        if self._memory_note is not None:
            return
        try:
            self._memory = await queues.memory(redis)
            self._libraries = await queues.libraries(redis)
        except NoPermissionError:
            self._memory_note = (
                "memory of Redis: not known, its user may not INFO; `indexer-operator` of deploy/redis.acl may"
            )
            return
        now = time.monotonic()
        history = self._history.memory
        history.append((now, self._memory.used))
        while now - history[0][0] > REMEMBERED_S:
            history.popleft()

    async def read_database(self) -> tuple[Ledger, UnavailableError | ConfigError | None]:
        """What PostgreSQL says now."""
        url = self._settings["postgres_url"]
        try:
            return await self._read_ledger(), None
        except (UnavailableError, ConfigError) as fault:
            return Ledger(), fault
        except POSTGRES_FAULTS as fault:
            if self._database is not None:
                self._database.terminate()
            what = f"{values.masked_secret(url)} does not answer"
            cause = secrets.quoted(fault, url)
            return Ledger(), UnavailableError(what, cause, "start the server, or correct DB_POSTGRES_URL")

    async def _read_ledger(self) -> Ledger:
        if self._database is None or self._database.is_closed():
            opening = connected(self._settings["postgres_url"], "status", CONNECT_S)
            self._database = await self._stack.enter_async_context(opening)
        return await asyncio.wait_for(ledger(self._database), LEDGER_S)

    async def _instance(self) -> Instance:
        return await ask(self._settings["metrics_host"], self._settings["metrics_port"])

    async def snapshot(
        self, known: Ledger | None = None, away: UnavailableError | ConfigError | None = None
    ) -> Snapshot:
        """As things were counted; `known` is what the database said a moment ago."""
        found = known
        if found is None:
            found, away = await self.read_database()
        instance = await self._instance()
        now_ms = datetime.now(UTC).timestamp() * 1000
        history = self._history
        measured = [counts[-1].at_s - counts[0].at_s for counts in history.counts.values() if counts]
        times, used = zip(*history.memory, strict=True) if history.memory else ((), ())
        return Snapshot(
            datetime.now(UTC),
            max(measured, default=0.0),
            tuple(self._stream(queue, found, now_ms) for queue in self._queues),
            self._memory,
            full(times, used, self._memory.most) if self._memory else None,
            found,
            instance,
            tuple(note for note in (self._memory_note, *found.notes) if note),
            tuple(fault for fault in (self._redis_away, away) if fault),
        )

    def _stream(self, queue: Queue, found: Ledger, now_ms: float) -> StreamState:
        counts: Sequence[Count] = tuple(self._history.counts[queue.group])
        overdue = {name: lease.overdue_s for name, lease in found.leases.items()}
        consumers = sorted(queue.consumers, key=lambda one: (-one.pending, one.name))
        asked = {one.consumer for one in found.instances or ()}
        return StreamState(
            queue,
            rates(counts),
            empty(counts),
            _age(queue.oldest_ms, now_ms),
            _age(queue.oldest_pending_ms, now_ms),
            tuple(
                ConsumerState(
                    one.name.decode(errors="replace"),
                    one.pending,
                    one.idle_s,
                    looks_like(one, overdue, found.sessions.keys(), self._libraries, asked),
                )
                for one in consumers
            ),
        )


async def measured(watch: Watch, interval_s: float, looks: int = 5) -> Snapshot:
    """Look several times within the interval, then at everything."""
    await watch.count()
    for _ in range(looks - 1 if interval_s else 0):
        await asyncio.sleep(interval_s / (looks - 1))
        await watch.count()
    return await watch.snapshot()


def _keep(counts: deque[Count], count: Count, now: float) -> None:
    counts.append(count)
    while now - counts[0].at_s > REMEMBERED_S:
        counts.popleft()


def _age(ms: int | None, now_ms: float) -> float | None:
    return None if ms is None else max(0.0, (now_ms - ms) / 1000)
