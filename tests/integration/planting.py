"""A deployment in which nothing is wrong, for tests that make something wrong in it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import redis
import redis.asyncio

from indexer import embedded
from indexer.commands.doctor.examination import Report, examine
from indexer.commands.doctor.subject import Subject
from indexer.configuration import origins as configuration

LIVE, BACKFILL, LABELS, GROUP, LABEL_GROUP = (
    "firehose_live", "firehose_backfill", "label_live", "firehose_group", "label_group",
)  # fmt: skip
HEALTHY = {"appendonly": "yes", "maxmemory": "256mb"}
"""Settings of a Redis that loses nothing."""


@dataclass
class Deployment:
    """Servers with streams and groups, and the settings of an instance."""

    server: embedded.Redis
    client: "redis.Redis"
    database: str
    environ: dict[str, str]
    subject: dict[str, Any] = field(default_factory=dict)
    """What is given to `Subject` beside the settings."""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def examined(self) -> Report:
        """What the doctor says of it."""
        try:
            return await examine(Subject(configuration.read(self.environ, {}), **self.subject))
        finally:
            await self.stack.aclose()

    def add(self, stream: str, number: int) -> None:
        for _ in range(number):
            self.client.xadd(stream, {"event": b"{}"})

    def read(self, consumer: str, number: int, stream: str = LIVE, group: str = GROUP) -> list[bytes]:
        reply: Any = self.client.xreadgroup(group, consumer, {stream: ">"}, count=number)
        return [id_ for _, entries in reply for id_, _ in entries]

    async def execute(self, *statements: str) -> None:
        connection = await asyncpg.connect(self.database)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def lease(self, consumer: str, host: str = "elsewhere") -> None:
        """As an instance on another machine has it."""
        await self.execute(_lease(consumer, host))

    async def living(self, consumer: str, stream: str = LIVE, group: str = GROUP) -> None:
        """Somebody who reads until the end of the examination."""
        client = redis.asyncio.Redis.from_url(self.server.url)

        async def read() -> None:
            while True:
                await client.xreadgroup(group, consumer, {stream: ">"}, count=1, block=50)
                await asyncio.sleep(0.05)

        task = asyncio.create_task(read())

        async def end() -> None:
            while not task.done():  # a client that is just connecting may lose a cancellation
                task.cancel()
                await asyncio.wait({task}, timeout=0.5)
            await client.aclose()

        self.stack.push_async_callback(end)


def _lease(consumer: str, host: str) -> str:
    return f"""INSERT INTO indexer.lease VALUES
        ('{consumer}', gen_random_uuid(), '{host}', 7, now(), now() + interval '1 hour')
        ON CONFLICT (consumer) DO UPDATE SET host = excluded.host"""


Plant = Callable[[Deployment], Awaitable[None]]


async def healthy(server: embedded.Redis, client: "redis.Redis", database: str) -> Deployment:
    """Three streams with their groups, messages, and an instance at work."""
    deployment = Deployment(
        server,
        client,
        database,
        {
            "REDIS_URL": server.url,
            "DATABASE_URL": database,
            "INDEXER_CONSUMER": "one",
            "ENABLE_DID_RESOLUTION": "false",
        },
    )
    for stream, group in ((LIVE, GROUP), (BACKFILL, GROUP), (LABELS, LABEL_GROUP)):
        client.xgroup_create(stream, group, "0", mkstream=True)
        deployment.add(stream, 30)
        ids = deployment.read("one", 10, stream, group)
        client.xack(stream, group, *ids[:5])
        client.xdel(stream, *ids[:5])
    await deployment.execute("DELETE FROM indexer.lease", _lease("one", socket.gethostname()))
    return deployment
