"""Notifications that depend on rows of the database: thread mutes, hidden replies, what was told before."""

from collections.abc import Sequence

import pytest

from tests.integration.writing import Writing, empty, writing
from tests.messages import (
    REVS,
    A,
    B,
    C,
    D,
    cid,
    create,
    delete,
    like,
    like_uri,
    post,
    post_uri,
    quote,
    record,
    reference,
    repost_uri,
    threadgate,
    update,
    uri,
    verification,
)

ROOT, REPLY = post_uri(A, "root"), post_uri(B, "reply")
THREAD = [create(ROOT, post(), REVS[1], cid("root")), create(REPLY, post(parent=ROOT), REVS[2], cid("reply"))]


async def mute(sink: Writing, root: str, did: str) -> None:
    await sink.pool.execute("""INSERT INTO thread_mute VALUES ($1, $2, '2025-10-20T00:00:00Z')""", root, did)


async def told(sink: Writing) -> list[tuple[str, str, str]]:
    """Recipient, reason and record key of each notification, in the order of their ids."""
    rows = await sink.fetch('SELECT did, reason, "recordUri" FROM notification ORDER BY id')
    return [(row[0], row[1], row[2].rpartition("/")[2]) for row in rows]


async def of_each_cut(database: str, messages: Sequence[bytes]) -> list[list[tuple[str, str, str]]]:
    """What is told when the messages come one by one, and as one batch."""
    found = []
    async with writing(database) as sink:
        for size in (1, 100):
            await sink.feed(messages, size)
            found.append(await told(sink))
            await empty(sink.pool)
    return found


async def test_div_5_muted_thread_tells_nobody_and_stores_the_record(database: str) -> None:
    async with writing(database) as sink:
        await mute(sink, ROOT, A)
        await sink.feed(THREAD)
        await sink.feed([create(like_uri(C, "l"), like(ROOT), REVS[3], cid("l"))])
        assert await told(sink) == []
        assert await sink.uris("like") == [like_uri(C, "l")]


@pytest.mark.parametrize("size", [1, 100])
async def test_mute_of_the_root_counts_below_it_for_whoever_muted(database: str, size: int) -> None:
    """The thread of the subject is looked up, or known from the same batch."""
    below = create(post_uri(C, "below"), post(parent=REPLY, root=ROOT), REVS[3], cid("below"))
    liked = create(like_uri(D, "liked"), like(REPLY), REVS[4], cid("liked"))
    async with writing(database) as sink:
        await mute(sink, ROOT, B)
        await sink.feed([*THREAD, below, liked], size)
        assert await told(sink) == [(A, "reply", "reply"), (A, "reply", "below")]


async def test_mute_of_another_thread_changes_nothing(database: str) -> None:
    async with writing(database) as sink:
        await mute(sink, REPLY, A)
        await mute(sink, ROOT, C)
        await sink.feed(THREAD)
        assert await told(sink) == [(A, "reply", "reply")]


async def test_subject_that_is_not_there_passes_although_its_uri_is_muted(database: str) -> None:
    async with writing(database) as sink:
        await mute(sink, ROOT, A)
        await sink.feed([create(like_uri(C, "l"), like(ROOT))])
        assert await told(sink) == [(A, "like", "l")]


@pytest.mark.parametrize("size", [1, 100])
async def test_subject_that_was_deleted_passes_as_well(database: str, size: int) -> None:
    async with writing(database) as sink:
        await mute(sink, ROOT, A)
        liked = create(like_uri(C, "l"), like(ROOT), REVS[9], cid("l"))
        await sink.feed([THREAD[0], delete(ROOT, REVS[8]), liked], size)
        assert await told(sink) == [(A, "like", "l")]


async def test_mute_is_judged_before_a_subject_that_comes_later_in_the_batch(database: str) -> None:
    """One by one the subject is not there when it is liked, so its author is told."""
    found = []
    async with writing(database) as sink:
        for size in (1, 100):
            await mute(sink, ROOT, A)
            await sink.feed([create(like_uri(C, "l"), like(ROOT), REVS[1], cid("l")), THREAD[0]], size)
            found.append(await told(sink))
            await empty(sink.pool)
    assert found == [[(A, "like", "l")]] * 2


async def test_mute_is_judged_before_a_deletion_that_comes_later_in_the_batch(database: str) -> None:
    """One by one the subject is still there when it is liked, so its author, who muted it, is not told."""
    found = []
    async with writing(database) as sink:
        for size in (1, 100):
            await mute(sink, ROOT, A)
            await sink.feed([THREAD[0]])
            await sink.feed([create(like_uri(C, "l"), like(ROOT), REVS[2], cid("l")), delete(ROOT, REVS[3])], size)
            found.append(await told(sink))
            await empty(sink.pool)
    assert found == [[]] * 2


