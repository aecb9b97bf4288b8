"""A database that is emptied again and again, and sinks that write to it, alone or at once."""

import asyncio
import json
import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast

import asyncpg

from indexer.connections.database import Connection, Pool, open_pool
from indexer.lane.decoding import decode
from indexer.lane.source import Message
from indexer.sink.commit import Sink
from indexer.sink.faults import FaultClass
from indexer.sink.halving import Outcome
from indexer.sink.statements import Statements
from tests.convergence.accidents import Accident, CrashError, FragilePool
from tests.convergence.removals import Doomed, Pds, Remover, small_portions
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
_ACCIDENTS = 0.1
"""Share of the batches."""
_ROUNDS = 6
"""Of removals beside the batches of a history, or between them."""

Batch = Sequence[Message]


@dataclass(frozen=True, slots=True)
class Unrest:
    """What else happens while messages are delivered."""

    chance: random.Random
    accidents: bool = False
    removals: bool = False
    """Whether removals run meanwhile; at the end they do anyhow."""

    @property
    def hits(self) -> bool:
        """Whether a batch meets an accident."""
        return self.accidents and self.chance.random() < _ACCIDENTS


CALM = Unrest(random.Random(0))


class Seat:
    """An instance: what becomes of the process, its connections are opened again by the next."""

    def __init__(self, pool: Pool) -> None:
        self._pool = FragilePool(pool)
        self._sink = _sink(cast(Pool, self._pool))

    async def write(self, batches: Sequence[Batch], unrest: Unrest, beside: Callable[[], Awaitable[None]]) -> None:
        """Write a lane; `beside` comes before each batch. What a crash leaves without ack comes again, first."""
        rest = self._sink._deriving
        if rest is not None and (not rest.done() or rest.cancelled() or rest.exception()):
            await self._end()  # a history that failed must not make the next one fail
        todo, unsettled = deque(batches), list[Message]()
        outcome = Outcome()
        while todo or unsettled:
            await beside()
            self._pool.accident = Accident.of(unrest.chance) if unrest.hits else None
            try:
                if todo:
                    decoded = decode(todo[0], STREAM, CLOCK_MS)
                    outcome = await self._sink.write(decoded.entries, decoded.letters)
                    unsettled = list(todo.popleft())  # the batch before is settled by now
                elif outcome.rest is not None:
                    await outcome.rest
                    unsettled = []
            except CrashError:
                await self._end()
                if todo and unrest.chance.random() < 0.5:
                    again = [*unsettled, *todo.popleft()]
                    todo.appendleft(list({message.id: message for message in again}.values()))
                elif unsettled:
                    todo.appendleft(unsettled)
                unsettled = []
        self._pool.accident = None

    async def _end(self) -> None:
        """The process is gone, with its second run."""
        self._pool.accident = None
        rest = self._sink._deriving
        if rest is not None:
            rest.cancel()
            await asyncio.gather(rest, return_exceptions=True)
        self._sink = _sink(cast(Pool, self._pool))


@dataclass(slots=True)
class Laboratory:
    """Where histories are delivered. One instance serves one thread."""

    runner: asyncio.Runner
    admin: "asyncpg.Connection[asyncpg.Record]"
    seats: list[Seat]
    removers: list[Remover]
    uses: int = 0

    def deliver(
        self,
        *lanes: Sequence[Batch],
        unrest: Unrest = CALM,
        hosted: Collection[str] = (),
        doomed: Iterable[Doomed] = (),
    ) -> Tables:
        """The tables after each lane's batches went through an instance of its own, all at once, and all removals.

        Of the accounts that were deleted the PDS has those that are `hosted`; `doomed` are removed at the end, whatever
        became of their jobs.
        """
        return self.runner.run(self._deliver(lanes, unrest, hosted, doomed))

    async def _deliver(
        self, lanes: Sequence[Sequence[Batch]], unrest: Unrest, hosted: Collection[str], doomed: Iterable[Doomed]
    ) -> Tables:
        await self._empty()
        for remover in self.removers:
            remover.start(Pds(hosted, unrest.chance), unrest.chance, accidents=unrest.accidents)
        share = _ROUNDS / max(sum(map(len, lanes)), 1)

        async def beside() -> None:
            if unrest.removals and unrest.chance.random() < share:
                work = unrest.chance.choice(self.removers).round()
                if unrest.chance.random() < 0.5:
                    group.create_task(work)
                else:
                    await work

        async with asyncio.TaskGroup() as group:
            for seat, batches in zip(self.seats, lanes, strict=False):
                group.create_task(seat.write(batches, unrest, beside))
        await self.removers[0].finish(doomed)
        return await all_tables(self.admin)

    async def _empty(self) -> None:
        self.uses += 1
        tables = (*KEYS, "indexer.handle_lookup")
        if self.uses % _TRUNCATE_EVERY == 1:
            await self.admin.execute(f"TRUNCATE {', '.join(map(_name, tables))}")
        else:
            await self.admin.execute("; ".join(f"DELETE FROM {_name(table)}" for table in tables))


def _name(table: str) -> str:
    """In SQL: `like` is a word of it."""
    return ".".join(f'"{part}"' for part in table.split("."))


@contextmanager
def laboratory(url: str) -> Iterator[Laboratory]:
    """A laboratory on a database with both schemas. Must not run inside an event loop."""
    with small_portions(), asyncio.Runner() as runner:
        admin = runner.run(_connect(url))
        pools = [runner.run(open_pool(url, f"sink{n}", 1, 2, 200)) for n in range(MOST_SINKS)]
        removing = [runner.run(open_pool(url, f"removal{n}", 1, 2, 200)) for n in range(2)]
        try:
            yield Laboratory(runner, admin, [Seat(pool) for pool in pools], [Remover(pool) for pool in removing])
        finally:
            for pool in (*pools, *removing):
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
