"""A `Sink` on a real database, and what its tables hold."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from indexer._native import Event, Reject, decode_events
from indexer.connections.database import Pool, open_pool
from indexer.fold.accounts import AccountRules
from indexer.fold.notifications import Notifications
from indexer.sink.commit import Sink
from indexer.sink.counts import Aggregates
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Entry, Outcome
from indexer.sink.statements import Statements

Snapshot = dict[str, list[str]]
"""The rows of each table that is not empty, as JSON text, sorted."""

LAST_SEEN = {"dead_letter": {"last_at", "detail"}}
"""Columns that say when a message came last; the detail of `bad_rev` names the clock."""
GENERATED = {
    "notification": {"id"},
    "dead_letter": {"id", "first_at", "last_at", "detail"},
    "account_deletion": {"next_at"},
    "handle_lookup": {"next_at"},
}
"""Columns that differ between two runs over the same messages."""


class Asked(Statements):
    """Statements that count how often each was asked for."""

    def __init__(self, schema: str = "public") -> None:
        super().__init__(schema)
        self.asked: Counter[str] = Counter()

    @property
    def begun(self) -> int:
        """Transactions."""
        return self.asked["begin"]

    def __getitem__(self, name: str) -> str:
        self.asked[name] += 1
        return super().__getitem__(name)


class Writing:
    """A sink with a pool of its own, fed with messages as they would come from a stream."""

    def __init__(self, database: str, pool: Pool, sink: Sink, stream: str, statements: Asked) -> None:
        self.database = database
        self.pool = pool
        self.sink = sink
        self.stream = stream
        self.statements = statements

    async def batch(self, messages: Sequence[tuple[str, bytes]]) -> Outcome:
        """Write one batch, pairs of message id and payload, and derive again."""
        outcome = await self.write(messages)
        assert outcome.rest is not None
        await outcome.rest
        return outcome

    async def write(self, messages: Sequence[tuple[str, bytes]]) -> Outcome:
        """As `batch`, but what follows the commit is left to go on by itself."""
        now_ms = time.time_ns() // 1_000_000
        entries: list[Entry[Event]] = []
        letters: list[DeadLetter] = []
        decoded = decode_events([payload for _, payload in messages], [now_ms] * len(messages))
        for (id_, payload), result in zip(messages, decoded, strict=True):
            if isinstance(result, Event):
                entries.append(Entry(id_, payload, result))
            elif isinstance(result, Reject):
                letters.append(DeadLetter(self.stream, id_, result.cause, "reject", None, result.detail, 1, payload))
        return await self.sink.write(entries, letters)

    async def feed(self, payloads: Sequence[bytes], size: int | Iterable[int] = 500) -> list[Outcome]:
        """Write messages in batches of a size, or of these sizes and what is left; ids are their places."""
        messages = [(f"{place}-0", payload) for place, payload in enumerate(payloads, 1)]
        sizes = [size] * (len(messages) // size) if isinstance(size, int) else list(size)
        outcomes, at = [], 0
        for length in [*sizes, len(messages)]:
            if part := messages[at : at + length]:
                outcomes.append(await self.batch(part))
            at += length
        return outcomes

    async def fetch(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.pool.fetch(query, *arguments)
        return rows

    async def value(self, query: str, *arguments: object) -> Any:
        return await self.pool.fetchval(query, *arguments)

    async def uris(self, table: str) -> list[str]:
        return [row[0] for row in await self.fetch(f'SELECT uri FROM "{table}" ORDER BY uri')]


@asynccontextmanager
async def writing(
    database: str,
    *,
    notifications: Notifications = "live",
    stream: str = "firehose_live",
    aggregates: Aggregates = "delta",
    max_attempts: int = 3,
    connections: int = 4,
    rules: AccountRules = AccountRules(),  # noqa: B008 (frozen)
) -> AsyncIterator[Writing]:
    """A `Writing` for the time of the block."""
    pool = await open_pool(database, "test", 1, connections, None)
    statements = Asked()
    sink = Sink(pool, statements, stream, notifications, aggregates, max_attempts, rules=rules)
    try:
        yield Writing(database, pool, sink, stream, statements)
    finally:
        await pool.close()


async def tables_of(pool: Pool) -> dict[str, str]:
    """The tables of the AppView and of ours, by their qualified names."""
    rows = await pool.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'indexer') ORDER BY 1, 2"
    )
    skipped = ("lease", "migration", "kysely_migration", "kysely_migration_lock")
    return {f'"{row[0]}"."{row[1]}"': row[1] for row in rows if row[1] not in skipped}


async def snapshot(pool: Pool, without: Mapping[str, set[str]] = LAST_SEEN) -> Snapshot:
    """Every row of every table, `without` some columns; an aggregate of nothing is no row."""
    found: Snapshot = {}
    for qualified, name in (await tables_of(pool)).items():
        rows = [json.loads(row[0]) for row in await pool.fetch(f"SELECT to_jsonb(t)::text FROM {qualified} t")]
        if name in ("post_agg", "profile_agg"):
            rows = [row for row in rows if any(isinstance(value, int) and value for value in row.values())]
        if rows:
            drop = without.get(name, set())
            kept = ({column: value for column, value in row.items() if column not in drop} for row in rows)
            found[name] = sorted(json.dumps(row, sort_keys=True) for row in kept)
    return found


async def empty(pool: Pool) -> None:
    """Remove all rows: for many small histories on one database."""
    names = await tables_of(pool)
    await pool.execute(";".join(f"DELETE FROM {name}" for name in names))


COUNTERS = {
    "likeCount": ("post_agg", "uri", 'SELECT subject AS key, count(*) FROM "like" GROUP BY 1'),
    "repostCount": ("post_agg", "uri", "SELECT subject AS key, count(*) FROM repost GROUP BY 1"),
    "replyCount": (
        "post_agg",
        "uri",
        """SELECT "replyParent" AS key, count(*) FROM post
        WHERE "replyParent" IS NOT NULL AND "violatesThreadGate" IS NOT TRUE GROUP BY 1""",
    ),
    "quoteCount": ("post_agg", "uri", "SELECT subject AS key, count(*) FROM quote GROUP BY 1"),
    "followersCount": ("profile_agg", "did", 'SELECT "subjectDid" AS key, count(*) FROM follow GROUP BY 1'),
    "followsCount": ("profile_agg", "did", "SELECT creator AS key, count(*) FROM follow GROUP BY 1"),
    "postsCount": ("profile_agg", "did", "SELECT creator AS key, count(*) FROM post GROUP BY 1"),
}


async def wrong_counters(pool: Pool) -> list[tuple[Any, ...]]:
    """Counters that differ from the count of their rows: column, key, counter, count."""
    wrong: list[tuple[Any, ...]] = []
    for column, (table, key, query) in COUNTERS.items():
        rows = await pool.fetch(f"""
            SELECT coalesce(c.key, a.{key}) AS key, a."{column}" AS counter, c.count
            FROM {table} a FULL JOIN ({query}) c ON c.key = a.{key}
            WHERE coalesce(a."{column}", 0) <> coalesce(c.count, 0)
        """)
        wrong += [(column, *row) for row in rows]
    return wrong
