"""What a database's catalog says of the tables that the indexer needs, and of this role's rights on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import orjson

from indexer.schema.needs import TABLES

if TYPE_CHECKING:
    from indexer.connections.database import Connection


@dataclass(frozen=True, slots=True)
class Column:
    """A column's type without its modifier, as PostgreSQL names it."""

    type: str
    must_be_given: bool
    """NOT NULL, and the database has no value of its own for it."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A table as it is."""

    columns: Mapping[str, Column]
    unique: frozenset[frozenset[str]]
    leading: frozenset[str]
    """The first columns of its indexes."""
    lacking: tuple[str, ...]
    """Privileges that this role does not have on it."""


async def tables(connection: "Connection", schema: str) -> dict[str, Existing]:
    """The needed tables that are there, by name; reads only."""
    rows = await connection.fetch(
        """
        SELECT c.relname::text AS name,
               (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, NULL),
                    a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''))::text
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
               (SELECT json_agg(json_build_array(i.indisunique AND i.indpred IS NULL AND i.indimmediate,
                    (SELECT json_agg(coalesce(a.attname, '') ORDER BY k.place)
                     FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS k (attnum, place)
                     LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum AND k.attnum > 0)))::text
                FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid) AS indexes,
               ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
                     WHERE NOT has_table_privilege(c.oid, p)
                        OR NOT has_schema_privilege(c.relnamespace, 'USAGE')) AS lacking
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relname = ANY($2)
        """,
        schema,
        [table.name for table in TABLES],
    )
    return {row["name"]: _read(row) for row in rows}


def _read(row: asyncpg.Record) -> Existing:
    indexes = orjson.loads(row["indexes"] or "[]")
    return Existing(
        {name: Column(kind, bool(given)) for name, kind, given in orjson.loads(row["columns"] or "[]")},
        frozenset(frozenset(columns) for unique, columns in indexes if unique),
        frozenset(columns[0] for _, columns in indexes),
        tuple(row["lacking"]),
    )
