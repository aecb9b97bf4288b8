"""Aggregates by what they count, and rows that no record stands behind."""

from collections import Counter
from collections.abc import Sequence

import asyncpg

from indexer.commands.shadow.rows import Difference
from indexer.commands.shadow.staging import Layout
from indexer.commands.shadow.window import Window
from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.records.post.embeds import quoted_post
from indexer.sink.statements import AGGREGATE_KEYS, counts_for
from indexer.sink.tables import COUNTERS

STRAYS_TIMEOUT = "5s"
COUNTS_TIMEOUT = "60s"
_BY_SUBJECT = (
    ("like", "subject"), ("repost", "subject"), ("quote", "subject"), ("feed_item", "postUri"), ("post", "replyParent"),
    ("thread_gate", "postUri"), ("post_gate", "postUri"), ("list_item", "listUri"),
)  # fmt: skip
_BY_ACCOUNT = (
    ("follow", "creator"), ("post", "creator"), ("like", "creator"), ("repost", "creator"), ("actor_block", "creator"),
    ("list", "creator"), ("list_item", "creator"), ("list_block", "creator"), ("feed_generator", "creator"),
    ("profile", "creator"), ("starter_pack", "creator"), ("follow", "subjectDid"), ("verification", "subject"),
    ("feed_item", "originatorDid"),
)  # fmt: skip


async def miscounted(
    connection: Connection, layout: Layout, window: Window, left_out: Counter[str]
) -> list[tuple[Difference, bool]]:
    """Aggregates of what the window touches that are not the count of rows, and whether DIV-15 explains it.

    A missing row of an aggregate counts as 0.
    """
    posts, dids = _touched(window)
    found: list[tuple[Difference, bool]] = []
    for column, (table, counter) in COUNTERS.items():
        aggregate, key = counter.aggregate, AGGREGATE_KEYS[counter.aggregate]
        rows = await _briefly(
            connection,
            COUNTS_TIMEOUT,
            f"""SELECT * FROM (SELECT k.key, coalesce(a.{quoted(column)}, 0) AS stored,
                (SELECT count(*) FROM {layout.name(table.name)} t WHERE {counts_for(counter, "k.key")}) AS counted
            FROM unnest($1::text[]) k (key) LEFT JOIN {layout.name(aggregate)} a ON a.{key} = k.key) c
            WHERE stored <> counted""",
            sorted(posts if aggregate == "post_agg" else dids),
            left_out,
        )
        for uri, stored, number in rows:
            one = Difference(aggregate, "column", uri, (uri,), column, number, stored)
            explained = column == "quoteCount" and await _is_of_one_version(connection, layout, window, uri, stored)
            found.append((one, explained))
    return found


async def _is_of_one_version(connection: Connection, layout: Layout, window: Window, uri: str, stored: int) -> bool:
    """DIV-15: the reference counts the quotes of the version that the last quoting post named, when that post came.

    Quotes that an update or a deletion of the post took away later stay counted.
    """
    if window.was(uri, "update", "delete") or window.replaced(uri):
        return True
    stands = await connection.fetchval(f"SELECT cid FROM {layout.name('record')} WHERE uri = $1", uri)
    told = window.last(uri)
    versions = window.versions.get(uri, set()) | ({told.event.cid} if told is not None else set())
    if not stands or any(cid != stands for cid in versions):
        return True  # updated or deleted since
    sql = f'SELECT count(*) FROM {layout.name("quote")} WHERE subject = $1 GROUP BY "subjectCid"'
    rows = await connection.fetch(sql, uri)
    return len(rows) > 1 and stored in {0, *(row[0] for row in rows)}


async def strays(connection: Connection, layout: Layout, window: Window, left_out: Counter[str]) -> list[Difference]:
    """Rows about the window's posts, or of its accounts, whose record is not there; what takes long is left."""
    posts, dids = _touched(window)
    found: dict[tuple[object, ...], Difference] = {}
    places = [(*place, posts | set(window.mentioned)) for place in _BY_SUBJECT]
    places += [(*place, dids | window.dids) for place in _BY_ACCOUNT]
    places.append(("notification", "author", window.dids))
    for table, column, keys in places:
        owner = "recordUri" if table == "notification" else "uri"
        gone = "" if table == "notification" else " AND r.json <> ''"
        sql = f"""SELECT t.{quoted(owner)} FROM {layout.name(table)} t WHERE t.{quoted(column)} = ANY($1::text[])
            AND NOT EXISTS (SELECT 1 FROM {layout.name("record")} r WHERE r.uri = t.{quoted(owner)}{gone})"""
        rows = await _briefly(connection, STRAYS_TIMEOUT, sql, sorted(keys), left_out)
        for (uri,) in rows:
            if uri not in window.told:
                one = Difference(table, "surplus row", uri, (uri,), None, None, {owner: uri, "record": None})
                found[one.place] = one
    return list(found.values())


async def _briefly(
    connection: Connection, limit: str, sql: str, keys: list[str], left_out: Counter[str]
) -> Sequence[asyncpg.Record]:
    try:
        await connection.execute(f"SAVEPOINT strays; SET LOCAL statement_timeout = '{limit}'")
        return await connection.fetch(sql, keys)
    except asyncpg.QueryCanceledError:
        left_out["too many rows to count or to look for strays"] += 1
        return []
    finally:
        await connection.execute("ROLLBACK TO SAVEPOINT strays; RELEASE SAVEPOINT strays")


def _touched(window: Window) -> tuple[set[str], set[str]]:
    """Posts and accounts whose counters the window may move."""
    posts: set[str] = set()
    dids: set[str] = set()
    for uri, told in window.told.items():
        for _, event, _ in told:
            dids.add(event.did)
            if event.collection == "app.bsky.feed.post":
                posts.add(uri)
            value = event.value or {}
            subject = value.get("subject")
            if event.collection in ("app.bsky.feed.like", "app.bsky.feed.repost") and subject:
                posts.add(subject["uri"])
            elif event.collection == "app.bsky.graph.follow" and subject:
                dids.add(subject)
            elif event.collection == "app.bsky.feed.post" and event.value is not None:
                if reply := value.get("reply"):
                    posts.add(reply["parent"]["uri"])
                if quotes := quoted_post(event):  # type: ignore[arg-type]
                    posts.add(quotes)
    return posts, dids
