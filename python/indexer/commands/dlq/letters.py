"""Dead letters in the database: groups, portions, removal. Each call is a transaction of its own, bounded in rows."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from indexer.connections.database import POSTGRES_FAULTS, Connection, rolled_back_on_error
from indexer.errors import SchemaError, StoppedEarlyError
from indexer.schema.connection import connected
from indexer.sink.statements import Statements

PORTION = 500
"""Most letters in one transaction, and in one pipeline to Redis."""
PORTION_BYTES = 4 * 1024 * 1024
"""A portion ends with the letter that reaches this size: a message may have 16 MiB and more."""
MOST_CAUSES = 200
"""Longest list of causes: strangers choose the names in some of them."""

FINGERPRINT = r"regexp_replace(cause, '/[0-9]+(?![^/])', '/*', 'g')"
"""A cause without the places in lists: each facet of a post is not a cause of its own."""

_SELECTED = f"""
    ($1::bigint[] IS NULL OR id = ANY($1)) AND ($3::text IS NULL OR stream = $3)
    AND ($4::timestamptz IS NULL OR last_at >= $4)
    AND ($2::text IS NULL OR cause = $2 OR {FINGERPRINT} = $2 OR starts_with(cause, $2 || ':')
        OR ($2 = 'db' AND sqlstate IS NOT NULL))"""

_GROUPS = f"""
SELECT {FINGERPRINT} AS cause, count(*) AS letters, min(first_at) AS first_at, max(last_at) AS last_at,
    array_agg(DISTINCT stream ORDER BY stream) AS streams, max(id) AS example,
    (sum(count(*)) OVER ())::bigint AS all_letters, count(*) OVER () AS all_causes
FROM indexer.dead_letter WHERE {_SELECTED}
GROUP BY 1 ORDER BY letters DESC, cause LIMIT {MOST_CAUSES}"""

_STREAMS = f"SELECT DISTINCT stream FROM indexer.dead_letter WHERE {_SELECTED} ORDER BY stream"

_PORTION = f"""
WITH page AS (
    SELECT id, octet_length(payload) AS size FROM indexer.dead_letter
    WHERE {_SELECTED} AND id > $5 AND id <= $6 ORDER BY id LIMIT $7
), sized AS (SELECT id, sum(size) OVER (ORDER BY id) - size AS before FROM page)
SELECT d.* FROM sized JOIN indexer.dead_letter d USING (id) WHERE before < $8 ORDER BY id"""

_IDS = f"""
SELECT id FROM indexer.dead_letter WHERE {_SELECTED} AND id > $5 AND id <= $6 ORDER BY id LIMIT $7"""

_BY_ID = "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
"""So that a page goes along the key and ends with its last row. On young statistics, or with a condition that it thinks
is met by few, the planner would read the whole table for each page."""

_NEWEST = "SELECT coalesce(max(id), 0) FROM indexer.dead_letter"
_ONE = "SELECT * FROM indexer.dead_letter WHERE id = $1"
_DELETE = "DELETE FROM indexer.dead_letter WHERE id = ANY($1::bigint[]) RETURNING id"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: all conditions hold; None is none."""

    ids: tuple[int, ...] | None = None
    cause: str | None = None
    """A cause, its fingerprint, its word before the colon, or `db`."""
    stream: str | None = None
    since: datetime | None = None
    """Not those that died last before."""


class Letters:
    """The table `indexer.dead_letter`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._begin = f"{Statements('public')['begin']}; {_BY_ID}"

    async def groups(self, selection: Selection) -> list[asyncpg.Record]:
        """The causes with the most letters, with totals in each row."""
        return await self._fetch(_GROUPS, *_arguments(selection))

    async def streams(self, selection: Selection) -> list[str]:
        return [row["stream"] for row in await self._fetch(_STREAMS, *_arguments(selection))]

    async def one(self, id_: int) -> asyncpg.Record | None:
        return next(iter(await self._fetch(_ONE, id_)), None)

    async def portions(self, selection: Selection) -> AsyncGenerator[list[asyncpg.Record], None]:
        """The letters by id, in portions. Ends at the newest of now: what dies again comes back as a newer."""
        newest, cursor = await self._newest(), 0
        while True:
            rows = await self._fetch(_PORTION, *_arguments(selection), cursor, newest, PORTION, PORTION_BYTES)
            if not rows:
                return
            yield rows
            cursor = rows[-1]["id"]

    async def delete(self, ids: Sequence[int]) -> int:
        """Remove letters; how many were still there."""
        return len(await self._fetch(_DELETE, sorted(ids)))

    async def delete_selected(self, selection: Selection) -> AsyncGenerator[int, None]:
        """Remove what is selected, up to the newest of now, in portions; how many each had."""
        newest, cursor = await self._newest(), 0
        while rows := await self._fetch(_IDS, *_arguments(selection), cursor, newest, PORTION):
            yield await self.delete([row["id"] for row in rows])
            cursor = rows[-1]["id"]

    async def _newest(self) -> int:
        newest: int = (await self._fetch(_NEWEST))[0][0]
        return newest

    async def _fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with rolled_back_on_error(self._connection):
            await self._connection.execute(self._begin)
            rows: list[asyncpg.Record] = await self._connection.fetch(statement, *arguments)
            await self._connection.execute("COMMIT")
            return rows


def _arguments(selection: Selection) -> tuple[object, ...]:
    return selection.ids, selection.cause, selection.stream, selection.since


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Letters]:
    """The letters of a database, for the time of the block.

    UnavailableError, ConfigError or SchemaError where they cannot be had, StoppedEarlyError where the database fails
    on the way.
    """
    async with connected(url, "dlq") as connection:
        try:
            yield Letters(connection)
        except asyncpg.UndefinedTableError as fault:
            raise SchemaError("there is no table of dead letters", str(fault), "run `indexer schema create`") from None
        except asyncpg.InsufficientPrivilegeError as fault:
            raise SchemaError(
                "this role may not do that with dead letters",
                str(fault),
                "grant it what `indexer schema create --print-sql` shows",
            ) from None
        except POSTGRES_FAULTS as fault:
            raise StoppedEarlyError(
                "the database failed on the way",
                str(fault) or type(fault).__name__,
                "run the command again: what is done stays done, all other letters are as they were",
            ) from None
