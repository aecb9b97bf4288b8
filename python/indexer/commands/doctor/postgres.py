"""The database: version, schema, sequences, connections."""

import ipaddress
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.subject import Subject
from indexer.commands.status.ledger import SESSIONS, reading
from indexer.schema import check
from indexer.schema.needs import TABLES
from indexer.wording import quantity

AREA = "postgres"
LEAST = 130_000
LISTED = 12
"""Findings of one kind that are told one by one."""
NEAR_END_PERCENT = 80

_SERVER = """
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
    pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only')::bool AS read_only,
    (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS ssl, host(inet_server_addr()) AS address"""
# Names as PostgreSQL makes them of identifiers without quotes, or as Rust and Python write them.
_SPELT_OTHERWISE = """
SELECT c.relname::text AS name, array_agg(a.attname::text ORDER BY a.attname) AS columns
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY($2)
GROUP BY 1"""
_SEQUENCES = """
SELECT schemaname || '.' || sequencename AS name, last_value, max_value FROM pg_sequences
WHERE schemaname IN ($1, 'indexer') AND last_value IS NOT NULL"""
_LIMITS = """
SELECT current_setting('max_connections')::int AS most,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_role,
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database,
    current_user AS role, current_database() AS database"""


async def server(subject: Subject) -> AsyncIterator[Yielded]:
    """The version, and whether it takes writes."""
    (row,) = await _selected(subject, _SERVER)
    yield Fact(AREA, f"PostgreSQL {row['version']}{', a standby' if row['standby'] else ''}")
    if row["number"] < LEAST:
        yield Finding(
            f"{AREA}.version",
            f"PostgreSQL {row['version']} is older than 13",
            "its makers do not repair it any more, and nothing here is tested with it",
            "upgrade the server",
        )
    if row["standby"] or row["read_only"]:
        yield Finding(
            f"{AREA}.read_only",
            "this database takes no writes: it is a standby"
            if row["standby"]
            else "this database takes no writes: default_transaction_read_only is on",
            "every batch is refused (25006), and the lanes wait",
            "set DB_POSTGRES_URL to the primary"
            if row["standby"]
            else "take default_transaction_read_only back (ALTER DATABASE, ALTER ROLE)",
        )
    if not row["ssl"] and is_public(row["address"] or urlsplit(subject.settings["postgres_url"]).hostname or ""):
        yield Finding(
            f"{AREA}.no_tls",
            "the connection to PostgreSQL is not encrypted and goes to a public address",
            "the password and all rows can be read on the way",
            "add sslmode=verify-full to DB_POSTGRES_URL",
        )


def is_public(address: str) -> bool:
    """Whether packets to the address leave the networks of the operator; names do not tell."""
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


async def schema(subject: Subject) -> AsyncIterator[Yielded]:
    """What `schema check` finds, and names that somebody spelt otherwise."""
    assert subject.database is not None
    where = subject.settings["postgres_schema"]
    async with reading(subject.database):
        found = await check.check(subject.database, where)
    async for finding in _spelt_otherwise(subject, where):
        yield finding
    for missing in found.missing[:LISTED]:
        yield Finding(f"{AREA}.schema", missing.what, "`run` does not start (78)", missing.remedy)
    if rest := found.missing[LISTED:]:
        yield Finding(
            f"{AREA}.schema", f"{len(rest)} more of this kind", "as above", "`indexer schema check` lists all"
        )
    indexes = [note for note in found.notes if " no index " in note.what]
    for note in indexes[:LISTED]:
        yield Finding(
            f"{AREA}.index", note.what, note.remedy, "let the AppView's services make it, or CREATE INDEX CONCURRENTLY"
        )
    if more := indexes[LISTED:]:
        yield Finding(f"{AREA}.index", f"{len(more)} more indexes are missing", "as above", "`indexer schema check`")
    for note in found.notes:
        if note not in indexes:
            yield Fact(AREA, str(note))


