"""The proof: every table beside that of an indexer that nobody disturbed, every counter beside its rows.

Left out is what may depend on the order of messages or on the clock (DESIGN.md): the three flags of a post that are
judged when it comes, the time of a deletion, `createdAt` of a profile that states none, `indexedAt` of an actor.
"""

from collections import Counter
from dataclasses import dataclass, field

import asyncpg

from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.schema.needs import TABLES

_AGGREGATES = ("post_agg", "profile_agg")
_LETTERS = "SELECT DISTINCT cause, payload FROM indexer.dead_letter"
_DROPPED = "not_json"
"""What the TypeScript indexer acknowledges and deletes without a word."""
_COUNTERS = {
    "likeCount": ("post_agg", "uri", "like", "subject", ""),
    "repostCount": ("post_agg", "uri", "repost", "subject", ""),
    "replyCount": ("post_agg", "uri", "post", "replyParent", 'AND "violatesThreadGate" IS NOT TRUE'),
    "quoteCount": ("post_agg", "uri", "quote", "subject", ""),
    "followersCount": ("profile_agg", "did", "follow", "subjectDid", ""),
    "followsCount": ("profile_agg", "did", "follow", "creator", ""),
    "postsCount": ("profile_agg", "did", "post", "creator", ""),
}
"""Table and key of a counter; table, column and condition of the rows that it counts."""
_SAME = {
    "record": """CASE WHEN json = '' THEN to_jsonb(t) - 'indexedAt' ELSE to_jsonb(t) END""",
    "post": """to_jsonb(t) - '{invalidReplyRoot,violatesThreadGate,violatesEmbeddingRules}'::text[]
        || jsonb_build_object('hasThreadGate', "hasThreadGate" IS TRUE, 'hasPostGate', "hasPostGate" IS TRUE)""",
    "profile": "to_jsonb(t) - 'createdAt'",
    "actor": "to_jsonb(t) - 'indexedAt'",
    "notification": "to_jsonb(t) - '{id,sortAt}'::text[]",
}
"""What is compared of a row, where it is not all of it."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A table beside the other."""

    rows: int
    missing: int
    not_wanted: int

    @property
    def is_equal(self) -> bool:
        return not self.missing and not self.not_wanted


@dataclass(slots=True)
class Proof:
    """What two databases have in common."""

    tables: dict[str, Compared] = field(default_factory=dict)
    """By table, those that have rows."""
    counters: int = 0
    miscounted: dict[str, int] = field(default_factory=dict)
    """How many are wrong, by counter, those of which some are."""
    letters: int = 0
    dropped: int = 0
    """Texts that are not JSON, which the stand-ins deleted."""
    letters_missing: int = 0
    letters_not_wanted: int = 0

    @property
    def holds(self) -> bool:
        rows = all(table.is_equal for table in self.tables.values())
        return rows and not self.miscounted and not self.letters_missing and not self.letters_not_wanted


async def prove(url: str, undisturbed: str) -> Proof:
    """Compare the database of the move with the other one."""
    here, there = await asyncpg.connect(url), await asyncpg.connect(undisturbed)
    try:
        proof = Proof()
        for table in sorted(table.name for table in TABLES if table.written and table.name not in _AGGREGATES):
            found, wanted = await _rows(here, table), await _rows(there, table)
            if found or wanted:
                missing, extra = (wanted - found).total(), (found - wanted).total()
                proof.tables[table] = Compared(found.total(), missing, extra)
        for counter in _COUNTERS:
            all_, wrong = await _counted(here, counter)
            proof.counters += all_
            if wrong:
                proof.miscounted[counter] = wrong
        letters, others = await _letters(here), await _letters(there)
        missing_letters = others - letters
        proof.letters = len(letters)
        proof.dropped = sum(cause == _DROPPED for cause, _ in missing_letters)
        proof.letters_missing = len(missing_letters) - proof.dropped
        proof.letters_not_wanted = len(letters - others)
        return proof
    finally:
        await here.close()
        await there.close()


async def _rows(connection: Connection, table: str) -> Counter[str]:
    same = _SAME.get(table, "to_jsonb(t)")
    return Counter(row[0] for row in await connection.fetch(f"SELECT ({same})::text FROM {quoted(table)} t"))


async def _letters(connection: Connection) -> set[tuple[str, bytes]]:
    return {(row[0], row[1]) for row in await connection.fetch(_LETTERS)}


async def _counted(connection: Connection, counter: str) -> tuple[int, int]:
    """How many counters there are that are not nothing, and how many of all are not what their rows count."""
    aggregate, key, table, column, condition = _COUNTERS[counter]
    found = await connection.fetchrow(
        f"""
        SELECT count(*) FILTER (WHERE coalesce(shown, 0) <> 0),
            count(*) FILTER (WHERE coalesce(shown, 0) <> coalesce(n, 0))
        FROM (SELECT {quoted(key)} AS key, {quoted(counter)} AS shown FROM {aggregate}) a
        FULL JOIN (
            SELECT {quoted(column)} AS key, count(*) AS n FROM {quoted(table)}
            WHERE {quoted(column)} IS NOT NULL {condition} GROUP BY 1
        ) r USING (key)
        """
    )
    assert found is not None  # an aggregate has one row
    return int(found[0]), int(found[1])
