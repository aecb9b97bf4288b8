"""Go over a table in portions of its primary key, with a pause after each; nothing is found before a second look."""

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg

from indexer.commands.verify.finding import Check, Finding, Look, selected
from indexer.commands.verify.sample import Start, starts
from indexer.commands.verify.statements import VerifyStatements
from indexer.connections.database import Pool, transaction
from indexer.errors import StoppedEarlyError
from indexer.fold import aturi
from indexer.sink.faults import fault_class

PORTION = 500
"""Keys per transaction: some milliseconds each."""
SECOND_LOOK_S = 1.0
"""After the first one: longer than an instance takes to derive again what a batch left."""
LEAST_ID = -(2**63)
LOOKS = 6
"""What looks different each time is in motion, and is left alone after so many."""
PATIENCE = 8
"""Tries of a transaction that others, or a server that is away for a moment, stand in the way of."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pace:
    """How much of the database's time is taken."""

    pause_s: float
    """After each portion."""
    rate: float | None = None
    """Most keys a second."""

    async def rest(self, keys: int, took_s: float) -> None:
        """After a portion of so many keys."""
        least_s = keys / self.rate - took_s if self.rate else 0.0
        await asyncio.sleep(max(self.pause_s, least_s))


@dataclass(slots=True)
class Portion:
    """A portion that was looked at once."""

    position: str
    """Where the walk is when this portion is done."""
    keys: int
    findings: list[Finding]
    due: float
    """When the second look may come, by the loop's clock."""


