"""`schema check`, and what `run` does at its start: compare a database's catalog with what is needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer.configuration.values import quoted
from indexer.errors import SchemaError
from indexer.schema.catalog import Existing, tables
from indexer.schema.connection import connected
from indexer.schema.migration import applied, migrations
from indexer.schema.needs import TABLES, TYPES, Table

if TYPE_CHECKING:
    from indexer.connections.database import Connection


MIGRATE = "let the AppView's services migrate the database (the schema of October 2025 or later)"
CREATE = "run `indexer schema create`"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, and what to do."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


@dataclass(frozen=True, slots=True)
class Findings:
    """The result of a check: what `run` cannot work without, and what it can."""

    missing: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    absent: frozenset[tuple[str, str]] = frozenset()
    """Table and column of what is optional and missing."""

    def raise_if_missing(self) -> None:
        """SchemaError with everything that is missing."""
        if self.missing:
            raise SchemaError(
                "the database lacks what the indexer needs",
                "; ".join(finding.what for finding in self.missing),
                "; ".join(dict.fromkeys(finding.remedy for finding in self.missing)),
            )


async def check_url(url: str, schema: str) -> Findings:
    """As `check`, with a connection of its own."""
    async with connected(url) as connection:
        return await check(connection, schema)


async def check(connection: "Connection", schema: str) -> Findings:
    """Compare the catalog with `needs.TABLES` and the own schema with its steps; reads only."""
    existing = await tables(connection, schema)
    own, notes = await _own_faults(connection)
    missing = [*await _database_faults(connection), *own]
    if not existing:
        where = "or set DB_POSTGRES_SCHEMA to the schema that has them"
        missing.append(Finding(f"the schema {schema} has none of the AppView's tables", f"{CREATE}, {where}"))
        return Findings(tuple(missing), tuple(notes))
    absent: set[tuple[str, str]] = set()
    for table in TABLES:
        name = f"{schema}.{table.name}"
        if table.name not in existing:
            missing.append(Finding(f"the table {name} is missing", MIGRATE))
            continue
        missing += _table_faults(name, table, existing[table.name])
        lacking = sorted(table.optional - existing[table.name].columns.keys())
        notes += [Finding(f"{name} has no column {column}", "what it would hold is not written") for column in lacking]
        absent |= {(table.name, column) for column in lacking}
        missing += _privilege_faults(schema, table, existing[table.name])
        notes += [
            Finding(f"{name} has no index on {column}", "statements that look it up will read the whole table")
            for column in table.indexes
            if column not in existing[table.name].leading
        ]
    missing += await _sequence_faults(connection, schema, existing)
    return Findings(tuple(missing), tuple(notes), frozenset(absent))


def _table_faults(name: str, table: Table, found: Existing) -> Iterator[Finding]:
    for column, kind in table.columns.items():
        if column not in found.columns and column in table.optional:
            continue
        if column not in found.columns:
            yield Finding(f"the column {name}.{column} is missing", MIGRATE)
        elif found.columns[column].type not in TYPES[kind]:
            is_now = found.columns[column].type
            yield Finding(f"the column {name}.{column} is {is_now}, not {' or '.join(sorted(TYPES[kind]))}", MIGRATE)
    if frozenset(table.key) not in found.unique:
        yield Finding(f"{name} has no unique index on ({', '.join(table.key)})", MIGRATE)
    if table.written:
        for column in sorted(found.columns.keys() - table.columns.keys()):
            if found.columns[column].must_be_given:
                yield Finding(
                    f"the column {name}.{column} must be given and is unknown to this version",
                    "use a version of the indexer that knows this schema",
                )


def _privilege_faults(schema: str, table: Table, found: Existing) -> Iterator[Finding]:
    lacking = found.lacking if table.written else tuple(set(found.lacking) & {"SELECT"})
    if lacking:
        rights = ", ".join(lacking)
        yield Finding(
            f"this role has no {rights} on {schema}.{table.name}",
            f"GRANT {rights} ON {quoted(schema)}.{quoted(table.name)} (`indexer schema create --print-sql` shows all)",
        )


async def _database_faults(connection: "Connection") -> list[Finding]:
    encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
    if encoding == "UTF8":
        return []
    return [Finding(f"the database's encoding is {encoding}, not UTF8", "create the database with ENCODING 'UTF8'")]


async def _own_faults(connection: "Connection") -> tuple[list[Finding], list[Finding]]:
    """What is missing in the own schema, and what is only to be noted."""
    steps = migrations()
    optional = {table: step.optional for step in steps if step.optional for table in step.tables}
    usable = await connection.fetchval("""
        SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'indexer'""")
    rows = await connection.fetch("""
        SELECT relname::text FROM pg_class
        WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'indexer') AND relkind = 'r'
            AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
        ORDER BY 1""")
    lacking = [row[0] for row in rows]
    known_tables = {table for step in steps for table in (*step.tables, "migration")}
    if usable is False or any(table in known_tables and table not in optional for table in lacking):
        return [
            Finding(
                "this role may not use all of the schema indexer",
                "grant it what `indexer schema create --print-sql` shows",
            )
        ], []
    had = await applied(connection)
    if had is None:
        return [Finding("the indexer's own schema `indexer` is missing", CREATE)], []
    known = {step.number: step for step in steps}
    newest = max(known)
    if any(number <= newest and (number not in known or known[number].checksum != had[number]) for number in had):
        return [Finding("the schema `indexer` was made by another version", "run that version, or a newer one")], []
    newer = sorted(number for number in had if number > newest)
    missing = [step for number, step in known.items() if number not in had]
    if any(step.optional is None for step in missing):
        if newer:
            return [Finding("the schema `indexer` was made by another version", "run that version, or a newer one")], []
        return [Finding("the schema `indexer` is older than this version", CREATE)], []
    # steps only add: the version before works on what a newer one has made
    notes = [
        Finding(f"the schema `indexer` has a step {number:04} that this version does not know", "upgrade this instance")
        for number in newer
    ]
    notes += [
        Finding(f"the schema `indexer` lacks the step {step.number:04} {step.name}, for {step.optional}", CREATE)
        for step in missing
    ]
    notes += [
        Finding(
            f"this role may not use the table indexer.{table}, for {optional[table]}",
            "grant it what `indexer schema create --print-sql` shows",
        )
        for table in lacking
        if table in optional
    ]
    return [], notes


async def _sequence_faults(connection: "Connection", schema: str, existing: Mapping[str, Existing]) -> list[Finding]:
    faults = []
    for table in TABLES:
        if table.sequence is None or table.name not in existing:
            continue
        name = f"{quoted(schema)}.{quoted(table.name)}"
        sequence = await connection.fetchval("SELECT pg_get_serial_sequence($1, $2)", name, table.sequence)
        if sequence and not await connection.fetchval("SELECT has_sequence_privilege($1, 'USAGE')", sequence):
            faults.append(Finding(f"this role has no USAGE on {sequence}", f"GRANT USAGE ON SEQUENCE {sequence}"))
    return faults
