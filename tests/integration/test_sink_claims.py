"""Where neighbours bring the same records, a batch claims its own before it looks further: it need not begin again."""

import asyncio
from collections.abc import Sequence

import pytest

from indexer.sink.commit import EXPECTED
from tests.integration.test_sink_concurrency import P, neighbour, record_row, until_waiting
from tests.integration.writing import Snapshot, snapshot, writing
from tests.messages import (
    DISABLE,
    REVS,
    A,
    B,
    C,
    cid,
    create,
    delete,
    like,
    like_uri,
    post,
    post_uri,
    postgate,
    quote,
    threadgate,
    update,
    uri,
)

Q = post_uri(B, "q")
THEIRS = record_row(P, '{"$type":"app.bsky.feed.post","text":"theirs"}', REVS[9], cid("theirs"))


@pytest.mark.parametrize("ours", [REVS[1], REVS[10]], ids=["older", "newer"])
async def test_record_that_a_neighbour_inserts_meanwhile_is_read_without_beginning_again(
    database: str, ours: str
) -> None:
    async with writing(database) as sink, neighbour(database, THEIRS) as other:
        sink.sink.met = 1
        batch = [("1-0", create(P, post("ours"), ours)), ("2-0", create(Q, post("beside")))]
        writes = asyncio.create_task(sink.batch(batch))
        await until_waiting(other)
        await other.execute("COMMIT")
        outcome = await writes
        assert not outcome.retries
        assert sink.statements.begun == 2, "the batch, and deriving again"
        assert sink.sink.met == EXPECTED
        assert await sink.value("SELECT rev FROM record WHERE uri = $1", P) == max(ours, REVS[9])
        assert await sink.uris("post") == ([P] if ours > REVS[9] else []) + [Q]
        assert outcome.rows["record", "insert"] == 1
        assert outcome.stale == (ours < REVS[9])


async def test_neighbour_who_holds_the_record_already_again_is_waited_for_in_order(database: str) -> None:
    """Out of order we wait for nobody: the batch begins again, and waits in the pass over its locks."""
    async with writing(database) as sink, neighbour(database, THEIRS) as other:
        sink.sink.met = 1
        batch = [("1-0", create(P, post("ours"), REVS[10])), ("2-0", create(Q, post("ours"), REVS[10]))]
        writes = asyncio.create_task(sink.batch(batch))
        await until_waiting(other)
        await sink.pool.execute(record_row(Q, '{"$type":"app.bsky.feed.post","text":"theirs"}', REVS[9], cid("theirs")))
        async with neighbour(database, f"SELECT 1 FROM record WHERE uri = '{Q}' FOR UPDATE") as third:
            await other.execute("COMMIT")
            while sink.statements.begun < 2:  # the batch begins again
                await asyncio.sleep(0.01)
            await until_waiting(third)
            await third.execute(f"UPDATE record SET rev = '{REVS[11]}' WHERE uri = '{Q}'; COMMIT")
            outcome = await writes
        assert not outcome.retries
        assert outcome.stale == 1
        assert await sink.value("SELECT rev FROM record WHERE uri = $1", Q) == REVS[11]
        assert await sink.uris("post") == [P]


async def test_neighbours_are_expected_for_a_while_after_one_was_met(database: str) -> None:
    async with writing(database) as sink:
        async with neighbour(database, THEIRS) as other:
            writes = asyncio.create_task(sink.batch([("1-0", create(P, post("ours"), REVS[1]))]))
            await until_waiting(other)
            await other.execute("COMMIT")
            assert (await writes).retries == {"contention": 1}
        assert sink.sink.met == EXPECTED - 1, "the second try has claimed"
        for number in range(EXPECTED + 5):
            await sink.batch([("1-0", create(post_uri(B, f"p{number}"), post()))])
        assert sink.sink.met == 0


LIKE = like_uri(B, "parent")
GATE = uri(A, "app.bsky.feed.threadgate", "p")
EMBEDDING = uri(A, "app.bsky.feed.postgate", "p")
BEFORE = [create(P, post()), create(like_uri(C, "gone"), like(P))]
BATCHES: dict[str, Sequence[bytes]] = {
    "a parent that comes later": [
        create(post_uri(C, "reply"), post("reply", parent=LIKE)),
        create(LIKE, like(P)),
    ],
    "a thread gate that comes later": [
        create(post_uri(C, "reply"), post("reply", parent=P)),
        create(GATE, threadgate(P, allow=[])),
        create(post_uri(B, "reply"), post("reply", parent=P)),
    ],
    "a post gate that comes later": [
        create(post_uri(C, "quote"), post("quote", embed=quote(P))),
        create(EMBEDDING, postgate(P, embeddingRules=DISABLE)),
        create(post_uri(B, "quote"), post("quote", embed=quote(P))),
    ],
    "a record that changes and goes": [
        create(post_uri(C, "x"), post("one"), REVS[1], cid(1)),
        update(post_uri(C, "x"), post("two"), REVS[2], cid(2)),
        create(like_uri(C, "same"), like(P), REVS[3]),
        create(like_uri(C, "same2"), like(P), REVS[4], cid(4)),
        delete(like_uri(C, "same"), REVS[5]),
        delete(like_uri(C, "gone"), REVS[6]),
        delete(like_uri(C, "never"), REVS[7]),
        create(like_uri(C, "never"), like(P), REVS[6]),
    ],
}


@pytest.mark.parametrize("what", BATCHES)
async def test_claimed_batch_gives_the_same_rows(database: str, other_database: str, what: str) -> None:
    """What it has inserted is not there yet for the messages before: read, it would be a parent or gate too early."""

    async def rows(url: str, met: int) -> Snapshot:
        async with writing(url) as sink:
            await sink.feed(BEFORE)
            sink.sink.met = met
            await sink.feed(BATCHES[what])
            assert sink.sink.met == max(0, met - 1)
            return await snapshot(sink.pool)

    assert await rows(database, 1) == await rows(other_database, 0)
