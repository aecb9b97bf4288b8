"""The connection to PostgreSQL, also through a pooler in transaction mode: nothing here relies on a session."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any

import asyncpg

from indexer.connections.pace import Pace
from indexer.connections.text_arrays import encode_text_arrays
from indexer.pulse import relying, waiting

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:  # generic for the type checker only
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

LOST_CONNECTION = (
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver lost its place: a server that ends says so between two answers
    OSError,
    TimeoutError,
    EOFError,
)
"""Errors of a connection, without a SQLSTATE."""
POSTGRES_FAULTS = (asyncpg.PostgresError, *LOST_CONNECTION)
"""What a question to PostgreSQL may end with instead of an answer."""
APPLICATION = "indexer"
COMMAND_TIMEOUT_S = 90
"""For a server that does not answer; it gives a statement up after 60 s."""


async def _no_reset(_connection: object) -> None:
    """No transaction of ours leaves anything in the session."""


async def _is_pooled(url: str, application: str) -> bool:
    """Whether something stands between us and the server: the process that answers is not the one that greeted."""
    connection = await asyncpg.connect(
        url, statement_cache_size=0, timeout=10, server_settings={"application_name": application}
    )
    try:
        return bool(await connection.fetchval("SELECT pg_backend_pid()") != connection.get_server_pid())
    finally:
        await connection.close(timeout=5)


class _WatchedPool(Pool):
    """Who holds a connection, or waits for one, waits for the database (`pulse.py`)."""

    __slots__ = ()

    @asynccontextmanager
    async def acquire(self, **options: Any) -> AsyncIterator[Connection]:  # type: ignore[override]
        with waiting():
            async with super().acquire(**options) as connection:
                yield connection


async def open_pool(url: str, consumer: str, least: int, most: int, statement_cache: int | None) -> Pool:
    """A pool of `least` to `most` connections, named after the consumer.

    `statement_cache` is the number of prepared statements a connection keeps; None finds out whether a pooler is in
    the way, which cannot keep them apart (PgBouncer before 1.21), and keeps none then.
    """
    application = f"{APPLICATION}/{consumer}"
    if statement_cache is None:
        statement_cache = 0 if await _is_pooled(url, application) else 200
    return await _WatchedPool(
        url,
        min_size=min(least, most),
        max_size=most,
        max_queries=50_000,
        statement_cache_size=statement_cache,
        max_cached_statement_lifetime=0,
        max_inactive_connection_lifetime=0,
        command_timeout=COMMAND_TIMEOUT_S,
        timeout=30,
        connect=Pace().connect,
        init=encode_text_arrays,
        reset=_no_reset,
        server_settings={"application_name": application},
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
    )


@asynccontextmanager
async def beside(work: Coroutine[object, object, None]) -> AsyncIterator[None]:
    """Run `work`, which waits for a server, while the block computes; it is done when the block has ended.

    The block gives way now and then (`asyncio.sleep(0)`). When it fails the work is cancelled.
    """
    task = asyncio.create_task(work)
    try:
        yield
    except BaseException:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
    await task


ROLLBACK_S = 5


@asynccontextmanager
async def rolled_back_on_error(connection: Connection) -> AsyncIterator[None]:
    """Roll the open transaction back when the block fails. A connection that cannot even do that is given up."""
    try:
        yield
    except BaseException:
        try:
            await asyncio.wait_for(connection.execute("ROLLBACK"), ROLLBACK_S)
        except Exception:
            with suppress(Exception):
                connection.terminate()
        raise


@asynccontextmanager
async def transaction(pool: Pool, begin: str) -> AsyncIterator[Connection]:
    """A transaction, committed at the end of the block; `begin` opens it with its limits (`sink/queries.sql`)."""
    async with pool.acquire() as connection, rolled_back_on_error(connection):
        await connection.execute(begin)
        yield connection
        await connection.execute("COMMIT")


class Turns:
    """Who may take a connection next, where there are fewer of them than lanes: the lowest rank, then the first."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._order = count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Hold one of the turns for the time of the block."""
        if self._free:
            self._free -= 1
        else:
            place = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (rank, next(self._order), place))
            try:
                with relying():
                    await place
            except asyncio.CancelledError:
                if place.done() and not place.cancelled():
                    self._pass_on()
                raise
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, place = heapq.heappop(self._waiting)
            if not place.done():
                place.set_result(None)
                return
        self._free += 1
