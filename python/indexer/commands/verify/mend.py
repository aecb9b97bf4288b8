"""What all mending shares: transactions that are tried again, and counters that are counted after them."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from indexer.commands.verify.finding import Check, Finding
from indexer.commands.verify.walk import Walker
from indexer.connections.database import Connection, transaction
from indexer.sink.derive import DerivedKeys, derive_again
from indexer.sink.faults import MovedError, fault_class
from indexer.sink.recount import Recounter

MARKS_AT_ONCE = 500
T = TypeVar("T")


class Mend:
    """Mends findings of one portion. Everything is judged again under its locks, so repeating it changes nothing.

    Counters that a change touches are marked in its transaction and counted afterwards (sink/recount.py). That is right
    beside instances with `delta`, too: the count holds the lock of the counter's row, so a change that is in flight has
    either moved the counter, and then its rows are seen, or will move it from the new value.
    """

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.statements = walker.statements
        self._recounter = Recounter(walker.pool, walker.statements)
        self.left: list[Finding] = []
        """What could not be mended."""

    async def portion(self, check: Check, findings: Sequence[Finding]) -> Counter[str]:
        """Mend what a check found; returns what changed by class."""
        mendable = [one for one in findings if one.mendable]
        self.left += [one for one in findings if not one.mendable]
        changed = await self._mended(check, mendable) if mendable else Counter[str]()
        if mendable:
            await self.count()
        return changed

    async def _mended(self, check: Check, findings: Sequence[Finding]) -> Counter[str]:
        """In halves where PostgreSQL, or somebody who never goes away, refuses: one that cannot be mended is left."""
        try:
            return await check.mend(self, findings)
        except Exception as error:
            if fault_class(error) != "data" and not isinstance(error, MovedError):
                raise
            if len(findings) == 1:
                self.left += findings
                self.walker.notes.append(f"{findings[0].kind} {findings[0].key}: not mended, {error}")
                return Counter()
            half = len(findings) // 2
            return await self._mended(check, findings[:half]) + await self._mended(check, findings[half:])

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """A transaction that writes, again where others stand in the way."""

        async def once() -> T:
            begin = f"{self.statements['begin']};\n{self.statements['take_number']}"
            async with transaction(self.walker.pool, begin) as connection:
                return await work(connection)

        return await self.walker.patiently(once)

    async def derive(self, keys: DerivedKeys) -> None:
        """Who commits last sees both sides (design.md, derived state): as the writer does after a batch."""

        async def once() -> None:
            async with self.walker.pool.acquire() as connection:
                await derive_again(connection, self.statements, keys, "recount")

        await self.walker.patiently(once)

    async def mark(self, counters: Collection[tuple[str, str]]) -> None:
        """Counters, by name and key, to be counted."""
        marks = sorted(counters)
        for first in range(0, len(marks), MARKS_AT_ONCE):
            columns = [list(column) for column in zip(*marks[first : first + MARKS_AT_ONCE], strict=True)]

            async def write(connection: Connection, columns: list[list[str]] = columns) -> None:
                await connection.execute(self.statements["mark_dirty"], *columns)

            await self.run(write)

    async def count(self) -> None:
        """Count what is marked now, by us or by others."""
        await self.walker.patiently(self._recounter.count_present)
