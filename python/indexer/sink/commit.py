"""One batch of events, one transaction: read, fold, write; then derive again, beside the next batch."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from indexer._native import Event
from indexer.connections.database import Connection, Pool, Turns, beside, rolled_back_on_error
from indexer.fold.accounts import AccountRules
from indexer.fold.apply import Folded, fold
from indexer.fold.notifications import Notifications
from indexer.fold.world import World
from indexer.pulse import relying, with_pulse
from indexer.sink.counts import Aggregates
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.derive import DerivedKeys, derive_again
from indexer.sink.faults import MovedError, fault_class
from indexer.sink.halving import Entry, HaltedError, HalvingSink, Outcome
from indexer.sink.reads import Reads, WidenError
from indexer.sink.stale import without_stale
from indexer.sink.statements import Statements
from indexer.sink.writer import Writer

T = TypeVar("T")

EXPECTED = 20
"""Batches after one that met a neighbour."""

AT_ONCE = 50
"""Events; in between the connection gets its turn, which is at work meanwhile."""
LONGEST_WAIT_S = 0.5
"""For the batch before, with a connection in hand that others may need to come to an end."""


class Sink(HalvingSink[Event]):
    """Where batches of events become rows."""

    def __init__(
        self,
        pool: Pool,
        statements: Statements,
        stream: str,
        notifications: Notifications,
        aggregates: Aggregates,
        max_attempts: int,
        turns: Turns | None = None,
        rules: AccountRules = AccountRules(),  # noqa: B008 (frozen)
    ) -> None:
        self._backfill = "backfill" in stream
        super().__init__(pool, statements, stream, max_attempts, turns, rank=int(self._backfill))
        self._notifications = notifications
        self._aggregates: Aggregates = aggregates
        self._rules = rules
        self.met = 0
        """For so many batches neighbours are expected that bring the same records: these are claimed."""
        self._deriving: asyncio.Task[None] | None = None
        """The second run for the batch before."""

    async def write(self, entries: Sequence[Entry[Event]], letters: Sequence[DeadLetter]) -> Outcome:
        """As `HalvingSink.write`; what is left then is to derive again."""
        outcome, keys = Outcome(), DerivedKeys()
        async with beside(self._part(entries, letters, outcome)):
            for some in portions(entries):
                await asyncio.sleep(0)
                keys.add(entry.event for entry in some)
        keys.add_dropped(outcome.dropped)
        if self._deriving is not None:
            with relying():
                await self._deriving
        begun = asyncio.Event()
        outcome.rest = self._deriving = asyncio.create_task(
            with_pulse(f"derive {self._stream}", self._derive(keys, outcome, begun))
        )
        outcome.rest.add_done_callback(lambda _: begun.set())  # however it ends
        # the next batch waits for it with a connection in hand: it must have one by then, also behind a pooler
        with relying():
            await begun.wait()
        return outcome

    async def _transaction(
        self, entries: Sequence[Entry[Event]], letters: Sequence[DeadLetter], outcome: Outcome, *, careful: bool
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
                except MovedError:
                    self.met = EXPECTED
                    raise
        outcome.transactions += 1
        outcome.rows.update(writer.rows)
        for table, gone in writer.dropped.items():
            outcome.dropped[table] += gone
        fates = Counter(folded.fates)
        removed = len(events) - len(folded.fates)
        outcome.indexed += fates["indexed"] + fates["stale"] + removed
        outcome.stale += fates["stale"] + removed
        outcome.not_its_own += fates["not_its_own"]
        outcome.account_status += fates["account_status"]

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
        writer = Writer(connection, statements, world, careful=careful)

        async def claim() -> set[str]:
            taken = await writer.claim_records(events)
            self.met = EXPECTED if taken else self.met - 1
            return taken

        await connection.execute(f"{statements['begin']};\n{statements['take_number']}")
        events = await without_stale(connection, statements, events)
        reads = Reads(connection, statements, world, events, careful=careful)
        await reads.all(
            also,
            self._notifications,
            backfill=self._backfill,
            batch_before=self._batch_before,
            claim=claim if self.met > 0 else None,
        )
        read = time.perf_counter()
        folded = Folded()
        async with beside(writer.new_records(events)):
            for some in portions(events):
                await asyncio.sleep(0)
                fold(some, world, self._notifications, self._rules, backfill=self._backfill, folded=folded)
        done = time.perf_counter()
        await writer.all(folded, letters, self._aggregates)
        await connection.execute("COMMIT")
        seconds["read_rows"] += read - began
        seconds["fold"] += done - read
        seconds["write"] += time.perf_counter() - done
        return folded, writer

    async def _batch_before(self) -> None:
        """Wait until it is derived: what this one reads of threads may change by that."""
        if self._deriving is not None:
            done, _ = await asyncio.wait((self._deriving,), timeout=LONGEST_WAIT_S)
            if not done:
                raise MovedError("the batch before is not derived yet")
            self._deriving.result()

    async def _derive(self, keys: DerivedKeys, outcome: Outcome, begun: asyncio.Event) -> None:
        """Derive again until it is done; `begun` is set when the server has answered for the first time."""
        started, tries = time.perf_counter(), 0
        while True:
            try:
                async with self._connection() as connection, rolled_back_on_error(connection):
                    found = await derive_again(connection, self._statements, keys, self._aggregates, begun.set)
                    outcome.derived += found
                self.waits_for, self.progress = None, time.monotonic()
                outcome.seconds["settle"] += time.perf_counter() - started
                return
            except Exception as error:
                kind = fault_class(error)
                outcome.retries[kind] += 1
                if kind in ("programming", "data"):
                    raise HaltedError(f"{type(error).__name__}: {error}") from error
                tries += 1
                await self._pause(kind, tries, error)
            finally:
                begun.set()


def portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """What is done at once."""
    return (items[first : first + AT_ONCE] for first in range(0, len(items), AT_ONCE))


def _now() -> str:
    """The wall clock as JavaScript's toISOString prints it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
