"""The table `indexer.account_deletion`: which deletions wait, and who works on them.

A job is taken for some seconds, which each portion of work prolongs. Who finds that somebody else has taken it, or that
a newer deletion came, has lost it: `LostError`, and the work in hand is rolled back.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from indexer.connections.database import Connection, Pool, Turns, transaction
from indexer.sink.statements import Statements

STATES = ("asked", "removing")
"""Of jobs that are not done."""
ASKING_S = 60.0
"""Longer than a PDS is asked (`identity/limits.py`): a crash delays the next question for so long."""
REMOVING_S = 10.0
"""Longer than a portion takes; the same for the next portion."""
_RANK = 2
"""Behind the lanes, where connections are short."""


class LostError(Exception):
    """The job is somebody else's by now."""


@dataclass(frozen=True, slots=True)
class Job:
    """A deletion that somebody has taken; times are milliseconds since the epoch."""

    did: str
    taken: int
    """Which time it was taken."""
    at_ms: int
    """The newest deletion that is known."""
    removed_ms: int | None
    """Up to when its rows go; None until the PDS said so."""


class Jobs:
    """The queue of deletions. Connections are held for one transaction each."""

    def __init__(self, pool: Pool, turns: Turns, statements: Statements) -> None:
        self._pool = pool
        self._turns = turns
        self.statements = statements

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that is committed at the end of the block."""
        async with self._turns.turn(_RANK), transaction(self._pool, self.statements["begin"]) as connection:
            yield connection

    async def take(self, state: Literal["asked", "removing"], most: int) -> list[Job]:
        """Take jobs that are due."""
        seconds = ASKING_S if state == "asked" else REMOVING_S
        async with self.transaction() as connection:
            rows = await connection.fetch(self.statements["take_deletions"], state, most, seconds)
        return [Job(*row) for row in rows]

    async def put_off(self, job: Job, seconds: float, cause: str | None = None) -> None:
        """Nobody takes it before."""
        await self._run("put_off_deletion", job.did, job.taken, seconds, cause)

    async def gone(self, job: Job, cause: str | None) -> None:
        """Its rows go; from the commit on its events are stale up to the deletion."""
        await self._run("account_is_gone", job.did, job.taken, job.at_ms, cause)

    async def hosted(self, job: Job) -> None:
        """The account lives: the job goes. What an older deletion has begun is finished."""
        for statement in ("account_is_hosted", "withdraw_deletion"):
            await self._run(statement, job.did, job.taken, job.at_ms)

    async def note(self, connection: Connection, job: Job, rows: int) -> None:
        """Count rows that went, in the transaction that removed them, and keep the job. LostError."""
        done = await connection.execute(
            self.statements["note_removed_rows"], job.did, job.taken, job.removed_ms, rows, REMOVING_S
        )
        if done != "UPDATE 1":
            raise LostError(job.did)

    async def done(self, job: Job) -> int:
        """Nothing is left: the job is a mark from now on. Returns how many rows went. LostError."""
        async with self.transaction() as connection:
            total: int | None = await connection.fetchval(
                self.statements["account_is_removed"], job.did, job.taken, job.removed_ms
            )
        if total is None:
            raise LostError(job.did)
        return total

    async def waiting(self) -> dict[str, int]:
        """The number of jobs that are not done, by state."""
        async with self.transaction() as connection:
            rows = await connection.fetch(self.statements["deletions_left"])
        found = {row["state"]: row["count"] for row in rows}
        return {state: found.get(state, 0) for state in STATES}

    async def next_number(self) -> int:
        """A number that is higher than those of all transactions that wrote so far."""
        return await self._number("next_number")

    async def oldest_number(self) -> int:
        """Transactions with lower numbers are over."""
        return await self._number("oldest_number")

    async def _number(self, statement: str) -> int:
        async with self.transaction() as connection:
            return int(await connection.fetchval(self.statements[statement]))

    async def _run(self, statement: str, *arguments: object) -> None:
        async with self.transaction() as connection:
            await connection.execute(self.statements[statement], *arguments)
