"""A batch, one transaction where the data allows it: tried again while it must wait, halved where data is refused."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import structlog

from indexer.connections.database import Connection, Pool, Turns
from indexer.fold.record_type import Table
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.faults import FaultClass, fault_class, sqlstate_of
from indexer.sink.hanging import Hanging
from indexer.sink.statements import Statements

log = structlog.get_logger()

USUAL = 500
"""Entries of a batch without a backlog."""
LONGEST_WAIT_S = 5.0
"""Between two tries while a server is away: short enough to be back at work when it is."""
LONGEST_CONTENTION_S = 0.3
"""The same where a neighbour is in the way, who needs about as long for a batch."""

_TIMED_OUT = ("55P03", "57014")
"""Locks that were not had, statements that took too long: not the short quarrels of neighbours."""

Content = TypeVar("Content")
"""What the messages of a stream hold: an event, or labels."""


class HaltedError(Exception):
    """The lane must stop: going on would lose messages or write nonsense. Nothing was acknowledged."""


class Entry(NamedTuple, Generic[Content]):
    """An event and the message that brought it."""

    message_id: str
    payload: bytes
    event: Content


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    indexed: int = 0
    stale: int = 0
    """Of these, those without effect: something newer is indexed, or the account was removed."""
    not_its_own: int = 0
    account_status: int = 0
    """Account events without effect."""
    dead: list[DeadLetter] = field(default_factory=list)
    """Messages that PostgreSQL refused."""
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by table and change."""
    retries: Counter[FaultClass] = field(default_factory=Counter)
    transactions: int = 0
    dropped: defaultdict[Table, list[Hanging]] = field(default_factory=lambda: defaultdict(list))
    """What hung on posts that were deleted, and went with them."""
    derived: int = 0
    """Loose ends that the second run found."""
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Time by stage."""
    rest: "asyncio.Task[None] | None" = None
    """What goes on beside the next batch, and must be done before this one is acknowledged."""


class HalvingSink(ABC, Generic[Content]):
    """Where batches of one stream become rows; what is done in a transaction is the subclass's."""

    def __init__(
        self, pool: Pool, statements: Statements, stream: str, max_attempts: int, turns: Turns | None, rank: int
    ) -> None:
        """`rank` says who goes first where connections are short: the lowest."""
        self._pool = pool
        self._turns = turns or Turns(pool.get_max_size())
        self._rank = rank
        self._statements = statements
        self._stream = stream
        self._max_attempts = max_attempts
        self.waits_for: str | None = None
        """What keeps it from writing, and no restart would mend: PostgreSQL is away, or locks are held."""
        self.progress = time.monotonic()
        """When it last wrote anything."""

    async def commit(self, entries: Sequence[Entry[Content]], letters: Sequence[DeadLetter]) -> Outcome:
        """Write a batch and its dead letters; returns when everything is committed, and nothing is left to be done.

        Waits for servers that are away and for locks, for as long as it takes. Raises `HaltedError` on faults that no
        waiting mends.
        """
        outcome = await self.write(entries, letters)
        if outcome.rest is not None:
            await outcome.rest
        return outcome

    async def write(self, entries: Sequence[Entry[Content]], letters: Sequence[DeadLetter]) -> Outcome:
        """As `commit`, but returns when the rows are committed; then `Outcome.rest` may still be under way."""
        outcome = Outcome()
        await self._part(entries, letters, outcome)
        return outcome

    @abstractmethod
    async def _transaction(
        self, entries: Sequence[Entry[Content]], letters: Sequence[DeadLetter], outcome: Outcome, *, careful: bool
    ) -> None:
        """Write entries and dead letters in one transaction and add to `outcome`; `careful` where a try was in vain."""

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """A connection; where they are short the live lane goes first."""
        async with self._turns.turn(self._rank), self._pool.acquire() as connection:
            yield connection

    async def _part(self, entries: Sequence[Entry[Content]], letters: Sequence[DeadLetter], outcome: Outcome) -> None:
        """Write consecutive entries, in one transaction where the data allows it."""
        tries, attempts = 0, 0
        while True:
            try:
                await self._transaction(entries, letters, outcome, careful=tries > 0)
                self.waits_for, self.progress = None, time.monotonic()
                return
            except Exception as error:
                kind = fault_class(error)
                if kind == "programming" and entries and _stumbles(error):
                    kind = "data"
                outcome.retries[kind] += 1
                if kind == "programming" or (kind == "data" and not entries):
                    raise HaltedError(f"{type(error).__name__}: {error}") from error
                if kind == "data":
                    attempts += 1
                    if len(entries) > 1:
                        for number, part in enumerate(_parts(entries)):
                            await self._part(part, () if number else letters, outcome)
                        return
                    if attempts >= self._max_attempts:
                        letter = self._refused(entries[0], error, attempts)
                        await self._part((), (*letters, letter), outcome)
                        outcome.dead.append(letter)
                        return
                else:
                    tries += 1
                    await self._pause(kind, tries, error)

    async def _pause(self, kind: FaultClass, tries: int, error: BaseException) -> None:
        """Wait before the next try: longer each time, never in step with the neighbours."""
        first, most = (0.005, LONGEST_CONTENTION_S) if kind == "contention" else (0.2, LONGEST_WAIT_S)
        longest = min(first * 2 ** min(tries - 1, 12), most)
        if kind == "outage" or sqlstate_of(error) in _TIMED_OUT:
            self.waits_for = f"PostgreSQL ({sqlstate_of(error) or type(error).__name__})"
        if kind == "outage" and tries == 1:
            log.warning("database_away", stream=self._stream, error=error)
        elif kind == "contention" and tries % 20 == 0:
            log.warning("contention", stream=self._stream, tries=tries, error=error)
        await asyncio.sleep(longest * random.uniform(0.5, 1))

    def _refused(self, entry: Entry[Content], error: BaseException, attempts: int) -> DeadLetter:
        sqlstate = sqlstate_of(error)
        cause, kind, detail = f"db_{sqlstate}", "data", str(error)
        if sqlstate is None:
            cause, kind, detail = "crashed", "programming", f"{type(error).__name__}: {error}"
            log.error("message_crashed", stream=self._stream, message_id=entry.message_id, exc_info=error)
        detail = detail.replace("\0", "")[:300]
        return DeadLetter(self._stream, entry.message_id, cause, kind, sqlstate, detail, attempts, entry.payload)


def _parts(entries: Sequence[Entry[Content]]) -> list[Sequence[Entry[Content]]]:
    """Halves, in stream order; of a batch that has grown with a backlog batches as they are without one."""
    if len(entries) > USUAL:  # to halve it would write each of its messages twice to find one
        return [entries[first : first + USUAL] for first in range(0, len(entries), USUAL)]
    half = len(entries) // 2
    return [entries[:half], entries[half:]]


def _stumbles(error: Exception) -> bool:
    """Whether our own code fails, on what may be in one message: that one must not stop the others."""
    return sqlstate_of(error) is None and not isinstance(error, MemoryError)
