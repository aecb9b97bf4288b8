"""An account that comes back while it is removed: what is newer than the deletion counts as if it were alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from indexer.removal.account import Account
from indexer.removal.eraser import Eraser
from indexer.removal.remains import Remains
from tests.integration.removing import AFTER, AT, BEFORE, confirm, job, removing
from tests.integration.writing import Writing, writing, wrong_counters
from tests.messages import REVS, A, B, account, create, delete, identity, like, like_uri, post_uri, update

OWN, SUBJECT = like_uri(A, "l"), post_uri(B, "p")
BEFORE_REVS, AFTER_REVS = ("3m3mkmrom2222", "3m3mkmsn4m222"), ("3m3mrdd6ni222", "3m3mrddchkc22")
"""TIDs of about these times."""


async def removed(sink: Writing, database: str) -> None:
    """The removal of A comes to its end."""
    async with removing(database) as worker:
        assert await worker.remove_one()
    assert (await job(sink.pool))["state"] == "removed"


async def test_late_version_of_a_record_that_was_deleted_again_stays_away(database: str) -> None:
    """The tombstone has the time of the version that it found, its rev is newer than the account's deletion."""
    first = create(OWN, like(SUBJECT), BEFORE_REVS[0], time=BEFORE)
    late = update(OWN, like(SUBJECT), AFTER_REVS[0], time=AFTER)
    gone = delete(OWN, AFTER_REVS[1], time=AFTER)
    async with writing(database) as sink:
        await sink.feed([first, gone])
        await confirm(sink.pool)
        await removed(sink, database)
        await sink.feed([late])
        assert await sink.uris("like") == []
        assert await sink.uris("record") == [OWN]


async def test_tombstone_that_is_older_goes(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([create(OWN, like(SUBJECT), BEFORE_REVS[0], time=BEFORE), delete(OWN, BEFORE_REVS[1], time=AT)])
        await confirm(sink.pool)
        await removed(sink, database)
        assert await sink.uris("record") == []


@pytest.mark.parametrize("known", [True, False])
async def test_status_that_is_newer_outlives_the_row_of_the_actor(database: str, known: bool) -> None:
    """Otherwise the next look-up would make the row again, without the status."""
    handle = "a.test" if known else None
    async with writing(database) as sink:
        await sink.pool.execute('INSERT INTO actor (did, handle, "indexedAt") VALUES ($1, $2, $3)', A, handle, BEFORE)
        await confirm(sink.pool)
        await sink.feed([account(A, AFTER, active=False, status="takendown")])
        await removed(sink, database)
        rows = await sink.fetch('SELECT did, handle, "indexedAt", "upstreamStatus" FROM actor')
        assert [tuple(row) for row in rows] == [(A, None, AFTER, "takendown")]
        assert await sink.value("SELECT found_time FROM indexer.handle_lookup") == AFTER, "its handle is looked up anew"


async def test_account_that_is_active_again_is_looked_up(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([identity(A, BEFORE)])
        await confirm(sink.pool)
        await sink.feed([account(A, AFTER, active=True)])
        await removed(sink, database)
        rows = await sink.fetch("SELECT did, found_time, missing_time FROM indexer.handle_lookup")
        assert [tuple(row) for row in rows] == [(A, AFTER, AFTER)]
        assert await sink.value("SELECT count(*) FROM actor") == 0


async def test_status_that_is_older_goes_with_the_actor(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([account(A, BEFORE, active=False, status="takendown")])
        await confirm(sink.pool)
        await removed(sink, database)
        assert await sink.value("SELECT count(*) FROM actor") == 0
        assert await sink.value("SELECT count(*) FROM indexer.handle_lookup") == 0


async def test_commit_of_a_record_that_comes_during_the_last_look_is_kept(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has found no record, then one comes with its commit."""
    finish = Remains.actor
    late = [create(OWN, like(SUBJECT), REVS[1], time=AFTER)]
    async with writing(database) as sink:

        async def after_a_batch(remains: Remains, **options: Any) -> None:
            if late:
                await sink.feed([late.pop()])
            await finish(remains, **options)

        monkeypatch.setattr(Remains, "actor", after_a_batch)
        await sink.feed([create(OWN, like(SUBJECT), REVS[0], time=BEFORE)])
        await confirm(sink.pool)
        await removed(sink, database)
        assert await sink.uris("record") == [OWN]
        assert await sink.value('SELECT "repoRev" FROM actor_sync') == REVS[1]


async def test_duplicate_that_comes_before_the_next_is_indexed_hinders_nobody(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The indexed like goes, a newer one waits to take its place, and a third finds the place free."""
    promote = Account._promote
    likes = [like_uri(A, f"l{number}") for number in range(3)]
    late = [create(likes[2], like(SUBJECT), REVS[2], time=AFTER)]
    async with writing(database) as sink:

        async def after_a_batch(removal: Account, uris: Sequence[str]) -> None:
            if late:
                await sink.feed([late.pop()])
            await promote(removal, uris)

        monkeypatch.setattr(Account, "_promote", after_a_batch)
        await sink.feed(
            [
                create(likes[0], like(SUBJECT), REVS[0], time=BEFORE),
                create(likes[1], like(SUBJECT), REVS[1], time=AFTER),
            ]
        )
        await confirm(sink.pool)
        await asyncio.wait_for(removed(sink, database), 20)
        assert await sink.uris("record") == likes[1:]
        assert await sink.uris("like") == [likes[1]], "the lowest rev (DIV-13)"
        rows = await sink.fetch('SELECT uri, "duplicateOf" FROM duplicate_record')
        assert [tuple(row) for row in rows] == [(likes[2], likes[1])]
        assert await wrong_counters(sink.pool) == []


async def test_portion_goes_with_its_counters_or_not_at_all(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the way between the rows and the counters costs a try, and no count."""
    counters, tries = Eraser.counters, []

    async def hindered(eraser: Eraser, *arguments: Any) -> None:
        tries.append("counters")
        if len(tries) == 1:
            raise asyncpg.DeadlockDetectedError("somebody else's lock")
        await counters(eraser, *arguments)

    monkeypatch.setattr(Eraser, "counters", hindered)
    async with writing(database) as sink:
        await sink.feed([create(OWN, like(SUBJECT), BEFORE_REVS[0], time=BEFORE)])
        await confirm(sink.pool)
        await removed(sink, database)
        assert len(tries) > 1
        assert await sink.uris("like") == []
        assert await wrong_counters(sink.pool) == []
