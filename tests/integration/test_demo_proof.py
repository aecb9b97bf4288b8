"""The proof of `demo --migration` finds what is lost, what is there too often and what is counted wrong."""

import asyncio
from typing import Any

import asyncpg
import pytest

from indexer.demo.migration.proof import Compared, Proof, prove
from tests.integration.writing import writing
from tests.messages import A, B, cid, create, follow, like, like_uri, post, post_uri, uri

P = post_uri(A, "p")
MESSAGES = [
    create(P, post()),
    create(post_uri(B, "r"), post(parent=P, root=P), cid=cid(1)),
    create(like_uri(B, "l"), like(P), cid=cid(2)),
    create(uri(B, "app.bsky.graph.follow", "f"), follow(A), cid=cid(3)),
]
LETTER = (
    "INSERT INTO indexer.dead_letter (stream, message_id, cause, class, detail, attempts, payload, first_at, last_at)"
    " VALUES ('s', '{0}', '{0}', 'reject', '', 1, '{0}', now(), now())"
)


async def _changed(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            assert await connection.execute(statement) in ("UPDATE 1", "DELETE 1", "INSERT 0 1"), statement
    finally:
        await connection.close()


async def proof_after(database: str, other: str, here: tuple[str, ...] = (), there: tuple[str, ...] = ()) -> Proof:
    for url, statements in ((database, here), (other, there)):
        async with writing(url) as sink:
            await sink.feed(MESSAGES, 1)
        await _changed(url, *statements)
    return await prove(database, other)


def test_equal_databases_are_equal(database: str, other_database: str) -> None:
    """Also where the order and the clock show, and where a broken text was deleted without a word."""
    here = (
        f'UPDATE post SET "violatesThreadGate" = true, "hasThreadGate" = false WHERE uri = \'{P}\'',
        LETTER.format("bad_rev"),
    )
    there = (LETTER.format("bad_rev"), LETTER.format("not_json"))
    proof = asyncio.run(proof_after(database, other_database, here, there))
    assert proof.holds, proof
    assert proof.counters == 6
    assert (proof.letters, proof.dropped) == (1, 1)
    assert proof.tables["post"].rows == 2


PLANTED = {
    "like": 'DELETE FROM "like"',
    "record": f"DELETE FROM record WHERE uri = '{P}'",
    "post": f"UPDATE post SET text = 'other' WHERE uri = '{P}'",
    "post_embed_video": f"INSERT INTO post_embed_video VALUES ('{P}', 'c', '')",
    "replyCount": f"UPDATE post_agg SET \"replyCount\" = 2 WHERE uri = '{P}'",
    "followersCount": f"DELETE FROM profile_agg WHERE did = '{A}'",
    "letters": LETTER.format("bad_rev"),
}


def test_planted_differences_are_found(database: str, other_database: str) -> None:
    proof = asyncio.run(proof_after(database, other_database, here=tuple(PLANTED.values())))
    assert not proof.holds
    assert {
        table: (found.missing, found.not_wanted) for table, found in proof.tables.items() if not found.is_equal
    } == {
        "like": (1, 0),
        "record": (1, 0),
        "post": (1, 1),
        "post_embed_video": (0, 1),
    }
    # the like and the row of counters are gone, with what they counted
    assert proof.miscounted == {"likeCount": 1, "replyCount": 1, "followersCount": 1, "postsCount": 1}
    assert (proof.letters_missing, proof.letters_not_wanted) == (0, 1)


@pytest.mark.parametrize(
    "part",
    [
        {"tables": {"like": Compared(2, 1, 0)}},
        {"tables": {"like": Compared(2, 0, 1)}},
        {"miscounted": {"likeCount": 1}},
        {"letters_missing": 1},
        {"letters_not_wanted": 1},
    ],
)
def test_any_difference_refutes_it(part: dict[str, Any]) -> None:
    assert not Proof(**part).holds
    assert Proof(tables={"like": Compared(2, 0, 0)}, dropped=3).holds
