"""What derivation reads beside the window's own records: copied, so that the pipeline finds its neighbours.

The window's own records are left out: they are what the pipeline has to make. Everything is found by index.
"""

from collections.abc import Iterable
from typing import Any, cast

import orjson

from indexer.commands.shadow.staging import Layout
from indexer.commands.shadow.window import Window, at_uris
from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.record_type import Version
from indexer.records import RECORDS
from indexer.records.post.gates import POST, POST_GATE, THREAD_GATE
from indexer.sink.tables import TABLES as RECORD_TABLES

MOST_HANGING = 50_000
"""Replies, quotes and reposts of the window's posts that are copied; of very popular posts there are more."""
_GATES = (THREAD_GATE, POST_GATE)


class Surroundings:
    """The neighbours of a window's records."""

    def __init__(self) -> None:
        self.near: set[str] = set()
        """Records whose rows were copied."""
        self.hanging: set[str] = set()
        """Of these, reposts and quoting posts of posts in the window."""
        self.below: set[str] = set()
        """Of these, replies to posts in the window."""
        self.duplicates: set[str] = set()
        """Of these, records with a duplicate key of the window, and duplicates of them."""
        self.muted: dict[str, str] = {}
        """Roots of threads that somebody muted, with the time of the last one who did."""


async def copy_surroundings(connection: Connection, layout: Layout, window: Window) -> Surroundings:
    """Fill the copies; what was found."""
    found = Surroundings()
    own = set(window.told)
    posts = sorted(uri for uri in own if aturi.parse(uri).collection == POST)
    named = set(window.mentioned) | _relatives(own)
    named |= _relatives(named)
    named |= {row[0] for row in await connection.fetch(layout.real["ancestors"], sorted(named | own), 8)}
    named |= _relatives(uri for uri in named if aturi.parse(uri).collection == POST)
    await _find_hanging(connection, layout, posts, found)
    await _find_duplicates(connection, layout, window, found)
    found.near = (named | found.hanging | found.below | found.duplicates) - own
    near = sorted(found.near)
    await _copy(connection, layout, "record", "uri", near)
    await _copy(connection, layout, "duplicate_record", "uri", near)
    for table in RECORD_TABLES:
        await _copy(connection, layout, table.name, table.owner, near)
    await _copy_pairs(connection, layout, window, found)
    await _copy_mutes(connection, layout, sorted(named | own), found)
    await _copy(connection, layout, "actor", "did", sorted(window.dids))
    if await connection.fetchval("SELECT to_regclass('indexer.account_deletion') IS NOT NULL"):
        await connection.execute(
            "INSERT INTO pg_temp.account_deletion (did, time, at_ms, state, removed_ms)"
            " SELECT did, time, at_ms, state, removed_ms FROM indexer.account_deletion"
            " WHERE did = ANY($1::text[]) AND removed_ms IS NOT NULL",
            sorted(window.dids),
        )
    return found


def _relatives(uris: Iterable[str]) -> set[str]:
    """The gates of posts, the posts of gates."""
    found: set[str] = set()
    for uri in uris:
        parts = aturi.parse(uri)
        if parts.collection == POST:
            found.update(parts.sibling(gate) for gate in _GATES)
        elif parts.collection in _GATES:
            found.add(parts.sibling(POST))
    return found


async def _copy(connection: Connection, layout: Layout, table: str, column: str, keys: list[str]) -> None:
    """Rows by a column, what the database generates left to the copy."""
    if not keys:
        return
    names = ", ".join(quoted(name) for name in await _columns(connection, layout, table))
    await connection.execute(
        f"INSERT INTO {layout.copy(table)} ({names}) SELECT {names} FROM {layout.name(table)}"
        f" WHERE {quoted(column)} = ANY($1::text[]) ON CONFLICT DO NOTHING",
        keys,
    )


async def _columns(connection: Connection, layout: Layout, table: str) -> list[str]:
    known = layout.plain.get(table)
    if known is None:
        rows = await connection.fetch(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1)"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            layout.name(table),
        )
        known = layout.plain[table] = [row[0] for row in rows]
    return known


async def _find_hanging(connection: Connection, layout: Layout, posts: list[str], found: Surroundings) -> None:
    for table, column, also in (("feed_item", "postUri", " AND type = 'repost'"), ("quote", "subject", "")):
        rows = await connection.fetch(
            f"SELECT uri FROM {layout.name(table)} WHERE {quoted(column)} = ANY($1::text[]){also} LIMIT {MOST_HANGING}",
            posts,
        )
        found.hanging.update(row[0] for row in rows)
    rows = await connection.fetch(
        f"""WITH RECURSIVE below (uri, depth) AS (
            SELECT uri, 1 FROM {layout.name("post")} WHERE "replyParent" = ANY($1::text[])
            UNION SELECT p.uri, depth + 1 FROM below JOIN {layout.name("post")} p ON p."replyParent" = below.uri
            WHERE depth < 5 OR (depth < 100 AND p."invalidReplyRoot")
        ) SELECT DISTINCT uri FROM below LIMIT {MOST_HANGING}""",
        posts,
    )
    found.below.update(row[0] for row in rows)