async def _spelt_otherwise(subject: Subject, where: str) -> AsyncIterator[Finding]:
    """One finding for all: a schema made without quotes has hundreds of such columns."""
    rows = await _selected(subject, _SPELT_OTHERWISE, where, [table.name for table in TABLES])
    there = {row["name"]: set(row["columns"]) for row in rows}
    pairs = [
        f'{table.name}.{other} for "{column}"'
        for table in TABLES
        for column in table.columns
        if table.name in there and column not in there[table.name]
        for other in (
            column.lower(),
            "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in column),
        )
        if other != column and other in there[table.name]
    ]
    if pairs:
        yield Finding(
            f"{AREA}.names",
            f"{len(pairs)} columns are spelt otherwise: {', '.join(pairs[:LISTED])}",
            "the tables were made by somebody else, without the quotes that camelCase needs: no statement fits them",
            "let the AppView's services make and migrate the tables, or set DB_POSTGRES_SCHEMA to those that they made",
        )


async def sequences(subject: Subject) -> AsyncIterator[Yielded]:
    """Numbers that run out."""
    for row in await _selected(subject, _SEQUENCES, subject.settings["postgres_schema"]):
        percent = row["last_value"] * 100 / row["max_value"]
        if percent >= NEAR_END_PERCENT:
            yield Finding(
                f"{AREA}.sequence",
                f"the sequence {row['name']} has used {percent:.0f} % of its numbers",
                "at its end every row with a number of it is refused (2200H), and notifications are such rows",
                f"ALTER SEQUENCE {row['name']} AS bigint MAXVALUE 9223372036854775807, and the column with it",
            )


async def connections(subject: Subject) -> AsyncIterator[Yielded]:
    """The sum of all pools against what the server allows, and who holds connections."""
    (row,) = await _selected(subject, _LIMITS)
    held = {one["application"]: one["sessions"] for one in await _selected(subject, SESSIONS)}
    for application, number in held.items():
        yield Fact(AREA, f"{number:,} connections are held by {application}")
    pool = subject.settings["pool_max_size"]
    if subject.is_pooled:
        yield Fact(AREA, "a pooler is in between: its limits count for the instances")
        return
    wanted = subject.fleet * pool
    others = sum(number for application, number in held.items() if not application.startswith("indexer/"))
    limits = [
        (f"of {row['most']} (max_connections), {row['reserved']} reserved and {others} held by others",
         row["most"] - row["reserved"] - others),
        (f"for the role {row['role']} (CONNECTION LIMIT)", row["of_role"]),
        (f"for the database {row['database']} (CONNECTION LIMIT)", row["of_database"]),
    ]  # fmt: skip
    for what, number in limits:
        if number is not None and number >= 0 and wanted > number:
            yield too_many(AREA, subject.fleet, pool, number, what)
    yield Fact(AREA, f"{quantity(subject.fleet, 'instance')} with {pool} connections each may want {wanted:,}")


def too_many(area: str, fleet: int, pool: int, number: int, what: str) -> Finding:
    """The sum does not fit."""
    fits = max(1, number // fleet)
    return Finding(
        f"{area}.connections",
        f"{quantity(fleet, 'instance')} with {pool} connections each may want {fleet * pool:,}, "
        f"and there are {number:,} {what}",
        "whoever comes last is refused: its lanes wait, or it does not start",
        f"set DB_POOL_MAX_SIZE to {fits} or less, run fewer instances, or raise the limit",
    )


async def _selected(subject: Subject, statement: str, *arguments: Any) -> list[asyncpg.Record]:
    assert subject.database is not None
    async with reading(subject.database):
        rows: list[asyncpg.Record] = await subject.database.fetch(statement, *arguments)
        return rows


async def own_state(subject: Subject) -> AsyncIterator[Yielded]:
    """Whether our own tables can be read."""
    if subject.leases is None:
        yield Unseen(AREA, "who is alive", "indexer.lease cannot be read; `indexer schema create`, or its grants")
