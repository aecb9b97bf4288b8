"""What account, identity and profile events leave in the tables: statuses, deletions to do, look-ups to do."""

import asyncio
import itertools
import random
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from indexer.fold.accounts import AccountRules
from indexer.sink.derive import DerivedKeys, derive_again
from tests.integration.test_sink_concurrency import deadlocks, neighbour, until_waiting
from tests.integration.writing import Writing, empty, snapshot, writing
from tests.messages import REVS, A, B, account, cid, create, identity, like, like_uri, record, uri

PROFILE = "app.bsky.actor.profile"
START = datetime(2025, 10, 20, 10, tzinfo=UTC)


def at(hours: float) -> str:
    return (START + timedelta(hours=hours)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def profile(did: str = A, rev: str = REVS[0], time: str = at(0)) -> bytes:
    return create(uri(did, PROFILE, "self"), record(PROFILE, displayName=rev), rev, cid(rev), time=time)


def down(time: str, status: str = "takendown", did: str = A) -> bytes:
    return account(did, time, active=False, status=status)


async def actors(sink: Writing) -> list[tuple[str, str | None, str, str | None]]:
    rows = await sink.fetch('SELECT did, handle, "indexedAt", "upstreamStatus" FROM actor ORDER BY did')
    return [tuple(row) for row in rows]


async def waiting(sink: Writing) -> list[tuple[str, str, str]]:
    return [
        tuple(row)
        for row in await sink.fetch("SELECT did, found_time, missing_time FROM indexer.handle_lookup ORDER BY did")
    ]


async def deletions(sink: Writing) -> list[tuple[str, str, str]]:
    return [
        tuple(row) for row in await sink.fetch("SELECT did, time, state FROM indexer.account_deletion ORDER BY did")
    ]


async def actor(sink: Writing, did: str, handle: str | None, time: str) -> None:
    await sink.pool.execute('INSERT INTO actor (did, handle, "indexedAt") VALUES ($1, $2, $3)', did, handle, time)


async def test_rule_unknown_actors_keep_their_status(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([down(at(0), "Suspended")])
        assert await actors(sink) == [(A, None, at(0), "suspended")]
        assert await waiting(sink) == [(A, at(0), at(0))], "which does not count as fresh"


async def test_rule_active_true_clears_the_status(database: str) -> None:
    async with writing(database) as sink:
        await actor(sink, A, "a.test", at(0))
        await sink.feed([down(at(1), "deactivated")])
        assert (await actors(sink))[0][3] == "deactivated"
        await sink.feed([account(A, at(2), active=True, status="deactivated")])
        assert await actors(sink) == [(A, "a.test", at(0), None)]
        assert await waiting(sink) == []


async def test_active_account_without_a_row_gets_none(database: str) -> None:
    async with writing(database, rules=AccountRules(look_ups=False)) as sink:
        await sink.feed([account(A, at(0), active=True)])
        assert await actors(sink) == []


@pytest.mark.parametrize("size", [1, 2, 10])
async def test_rule_the_newest_account_event_decides_in_whatever_order(database: str, size: int) -> None:
    events = [
        down(at(0), "takendown"),
        account(A, at(1), active=True),
        down(at(2), "deleted"),
        down(at(3), "suspended"),
    ]
    async with writing(database) as sink:
        for order in itertools.permutations(events):
            await sink.feed([*order, order[0]], size)
            ((_, _, _, status),) = await actors(sink)
            assert status == "suspended"
            assert await deletions(sink) == [], "a newer event withdraws what nobody has begun with"
            await empty(sink.pool)


@pytest.mark.parametrize("size", [1, 10])
async def test_newest_deletion_is_the_job(database: str, size: int) -> None:
    events = [down(at(hour), "deleted") for hour in (1, 2)] + [down(at(0), "suspended")]
    async with writing(database) as sink:
        for order in itertools.permutations(events):
            await sink.feed(order, size)
            assert await deletions(sink) == [(A, at(2), "asked")]
            assert (await actors(sink))[0][3] == "suspended"
            await empty(sink.pool)


async def test_deletion_that_was_begun_is_not_withdrawn_and_a_newer_one_asks_again(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([down(at(1), "deleted")])
        await sink.pool.execute(
            "UPDATE indexer.account_deletion SET state = 'removed', attempts = 3, cause = 'timeout'"
        )
        await sink.feed([account(A, at(2), active=True), down(at(1), "deleted"), down(at(0), "deleted")])
        assert await deletions(sink) == [(A, at(1), "removed")]
        await sink.feed([down(at(3), "deleted")])
        assert await deletions(sink) == [(A, at(3), "asked")]
        assert [tuple(row) for row in await sink.fetch("SELECT attempts, cause FROM indexer.account_deletion")] == [
            (0, None)
        ]


async def test_deletion_is_kept_while_look_ups_are_off(database: str) -> None:
    async with writing(database, rules=AccountRules(look_ups=False)) as sink:
        await sink.feed([down(at(0), "deleted"), profile(B), identity(B, at(0)), down(at(0), did=B)])
        assert await deletions(sink) == [(A, at(0), "asked")]
        assert await waiting(sink) == []
        assert await actors(sink) == [(B, None, at(0), "takendown")]


async def test_rule_ignored_statuses_leave_no_row(database: str) -> None:
    messages = [
        account(A, at(0), **fields)
        for fields in ({"active": False, "status": "throttled"}, {"active": False}, {"status": "takendown"})
    ]
    async with writing(database, rules=AccountRules(deletion="ignore")) as sink:
        await empty(sink.pool)
        (outcome,) = await sink.feed([*messages, down(at(0), "deleted")])
        assert (outcome.account_status, outcome.indexed) == (4, 0)
        assert await snapshot(sink.pool) == {}


async def test_look_ups_are_merged_per_account(database: str) -> None:
    """One row, however many events; its times are those that looking up at once would have left."""
    events = [identity(A, at(hour)) for hour in (0, 0.5, 2, 30, 25)] + [profile(A, time=at(31)), identity(B, at(0))]
    expected = [(A, at(30), at(30)), (B, at(0), at(0))]
    async with writing(database) as sink:
        for size in (1, 2, 3, 10):
            await sink.feed(events, size)
            assert await waiting(sink) == expected
            await empty(sink.pool)


async def test_batch_of_likes_asks_nothing_of_accounts(database: str) -> None:
    async with writing(database) as sink:
        asked: list[str] = []
        lookup = type(sink.statements).__getitem__

        def note(statements: object, name: str) -> str:
            asked.append(name)
            return lookup(sink.statements, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(sink.statements), "__getitem__", note)
            await sink.feed([create(like_uri(B, "l"), like(uri(A, "app.bsky.feed.post", "p")))])
        assert not [name for name in asked if "look_up" in name or "actor" in name or "status" in name]
        assert "upsert_commits" in asked


async def test_redelivery_changes_nothing(database: str) -> None:
    events = [down(at(1)), profile(), identity(B, at(0)), down(at(2), "deleted", B)]
    async with writing(database) as sink:
        await sink.feed(events)
        before = await snapshot(sink.pool)
        await sink.feed(events, 1)
        assert await snapshot(sink.pool) == before


async def test_neighbour_that_asks_first_is_merged_with(database: str) -> None:
    theirs = f"INSERT INTO indexer.handle_lookup VALUES ('{A}', '{at(0)}', '{at(0)}')"
    async with writing(database) as sink, neighbour(database, theirs) as other:
        ours = asyncio.create_task(sink.batch([("1-0", identity(A, at(2)))]))
        await until_waiting(other)
        await other.execute("COMMIT")
        outcome = await ours
        assert outcome.retries["contention"] == 1
        assert await waiting(sink) == [(A, at(0), at(2))]


@pytest.mark.parametrize(("handle", "expected"), [("'a.test'", []), ("NULL", [(A, at(2), at(2))])])
async def test_look_up_that_is_written_meanwhile_is_waited_for(
    database: str, handle: str, expected: list[tuple[str, str, str]]
) -> None:
    """The worker of a neighbour writes the row while our batch wants to know whether it is fresh."""
    async with writing(database) as sink:
        await sink.feed([identity(A, at(0))])
        statements = (
            f"SELECT 1 FROM indexer.handle_lookup WHERE did = '{A}' FOR UPDATE",
            f"INSERT INTO actor (did, handle, \"indexedAt\") VALUES ('{A}', {handle}, '{at(0)}')",
            f"DELETE FROM indexer.handle_lookup WHERE did = '{A}'",
        )
        async with neighbour(database, *statements) as other:
            ours = asyncio.create_task(sink.batch([("1-0", identity(A, at(2)))]))
            await until_waiting(other)
            await other.execute("COMMIT")
            await ours
        assert await waiting(sink) == expected, "the row is two hours old"


async def test_status_and_older_deletion_that_miss_each_other(database: str) -> None:
    """Neither transaction sees the other: whoever commits last withdraws the deletion after that."""
    theirs = (
        "INSERT INTO indexer.account_status (did, time, at_ms, status) VALUES "
        f"('{A}', '{at(3)}', {int((START + timedelta(hours=3)).timestamp() * 1000)}, 'suspended')"
    )
    async with writing(database) as sink:
        connection = await asyncpg.connect(database)
        try:
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(theirs)
            await sink.feed([down(at(2), "deleted")])
            assert await deletions(sink) == [(A, at(2), "asked")], "theirs is not seen yet"
            await transaction.commit()
            keys = DerivedKeys(accounts={A})
            await derive_again(connection, sink.statements, keys, "delta")  # what theirs does next
        finally:
            await connection.close()
        assert await deletions(sink) == []


@pytest.mark.timeout(120)
async def test_sinks_on_the_same_accounts_never_wait_in_a_circle(database: str) -> None:
    people = [f"did:plc:{number:024}" for number in range(40)]
    chance = random.Random(1)

    def messages() -> list[bytes]:
        made = []
        for did in people:
            hour = chance.choice((0, 1.5, 30))
            made += [
                profile(did, chance.choice(REVS[:50]), at(hour)),
                identity(did, at(hour)),
                down(at(hour), chance.choice(("takendown", "deleted", "suspended")), did),
                account(did, at(hour), active=True),
            ]
        chance.shuffle(made)
        return made

    parts = [messages() for _ in range(6)]
    async with writing(database, connections=6) as one, writing(database, connections=6) as two:
        await empty(one.pool)
        outcomes = await asyncio.gather(
            *(sink.feed(part, 80) for part, sink in zip(parts, itertools.cycle((one, two)), strict=False))
        )
        together = await snapshot(one.pool, _ORDER_BOUND)
        await empty(one.pool)
        await one.feed([payload for part in parts for payload in part])
        assert together == await snapshot(one.pool, _ORDER_BOUND)
    assert sum(outcome.retries["outage"] for some in outcomes for outcome in some) == 0
    assert await deadlocks(database) == 0


_ORDER_BOUND = {
    "actor": {"indexedAt"},
    "handle_lookup": {"found_time", "missing_time", "next_at"},
    "account_deletion": {"next_at"},
    "record": {"indexedAt"},
    "profile": {"indexedAt", "sortAt"},
}
