"""The look of `status` from inside the daemon: over its own clients, with no more rights, and behind its lanes."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from redis.asyncio import Redis

from indexer.commands.handover.holdings import Group
from indexer.commands.status import queues
from indexer.commands.status.instance import Instance
from indexer.commands.status.ledger import Ledger, ledger
from indexer.commands.status.queues import Queue
from indexer.commands.status.watch import Watch
from indexer.configuration.settings import Settings
from indexer.connections.database import Pool, Turns
from indexer.daemon.http import Health

REDIS_S = 3.0
FREE_S = 2.0
"""So long it waits for a connection that no lane wants."""
LIMIT_MS = 1_000
"""Of one read of the database: shorter than that of the command, since a lane may come to want the connection."""
LEDGER_S = 8.0
_RANK = 3
"""Behind everybody else, where connections are short."""
_NOT_ASKED = "memory of Redis: the daemon does not ask, its user needs no right to; `indexer status` does"


class InnerWatch(Watch):
    """Counts streams and reads tables; `health` says what the process says of itself."""

    def __init__(
        self, settings: Settings, pool: Pool, turns: Turns, redis: Redis, health: Callable[[], Health]
    ) -> None:
        fields = ("redis_url", "postgres_url", "mode", "streams", "group", "label_stream", "label_group")
        super().__init__({field: getattr(settings, field) for field in fields})
        host = f"[{settings.metrics_host}]" if ":" in settings.metrics_host else settings.metrics_host
        self._address = f"{host}:{settings.metrics_port}"
        self._pool = pool
        self._turns = turns
        self._redis = redis
        self._health = health
        self._memory_note = _NOT_ASKED
        self._stood: dict[Group, int | None] = {}

    async def _look(self, redis: Redis) -> list[Queue]:
        try:
            async with asyncio.timeout(REDIS_S):
                found = [await queues.queue(redis, group, modest=True) for group in self._groups]
                return [await self._with_age(redis, queue) for queue in found]
        except TimeoutError:
            raise TimeoutError(f"no answer within {REDIS_S:g} s") from None

    async def _with_age(self, redis: Redis, queue: Queue) -> Queue:
        """The age of the oldest entry costs its body: only where nobody read anything since the look before."""
        stands = queue.undelivered if queue.length and queue.oldest_ms is None else None
        before, self._stood[queue.group] = self._stood.get(queue.group), stands
        if stands is None or before is None or stands < before:
            return queue
        return replace(queue, oldest_ms=await queues.oldest_ms(redis, queue.group.stream))

    async def _read_ledger(self) -> Ledger:
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(FREE_S):
                    await stack.enter_async_context(self._turns.turn(_RANK))
                    connection = await stack.enter_async_context(self._pool.acquire())
            except TimeoutError:
                raise TimeoutError(
                    f"no connection within {FREE_S:g} s: it is away, or the lanes use all of DB_POOL_MAX_SIZE"
                ) from None
            return await asyncio.wait_for(ledger(connection, LIMIT_MS), LEDGER_S)

    async def _instance(self) -> Instance:
        health = self._health()
        return Instance(self._address, health.ready, health.reasons)
