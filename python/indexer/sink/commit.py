"""One batch, one transaction: read, fold, write; then derive again. What PostgreSQL refuses is found by halving."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from indexer._native import Event
from indexer.database import Connection, Pool, Turns, rolled_back_on_error
from indexer.fold import Folded, fold
from indexer.notifications import Notifications
from indexer.sink.counts import Aggregates
from indexer.sink.derive import DerivedKeys, derive_again
from indexer.sink.faults import FaultClass, fault_class, sqlstate_of
from indexer.sink.reads import Reads, WidenError
from indexer.sink.stale import without_stale
from indexer.sink.statements import Statements
from indexer.sink.writer import DeadLetter, Writer
from indexer.world import World

log = structlog.get_logger()

LONGEST_WAIT_S = 5.0
"""Between two tries while a server is away: short enough to be back at work when it is."""


class HaltedError(Exception):
    """The lane must stop: going on would lose messages or write nonsense. Nothing was acknowledged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and the message that brought it."""

    message_id: str
    payload: bytes
    event: Event


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    indexed: int = 0
    not_its_own: int = 0
    dead: list[DeadLetter] = field(default_factory=list)
    """Messages that PostgreSQL refused."""
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by table and change."""
    retries: Counter[FaultClass] = field(default_factory=Counter)
    transactions: int = 0
    derived: int = 0
    """Loose ends that the second run found."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Time by stage."""


class Sink:
    """Where batches of one stream become rows."""

    def __init__(
        self,
        pool: Pool,
        statements: Statements,
        stream: str,
        notifications: Notifications,
        aggregates: Aggregates,
        max_attempts: int,
        turns: Turns | None = None,
    ) -> None:
        self._pool = pool
        self._turns = turns or Turns(pool.get_max_size())
        self._statements = statements
        self._stream = stream
        self._notifications = notifications
        self._aggregates: Aggregates = aggregates
        self._max_attempts = max_attempts
        self._backfill = "backfill" in stream

    async def commit(self, entries: Sequence[Entry], letters: Sequence[DeadLetter]) -> Outcome:
        """Write a batch and its dead letters; returns when everything is committed and derived again.

        Waits for servers that are away and for locks, for as long as it takes. Raises `HaltedError` on faults that no
        waiting mends.
        """
        outcome = Outcome()
        await self._part(entries, letters, outcome)
        keys = DerivedKeys.of(entry.event for entry in entries)
        started = time.perf_counter()
        await self._derive(keys, outcome)
        outcome.seconds["settle"] += time.perf_counter() - started
        return outcome

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection; where they are short the live lane goes first."""
        async with self._turns.turn(rank=int(self._backfill)), self._pool.acquire() as connection:
            yield connection

    async def _part(self, entries: Sequence[Entry], letters: Sequence[DeadLetter], outcome: Outcome) -> None:
        """Write consecutive entries, in one transaction where the data allows it."""
        tries, attempts = 0, 0
        while True:
            try:
                await self._transaction(entries, letters, outcome, careful=tries > 0)
                return
            except Exception as error:
                kind = fault_class(error)
                outcome.retries[kind] += 1
                if kind == "programming" or (kind == "data" and not entries):
                    raise HaltedError(f"{type(error).__name__}: {error}") from error
                if kind == "data":
                    attempts += 1
                    if len(entries) > 1:
                        half = len(entries) // 2
                        await self._part(entries[:half], letters, outcome)
                        await self._part(entries[half:], (), outcome)
                        return
                    if attempts >= self._max_attempts:
                        letter = self._refused(entries[0], error, attempts)
                        await self._part((), (*letters, letter), outcome)
                        outcome.dead.append(letter)
                        return
                else:
                    tries += 1
                    await self._pause(kind, tries, error)

    async def _transaction(
        self, entries: Sequence[Entry], letters: Sequence[DeadLetter], outcome: Outcome, *, careful: bool
    ) -> None:
        events = [entry.event for entry in entries]
        also: set[str] = set()
        async with self._connection() as connection:
            while True:
                try:
                    async with rolled_back_on_error(connection):
                        folded, writer = await self._once(connection, events, letters, also, outcome, careful=careful)
                    break
                except WidenError as more:
                    also |= more.uris
        outcome.transactions += 1
        outcome.rows.update(writer.rows)
        fates = Counter(folded.fates)
        outcome.indexed += fates["indexed"] + len(events) - len(folded.fates)
        outcome.not_its_own += fates["not_its_own"]

    async def _once(
        self,
        connection: Connection,
        events: Sequence[Event],
        letters: Sequence[DeadLetter],
        also: set[str],
        outcome: Outcome,
        *,
        careful: bool,
    ) -> tuple[Folded, Writer]:
        statements, seconds = self._statements, outcome.seconds
        began = time.perf_counter()
        world = World(_now())
        await connection.execute(f"{statements['begin']};\n{statements['take_number']}")
        events = await without_stale(connection, statements, events)
        reads = Reads(connection, statements, world, events, careful=careful)
        await reads.all(also, self._notifications, backfill=self._backfill)
        read = time.perf_counter()
        folded = fold(events, world, self._notifications, backfill=self._backfill)
        done = time.perf_counter()
        writer = Writer(connection, statements, world, careful=careful)
        await writer.all(folded, letters, self._aggregates)
        await connection.execute("COMMIT")
        seconds["read_rows"] += read - began
        seconds["fold"] += done - read
        seconds["write"] += time.perf_counter() - done
        return folded, writer

    async def _derive(self, keys: DerivedKeys, outcome: Outcome) -> None:
        tries = 0
        while True:
            try:
                async with self._connection() as connection, rolled_back_on_error(connection):
                    outcome.derived += await derive_again(connection, self._statements, keys, self._aggregates)
                    return
            except Exception as error:
                kind = fault_class(error)
                outcome.retries[kind] += 1
                if kind in ("programming", "data"):
                    raise HaltedError(f"{type(error).__name__}: {error}") from error
                tries += 1
                await self._pause(kind, tries, error)

    async def _pause(self, kind: FaultClass, tries: int, error: BaseException) -> None:
        """Wait before the next try: longer each time, never in step with the neighbours."""
        first = 0.005 if kind == "contention" else 0.2
        longest = min(first * 2 ** min(tries - 1, 12), LONGEST_WAIT_S)
        if kind == "outage" and tries == 1:
            log.warning("database_away", stream=self._stream, error=error)
        elif kind == "contention" and tries % 20 == 0:
            log.warning("contention", stream=self._stream, tries=tries, error=error)
        await asyncio.sleep(longest * random.uniform(0.5, 1))

    def _refused(self, entry: Entry, error: BaseException, attempts: int) -> DeadLetter:
        sqlstate = sqlstate_of(error)
        detail = str(error).replace("\0", "")[:300]
        return DeadLetter(
            self._stream, entry.message_id, f"db_{sqlstate}", "data", sqlstate, detail, attempts, entry.payload
        )


def _now() -> str:
    """The wall clock as JavaScript's toISOString prints it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
