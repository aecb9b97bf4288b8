"""Records of one repository that say the same (vectors.md 2, records.md 2.1, 2.4; DIV-13)."""

import itertools
from collections.abc import Callable

import pytest

from tests.messages import (
    CREATED_COLUMN,
    REVS,
    A,
    B,
    C,
    Record,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    listitem,
    post_uri,
    record,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
    verification,
)
from tests.unit.folding import tables_after

P1, P2 = post_uri(A, "p1"), post_uri(A, "p2")
L1, L2, L3 = (like_uri(B, f"l{n}") for n in (1, 2, 3))
LIKES = [
    create(link, like(P1), REVS[n], cid(f"l{n}"), time=f"2025-10-20T10:00:0{n}Z")
    for n, link in enumerate((L1, L2, L3), 1)
]


def test_first_like_is_indexed_and_the_others_point_at_it() -> None:
    tables = tables_after(*LIKES)
    assert tables.uris("like") == [L1]
    assert tables.duplicates == {L2: L1, L3: L1}
    assert tables.count("post_agg", "likeCount", P1) == 1


def test_deleting_the_indexed_like_promotes_the_next_with_its_own_cid_and_time() -> None:
    tables = tables_after(*LIKES, delete(L1, REVS[10]))
    (row,) = tables["like"]
    assert row["uri"] == L2
    assert row["cid"] == cid("l2")
    assert row["indexedAt"] == "2025-10-20T10:00:02Z"
    assert row["createdAt"] == CREATED_COLUMN
    assert tables.duplicates == {L3: L2}
    assert tables.count("post_agg", "likeCount", P1) == 1


def test_deleting_one_after_the_other_promotes_down_to_the_last() -> None:
    tables = tables_after(*LIKES, delete(L1, REVS[10]), delete(L2, REVS[11]))
    assert tables.uris("like") == [L3]
    assert tables.duplicates == {}
    tables = tables_after(*LIKES, delete(L1, REVS[10]), delete(L2, REVS[11]), delete(L3, REVS[12]))
    assert tables["like"] == []
    assert tables.duplicates == {}
    assert tables.count("post_agg", "likeCount", P1) == 0


def test_deleting_a_duplicate_leaves_the_indexed_one() -> None:
    tables = tables_after(*LIKES, delete(L2, REVS[10]))
    assert tables.uris("like") == [L1]
    assert tables.duplicates == {L3: L1}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_div_13_lowest_rev_is_indexed_whatever_came_first(order: tuple[int, ...]) -> None:
    tables = tables_after(*(LIKES[n] for n in order))
    (row,) = tables["like"]
    assert (row["uri"], row["cid"], row["indexedAt"]) == (L1, cid("l1"), "2025-10-20T10:00:01Z")
    assert tables.duplicates == {L2: L1, L3: L1}


def test_div_13_of_one_rev_the_lowest_uri_is_indexed() -> None:
    tables = tables_after(create(L2, like(P1)), create(L1, like(P1)))
    assert tables.uris("like") == [L1]
    assert tables.duplicates == {L2: L1}


def test_div_13_update_past_another_hands_over_to_it() -> None:
    """The same like under a newer rev: the other one is now the oldest."""
    tables = tables_after(*LIKES[:2], update(L1, like(P1, via=repost_uri(C, "r")), REVS[20], cid("l1b")))
    assert tables.uris("like") == [L2]
    assert tables.duplicates == {L1: L2}


def test_div_13_same_version_under_a_newer_rev_hands_over_as_well() -> None:
    """A backfill over what live indexed renews the rev of `record` only; which is the oldest follows the rev."""
    tables = tables_after(*LIKES[:2], create(L1, like(P1), REVS[20], cid("l1")))
    assert tables.uris("like") == [L2]
    assert tables.duplicates == {L1: L2}


