"""A deletion through the whole daemon: a directory is asked, the work is cut off by SIGKILL, and ended by the next."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import asyncpg
import pytest

from tests.acceptance.daemon import feed, left_over, query, running
from tests.integration.removing import AT, BEFORE, announce, as_if_never, left_of_account, of_account, of_others
from tests.integration.writing import writing, wrong_counters
from tests.messages import A, account, create, follow, uri

QUICK = {"indexer.daemon.lease:LENGTH_S": 1.5, "indexer.daemon.lease:RENEWAL_S": 0.3}
"""Who is killed comes again under its name at once."""
FEW = {"LOG_LEVEL": "info", "ENABLE_DID_RESOLUTION": "true"}


@contextmanager
def directory(status: int) -> Iterator[str]:
    """A directory that answers all questions the same; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def state(database: str) -> tuple[str, int]:
    """Of A's deletion: its state, and the rows that went so far."""
    rows = asyncio.run(query(database, "SELECT state, removed_rows FROM indexer.account_deletion"))
    return (rows[0]["state"], rows[0]["removed_rows"]) if rows else ("", 0)


def has_moved(database: str, seen: tuple[str, int]) -> bool:
    """Whether the removal stands elsewhere than it was seen."""
    return state(database) != seen


def more_than(database: str, rows: int) -> bool:
    """Whether the removal has gone on."""
    return state(database)[1] > rows


async def announced(database: str) -> None:
    async with writing(database, connections=1) as sink:
        await announce(sink.pool)


async def nothing_is_left(database: str, other_database: str, others: list[bytes]) -> None:
    async with writing(database) as sink, writing(other_database) as never:
        left = await left_of_account(sink.pool)
        assert left.keys() <= {"notification", "feed_item", "quote"}, "what others said after its posts were gone"
        assert await sink.value("SELECT count(*) FROM notification WHERE author = $1", A) == 0
        assert await wrong_counters(sink.pool) == []
        await never.feed(others)
        here, there = await as_if_never(sink.pool), await as_if_never(never.pool)
        del here["notification"], there["notification"]  # they depend on who came first
        assert here == there


BULK = """
CREATE TEMP TABLE n AS SELECT n, n % 997 AS who FROM generate_series(1, $rows$) n;
INSERT INTO record (uri, cid, did, json, rev, "indexedAt")
SELECT 'at://$did$/' || c || '/m' || n, 'b', '$did$', '{"x":1}', '3m00000000022', '$time$'
FROM n, unnest(ARRAY['app.bsky.feed.like', 'app.bsky.feed.post']) c;
INSERT INTO "like" (uri, cid, creator, subject, "subjectCid", "createdAt", "indexedAt")
SELECT 'at://$did$/app.bsky.feed.like/m' || n, 'b', '$did$', 'at://did:web:' || who || '/app.bsky.feed.post/' || n, 'b',
    '$time$', '$time$' FROM n;
INSERT INTO post_agg (uri, "likeCount", "replyCount")
SELECT 'at://did:web:' || who || '/app.bsky.feed.post/' || n, 1, 1 FROM n;
INSERT INTO post (uri, cid, creator, text, "replyParent", "replyRoot", "createdAt", "indexedAt")
SELECT 'at://$did$/app.bsky.feed.post/m' || n, 'b', '$did$', 'm', subject, subject, '$time$', '$time$'
FROM n JOIN "like" l ON l.uri = 'at://$did$/app.bsky.feed.like/m' || n;
INSERT INTO feed_item (uri, cid, type, "postUri", "originatorDid", "sortAt")
SELECT uri, cid, 'post', uri, creator, "createdAt" FROM post WHERE text = 'm';
INSERT INTO notification (did, "recordUri", "recordCid", author, reason, "sortAt")
SELECT 'did:web:' || who, 'at://$did$/app.bsky.feed.' || c || '/m' || n, 'b', '$did$', c, '$time$'
FROM n, unnest(ARRAY['like', 'post']) c;
INSERT INTO profile_agg AS a (did, "postsCount") VALUES ('$did$', $rows$)
ON CONFLICT (did) DO UPDATE SET "postsCount" = a."postsCount" + $rows$;
"""
"""Likes of A and answers by it, two records per number."""


async def enlarged(database: str, records: int) -> None:
    """Give A as many records more."""
    values = {"rows": records // 2, "did": A, "time": BEFORE}
    sql = BULK
    for name, value in values.items():
        sql = sql.replace(f"${name}$", str(value))
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("records", "kills"),
    [
        pytest.param(10_000, 1, marks=[pytest.mark.long, pytest.mark.timeout(180)]),
        pytest.param(500_000, 3, marks=[pytest.mark.long, pytest.mark.timeout(3600)]),
    ],
)
def test_deletion_that_is_killed_ends_as_if_the_account_had_never_been(
    database: str, other_database: str, redis_url: str, tmp_path: Path, records: int, kills: int
) -> None:
    """Other people go on with the same posts meanwhile, and old events of the account come again."""
    others, mine = of_others(100), of_account(100)
    random.Random(1).shuffle(others)
    parts = [others[part :: kills + 2] for part in range(kills + 2)]
    with directory(404) as plc_url:
        environment = {**FEW, "PLC_URL": plc_url}
        feed(redis_url, "firehose_live", [*parts[0], *mine])
        with running(database, redis_url, tmp_path, environment=environment, settings=QUICK) as daemon:
            daemon.until(lambda: left_over(redis_url, "firehose_live") == (0, 0))
        asyncio.run(enlarged(database, records))
        feed(redis_url, "firehose_live", [account(A, AT, active=False, status="deleted")])
        for part, killed in enumerate([True] * kills + [False], 1):
            _, rows = state(database)
            with running(database, redis_url, tmp_path, environment=environment, settings=QUICK) as daemon:
                feed(redis_url, "firehose_live", [*parts[part], *mine[part :: kills + 2]])
                if killed:
                    daemon.until(partial(more_than, database, rows))
                    daemon.kill()
                    assert state(database)[0] == "removing", "it was too late to show anything"
                    continue
                while (seen := state(database))[0] != "removed":
                    daemon.until(partial(has_moved, database, seen))
                daemon.until(lambda: left_over(redis_url, "firehose_live") == (0, 0))
                assert [line["did"] for line in daemon.lines("account_removed")] == [A]
                assert daemon.metrics()["indexer_removed_rows_total", ()] > 0
                assert daemon.stop() == 0
    asyncio.run(nothing_is_left(database, other_database, others))


@pytest.mark.parametrize(
    "environment", [{"ENABLE_DID_RESOLUTION": "false"}, {**FEW, "INDEXER_ACCOUNT_DELETION": "ignore"}]
)
def test_nothing_is_removed_without_look_ups_or_when_deletions_are_ignored(
    database: str, redis_url: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with directory(404) as plc_url:
        feed(redis_url, "firehose_live", [create(uri(A, "app.bsky.graph.follow", "f"), follow("did:plc:b"))])
        asyncio.run(announced(database))
        with running(
            database, redis_url, tmp_path, "--drain", environment={**environment, "PLC_URL": plc_url}
        ) as daemon:
            assert daemon.wait() == 0
    assert state(database) == ("asked", 0)
    assert daemon.lines("account_deletions_left")[0]["asked"] == 1
    assert asyncio.run(query(database, "SELECT count(*) FROM follow"))[0][0] == 1