async def _find_duplicates(connection: Connection, layout: Layout, window: Window, found: Surroundings) -> None:
    """Who has the duplicate keys of the window's records, and all that point at one of these."""
    keys: dict[str, set[tuple[str, ...]]] = {}
    for uri, told in window.told.items():
        kind = RECORDS[aturi.parse(uri).collection]
        if kind.duplicate_key is not None:
            versions = (cast(Version, one.event) for one in told if one.event.kind != "delete")
            keys.setdefault(kind.collection, set()).update(kind.duplicate_key(version) for version in versions)
    related = {uri for uri in window.told if RECORDS[aturi.parse(uri).collection].duplicate_key is not None}
    for collection, some in keys.items():
        kind = RECORDS[collection]
        if some:
            sql = layout.real.rows_of_keys(kind.tables[0], kind.key_columns)
            rows: list[Any] = await connection.fetch(sql, *(list(c) for c in zip(*sorted(some), strict=True)))
            related.update(row[0] for row in rows)
    for _ in range(3):
        rows = await connection.fetch(layout.real["duplicates_of_records"], sorted(related))
        more = related.union(*rows) if rows else related
        if more == related:
            break
        related = more
    found.duplicates = related - window.told.keys()


async def _copy_pairs(connection: Connection, layout: Layout, window: Window, found: Surroundings) -> None:
    """Follows and list items that the rules of thread gates ask for."""
    pairs: set[tuple[str, str]] = set()
    repliers: set[str] = set()
    for told in window.told.values():
        for _, event, _ in told:
            reply = event.value.get("reply") if event.collection == POST and event.value else None
            if reply:
                owner = aturi.authority(reply["root"]["uri"])
                pairs |= {(event.did, owner), (owner, event.did)}
                repliers.add(event.did)
    if not pairs:
        return
    creators, subjects = (list(column) for column in zip(*sorted(pairs), strict=True))
    names = ", ".join(quoted(name) for name in await _columns(connection, layout, "follow"))
    await connection.execute(
        f"INSERT INTO {layout.copy('follow')} ({names}) SELECT {names} FROM {layout.name('follow')}"
        ' WHERE (creator, "subjectDid") IN (SELECT * FROM unnest($1::text[], $2::text[])) AND uri <> ALL($3::text[])'
        " ON CONFLICT DO NOTHING",
        creators,
        subjects,
        sorted(uri for uri in window.told if "/app.bsky.graph.follow/" in uri),
    )
    rows = await connection.fetch(
        "SELECT json FROM pg_temp.record WHERE uri = ANY($1::text[]) AND json <> ''",
        sorted(uri for uri in found.near if f"/{THREAD_GATE}/" in uri),
    )
    lists = set(window.mentioned)
    for (json,) in rows:
        lists.update(at_uris(_loaded(json)))
    names = ", ".join(quoted(name) for name in await _columns(connection, layout, "list_item"))
    await connection.execute(
        f"INSERT INTO {layout.copy('list_item')} ({names}) SELECT {names} FROM {layout.name('list_item')}"
        ' WHERE "subjectDid" = ANY($1::text[]) AND "listUri" = ANY($2::text[]) AND uri <> ALL($3::text[])'
        " ON CONFLICT DO NOTHING",
        sorted(repliers),
        sorted(uri for uri in lists if "/app.bsky.graph.list/" in uri),
        sorted(uri for uri in window.told if "/app.bsky.graph.listitem/" in uri),
    )


async def _copy_mutes(connection: Connection, layout: Layout, named: list[str], found: Surroundings) -> None:
    rows = await connection.fetch(
        f'SELECT "replyRoot" FROM {layout.name("post")} WHERE uri = ANY($1::text[]) AND "replyRoot" IS NOT NULL', named
    )
    roots = sorted({*named, *(row[0] for row in rows)})
    await _copy(connection, layout, "thread_mute", "rootUri", roots)
    for root, at in await connection.fetch('SELECT "rootUri", max("createdAt") FROM pg_temp.thread_mute GROUP BY 1'):
        found.muted[root] = at or ""


def _loaded(json: str) -> object:
    try:
        return orjson.loads(json)
    except orjson.JSONDecodeError:
        return None