def test_div_13_update_to_a_key_that_is_taken_becomes_a_duplicate() -> None:
    tables = tables_after(
        create(L1, like(P1), REVS[1]), create(L2, like(P2), REVS[2]), update(L2, like(P1), REVS[3], cid("new"))
    )
    assert tables.uris("like") == [L1]
    assert tables.duplicates == {L2: L1}
    assert tables.count("post_agg", "likeCount", P2) == 0


def test_div_13_update_to_another_key_frees_the_old_one() -> None:
    tables = tables_after(*LIKES[:2], update(L1, like(P2), REVS[20], cid("new")))
    assert tables.uris("like") == [L1, L2]
    assert tables.duplicates == {}
    assert {row["uri"]: row["subject"] for row in tables["like"]} == {L1: P2, L2: P1}


def test_duplicate_repost_has_its_feed_item_too() -> None:
    r1, r2 = repost_uri(B, "r1"), repost_uri(B, "r2")
    both = [create(r1, repost(P1), REVS[1]), create(r2, repost(P1), REVS[2])]
    tables = tables_after(*both)
    assert tables.uris("repost") == [r1]
    assert tables.uris("feed_item") == [r1, r2]
    assert tables.count("post_agg", "repostCount", P1) == 1
    tables = tables_after(*both, delete(r1, REVS[3]))
    assert tables.uris("repost") == [r2]
    assert tables.uris("feed_item") == [r2]
    assert tables.duplicates == {}
    tables = tables_after(*both, delete(r1, REVS[3]), delete(r2, REVS[4]))
    assert tables["repost"] == tables["feed_item"] == []


LIST = uri(A, "app.bsky.graph.list", "l")
KEYED: dict[str, Callable[[str], Record]] = {
    "app.bsky.feed.like": lambda did: like(post_uri(did, "p")),
    "app.bsky.feed.repost": lambda did: repost(post_uri(did, "p")),
    "app.bsky.graph.follow": follow,
    "app.bsky.graph.block": lambda did: record("app.bsky.graph.block", subject=did),
    "app.bsky.graph.listblock": lambda did: record(
        "app.bsky.graph.listblock", subject=uri(did, "app.bsky.graph.list", "l")
    ),
    "app.bsky.graph.listitem": lambda did: listitem(LIST, did),
    "app.bsky.graph.verification": verification,
}
TABLES = {
    "app.bsky.feed.like": "like",
    "app.bsky.feed.repost": "repost",
    "app.bsky.graph.follow": "follow",
    "app.bsky.graph.block": "actor_block",
    "app.bsky.graph.listblock": "list_block",
    "app.bsky.graph.listitem": "list_item",
    "app.bsky.graph.verification": "verification",
}


@pytest.mark.parametrize("collection", KEYED)
def test_each_type_with_a_duplicate_key_indexes_one_of_equals(collection: str) -> None:
    say, table = KEYED[collection], TABLES[collection]
    first, second, other = (uri(A, collection, rkey) for rkey in ("1", "2", "3"))
    tables = tables_after(
        create(first, say(B), REVS[1]), create(second, say(B), REVS[2]), create(other, say(C), REVS[3])
    )
    assert tables.uris(table) == [first, other]
    assert tables.duplicates == {second: first}


@pytest.mark.parametrize("collection", sorted(set(KEYED) - {"app.bsky.graph.listitem"}))
def test_equals_of_different_repositories_are_no_duplicates(collection: str) -> None:
    say, table = KEYED[collection], TABLES[collection]
    tables = tables_after(create(uri(A, collection, "1"), say(C)), create(uri(B, collection, "1"), say(C)))
    assert len(tables[table]) == 2
    assert tables.duplicates == {}


def test_gates_know_no_duplicates_because_their_key_is_their_posts() -> None:
    gate = uri(A, "app.bsky.feed.threadgate", "p1")
    tables = tables_after(create(gate, threadgate(P1), REVS[1]), update(gate, threadgate(P1), REVS[2], cid("new")))
    assert tables.uris("thread_gate") == [gate]
    assert tables["thread_gate"][0]["cid"] == cid("new")
