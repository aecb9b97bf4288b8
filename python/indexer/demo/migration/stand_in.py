"""A stand-in for the TypeScript indexer: `python -m indexer.demo.migration.stand_in`, for rehearsals and tests only.

What it imitates (streams.md 2, records.md 8):
- its names of the environment, its defaults, its groups; ten messages at once per stream, a hundred in one read;
- at its start it reads from `0` what is pending for its name, then only what is new (`>`), until it starts again;
- one transaction of PostgreSQL per message; after it one XACK and one XDEL, whose answers nobody looks at;
- a message that fails stays pending: it is not tried again, not kept elsewhere, and nobody is told but the log;
- text that is not JSON is acknowledged and deleted, and is gone;
- it takes nothing over from others, and has no lease;
- counters are counted after the commit, by rows, under the advisory locks of `postsCount` and `followsCount`. Who is
  killed in between has not counted: that is lost;
- at SIGTERM it finishes what is in its queue.

What it does not imitate: its rows. They are decoded and written by this package, in batches of one, so that they can
be compared with what an indexer of ours makes alone. Of broken messages the TypeScript indexer writes some in part,
of two transactions that get in each other's way it leaves one pending; this one writes nothing, and tries again. It
looks no handles up.
"""

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Any, cast

import asyncpg
import structlog
from redis.asyncio import Redis

from indexer.configuration.settings import option, resolve
from indexer.configuration.values import quoted
from indexer.connections.database import Pool, Turns
from indexer.connections.redis_connection import open_redis
from indexer.daemon import logs
from indexer.fold.accounts import AccountRules
from indexer.lane.decoding import Decode, decode, decode_labels
from indexer.lane.faults import REDIS_AWAY
from indexer.lane.source import Message
from indexer.schema.connection import connected
from indexer.sink.commit import Sink
from indexer.sink.faults import fault_class
from indexer.sink.halving import HalvingSink, Outcome
from indexer.sink.labels import LabelSink
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements

log = structlog.get_logger()

SETTINGS = ("redis_url", "postgres_url", "consumer", "streams", "group", "label_stream", "label_group", "concurrency")
COUNT = 100
BLOCK_MS = 1_000
WAITING_S = 0.005
"""Between two looks whether messages still wait for a worker: nothing is read before."""
CONCURRENCY = "10"
CONNECTIONS = 10
"""The default of its driver: for all streams together."""
MARKS = "indexer.dirty_count"


class _OneTry(HalvingSink[Any]):
    """A message is written or fails: no dead letter, no second try but where another transaction was in the way."""

    async def _part(self, entries: Any, letters: Any, outcome: Outcome) -> None:
        tries = 0
        while True:
            try:
                return await self._transaction(entries, letters, outcome, careful=tries > 0)
            except Exception as error:
                if fault_class(error) != "contention":
                    raise
                tries += 1
                await self._pause("contention", tries, error)


class EventSink(_OneTry, Sink):
    """Events, a transaction each."""


class LabelsSink(_OneTry, LabelSink):
    """Labels, a transaction each."""


class Counting(Statements):
    """Its counters are its own affair: what it has to count is not written where ours would count it, too."""

    def __init__(self, schema: str, consumer: str) -> None:
        super().__init__(schema)
        self.marks = quoted(f"stand_in_{consumer}")

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name).replace(MARKS, self.marks)

    async def prepare(self, url: str) -> None:
        """A table for its marks; those of a run before were in the memory of a process, and are lost."""
        async with connected(url) as connection:
            await connection.execute(f"CREATE UNLOGGED TABLE IF NOT EXISTS {self.marks} (LIKE {MARKS} INCLUDING ALL)")
            await connection.execute(f"DELETE FROM {self.marks}")


