"""The queue of handle look-ups, and what their answers write (actors.md 2.2, steps 4 and 5)."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from indexer.connections.database import Connection, Pool, Turns, transaction
from indexer.identity import Cause, Found, NotFound, Unusable
from indexer.sink.statements import Statements

LEASE_S = 30.0
"""For so long a look-up is its taker's: longer than the slowest one, which waits for places, name servers and hosts."""
RANK = 2
"""Behind all lanes, where connections are short (`Turns`)."""


@dataclass(frozen=True, slots=True)
class PutOff:
    """No answer yet: again in so many seconds. Without a cause nobody was asked."""

    seconds: float
    cause: Cause | None


Answer = Found | NotFound | Unusable | PutOff


class HandleQueue:
    """`indexer.handle_lookup`. One connection at a time, and none between the calls."""

    def __init__(self, pool: Pool, turns: Turns, statements: Statements) -> None:
        self._pool = pool
        self._turns = turns
        self._statements = statements

    async def take(self, most: int) -> dict[str, int]:
        """DIDs whose look-up is due, with how often it was put off; nobody else is given them for `LEASE_S`."""
        async with self._transaction() as connection:
            return {row[0]: row[1] for row in await connection.fetch(self._statements["take_look_ups"], most, LEASE_S)}

    async def waiting(self) -> int:
        """How many look-ups are not done."""
        async with self._transaction() as connection:
            return int(await connection.fetchval(self._statements["look_ups_waiting"]))

    async def write(self, answers: Mapping[str, Answer]) -> None:
        """Write answers by DID, in the order in which they came, in one transaction.

        Who has no row in the queue any more was answered by somebody else. The times are those of the queue now: events
        may have moved them meanwhile. Of two accounts with one handle the later answer has it.
        """
        async with self._transaction() as connection:
            rows = await connection.fetch(self._statements["lock_look_ups"], sorted(answers))
            times = {did: (found, missing) for did, found, missing in rows}
            left = {did: answer for did, answer in answers.items() if did in times}
            if found := {did: answer for did, answer in left.items() if isinstance(answer, Found)}:
                await self._actors(connection, found, times)
            if done := sorted(did for did, answer in left.items() if not isinstance(answer, PutOff)):
                await connection.execute(self._statements["drop_look_ups"], done)
            later = [(did, put.seconds, put.cause) for did, put in sorted(left.items()) if isinstance(put, PutOff)]
            if later:
                columns = [list(column) for column in zip(*later, strict=True)]
                await connection.execute(self._statements["put_off_look_ups"], *columns)

    async def _actors(
        self, connection: Connection, found: Mapping[str, Found], times: Mapping[str, tuple[str, str]]
    ) -> None:
        owners = {answer.handle: did for did, answer in found.items() if answer.handle is not None}
        handles = sorted(owners)
        await connection.execute(self._statements["lock_actors"], sorted(found), handles)
        if handles:
            await connection.execute(self._statements["take_handles"], [owners[handle] for handle in handles], handles)
        rows = [
            (
                did,
                answer.handle if answer.handle is not None and owners[answer.handle] == did else None,
                times[did][0 if answer.handle is not None else 1],
            )
            for did, answer in sorted(found.items())
        ]
        await connection.execute(
            self._statements["upsert_actors"], *(list(column) for column in zip(*rows, strict=True))
        )

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self._turns.turn(RANK), transaction(self._pool, self._statements["begin"]) as connection:
            yield connection
