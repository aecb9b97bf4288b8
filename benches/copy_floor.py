"""The floor under every way to fill these tables: COPY of the finished rows into empty copies of the same tables.

It knows everything beforehand, decides nothing and resolves no conflict. As many transactions as the stream has batches
of one size, in each a COPY for every table.
"""

import io
import time
from dataclasses import dataclass

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

    seconds: float
    postgres_cpu_s: float
    rows: int
    tables: int


async def measure(url: str, postmaster: int, portions: int) -> Floor:
    """Copy the rows of schema `public` of a database, in the order in which they lie there."""
    connection = await asyncpg.connect(url, command_timeout=600)
    try:
        tables: dict[str, tuple[list[str], list[bytes]]] = {}
        for table, columns in await connection.fetch(_COLUMNS, [table.name for table in TABLES if table.written]):
            if lines := await _lines(connection, table, columns):
                tables[table] = columns, lines
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for table in tables:
            await connection.execute(f'CREATE TABLE {SCHEMA}."{table}" (LIKE public."{table}" INCLUDING ALL)')
        texts = [_portion(tables, number, portions) for number in range(portions)]
        await connection.execute("CHECKPOINT")

        cpu, began = processor.family_seconds(postmaster), time.perf_counter()
        for portion in texts:
            async with connection.transaction():
                for table, text in portion.items():
                    await connection.copy_to_table(
                        table, source=io.BytesIO(text), schema_name=SCHEMA, columns=tables[table][0]
                    )
        seconds, after = time.perf_counter() - began, processor.family_seconds(postmaster)
        assert cpu is not None
        assert after is not None
        for table, (_, lines) in tables.items():
            found = await connection.fetchval(f'SELECT count(*) FROM {SCHEMA}."{table}"')
            assert found == len(lines), table
        return Floor(seconds, after - cpu, sum(len(lines) for _, lines in tables.values()), len(tables))
    finally:
        await connection.close()


async def _lines(connection: "asyncpg.Connection[asyncpg.Record]", table: str, columns: list[str]) -> list[bytes]:
    """The rows in COPY's text form."""
    out = io.BytesIO()
    names = ", ".join(f'"{column}"' for column in columns)
    query = f'SELECT {names} FROM public."{table}" ORDER BY ctid'
    await connection.copy_from_query(query, output=out)
    return out.getvalue().splitlines(keepends=True)


def _portion(tables: dict[str, tuple[list[str], list[bytes]]], number: int, portions: int) -> dict[str, bytes]:
    """One of `portions` equal slices of every table; tables without a row in it are left out."""
    slices = {
        table: b"".join(lines[len(lines) * number // portions : len(lines) * (number + 1) // portions])
        for table, (_, lines) in tables.items()
    }
    return {table: text for table, text in slices.items() if text}
