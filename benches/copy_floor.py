"""The floor under every way to fill these tables: COPY of the finished rows into empty copies of the same tables.

It knows everything beforehand, decides nothing and resolves no conflict. As many transactions as the stream has batches
of one size, in each a COPY for every table.
"""

import io
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import asyncpg

from indexer.demo import processor
from indexer.schema.needs import TABLES

SCHEMA = "floor"

_COLUMNS = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) AS columns
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = ANY($1) AND is_generated = 'NEVER' GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True)
class Floor:
    """What COPY took."""

    portions: list[float]
    """Seconds, of each transaction."""
    postgres_cpu_s: float
    rows: int
    tables: int

    @property
    def seconds(self) -> float:
        """Of all transactions."""
        return sum(self.portions)


@dataclass(frozen=True)
class _Rows:
    """The rows of a table in COPY's text form, a line each."""

    columns: list[str]
    count: int
    lines: BinaryIO

    def portions(self, number: int) -> Iterator[bytes]:
        """So many slices of equal length."""
        for place in range(number):
            length = self.count * (place + 1) // number - self.count * place // number
            yield b"".join(islice(self.lines, length))


async def measure(url: str, postmaster: int, portions: int) -> Floor:
    """Copy the rows of schema `public` of a database, in the order in which they lie there."""
    connection = await asyncpg.connect(url, command_timeout=600)
    with ExitStack() as files:
        try:
            tables: dict[str, _Rows] = {}
            for table, columns in await connection.fetch(_COLUMNS, [table.name for table in TABLES if table.written]):
                lines = files.enter_context(tempfile.TemporaryFile())
                if count := await _write(connection, table, columns, lines):
                    tables[table] = _Rows(columns, count, lines)
            await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            for table in tables:
                await connection.execute(f'CREATE TABLE {SCHEMA}."{table}" (LIKE public."{table}" INCLUDING ALL)')
            await connection.execute("CHECKPOINT")

            cpu = processor.family_seconds(postmaster)
            seconds = [await _copy(connection, tables, portion) for portion in _across(tables, portions)]
            after = processor.family_seconds(postmaster)
            assert cpu is not None
            assert after is not None
            for table, rows in tables.items():
                assert await connection.fetchval(f'SELECT count(*) FROM {SCHEMA}."{table}"') == rows.count, table
            return Floor(seconds, after - cpu, sum(rows.count for rows in tables.values()), len(tables))
        finally:
            await connection.close()


async def _write(
    connection: "asyncpg.Connection[asyncpg.Record]", table: str, columns: list[str], lines: BinaryIO
) -> int:
    """Writes all rows of a table; returns how many there are."""
    names = ", ".join(f'"{column}"' for column in columns)
    query = f'SELECT {names} FROM public."{table}" ORDER BY ctid'
    status = await connection.copy_from_query(query, output=lines)
    lines.seek(0)
    return int(status.removeprefix("COPY "))


def _across(tables: Mapping[str, _Rows], number: int) -> Iterator[dict[str, bytes]]:
    """So many portions, each of one slice of every table; tables without a row in it are left out."""
    slices = {table: rows.portions(number) for table, rows in tables.items()}
    for _ in range(number):
        portion = {table: next(texts) for table, texts in slices.items()}
        yield {table: text for table, text in portion.items() if text}


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]", tables: Mapping[str, _Rows], portion: Mapping[str, bytes]
) -> float:
    """Copies one portion in a transaction; returns the seconds that it took."""
    began = time.perf_counter()
    async with connection.transaction():
        for table, text in portion.items():
            await connection.copy_to_table(
                table, source=io.BytesIO(text), schema_name=SCHEMA, columns=tables[table].columns
            )
    return time.perf_counter() - began
