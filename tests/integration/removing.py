"""An account with records of every collection among other people, and what may be left of it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from indexer.connections.database import Connection, Pool, Turns, open_pool
from indexer.identity import Hosting
from indexer.metrics import Metrics
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.sink.counts import Aggregates
from indexer.sink.statements import Statements
from tests.integration.writing import Snapshot, snapshot, tables_of
from tests.messages import (
    CREATED,
    REVS,
    A,
    B,
    C,
    D,
    blob,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    listitem,
    mention,
    post,
    post_uri,
    postgate,
    quote,
    record,
    repost,
    repost_uri,
    threadgate,
    uri,
    verification,
)

BEFORE, AT, AFTER = (f"2025-10-20T{hour}:00:00.000Z" for hour in (10, 11, 12))
"""Times around the deletion of A."""
AT_MS = 1_760_958_000_000

PREFIX = f"at://{A}/"


class Answers:
    """A resolver that gives these answers, then `gone` for ever."""

    def __init__(self, *answers: Hosting) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def hosting(self, did: str) -> Hosting:
        self.asked.append(did)
        return self._answers.pop(0) if self._answers else Hosting("gone", "repo_not_found")


@asynccontextmanager
async def removing(
    database: str, *answers: Hosting, aggregates: Aggregates = "delta", resolver: Any = None
) -> AsyncIterator[RemovalWorker]:
    """A worker with two connections of its own."""
    pool = await open_pool(database, "removal", 1, 2, None)
    try:
        jobs = Jobs(pool, Turns(2), Statements("public"))
        yield RemovalWorker(jobs, resolver or Answers(*answers), aggregates, Metrics(()))
    finally:
        await pool.close()


async def announce(pool: Pool | Connection, did: str = A, time: str = AT, at_ms: int = AT_MS) -> None:
    """What a batch with the deletion's event leaves."""
    await pool.execute("INSERT INTO indexer.account_deletion (did, time, at_ms) VALUES ($1, $2, $3)", did, time, at_ms)


async def confirm(pool: Pool | Connection, did: str = A, at_ms: int = AT_MS) -> None:
    """What the answer of the PDS leaves: the account is gone."""
    await announce(pool, did, AT, at_ms)
    await pool.execute(
        "UPDATE indexer.account_deletion SET state = 'removing', removed_ms = at_ms, attempts = 1 WHERE did = $1", did
    )


async def job(pool: Pool, did: str = A) -> dict[str, Any]:
    """The job's row, empty where there is none; `due` says in how many seconds it may be taken."""
    row = await pool.fetchrow(
        "SELECT *, extract(epoch FROM next_at - now())::float8 AS due FROM indexer.account_deletion WHERE did = $1", did
    )
    return dict(row) if row else {}


def of_account(n: int = 1) -> list[bytes]:
    """Messages of A: `n` of each common kind, one of each rare kind, duplicates and a tombstone."""
    revs = iter(REVS)
    return [create(at, value, next(revs), cid(at), time=BEFORE) for at, value in _records(n)] + [
        delete(post_uri(A, "gone"), next(revs), time=BEFORE)
    ]


def _records(n: int) -> Iterator[tuple[str, Any]]:
    embeds = [
        {"$type": "app.bsky.embed.images", "images": [{"image": blob(1), "alt": "x"}, {"image": blob(2), "alt": "y"}]},
        {"$type": "app.bsky.embed.video", "video": blob(3, "video/mp4")},
        {"$type": "app.bsky.embed.external", "external": {"uri": "https://x.test", "title": "t", "description": "d"}},
        quote(post_uri(B, "p0")),
    ]
    for k in range(n):
        yield post_uri(A, f"p{k}"), post("own", embed=embeds[k % 4], facets=mention(D))
        yield post_uri(A, f"r{k}"), post("reply", parent=post_uri(B, f"p{k}"))
        yield like_uri(A, f"l{k}"), like(post_uri(B, f"p{k}"))
        yield like_uri(A, f"own{k}"), like(post_uri(A, f"p{k}"))
        yield repost_uri(A, f"t{k}"), repost(post_uri(B, f"p{k}"))
        yield uri(A, "app.bsky.graph.follow", f"f{k}"), follow(f"did:plc:{k:024}")
    yield like_uri(A, "again"), like(post_uri(B, "p0"))
    yield repost_uri(A, "again"), repost(post_uri(B, "p0"))
    yield uri(A, "app.bsky.graph.follow", "fb"), follow(B)
    yield uri(A, "app.bsky.actor.profile", "self"), record("app.bsky.actor.profile", displayName="A")
    yield uri(A, "app.bsky.graph.block", "k"), record("app.bsky.graph.block", subject=D)
    own_list = uri(A, "app.bsky.graph.list", "k")
    yield own_list, record("app.bsky.graph.list", name="L", purpose="app.bsky.graph.defs#curatelist")
    yield uri(A, "app.bsky.graph.listitem", "k"), listitem(own_list, C)
    yield uri(A, "app.bsky.graph.listblock", "k"), record("app.bsky.graph.listblock", subject=own_list)
    yield uri(A, "app.bsky.graph.starterpack", "k"), record("app.bsky.graph.starterpack", name="S", list=own_list)
    yield uri(A, "app.bsky.graph.verification", "k"), verification(C)
    yield uri(A, "app.bsky.feed.generator", "k"), record("app.bsky.feed.generator", did=A, displayName="G")
    yield uri(A, "app.bsky.feed.threadgate", "p0"), threadgate(post_uri(A, "p0"))
    yield uri(A, "app.bsky.feed.postgate", "p0"), postgate(post_uri(A, "p0"))
    yield uri(A, "app.bsky.labeler.service", "self"), record("app.bsky.labeler.service", policies={"labelValues": []})
    yield uri(A, "app.bsky.actor.status", "self"), record("app.bsky.actor.status", status="s")
    yield (
        uri(A, "app.bsky.notification.declaration", "self"),
        record("app.bsky.notification.declaration", createdAt=None, allowSubscriptions="none"),
    )
    yield uri(A, "chat.bsky.actor.declaration", "self"), {"$type": "chat.bsky.actor.declaration", "x": CREATED}


