"""What PostgreSQL says: dead letters, queues, leases, and who is connected. Reads only, each read with a time limit."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from indexer.commands.control.wishes import INSTANCES, Instance, instances_of
from indexer.commands.dlq.letters import FINGERPRINT
from indexer.connections.database import Connection, rolled_back_on_error

LIMIT_MS = 3_000
"""Of one read: nobody waits here for a count over a huge table."""
MOST_CAUSES = 20

_DEAD = f"""
SELECT {FINGERPRINT} AS cause, count(*) AS letters, max(last_at) AS last_at, (sum(count(*)) OVER ())::bigint AS total
FROM indexer.dead_letter GROUP BY 1 ORDER BY letters DESC, cause LIMIT {MOST_CAUSES}"""
_NEWEST = "SELECT stream, cause, detail, last_at FROM indexer.dead_letter ORDER BY id DESC LIMIT 1"
_WAITING = """
SELECT (SELECT count(*) FROM indexer.handle_lookup) AS handles,
    (SELECT count(*) FROM indexer.account_deletion WHERE state <> 'removed') AS deletions,
    (SELECT count(*) FROM indexer.dirty_count) AS dirty"""
LEASES = "SELECT consumer, extract(epoch FROM now() - expires_at)::float8 AS overdue, host, pid FROM indexer.lease"
# Of others' sessions a role without pg_monitor sees no backend_type, but who they are.
SESSIONS = """
SELECT coalesce(nullif(application_name, ''), '(no name)') AS application, count(*) AS sessions,
    count(*) FILTER (WHERE state = 'active') AS active
FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND (backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL))
GROUP BY 1 ORDER BY sessions DESC, application"""
_LIMITS = """
SELECT current_setting('max_connections')::int AS most,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A consumer's name in use, or left behind."""

    overdue_s: float
    """Since it ran out; less than 0: it is in force."""
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters: all, and by cause the most frequent."""

    total: int
    causes: Mapping[str, int]
    newest: str | None = None
    """Stream, cause and detail of the one that came last."""
    newest_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was found; None: it could not be read, and a note says why."""

    letters: Letters | None = None
    handles: int | None = None
    """Look-ups of handles that wait."""
    deletions: int | None = None
    dirty: int | None = None
    """Counters to be counted again."""
    leases: Mapping[str, Lease] = field(default_factory=dict)
    instances: tuple[Instance, ...] | None = None
    """Ours, with what they say of themselves."""
    sessions: Mapping[str, int] = field(default_factory=dict)
    """Connections to the server by application_name."""
    most_sessions: int | None = None
    """What clients that are no superusers may have together."""
    notes: tuple[str, ...] = ()


@asynccontextmanager
async def reading(connection: Connection, limit_ms: int | None = None) -> AsyncIterator[None]:
    """A transaction that can change nothing, and in which no statement lasts longer."""
    async with rolled_back_on_error(connection):
        await connection.execute(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms or LIMIT_MS}")
        yield
        await connection.execute("COMMIT")


async def ledger(connection: Connection, limit_ms: int | None = None) -> Ledger:
    """Raises what a lost connection raises; what is missing, forbidden or slow becomes a note."""
    notes: list[str] = []

    async def readable(what: str, statement: str) -> list[asyncpg.Record] | None:
        """None where they cannot be had."""
        try:
            async with reading(connection, limit_ms):
                found: list[asyncpg.Record] = await connection.fetch(statement)
                return found
        except asyncpg.QueryCanceledError:
            notes.append(f"{what}: not known, it takes longer than {(limit_ms or LIMIT_MS) / 1000:g} s to count")
        except asyncpg.UndefinedTableError:
            notes.append(f"{what}: not known, the table is missing; run `indexer schema create`")
        except asyncpg.InsufficientPrivilegeError:
            notes.append(f"{what}: not known, this role may not read it (`indexer schema create --print-sql`)")
        return None

    dead = await readable("dead letters", _DEAD)
    newest = await readable("the newest dead letter", _NEWEST) if dead else None
    waiting = _one(await readable("what waits for look-ups, removals and counts", _WAITING))
    leases = await readable("leases", LEASES) or []
    instances = await readable("what instances rest or are limited", INSTANCES)
    sessions = await readable("connections", SESSIONS) or []
    limits = _one(await readable("the limit of connections", _LIMITS))
    return Ledger(
        None if dead is None else _letters(dead, newest),
        waiting["handles"] if waiting else None,
        waiting["deletions"] if waiting else None,
        waiting["dirty"] if waiting else None,
        leases_of(leases),
        None if instances is None else tuple(instances_of(instances)),
        {row["application"]: row["sessions"] for row in sessions},
        limits["most"] - limits["reserved"] if limits else None,
        tuple(notes),
    )


def _one(rows: Sequence[asyncpg.Record] | None) -> asyncpg.Record | None:
    return rows[0] if rows else None


def _letters(dead: Sequence[asyncpg.Record], newest: Sequence[asyncpg.Record] | None) -> Letters:
    total = dead[0]["total"] if dead else 0
    causes = {row["cause"]: row["letters"] for row in dead}
    if not newest:
        return Letters(total, causes)
    return Letters(total, causes, f"{newest[0]['stream']}: {newest[0]['detail']}", newest[0]["last_at"])


def leases_of(rows: Sequence[asyncpg.Record]) -> dict[str, Lease]:
    """By consumer, what `LEASES` gave."""
    return {row["consumer"]: Lease(row["overdue"], row["host"], row["pid"]) for row in rows}