@dataclass(slots=True)
class Walker:
    """What all walks share."""

    pool: Pool
    statements: VerifyStatements
    pace: Pace
    only: Collection[str] = ()
    has_own: bool = True
    notes: list[str] = field(default_factory=list)
    """What could not be looked at, and why."""

    async def estimate(self, check: Check) -> float:
        """About how many rows a table has."""

        async def ask() -> float:
            async with transaction(self.pool, self.statements["begin_own"]) as connection:
                sql = self.statements["rows_estimated"]
                return float(await connection.fetchval(sql, self.statements.schema_name, check.table) or 0)

        return await self.patiently(ask)

    async def walk(
        self, check: Check, fraction: float, seed: int, position: str | None, estimate: float
    ) -> AsyncIterator[tuple[Portion, list[Finding]]]:
        """Portions that are done, with what was found in them twice; from `position` on."""
        waiting: deque[Portion] = deque()
        clock = asyncio.get_running_loop().time
        async for place, keys in self._pages(check, fraction, seed, position, estimate):
            began = time.monotonic()
            waiting.append(Portion(place, len(keys), await self.find(check, keys), clock() + SECOND_LOOK_S))
            while waiting and (not waiting[0].findings or waiting[0].due <= clock()):
                portion = waiting.popleft()
                yield portion, await self._confirmed(check, portion.findings)
            await self.pace.rest(len(keys), time.monotonic() - began)
        while waiting:
            portion = waiting.popleft()
            if portion.findings:
                await asyncio.sleep(max(portion.due - clock(), 0))
            yield portion, await self._confirmed(check, portion.findings)

    async def _pages(
        self, check: Check, fraction: float, seed: int, position: str | None, estimate: float
    ) -> AsyncIterator[tuple[str, list[Any]]]:
        """Keys in portions, and the position after each. In a sample the position counts portions."""
        if fraction >= 1 or estimate * fraction >= estimate:
            after: str | None = position
            while keys := await self._page(check, after):
                after = str(keys[-1])
                yield after, list(dict.fromkeys(keys))
            return

        async def ask() -> Callable[[random.Random], Start]:
            async with transaction(self.pool, self.statements["begin_own"]) as connection:
                return await starts(connection, self.statements, check)

        draw = await self.patiently(ask)
        chance = random.Random(f"{seed} {check.name}")
        places: list[Start] = [draw(chance) for _ in range(math.ceil(estimate * fraction / PORTION))]
        for number, start in enumerate(places, 1):
            if position is not None and number <= int(position):
                continue
            keys = await self._page(check, start) or await self._page(check, None)
            yield str(number), list(dict.fromkeys(keys))

    async def _page(self, check: Check, after: Start | None) -> list[Any]:
        """The keys behind one, or the first: also one that no indexer writes, an empty text or a negative number."""

        async def read() -> list[Any]:
            async with self.looking() as look:
                if after is None:
                    sql = self.statements.first_rows(check.table, check.column)
                    return list(await look.connection.fetch(sql, LEAST_ID if check.numbered else "", PORTION))
                if check.numbered:
                    return await look.fetch("ids_behind", int(after), PORTION)
                sql = self.statements.rows_behind(check.table, check.column)
                return list(await look.connection.fetch(sql, after, PORTION))

        return [row[0] for row in await self.patiently(read)]

    async def find(self, check: Check, keys: Sequence[Any]) -> list[Finding]:
        """Look at keys once. What takes too long is looked at in halves; one key that does is left out, with a note."""
        if not keys:
            return []

        async def look_at() -> list[Finding]:
            async with self.looking() as look:
                return await check.find(look, keys)

        try:
            found = await self.patiently(look_at, give_up_slow=True)
        except asyncpg.QueryCanceledError:
            if len(keys) == 1:
                self.notes.append(f"{check.table} {keys[0]}: not looked at, it takes longer than a statement may")
                return []
            half = len(keys) // 2
            return await self.find(check, keys[:half]) + await self.find(check, keys[half:])
        return [finding for finding in found if selected(finding.kind, self.only)]

    async def find_twice(self, check: Check, keys: Sequence[Any]) -> list[Finding]:
        """What is wrong with some keys, at once and after a moment."""
        if findings := await self.find(check, keys):
            await asyncio.sleep(SECOND_LOOK_S)
        return await self._confirmed(check, findings)

    async def _confirmed(self, check: Check, findings: list[Finding]) -> list[Finding]:
        """What is still so. What changed meanwhile is in motion, and looked at again."""
        confirmed: list[Finding] = []
        for number in range(1, LOOKS + 1):
            if not findings:
                break
            again = {(one.kind, one.key): one for one in await self.find(check, sorted({one.at for one in findings}))}
            pairs = [(one, again[one.kind, one.key]) for one in findings if (one.kind, one.key) in again]
            confirmed += [now for before, now in pairs if now.detail == before.detail]
            findings = [now for before, now in pairs if now.detail != before.detail]
            if findings and number == LOOKS:
                self.notes.append(f"{check.table}: {len(findings)} in motion, not judged (such as {findings[0].key})")
            elif findings:
                await asyncio.sleep(SECOND_LOOK_S)
        return await self._unexplained(confirmed) if confirmed and self.has_own else confirmed

    async def _unexplained(self, findings: list[Finding]) -> list[Finding]:
        """Without counters that wait to be counted, and without accounts whose removal goes on."""
        counters = sorted({(one.kind.partition(".")[2], one.key) for one in findings if "_agg." in one.kind})
        dids = {did for one in findings for did in (_did(one.key), *one.dids)}

        async def ask() -> tuple[set[tuple[str, str]], set[str]]:
            async with transaction(self.pool, self.statements["begin_own"]) as connection:
                marked = []
                if counters:
                    columns = [list(column) for column in zip(*counters, strict=True)]
                    marked = await connection.fetch(self.statements["marked"], *columns)
                going = await connection.fetch(self.statements["under_removal"], sorted(dids))
                return {(counter, key) for counter, key in marked}, {did for (did,) in going}

        waiting, going = await self.patiently(ask)
        return [
            one
            for one in findings
            if (one.kind.partition(".")[2], one.key) not in waiting and going.isdisjoint((_did(one.key), *one.dids))
        ]

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[Look]:
        """A short transaction that reads."""
        async with transaction(self.pool, self.statements["begin_look"]) as connection:
            yield Look(connection, self.statements, self.now_ms(), self.has_own)

    @staticmethod
    def now_ms() -> int:
        """The wall clock."""
        return time.time_ns() // 1_000_000

    async def patiently(self, work: Callable[[], Awaitable[T]], *, give_up_slow: bool = False) -> T:
        """Try again what somebody, or a server that is away for a moment, stands in the way of."""
        for number in range(1, PATIENCE + 1):
            try:
                return await work()
            except Exception as error:
                kind = fault_class(error)
                slow = give_up_slow and isinstance(error, asyncpg.QueryCanceledError)
                if kind in ("programming", "data") or slow:
                    raise
                if number == PATIENCE:
                    raise StoppedEarlyError(
                        "PostgreSQL does not let this go on",
                        f"{type(error).__name__}: {error}",
                        "run the same command again; `reconcile` goes on where it was",
                    ) from error
                longest_s = 0.05 * 2**number if kind == "contention" else min(0.5 * 2**number, 10)
                await asyncio.sleep(random.uniform(0.5, 1) * longest_s)
        raise AssertionError


def _did(key: str) -> str:
    return aturi.authority(key) if key.startswith(aturi.SCHEME) else key
