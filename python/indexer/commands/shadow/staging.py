"""A place where the pipeline can run and leave nothing: temporary copies of the tables, in a transaction rolled back.

The copies are empty and unlocked: no row of the AppView's own tables is locked, and from `stage` on the server itself
refuses every write that is not to a temporary table (READ ONLY). The sink is the product's own. It is given statements
that name the copies (`pg_temp`), and a pool of one connection on which its transactions are savepoints.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import asyncpg

from indexer.configuration.values import quoted
from indexer.connections.database import Connection, Pool
from indexer.errors import ConfigError, SchemaError
from indexer.schema.catalog import Existing, tables
from indexer.schema.needs import TABLES
from indexer.sink.statements import Statements

TEMPORARY = "pg_temp"
STATEMENT_TIMEOUT = "60s"
IDLE_TIMEOUT = "60s"
"""The fold of a large window computes for a while; an idle transaction holds up nothing but vacuum."""

_STATE = """
CREATE TEMP TABLE dead_letter (stream text, message_id text, cause text, class text, sqlstate text, detail text,
    attempts int, payload bytea, first_at timestamptz, last_at timestamptz, UNIQUE (stream, message_id)) ON COMMIT DROP;
CREATE TEMP TABLE account_status (did text PRIMARY KEY, time text, at_ms bigint, status text) ON COMMIT DROP;
CREATE TEMP TABLE handle_lookup (did text PRIMARY KEY, found_time text, missing_time text, attempts int DEFAULT 0,
    next_at timestamptz DEFAULT now(), cause text) ON COMMIT DROP;
CREATE TEMP TABLE account_deletion (did text PRIMARY KEY, time text, at_ms bigint, state text DEFAULT 'asked',
    removed_ms bigint, removed_rows bigint DEFAULT 0, attempts int DEFAULT 0, next_at timestamptz DEFAULT now(),
    cause text) ON COMMIT DROP;
CREATE TEMP TABLE dirty_count (id bigint, counter text, key text) ON COMMIT DROP
"""
"""Our own schema, as far as the sink needs it: the incumbent's database need not have it."""


class StagedStatements(Statements):
    """The product's statements, on the copies; our own schema's tables among them."""

    def _fill(self, body: str) -> str:
        return super()._fill(body).replace(" indexer.", f" {TEMPORARY}.")


class StagedConnection:
    """A connection in a transaction that nothing ends: what begins and ends within it is a savepoint."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def execute(self, query: str, *arguments: object) -> str:
        return await self._connection.execute(_within(query), *arguments)

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._connection.fetch(query, *arguments)

    async def fetchval(self, query: str, *arguments: object) -> Any:
        return await self._connection.fetchval(query, *arguments)

    async def copy_to_table(self, table: str, **options: Any) -> str:
        return await self._connection.copy_to_table(table, **options)

    def terminate(self) -> None:
        self._connection.terminate()


def _within(query: str) -> str:
    if query.startswith("BEGIN"):
        return "SAVEPOINT batch" + query.removeprefix("BEGIN")
    return {
        "COMMIT": "RELEASE SAVEPOINT batch",
        "ROLLBACK": "ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch",
    }.get(query, query)


class StagedPool:
    """Gives the one connection to one at a time."""

    def __init__(self, connection: StagedConnection) -> None:
        self._connection = connection
        self._free = asyncio.Lock()

    def get_max_size(self) -> int:
        return 1

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[StagedConnection]:
        async with self._free:
            yield self._connection


class Layout:
    """What the database's tables look like."""

    def __init__(self, schema: str, existing: Mapping[str, Existing], keys: Mapping[str, tuple[str, ...]]) -> None:
        self.schema = schema
        self.tables = existing
        self.keys = keys
        """Primary keys."""
        self.plain: dict[str, list[str]] = {}
        """Columns that the database does not generate, by table, once they were asked for."""
        absent = {
            (table.name, column)
            for table in TABLES
            for column in table.optional
            if column not in existing[table.name].columns
        }
        self.real = Statements(schema, absent)
        self.staged = StagedStatements(TEMPORARY, absent)

    @classmethod
    async def read(cls, connection: Connection, schema: str) -> "Layout":
        """SchemaError where a table is missing."""
        existing = await tables(connection, schema)
        missing = [table.name for table in TABLES if table.name not in existing]
        if missing:
            raise SchemaError(
                f"the schema {schema} lacks tables: {', '.join(missing)}",
                "these are not the AppView's tables, or of a version that the indexer does not know",
                "set DB_POSTGRES_SCHEMA, or run `indexer schema check`",
            )
        rows = await connection.fetch(
            """SELECT c.relname, array_agg(a.attname::text ORDER BY array_position(i.indkey::int2[], a.attnum))
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey::int2[])
            WHERE i.indisprimary AND n.nspname = $1 GROUP BY 1""",
            schema,
        )
        return cls(schema, existing, {name: tuple(columns) for name, columns in rows})

    def name(self, table: str) -> str:
        """The real table, as SQL spells it."""
        return f"{quoted(self.schema)}.{quoted(table)}"

    def copy(self, table: str) -> str:
        """The temporary copy."""
        return f"{TEMPORARY}.{quoted(table)}"

    def definitions(self) -> Iterable[str]:
        """Empty copies of the tables, with the keys that conflicts are found by and the indexes that are looked up."""
        yield _STATE
        for table in TABLES:
            copy, found = self.copy(table.name), self.tables[table.name]
            yield (
                f"CREATE TEMP TABLE {quoted(table.name)} (LIKE {self.name(table.name)}"
                " INCLUDING GENERATED INCLUDING DEFAULTS) ON COMMIT DROP"
            )
            for unique in sorted(sorted(columns) for columns in found.unique):
                yield f"CREATE UNIQUE INDEX ON {copy} ({', '.join(quoted(column) for column in unique)})"
            for column in table.indexes:
                yield f"CREATE INDEX ON {copy} ({quoted(column)})"
            if table.sequence is not None:  # no number of the incumbent's sequence is used up
                column = quoted(table.sequence)
                yield f"ALTER TABLE {copy} ALTER {column} DROP DEFAULT, ALTER {column} DROP NOT NULL"


@asynccontextmanager
async def stage(connection: Connection, layout: Layout) -> AsyncIterator[None]:
    """A transaction with empty copies and one snapshot of the real tables; rolled back, whatever happens.

    ConfigError where this role may not make temporary tables.
    """
    try:
        await connection.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ;"
            f" SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}';"
            f" SET LOCAL idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}'; SET LOCAL lock_timeout = '2s'"
        )
        try:
            await connection.execute(";\n".join(layout.definitions()))
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError) as fault:
            raise ConfigError(
                "the database refuses temporary tables",
                str(fault),
                "GRANT TEMPORARY ON DATABASE to this role, and name the primary: a replica has no temporary tables",
            ) from None
        await connection.execute("SET TRANSACTION READ ONLY")
        yield
    finally:
        try:
            await asyncio.wait_for(connection.execute("ROLLBACK"), 5)
        except Exception:
            with suppress(Exception):
                connection.terminate()


def pool_of(connection: Connection) -> Pool:
    """What the sink takes its connection from."""
    return cast(Pool, StagedPool(StagedConnection(connection)))