async def test_mute_holds_for_mentions_of_nothing_neither(database: str) -> None:
    """Without a subject there is no thread to mute."""
    async with writing(database) as sink:
        await mute(sink, ROOT, B)
        followed = create(uri(C, "app.bsky.graph.follow", "f"), record("app.bsky.graph.follow", subject=B))
        await sink.feed([followed])
        assert await told(sink) == [(B, "follow", "f")]


async def test_columns_of_a_notification(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([create(like_uri(C, "l"), like(ROOT, via=repost_uri(D, "r")), cid=cid("l"))])
        rows = await sink.fetch("SELECT * FROM notification ORDER BY id")
        sort_at = await sink.value('SELECT "sortAt" FROM "like"')
        shared = {"recordUri": like_uri(C, "l"), "recordCid": cid("l"), "author": C, "sortAt": sort_at}
        assert [{name: value for name, value in row.items() if name != "id"} for row in rows] == [
            {"did": A, "reason": "like", "reasonSubject": ROOT, **shared},
            {"did": D, "reason": "like-via-repost", "reasonSubject": repost_uri(D, "r"), **shared},
        ]


async def test_starter_pack_is_told_at_the_time_of_the_profile(database: str) -> None:
    joined = record("app.bsky.actor.profile", joinedViaStarterPack=reference(uri(B, "app.bsky.graph.starterpack", "s")))
    async with writing(database) as sink:
        await sink.feed([create(uri(A, "app.bsky.actor.profile", "self"), joined)])
        row = (await sink.fetch('SELECT n."sortAt", p."indexedAt" FROM notification n, profile p'))[0]
        assert row[0] == row[1]


@pytest.mark.parametrize("size", [1, 100])
async def test_update_replaces_what_an_earlier_batch_told(database: str, size: int) -> None:
    q = post_uri(B, "q")
    messages = [
        create(q, post(embed=quote(ROOT)), REVS[1], cid(1)),
        update(q, post(embed=quote(post_uri(C, "other"))), REVS[2], cid(2)),
    ]
    async with writing(database) as sink:
        await sink.feed(messages, size)
        assert await told(sink) == [(C, "quote", "q")]


@pytest.mark.parametrize("size", [1, 100])
async def test_update_of_what_backfill_brought_notifies_once(database: str, size: int) -> None:
    async with writing(database) as sink:
        old = create(REPLY, post(parent=ROOT), REVS[2], cid("reply"), seq=-2)
        new = update(REPLY, post("new", parent=ROOT), REVS[3], cid("new"))
        await sink.feed([THREAD[0], old, new], size)
        assert await told(sink) == [(A, "reply", "reply")]


@pytest.mark.parametrize("size", [1, 100])
async def test_verification_that_goes_tells_under_the_old_cid(database: str, size: int) -> None:
    link = uri(A, "app.bsky.graph.verification", "v")
    async with writing(database) as sink:
        await sink.feed([create(link, verification(B), REVS[1], cid(1)), delete(link, REVS[2])], size)
        rows = await sink.fetch('SELECT reason, "recordCid" FROM notification ORDER BY id')
        assert [tuple(row) for row in rows] == [("verified", cid(1)), ("unverified", cid(1))]


async def test_promoted_like_keeps_the_notification_of_the_first(database: str) -> None:
    messages = [
        create(like_uri(C, "a"), like(ROOT), REVS[1], cid("a")),
        create(like_uri(C, "b"), like(ROOT), REVS[2], cid("b")),
        delete(like_uri(C, "a"), REVS[3]),
    ]
    assert await of_each_cut(database, messages) == [[(A, "like", "a")]] * 2


P1, P2, P3 = post_uri(B, "p1"), post_uri(C, "p2"), post_uri(D, "p3")
HIDING = [
    create(uri(A, "app.bsky.feed.threadgate", "root"), threadgate(ROOT, hiddenReplies=[P1]), REVS[1], cid("gate")),
    THREAD[0],
    create(P1, post(parent=ROOT), REVS[2], cid("p1")),
    create(P3, post(parent=P2, root=ROOT), REVS[3], cid("p3")),
    create(P2, post(parent=P1, root=ROOT), REVS[4], cid("p2")),
]
"""p3 comes before its parent p2; p1 between p2 and the root is hidden: through p2, p3 reaches the root's author."""


async def test_replies_that_came_too_early_reach_people_with_their_parent(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(HIDING, 1)
        assert await told(sink) == [(A, "reply", "p1"), (B, "reply", "p2"), (A, "reply", "p3")]


async def test_replies_that_came_too_early_in_the_same_batch_do_so_too(database: str) -> None:
    serial, batch = await of_each_cut(database, HIDING)
    assert batch == serial


async def test_reply_that_was_deleted_in_the_same_batch_reaches_nobody(database: str) -> None:
    *before, parent = HIDING
    found = []
    async with writing(database) as sink:
        for size in (1, 100):
            await sink.feed(before, size)
            await sink.feed([delete(P3, REVS[5]), parent], size)
            found.append(await told(sink))
            await empty(sink.pool)
    serial, batch = found
    assert batch == serial
