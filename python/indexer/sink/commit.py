"""One batch of events, one transaction: read, fold, write; then derive again."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from indexer._native import Event
from indexer.accounts import AccountRules
from indexer.database import Connection, Pool, Turns, rolled_back_on_error
from indexer.fold import Folded, fold
from indexer.notifications import Notifications
from indexer.sink.counts import Aggregates
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.derive import DerivedKeys, derive_again
from indexer.sink.faults import fault_class
from indexer.sink.halving import Entry, HaltedError, HalvingSink, Outcome
from indexer.sink.reads import Reads, WidenError
from indexer.sink.stale import without_stale
from indexer.sink.statements import Statements
from indexer.sink.writer import Writer
from indexer.world import World


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

    async def commit(self, entries: Sequence[Entry[Event]], letters: Sequence[DeadLetter]) -> Outcome:
        """As `HalvingSink.commit`; returns when everything is also derived again."""
        outcome = await super().commit(entries, letters)
        keys = DerivedKeys.of((entry.event for entry in entries), outcome.dropped)
        started = time.perf_counter()
        await self._derive(keys, outcome)
        outcome.seconds["settle"] += time.perf_counter() - started
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
        outcome.transactions += 1
        outcome.rows.update(writer.rows)
        for table, gone in writer.dropped.items():
            outcome.dropped[table] += gone
        fates = Counter(folded.fates)
        outcome.indexed += fates["indexed"] + len(events) - len(folded.fates)
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
        await connection.execute(f"{statements['begin']};\n{statements['take_number']}")
        events = await without_stale(connection, statements, events)
        reads = Reads(connection, statements, world, events, careful=careful)
        await reads.all(also, self._notifications, backfill=self._backfill)
        read = time.perf_counter()
        folded = fold(events, world, self._notifications, self._rules, backfill=self._backfill)
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


def _now() -> str:
    """The wall clock as JavaScript's toISOString prints it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
