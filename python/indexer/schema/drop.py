"""`schema drop --own`: remove the schema `indexer` and nothing else."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import asyncpg

from indexer.configuration.values import quoted
from indexer.errors import SchemaError
from indexer.schema.connection import connected
from indexer.schema.create import LOCK
from indexer.schema.migration import applied, migrations

if TYPE_CHECKING:
    from indexer.connections.database import Connection

LOCK_TIMEOUT_MS = 5_000
"""Whoever holds a table for longer is at work."""

_LEFT = {
    "dead letters": (
        "dead_letter",
        "SELECT count(*) FROM indexer.dead_letter",
        "`indexer dlq ls` shows them, `indexer dlq retry --all` feeds them again, `indexer dlq export` keeps them, "
        "`indexer dlq drop --all` gives them up",
    ),
    "look-ups of handles that wait": (
        "handle_lookup",
        "SELECT count(*) FROM indexer.handle_lookup",
        "run an instance until `indexer status` says that none waits",
    ),
    "removals of accounts that are not finished": (
        "account_deletion",
        "SELECT count(*) FROM indexer.account_deletion WHERE state <> 'removed'",
        "run an instance until `indexer status` says that none waits",
    ),
    "counters that wait to be counted": (
        "dirty_count",
        "SELECT count(*) FROM indexer.dirty_count",
        "`indexer reconcile --only aggregates` counts them",
    ),
}
"""What would be lost: the table, its count, and what to do about it."""
_ALIVE = """
SELECT consumer || ' (process ' || pid || ' on ' || host || ')'
FROM indexer.lease WHERE expires_at > now() ORDER BY 1"""
_RECONCILES = "SELECT count(*) FROM indexer.reconcile WHERE moved_at > now() - interval '60 seconds'"
_MARKS = "SELECT count(*) FROM indexer.account_deletion WHERE removed_ms IS NOT NULL"
_FOREIGN = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'indexer' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname <> ALL($1) ORDER BY 1"""
_THERE = """
SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'indexer' AND c.relkind = 'r' AND c.relname = ANY($1) ORDER BY 1"""


def own_tables() -> list[str]:
    """The tables that all steps of this version make, and the ledger of the steps."""
    made = {name for step in migrations() for name in re.findall(r"CREATE TABLE indexer\.(\w+)", step.sql)}
    return sorted({"migration", *made})


async def drop(url: str, *, force: bool, dry_run: bool) -> tuple[dict[str, int], bool]:
    """Remove the schema in one transaction; what it held, and whether there was one.

    SchemaError where something would be lost (with `force` only dead letters count), an instance lives, or something
    in the schema is not ours. Whatever others made of our tables elsewhere is never dropped along.
    """
    async with connected(url) as connection:
        try:
            async with connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock({LOCK})")
                await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
                if not await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'indexer'"):
                    return {}, False
                held = await _checked(connection, force=force)
                if not dry_run:
                    await _drop(connection)
                return held, True
        except asyncpg.InsufficientPrivilegeError as fault:
            raise SchemaError(
                "this role may not drop the schema indexer", str(fault), "run this as the schema's owner"
            ) from None
        except asyncpg.DependentObjectsStillExistError as fault:
            raise SchemaError(
                "something that is not the indexer's depends on the schema indexer",
                f"{fault}: {fault.detail or ''}".strip(": \n"),
                "drop that first, if nobody needs it",
            ) from None
        except asyncpg.LockNotAvailableError:
            raise SchemaError(
                "somebody is using the tables of the schema indexer",
                f"a lock was not to be had within {LOCK_TIMEOUT_MS // 1000} s",
                "stop all instances and commands (`indexer status` shows who is connected), and run this again",
            ) from None


async def _checked(connection: "Connection", *, force: bool) -> dict[str, int]:
    """How much is in there, under locks that keep everybody out. SchemaError where it must stay."""
    known = own_tables()
    there: list[str] = [row[0] for row in await connection.fetch(_THERE, known)]
    had = await applied(connection)
    steps = {step.number: step.checksum for step in migrations()}
    if had is None or any(steps.get(number) != checksum for number, checksum in had.items()):
        raise SchemaError(
            "the schema `indexer` was not made by this version",
            "it has steps that this version does not know" if had else "it has no ledger of steps",
            "run this with the version that made it, or look at what it is",
        )
    await connection.execute(f"LOCK TABLE {', '.join(f'indexer.{quoted(name)}' for name in there)}")
    if foreign := [row[0] for row in await connection.fetch(_FOREIGN, known)]:
        raise SchemaError(
            "the schema indexer holds what is not the indexer's",
            ", ".join(foreign),
            "move that into a schema of its own",
        )
    if "lease" in there and (alive := [row[0] for row in await connection.fetch(_ALIVE)]):
        raise SchemaError(
            f"{len(alive)} instances live",
            ", ".join(alive[:5]),
            "stop them, wait 10 s, and run this again; what they hold goes back with `indexer release`",
        )
    if "reconcile" in there and await connection.fetchval(_RECONCILES):
        raise SchemaError(
            "`indexer reconcile` is at work", "it noted a portion within the last 60 s", "let it finish, or stop it"
        )
    held = {what: await connection.fetchval(sql) if table in there else 0 for what, (table, sql, _) in _LEFT.items()}
    _refuse(held, force=force)
    held["accounts that were removed, whose late messages would be indexed again"] = (
        await connection.fetchval(_MARKS) if "account_deletion" in there else 0
    )
    return held


def _refuse(held: Mapping[str, int], *, force: bool) -> None:
    lost = {what: count for what, count in held.items() if count and (what == "dead letters" or not force)}
    if lost:
        remedies = dict.fromkeys(_LEFT[what][2] for what in lost)
        given_up = any(what != "dead letters" for what in lost)
        raise SchemaError(
            "the schema indexer holds what would be lost",
            ", ".join(f"{what}: {count:,}" for what, count in lost.items()),
            "; ".join(remedies) + ("; or `--force` gives up what waits" if given_up else ""),
        )


async def _drop(connection: "Connection") -> None:
    """No CASCADE: what others made of our tables would go along."""
    rows = await connection.fetch(_THERE, own_tables())
    await connection.execute(f"DROP TABLE {', '.join(f'indexer.{quoted(row[0])}' for row in rows)} RESTRICT")
    await connection.execute("DROP SCHEMA indexer RESTRICT")
