"""`schema create`: the indexer's own schema always, the AppView's tables where there are none of them."""

import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Literal

import asyncpg

from indexer.configuration.values import quoted
from indexer.errors import SchemaError
from indexer.schema.connection import connected
from indexer.schema.migration import LEDGER, OWN_SCHEMA, SCHEMA, migrate, migrations
from indexer.schema.needs import TABLES

if TYPE_CHECKING:
    from indexer.connections.database import Connection


# One creator at a time, of all databases' clients; the number is only ours ("appview-indexer schema").
LOCK = 0x61_76_69_73

ROLE = "indexer"


@dataclass(frozen=True, slots=True)
class Created:
    """What `create` did: the steps of the own schema that were applied, and what became of the AppView's tables."""

    steps: list[str]
    appview: Literal["created", "kept"]


async def create(url: str, schema: str) -> Created:
    """Make what is missing, in one transaction; a second run changes nothing.

    The AppView's tables are made only where `schema` has none of them: where there are some, they are its services'
    to migrate. SchemaError where the role may not, or where the database was made by another version.
    """
    async with connected(url) as connection:
        try:
            async with connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                steps = await migrate(connection)
                if await _present(connection, schema):
                    return Created(steps, "kept")
                await connection.execute(await _appview_script(connection, schema))
                return Created(steps, "created")
        except asyncpg.InsufficientPrivilegeError as fault:
            raise SchemaError(
                "this role may not create what is missing",
                str(fault),
                "run this as the database's owner, or give the owner the output of `indexer schema create --print-sql`",
            ) from None
        except (asyncpg.UndefinedFileError, asyncpg.FeatureNotSupportedError) as fault:
            raise SchemaError(
                "the extension pg_trgm cannot be created",
                str(fault),
                "install PostgreSQL's contrib modules on the server (Debian: they are part of postgresql-NN)",
            ) from None


def script(schema: str) -> str:
    """The whole of what `create` runs on an empty database, and the grants for a role that only runs the indexer."""
    own = "".join((SCHEMA, LEDGER, *(f"\n{step.sql}{step.entry}" for step in migrations())))
    return (
        f"-- The indexer's own schema.\nBEGIN;\n{own}COMMIT;\n\n"
        f"-- The AppView's tables: leave this out where its services have made them.\nBEGIN;\n"
        f"{_preparation(schema, exists=False)}"
        f"CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA {quoted(schema)};\n"
        f"SET LOCAL search_path TO {quoted(schema)};\n\n{_tables_sql()}COMMIT;\n\n"
        f"-- What the role that `indexer run` connects as needs; it is called {ROLE} here.\n{grants(schema)}"
    )


def grants(schema: str, role: str = ROLE) -> str:
    """The statements that give a role what `run` needs, and nothing more."""
    to = f"TO {quoted(role)};\n"
    written = ",\n    ".join(f"{quoted(schema)}.{quoted(table.name)}" for table in TABLES if table.written)
    read = ", ".join(f"{quoted(schema)}.{quoted(table.name)}" for table in TABLES if not table.written)
    sequences = ", ".join(f"{quoted(schema)}.{table.name}_{table.sequence}_seq" for table in TABLES if table.sequence)
    return (
        f"GRANT USAGE ON SCHEMA {quoted(schema)}, {OWN_SCHEMA} {to}"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON\n    {written} {to}"
        f"GRANT SELECT ON {read} {to}"
        f"GRANT USAGE ON SEQUENCE {sequences} {to}"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {OWN_SCHEMA} {to}"
    )


def appview_tables() -> list[str]:
    """The names of the AppView's tables."""
    return [name.strip('"') for name in re.findall(r'^CREATE TABLE ("?\w+"?) \($', _tables_sql(), re.MULTILINE)]


def _tables_sql() -> str:
    return resources.files("indexer.schema").joinpath("appview.sql").read_text(encoding="utf-8")


def _preparation(schema: str, *, exists: bool) -> str:
    # IF NOT EXISTS asks for the right to create even where there is nothing to create.
    return "" if exists or schema == "public" else f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)};\n"


async def _present(connection: "Connection", schema: str) -> bool:
    """Whether the schema has any of the AppView's tables."""
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename = ANY($2)"
    return bool(await connection.fetchval(query, schema, appview_tables()))


async def _appview_script(connection: "Connection", schema: str) -> str:
    """The statements for this database: the extension may be there already, in any schema."""
    exists = bool(await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = $1", schema))
    home = await connection.fetchval(
        "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'pg_trgm'"
    )
    extension = "" if home else f"CREATE EXTENSION pg_trgm WITH SCHEMA {quoted(schema)};\n"
    path = ", ".join(dict.fromkeys((quoted(schema), quoted(home or schema))))
    return f"{_preparation(schema, exists=exists)}{extension}SET LOCAL search_path TO {path};\n{_tables_sql()}"