class Reader:
    """The loop of one stream."""

    def __init__(
        self, redis: "Redis", stream: str, group: str, consumer: str, decode: Decode[Any], sinks: list[HalvingSink[Any]]
    ) -> None:
        self._redis, self._stream, self._group, self._consumer = redis, stream, group, consumer
        self._decode = decode
        self._sinks = sinks
        self._queue: asyncio.Queue[tuple[bytes, dict[bytes, bytes] | None]] = asyncio.Queue()

    async def run(self, stop: asyncio.Event, recounter: Recounter) -> None:
        """Until `stop` is set and the queue is empty."""
        with suppress(Exception):  # BUSYGROUP; whatever else it is, reading tells
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        workers = [asyncio.create_task(self._work(sink, recounter)) for sink in self._sinks]
        cursor = b"0"
        try:
            while not stop.is_set():
                try:
                    reply: Any = await self._redis.xreadgroup(
                        self._group, self._consumer, {self._stream: cursor}, count=COUNT, block=BLOCK_MS
                    )
                except REDIS_AWAY as error:
                    log.error("read_failed", stream=self._stream, error=error)
                    await asyncio.sleep(1)
                    continue
                messages = [message for _, part in reply for message in part]
                if stop.is_set():
                    break  # they stay pending for its next start
                if cursor != b">":
                    cursor = messages[-1][0] if messages else b">"
                for message in messages:
                    self._queue.put_nowait(message)
                while not self._queue.empty() and not stop.is_set():  # noqa: ASYNC110 (a queue tells nobody that it is empty)
                    await asyncio.sleep(WAITING_S)
            await self._queue.join()
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, sink: HalvingSink[Any], recounter: Recounter) -> None:
        while True:
            id_, fields = await self._queue.get()
            try:
                await self._process(id_, (fields or {}).get(b"event"), sink, recounter)
            except Exception as error:
                log.error("message_failed", stream=self._stream, message_id=id_.decode(), error=error)
            finally:
                self._queue.task_done()

    async def _process(self, id_: bytes, payload: bytes | None, sink: HalvingSink[Any], recounter: Recounter) -> None:
        message = Message(id_, payload)
        decoded = self._decode([message], self._stream, time.time_ns() // 1_000_000)
        for letter in decoded.letters:
            if letter.cause != "not_json":
                raise ValueError(f"{letter.cause}: {letter.detail}")
            log.error("not_json", stream=self._stream, message_id=id_.decode())
        if decoded.entries:
            await sink.commit(decoded.entries, ())
            await recounter.drain()
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xack(self._stream, self._group, id_)
            pipeline.xdel(self._stream, id_)
            await pipeline.execute()


async def main() -> None:
    """Index until SIGTERM."""
    given = {**os.environ, "INDEXER_CONCURRENCY": os.environ.get("INDEXER_CONCURRENCY") or CONCURRENCY}
    found, _ = resolve([option(field) for field in SETTINGS], given, {})
    logs.configure("info", os.environ)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    statements = Counting("public", found["consumer"])
    await statements.prepare(found["postgres_url"])
    # not `open_pool`: its connections have the name of an instance of ours
    async with (
        asyncpg.create_pool(found["postgres_url"], min_size=1, max_size=CONNECTIONS) as pool,
        asyncio.TaskGroup() as tasks,
    ):
        for stream in (*found["streams"], found["label_stream"]):
            tasks.create_task(_reader(found, stream, pool, statements, stop))
        log.info("started", consumer=found["consumer"])


async def _reader(found: dict[str, Any], stream: str, pool: Pool, statements: Counting, stop: asyncio.Event) -> None:
    is_label = stream == found["label_stream"]
    turns = Turns(CONNECTIONS)
    sinks: list[HalvingSink[Any]] = [
        LabelsSink(pool, statements, stream, 1, turns, rank=0)
        if is_label
        else EventSink(pool, statements, stream, "updates", "recount", 1, turns, AccountRules(look_ups=False))
        for _ in range(found["concurrency"])
    ]
    redis = await open_redis(found["redis_url"])
    try:
        reader = Reader(
            redis,
            stream,
            found["label_group"] if is_label else found["group"],
            found["consumer"],
            cast("Decode[Any]", decode_labels if is_label else decode),
            sinks,
        )
        await reader.run(stop, Recounter(pool, statements))
    finally:
        await redis.aclose()


if __name__ == "__main__":
    asyncio.run(main())
