"""Connections that break, and processes that die, at a statement of chance, before or after the server has run it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import asyncpg

from indexer.connections.database import Connection, Pool


class CrashError(BaseException):
    """The process is gone: nothing that the product does about faults stops it."""


@dataclass(slots=True)
class Accident:
    """What happens at a statement."""

    left: int
    """How many go well before."""
    commit: bool
    """Whether only commits count."""
    how: Literal["cut", "crash", "cancel"]
    """A `cut` breaks the connection, and the product goes on; a `cancel` can still roll back."""
    after: bool
    """Whether the server has run the statement."""

    @classmethod
    def of(cls, chance: Random) -> "Accident":
        commit = chance.random() < 0.5
        how: Literal["cut", "crash", "cancel"] = chance.choice(("cut", "crash", "cancel"))
        # a batch has two commits, its second run included, and about thirty statements
        return cls(chance.randrange(3 if commit else 35), commit, how, chance.random() < 0.5)


class FragilePool:
    """A pool of connections that have accidents; the rest is the product's."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        """The same connections without accidents."""
        self.accident: Accident | None = None

    def get_max_size(self) -> int:
        return self.pool.get_max_size()

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator["_Fragile"]:
        async with self.pool.acquire() as connection:
            yield _Fragile(connection, self)


class _Fragile:
    """A connection."""

    def __init__(self, connection: Connection, pool: FragilePool) -> None:
        self._connection = connection
        self._pool = pool
        self.terminate = connection.terminate

    async def execute(self, sql: str, *arguments: Any) -> Any:
        return await self._run(self._connection.execute, sql, *arguments)

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        return await self._run(self._connection.fetch, sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        return await self._run(self._connection.fetchval, sql, *arguments)

    async def copy_to_table(self, table: str, **options: Any) -> Any:
        return await self._run(self._connection.copy_to_table, table, **options)

    async def _run(self, method: Any, what: str, *arguments: Any, **options: Any) -> Any:
        accident = self._pool.accident
        if accident is None or (accident.commit and what != "COMMIT"):
            return await method(what, *arguments, **options)
        accident.left -= 1
        if accident.left >= 0:
            return await method(what, *arguments, **options)
        self._pool.accident = None
        if accident.after:
            await method(what, *arguments, **options)
        if accident.how != "cancel" or what == "ROLLBACK":
            self._connection.terminate()
        if accident.how == "cut":
            raise asyncpg.ConnectionDoesNotExistError("cut")
        raise CrashError(what)
