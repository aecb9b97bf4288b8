"""A database that is emptied again and again, and sinks that write to it, alone or at once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg

from indexer.database import Connection, Pool, open_pool
from indexer.pipeline import decode
from indexer.sink.commit import Sink
from indexer.sink.faults import FaultClass
from indexer.sink.halving import Outcome
from indexer.sink.statements import Statements
from indexer.source import Message
from tests.convergence.tables import KEYS, Tables

STREAM = "firehose_live"
MOST_SINKS = 4
CLOCK_MS = 1_792_000_000_000
"""October 2026, so that no rev of a history lies in the future."""
ATTEMPTS = 2
"""Tries of a message that PostgreSQL refuses."""
MOST_TRIES = 1_000
"""Tries of a batch that others stand in the way of."""
_TRUNCATE_EVERY = 50
"""Deleting is quicker, but leaves dead rows."""

Batch = Sequence[Message]


@dataclass(slots=True)
class Laboratory:
    """Where histories are delivered. One instance serves one thread."""

    runner: asyncio.Runner
    admin: "asyncpg.Connection[asyncpg.Record]"
    sinks: list[Sink]
    uses: int = 0

    def deliver(self, *lanes: Sequence[Batch]) -> Tables:
        """The tables after each lane's batches went through a sink of its own, all lanes at once."""
        return self.runner.run(self._deliver(lanes))

    async def _deliver(self, lanes: Sequence[Sequence[Batch]]) -> Tables:
        await self._empty()
        async with asyncio.TaskGroup() as group:
            for sink, batches in zip(self.sinks, lanes, strict=False):
                group.create_task(_write(sink, batches))
        return await all_tables(self.admin)

    async def _empty(self) -> None:
        self.uses += 1
        if self.uses % _TRUNCATE_EVERY == 1:
            await self.admin.execute(f"TRUNCATE {', '.join(map(_name, KEYS))}")
        else:
            await self.admin.execute("; ".join(f"DELETE FROM {_name(table)}" for table in KEYS))


def _name(table: str) -> str:
    """In SQL: `like` is a word of it."""
    return ".".join(f'"{part}"' for part in table.split("."))


async def _write(sink: Sink, batches: Sequence[Batch]) -> None:
    outcome = Outcome()
    for batch in batches:
        decoded = decode(batch, STREAM, CLOCK_MS)
        outcome = await sink.write(decoded.entries, decoded.letters)
    if outcome.rest is not None:
        await outcome.rest


@contextmanager
def laboratory(url: str) -> Iterator[Laboratory]:
    """A laboratory on a database with both schemas. Must not run inside an event loop."""
    with asyncio.Runner() as runner:
        admin = runner.run(_connect(url))
        pools = [runner.run(open_pool(url, f"sink{n}", 1, 2, 200)) for n in range(MOST_SINKS)]
        try:
            yield Laboratory(runner, admin, [_sink(pool) for pool in pools])
        finally:
            for pool in pools:
                runner.run(pool.close())
            runner.run(admin.close())


@asynccontextmanager
async def opened_sink(url: str, name: str) -> AsyncIterator[Sink]:
    """A sink with a connection of its own."""
    pool = await open_pool(url, name, 1, 1, 200)
    try:
        yield _sink(pool)
    finally:
        await pool.close()


async def all_tables(connection: Connection) -> Tables:
    """Every row of every table that the indexer writes."""
    parts = (f"SELECT '{table}', row_to_json(t)::text FROM {_name(table)} t" for table in KEYS)
    found: Tables = {table: [] for table in KEYS}
    for table, row in await connection.fetch(" UNION ALL ".join(parts)):
        found[table].append(json.loads(row))
    return found


async def _connect(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(url)


class ImpatientSink(Sink):
    """Tries again at once, and not for ever: who stands in the way here is gone after a moment."""

    async def _pause(self, kind: FaultClass, tries: int, error: BaseException) -> None:
        assert tries < MOST_TRIES, f"no progress after {tries} tries: {error}"
        await asyncio.sleep(random.uniform(0, 0.01))


def _sink(pool: Pool) -> Sink:
    return ImpatientSink(pool, Statements("public"), STREAM, "live", "delta", ATTEMPTS)
