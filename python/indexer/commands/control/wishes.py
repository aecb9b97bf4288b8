"""The rows of `indexer.control` as the commands see them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    from indexer.connections.database import Connection, Pool

# An instance that is not alive, and of which nothing is asked, is nobody's business.
INSTANCES = """
SELECT consumer, l.expires_at > now() IS TRUE AS lives, l.host, l.pid, c.consumer IS NOT NULL AS is_known, c.wish,
    c.asked_at, c.paused IS TRUE AS paused, c.rate, c.heard,
    CASE WHEN l.owner = c.owner THEN c.state END AS state,
    CASE WHEN l.owner = c.owner THEN c.rate_now END AS rate_now
FROM indexer.lease l FULL JOIN indexer.control c USING (consumer)
WHERE l.expires_at > now() OR c.paused OR c.rate IS NOT NULL
ORDER BY consumer"""
_ASK_TO_REST = """
INSERT INTO indexer.control AS c (consumer, wish, asked_at, paused) VALUES ($1, 1, now(), $2)
ON CONFLICT (consumer) DO UPDATE SET wish = c.wish + 1, paused = excluded.paused,
    asked_at = CASE WHEN c.paused = excluded.paused THEN c.asked_at ELSE excluded.asked_at END
RETURNING wish"""
_ASK_RATE = """
INSERT INTO indexer.control AS c (consumer, wish, rate) VALUES ($1, 1, $2)
ON CONFLICT (consumer) DO UPDATE SET wish = c.wish + 1, rate = excluded.rate
RETURNING wish"""


@dataclass(frozen=True, slots=True)
class Instance:
    """One of ours: it lives, or something is asked of it for its next start."""

    consumer: str
    lives: bool
    host: str | None
    pid: int | None
    paused: bool
    """Asked to rest."""
    asked_at: datetime | None
    """When it was asked to rest, or to go on."""
    state: str | None
    """What it says of itself: working, pausing or paused; None: it does not live, or says nothing."""
    rate_now: int | None
    """Messages a second, as it says; None: no limit, or it says nothing."""
    heard: int | None
    """The wish that it obeys."""


def instances_of(rows: "Sequence[asyncpg.Record]") -> list[Instance]:
    """What `INSTANCES` gave."""
    return [
        Instance(
            row["consumer"],
            row["lives"],
            row["host"],
            row["pid"],
            row["paused"],
            row["asked_at"],
            row["state"] if row["lives"] else None,
            row["rate_now"] if row["lives"] else None,
            row["heard"] if row["lives"] and row["state"] is not None else None,
        )
        for row in rows
    ]


async def instances(connection: "Connection | Pool") -> list[Instance]:
    """Those that live, and those of which something is asked."""
    return instances_of(await connection.fetch(INSTANCES))


async def ask_to_rest(connection: "Connection | Pool", consumer: str, *, paused: bool) -> int:
    """Ask it to pause, or to go on; the number of the wish."""
    number: int = await connection.fetchval(_ASK_TO_REST, consumer, paused)
    return number


async def ask_rate(connection: "Connection | Pool", consumer: str, rate: int | None) -> int:
    """Ask it for a rate, 0 for none, None for that of its settings; the number of the wish."""
    number: int = await connection.fetchval(_ASK_RATE, consumer, rate)
    return number
