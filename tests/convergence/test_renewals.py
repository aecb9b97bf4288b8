"""A repost or a quote that is older than the deletion of its post, and comes again under a newer rev (DIV-17, DIV-18).

By DIV-18 what hangs on the post is there again: the record is newer than the deletion now. It is the mass case too: a
backfill repeats every record of a repository under its newest rev, with reposts of posts that are gone among them.
"""

import itertools

import pytest

from indexer.lane.source import Message
from tests.convergence.histories import tid
from tests.convergence.laboratory import Laboratory
from tests.messages import A, B, Record, cid, create, delete, post, post_uri, quote, repost, repost_uri

P = post_uri(A, "p")
SAID: dict[str, tuple[str, Record]] = {
    "feed_item": (repost_uri(B, "r"), repost(P)),
    "quote": (post_uri(B, "q"), post("look", embed=quote(P))),
}


def messages(table: str) -> list[Message]:
    """The post, what hangs on it, the deletion of the post, and what hangs again, as a backfill repeats it."""
    where, record = SAID[table]
    payloads = [
        create(P, post(), tid(1), cid("p")),
        create(where, record, tid(2), cid(table)),
        delete(P, tid(3)),
        create(where, record, tid(4), cid(table), seq=-2),
    ]
    return [Message(b"1-%d" % number, payload) for number, payload in enumerate(payloads)]


@pytest.mark.parametrize("table", SAID)
@pytest.mark.parametrize("size", [4, 1])
def test_renewal_after_the_deletion_hangs_again(lab: Laboratory, table: str, size: int) -> None:
    said = messages(table)
    tables = lab.deliver([said[start : start + size] for start in range(0, len(said), size)])
    assert SAID[table][0] in {row["uri"] for row in tables[table]}


@pytest.mark.parametrize("table", SAID)
def test_renewal_and_deletion_give_the_same_in_every_order(lab: Laboratory, table: str) -> None:
    found = [
        SAID[table][0] in {row["uri"] for row in lab.deliver([[message] for message in order])[table]}
        for order in itertools.permutations(messages(table))
    ]
    assert len(set(found)) == 1, found