def of_others(n: int = 1) -> list[bytes]:
    """Messages of B, C and D: posts, and on each of `n` posts of A and B a like, a repost, a reply and a quote."""
    revs = iter(REVS)
    found: list[bytes] = []

    def add(at: str, value: Any) -> None:
        found.append(create(at, value, next(revs), cid(at), time=BEFORE))

    for k in range(n):
        add(post_uri(B, f"p{k}"), post("b"))
        for whose, name in ((A, "a"), (B, "b")):
            subject = post_uri(whose, f"p{k}")
            add(like_uri(C, f"{name}{k}"), like(subject))
            add(repost_uri(C, f"{name}{k}"), repost(subject))
            add(post_uri(C, f"{name}{k}"), post("c", parent=subject))
            add(post_uri(D, f"{name}{k}"), post("d", embed=quote(subject)))
    add(uri(C, "app.bsky.graph.follow", "a"), follow(A))
    add(uri(C, "app.bsky.graph.follow", "b"), follow(B))
    return found


async def left_of_account(pool: Pool) -> dict[str, int]:
    """Rows of A by table. Counters of what other people still have on its posts, and on itself, are not its rows."""
    is_own = dict.fromkeys(("did", "creator", "author", "originatorDid"), '"{}" = $1')
    is_own |= dict.fromkeys(
        ("uri", "postUri", "recordUri", "duplicateOf", "subject"), "starts_with(\"{}\", 'at://' || $1 || '/')"
    )
    others = {"like": {"subject"}, "repost": {"subject"}, "label": {"uri"}, "post_agg": {"uri"}, "profile_agg": {"did"}}
    columns: dict[str, list[str]] = {}
    for table, column in await pool.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
    ):
        columns.setdefault(table, []).append(column)
    found: dict[str, int] = {}
    for table, names in columns.items():
        tests = [is_own[name].format(name) for name in names if name in is_own.keys() - others.get(table, set())]
        if tests:
            number = await pool.fetchval(f'SELECT count(*) FROM "{table}" WHERE {" OR ".join(tests)}', A)
            if number:
                found[table] = number
    return found


async def rows_of_appview(pool: Pool) -> int:
    """The number of rows in all tables of the AppView."""
    tables = [name for name in await tables_of(pool) if name.startswith('"public"')]
    return sum([await pool.fetchval(f"SELECT count(*) FROM {name}") for name in tables])


async def as_if_never(pool: Pool) -> Snapshot:
    """The AppView's rows that are not A's, without what a deletion takes from others: what hangs on its posts."""
    found = await snapshot(pool, {"notification": {"id"}, "post": {"invalidReplyRoot", "violatesThreadGate"}})
    kept: Snapshot = {}
    for table, texts in found.items():
        if table in ("account_deletion", "dirty_count"):
            continue
        rows = [text for text in texts if not _hangs_on_account(table, json.loads(text))]
        if rows:
            kept[table] = rows
    return kept


def _hangs_on_account(table: str, row: dict[str, Any]) -> bool:
    on = {"feed_item": "postUri", "quote": "subject", "notification": "did", "post_agg": "uri"}.get(table)
    return on is not None and (row[on] == A or row[on].startswith(PREFIX))
