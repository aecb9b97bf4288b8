"""What is in the database after the run, by plain queries anybody could type."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.schema.needs import TABLES

SCHEMA = "public"

_POSTS = """
SELECT p.uri, p.creator, a.handle, p.text, p.langs ->> 0 AS language, p."createdAt" AS created_at,
    p."replyParent" IS NOT NULL AS is_reply, coalesce(g."likeCount", 0) AS likes,
    coalesce(g."repostCount", 0) AS reposts, coalesce(g."replyCount", 0) AS replies
FROM post p LEFT JOIN post_agg g USING (uri) LEFT JOIN actor a ON a.did = p.creator
"""
_LETTERS = """
SELECT DISTINCT ON (reason) reason, count(*) OVER (PARTITION BY reason) AS messages, cause, detail, payload
FROM (SELECT *, CASE WHEN class = 'data' THEN 'db' ELSE split_part(cause, ':', 1) END AS reason
    FROM indexer.dead_letter) letters
ORDER BY reason, id
"""


@dataclass(frozen=True, slots=True)
class ShownPost:
    """A row of `post` with its counters and its author's handle."""

    uri: str
    creator: str
    handle: str | None
    text: str
    language: str | None
    created_at: str
    is_reply: bool
    likes: int
    reposts: int
    replies: int


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead letters of one reason: how many, and the first of them."""

    reason: str
    messages: int
    cause: str
    detail: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found."""

    rows: dict[str, int]
    """By table, those that the indexer writes and that are not empty."""
    recorded: list[ShownPost]
    liked: list[ShownPost]
    letters: list[Letters]


async def find(url: str, recorded: Sequence[str], made_up: str, most: int) -> Findings:
    """Look: at the posts of these URIs, and at the `most` liked ones of authors whose DID begins with `made_up`."""
    connection = await asyncpg.connect(url)
    try:
        posts = await connection.fetch(f'{_POSTS} WHERE p.uri = ANY($1) ORDER BY p."indexedAt", p.uri', recorded)
        liked = await connection.fetch(
            f"{_POSTS} WHERE starts_with(p.creator, $1) ORDER BY likes DESC, p.uri LIMIT $2", made_up, most
        )
        letters = await connection.fetch(_LETTERS)
        return Findings(
            await _rows(connection),
            [ShownPost(**row) for row in posts],
            [ShownPost(**row) for row in liked],
            sorted((Letters(**row) for row in letters), key=lambda found: -found.messages),
        )
    finally:
        await connection.close()


async def _rows(connection: Connection) -> dict[str, int]:
    counts = {}
    for table in sorted(table.name for table in TABLES if table.written):
        counts[table] = int(await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.{quoted(table)}"))
    return {table: count for table, count in counts.items() if count}
