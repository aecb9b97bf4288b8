"""Events of removed accounts: what is not newer than the deletion leaves no trace (design.md: deleted accounts)."""

import json
import random
from typing import Any

import pytest

from indexer.sink.stale import are_newer
from tests.integration.removing import AFTER, AT, AT_MS, BEFORE, announce, confirm, job, of_account
from tests.integration.writing import snapshot, writing
from tests.messages import C0, REVS, A, B, account, create, delete, like, like_uri, post, post_uri, update


def envelope(kind: str, time: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "seq": 1, "time": time, "did": A, **fields}).encode()


STALE = [
    *of_account(),
    create(post_uri(A, "at"), post(), REVS[1], time=AT),
    update(post_uri(A, "p0"), post(), REVS[2], time=BEFORE),
    delete(post_uri(A, "p0"), REVS[3], time=BEFORE),
    create(post_uri(A, "backfill"), post(), REVS[4], time=BEFORE, seq=-1),
    create("at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/com.example.other/x", {}, REVS[5], time=BEFORE),
    create(post_uri(A, "unreadable"), post(), REVS[5], time="yesterday"),
    envelope("repo", BEFORE, commit=C0, rev=REVS[6]),
    envelope("identity", BEFORE, handle="a.test"),
    envelope("account", BEFORE, active=False, status="suspended"),
    envelope("account", AT, active=False, status="deleted"),
]


async def test_stale_events_are_indexed_and_leave_no_row(database: str) -> None:
    async with writing(database, notifications="all") as sink:
        await confirm(sink.pool)
        before = await snapshot(sink.pool)
        (outcome,) = await sink.feed(STALE)
        assert outcome.indexed == len(STALE)
        assert (outcome.rows, outcome.dead) == ({}, [])
        assert await snapshot(sink.pool) == before


async def test_newer_events_and_those_of_others_are_applied(database: str) -> None:
    async with writing(database) as sink:
        await confirm(sink.pool)
        (outcome,) = await sink.feed(
            [
                create(post_uri(A, "old"), post(), REVS[0], time=BEFORE),
                create(post_uri(A, "new"), post(), REVS[1], time=AFTER),
                create(like_uri(B, "l"), like(post_uri(A, "old")), time=BEFORE),
                create(post_uri(A, "too"), post(), REVS[2], time="2025-10-20T13:00:00.001+02:00"),
                create(post_uri(A, "not"), post(), REVS[3], time="2025-10-20T13:00:00+02:00"),
            ]
        )
        assert outcome.indexed == 5
        assert await sink.uris("record") == [post_uri(A, "new"), post_uri(A, "too"), like_uri(B, "l")]
        assert await sink.value('SELECT "repoRev" FROM actor_sync WHERE did = $1', A) == REVS[2]


async def test_nothing_is_stale_before_the_pds_was_asked(database: str) -> None:
    async with writing(database) as sink:
        await announce(sink.pool)
        await sink.feed([create(post_uri(A, "p"), post(), time=BEFORE)])
        assert await sink.uris("post") == [post_uri(A, "p")]


async def test_older_mark_holds_while_a_newer_deletion_waits(database: str) -> None:
    async with writing(database) as sink:
        await confirm(sink.pool)
        await sink.pool.execute("UPDATE indexer.account_deletion SET state = 'asked', at_ms = at_ms + 7200000")
        await sink.feed([create(post_uri(A, "p"), post(), time=BEFORE), create(post_uri(A, "q"), post(), time=AFTER)])
        assert await sink.uris("post") == [post_uri(A, "q")]


@pytest.mark.parametrize("place", range(3))
async def test_stale_events_do_not_stand_in_the_way_of_a_refused_one(database: str, place: int) -> None:
    """The batch is halved; each half asks again what is stale."""
    messages = [create(post_uri(A, f"p{n}"), post(), time=BEFORE) for n in range(2)]
    messages.insert(place, create(like_uri(B, random.Random(1).randbytes(1500).hex()), like(post_uri(B, "p"))))
    async with writing(database) as sink:
        await confirm(sink.pool)
        (outcome,) = await sink.feed(messages)
        assert (outcome.indexed, len(outcome.dead)) == (2, 1)


def test_instants_are_compared_not_texts() -> None:
    times = ["11:00:00.001Z", "11:00:00.000999Z", "14:59:59+04:00", "23:00:00+12:00", "08:00:00.001-03:00"]
    instants = [f"2025-10-20T{time}" for time in times]
    assert are_newer([*instants, "x", None], [AT_MS] * 7) == [True, False, False, False, True, False, False]


async def test_newer_status_withdraws_a_newer_deletion_but_not_the_mark(database: str) -> None:
    """Deleted and removed, back again, deleted again, back again before anybody was asked."""
    async with writing(database) as sink:
        await confirm(sink.pool)
        await sink.pool.execute("UPDATE indexer.account_deletion SET state = 'removed'")
        await sink.feed([account(A, AFTER, active=False, status="deleted")])
        assert (await job(sink.pool))["state"] == "asked"
        await sink.feed([account(A, "2025-10-20T13:00:00Z", active=True)])
        resumed = await job(sink.pool)
        assert (resumed["state"], resumed["removed_ms"]) == ("removing", AT_MS)
