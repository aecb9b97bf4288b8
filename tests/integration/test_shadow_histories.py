"""`indexer shadow` where only a part of the messages is there to be read: what cannot be known is never reported."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.acceptance.daemon import feed
from tests.conftest import execute
from tests.integration.test_shadow import classes, shadow
from tests.integration.writing import writing
from tests.messages import (
    C1,
    C2,
    C3,
    CREATED_COLUMN,
    LABELER,
    REVS,
    A,
    B,
    C,
    account,
    blob,
    create,
    delete,
    follow,
    label,
    label_message,
    like,
    like_uri,
    post,
    post_uri,
    postgate,
    quote,
    record,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
    verification,
)  # fmt: skip

POST, REPLY = post_uri(A, "p1"), post_uri(B, "r1")
EARLY, LATE = "2025-10-20T09:00:00.000Z", "2025-10-20T12:00:00.000Z"
VIDEO = {"$type": "app.bsky.embed.video", "video": blob("v", "video/mp4")}
GATE = uri(A, "app.bsky.feed.threadgate", "p1")

PARTS: dict[str, tuple[Sequence[bytes], Sequence[bytes], Sequence[bytes]]] = {
    "update alone": ([create(POST, post("a"))], [update(POST, post("b"), REVS[1], C2)], []),
    "delete alone": ([create(POST, post("a"), time=EARLY)], [delete(POST, REVS[1])], []),
    "create that a later message made stale": ([], [create(POST, post("a"))], [update(POST, post("b"), REVS[1], C2)]),
    "create that was deleted later": ([], [create(POST, post("a"))], [delete(POST, REVS[1])]),
    "backfill over what was live": (
        [create(POST, post("a"), time=EARLY)],
        [create(POST, post("a"), REVS[4], time=LATE, seq=-2)],
        [],
    ),
    "backfill over another version": (
        [create(POST, post("a"), time=EARLY)],
        [create(POST, post("b"), REVS[4], C2, time=LATE, seq=-2)],
        [],
    ),
    "reply whose parent was deleted since": (
        [create(POST, post("a"))],
        [create(REPLY, post("b", parent=POST), REVS[1])],
        [delete(POST, REVS[2], time=LATE)],
    ),
    "reply whose parent came before": ([create(POST, post("a"))], [create(REPLY, post("b", parent=POST), REVS[1])], []),
    "reply whose parent came since": (
        [],
        [create(REPLY, post("b", parent=POST), REVS[1])],
        [create(POST, post("a"), REVS[2], time=LATE)],
    ),
    "reply allowed by a follow that is gone": (
        [
            create(POST, post("a")),
            create(GATE, threadgate(POST, allow=[{"$type": "app.bsky.feed.threadgate#followingRule"}])),
            create(uri(A, "app.bsky.graph.follow", "f"), follow(B)),
        ],
        [create(REPLY, post("b", parent=POST), REVS[1])],
        [delete(uri(A, "app.bsky.graph.follow", "f"), REVS[2], time=LATE)],
    ),
    "reply of a repository whose follow was backfilled after it": (
        [
            create(POST, post("a")),
            create(GATE, threadgate(POST, allow=[{"$type": "app.bsky.feed.threadgate#followerRule"}])),
        ],
        [create(REPLY, post("b", parent=POST), REVS[1], seq=-2)],
        [create(uri(B, "app.bsky.graph.follow", "f"), follow(A), REVS[1], seq=-2)],
    ),
    "quote against a gate that came since": (
        [create(POST, post("a"))],
        [create(REPLY, post("b", embed=quote(POST)), REVS[1])],
        [create(uri(A, "app.bsky.feed.postgate", "p1"), postgate(POST), REVS[2], time=LATE)],
    ),
    "like whose first duplicate came before": (
        [create(like_uri(B, "l1"), like(POST))],
        [create(like_uri(B, "l2"), like(POST), REVS[1], C2)],
        [],
    ),
    "like whose first duplicate goes since": (
        [create(like_uri(B, "l1"), like(POST))],
        [create(like_uri(B, "l2"), like(POST), REVS[1], C2)],
        [delete(like_uri(B, "l1"), REVS[2], time=LATE)],
    ),
    "first duplicate with a second since": (
        [],
        [create(like_uri(B, "l1"), like(POST))],
        [create(like_uri(B, "l2"), like(POST), REVS[1], C2)],
    ),
    "delete of a duplicate that was first": (
        [create(like_uri(B, "l1"), like(POST)), create(like_uri(B, "l2"), like(POST), REVS[1], C2)],
        [delete(like_uri(B, "l1"), REVS[2])],
        [],
    ),
    "repost of a post that was deleted since": (
        [create(POST, post("a"))],
        [create(repost_uri(B, "x"), repost(POST), REVS[1])],
        [delete(POST, REVS[3], time=LATE)],
    ),
    "delete of a post with reposts": (
        [create(POST, post("a")), create(repost_uri(B, "x"), repost(POST), REVS[1])],
        [delete(POST, REVS[3])],
        [],
    ),
    "verification that goes": (
        [create(uri(A, "app.bsky.graph.verification", "v"), verification(B))],
        [delete(uri(A, "app.bsky.graph.verification", "v"), REVS[1])],
        [],
    ),
    "update of a post with video": (
        [create(POST, post("a", embed=VIDEO))],
        [update(POST, post("b", embed=VIDEO), REVS[1], C2)],
        [],
    ),
    "status that another followed": (
        [],
        [account(A, EARLY, active=False, status="deactivated")],
        [account(A, LATE, active=True)],
    ),
    "status": ([account(A, EARLY, active=True)], [account(A, LATE, active=False, status="suspended")], []),
}
"""Messages before those that are in the stream, those, and messages after them: all are indexed."""


def index(database: str, payloads: Sequence[bytes]) -> None:
    async def run() -> None:
        async with writing(database) as sink:
            await sink.feed(payloads, 1)

    asyncio.run(run())


@pytest.mark.long
@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_a_history_differs_in_nothing(database: str, redis_url: str, name: str) -> None:
    before, read, after = PARTS[name]
    index(database, [*before, *read, *after])
    feed(redis_url, "firehose_live", read)
    found = shadow(database, redis_url, "--wait", "0", status=0)
    assert not found["known"], found["known"]


@pytest.mark.long
def test_one_record_in_two_streams(database: str, redis_url: str) -> None:
    live = [create(POST, post("a"), time=EARLY), create(like_uri(B, "l"), like(POST), time=EARLY)]
    old = [create(POST, post("a"), REVS[4], time=LATE, seq=-2)]
    index(database, [*live, *old])
    feed(redis_url, "firehose_live", live)
    feed(redis_url, "firehose_backfill", old)
    shadow(database, redis_url, status=0)
    execute(database, "UPDATE \"like\" SET subject = 'at://x'")
    assert ("like", "column", "subject") in classes(shadow(database, redis_url, status=1))


@pytest.mark.long
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE label SET neg = true", ("label", "column", "neg")),
        ("UPDATE label SET exp = 'x'", ("label", "column", "exp")),
        (f"DELETE FROM label WHERE uri = '{POST}'", ("label", "missing row", None)),
        ("UPDATE actor SET \"upstreamStatus\" = 'suspended'", ("actor", "column", "upstreamStatus")),
        ("UPDATE actor_sync SET \"repoRev\" = '2'", ("actor_sync", "column", "repoRev")),
        ("DELETE FROM thread_gate", ("thread_gate", "missing row", None)),
        ('UPDATE post SET "hasThreadGate" = false', ("post", "column", "hasThreadGate")),
        ('UPDATE post SET "invalidReplyRoot" = true', ("post", "column", "invalidReplyRoot")),
        ('UPDATE post SET "violatesThreadGate" = true', ("post", "column", "violatesThreadGate")),
        (f"UPDATE record SET rev = '2' WHERE uri = '{POST}'", ("record", "column", "rev")),
        ('UPDATE profile_agg SET "postsCount" = 9', ("profile_agg", "column", "postsCount")),
        ("DELETE FROM post_agg", ("post_agg", "column", "quoteCount")),
        ("UPDATE notification SET reason = 'like'", ("notification", "column", "reason")),
        ("INSERT INTO notification (did, author, reason, \"recordUri\", \"recordCid\", \"sortAt\") SELECT did, author,"
         " 'like', \"recordUri\", \"recordCid\", \"sortAt\" FROM notification", ("notification", "surplus row", None)),
        (f"INSERT INTO \"like\" (uri, cid, creator, subject, \"subjectCid\", \"createdAt\", \"indexedAt\")"
         f" VALUES ('at://{C}/app.bsky.feed.like/z', 'c', '{C}', '{POST}', 'c', '{EARLY}', '{EARLY}')",
         ("like", "surplus row", None)),
        ("UPDATE post SET \"indexedAt\" = '2025-10-20T08:00:00.000Z'", ("post", "column", "indexedAt")),
        ("UPDATE post_embed_record SET \"embedCid\" = 'x'", ("post_embed_record", "column", "embedCid")),
        ("DELETE FROM quote", ("quote", "missing row", None)),
    ],
)  # fmt: skip
def test_what_is_planted_is_found(
    database: str, redis_url: str, statement: str, expected: tuple[str, str, str | None]
) -> None:
    messages = [
        create(POST, post("a", tags=["x"])),
        create(GATE, threadgate(POST, allow=[]), REVS[1], C2),
        create(REPLY, post("b", parent=POST, embed=quote(POST)), REVS[1], C3),
        create(
            uri(A, "app.bsky.actor.profile", "self"), record("app.bsky.actor.profile", displayName="a"), REVS[2], C1
        ),
        account(A, LATE, active=False, status="deactivated"),
    ]
    index(database, messages)
    feed(redis_url, "firehose_live", messages)
    feed(redis_url, "label_live", [label_message(label(POST)), label_message(label(REPLY))])
    execute(
        database,
        "INSERT INTO label (src, uri, cid, val, neg, cts)"
        f" VALUES ('{LABELER}', '{POST}', '', 'spam', false, '{CREATED_COLUMN}'),"
        f" ('{LABELER}', '{REPLY}', '', 'spam', false, '{CREATED_COLUMN}')",
    )
    execute(database, statement)
    found = shadow(database, redis_url, "--wait", "0", status=1)
    assert expected in classes(found), (classes(found), found["known"], found["not_compared"])
