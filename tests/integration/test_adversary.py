"""Deadlocks (40P01) and serialization failures (40001) that others cause: the batch is tried again, and nobody dies."""

import asyncio
from urllib.parse import urlsplit

import pytest

from indexer.configuration.values import quoted
from indexer.sink import halving
from indexer.sink.faults import FaultClass, fault_class, sqlstate_of
from tests.conftest import execute
from tests.integration.test_sink_concurrency import neighbour, until_waiting
from tests.integration.test_sink_labels import labelling
from tests.integration.writing import Writing, writing, wrong_counters
from tests.messages import REVS, A, B, C, cid, create, label, label_message, like, like_uri, post, post_uri, update

P = post_uri(A, "p")
BEFORE = [("1-0", create(P, post("first"), REVS[1], cid(1))), ("2-0", create(like_uri(B, "l"), like(P)))]
BATCH = [("3-0", create(like_uri(C, "l"), like(P))), ("4-0", update(P, post("second"), REVS[2], cid(2)))]
PATIENT = "SET LOCAL deadlock_timeout = '1h'"


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The SQLSTATEs that a sink has met."""
    found: list[str | None] = []

    def noted(error: BaseException) -> FaultClass:
        found.append(sqlstate_of(error))
        return fault_class(error)

    monkeypatch.setattr(halving, "fault_class", noted)
    return found


def for_all_sessions(database: str, setting: str) -> None:
    """Of those that come."""
    execute(database, f"ALTER DATABASE {quoted(urlsplit(database).path[1:])} SET {setting}")


@pytest.fixture
def quick(database: str) -> str:
    """A database that finds deadlocks at once: it is our wait that finds them, since adversaries are patient."""
    for_all_sessions(database, "deadlock_timeout = '20ms'")
    return database


@pytest.fixture
def strict(database: str) -> str:
    """A database whose transactions are stricter than usual."""
    for_all_sessions(database, "default_transaction_isolation = 'repeatable read'")
    return database


@pytest.mark.parametrize("theirs", ["SELECT 1 FROM post_agg FOR UPDATE", "LOCK TABLE post IN EXCLUSIVE MODE"])
async def test_deadlock_with_a_stranger_costs_a_try(quick: str, refusals: list[str | None], theirs: str) -> None:
    """He holds what we take late, and then wants what we hold."""
    async with writing(quick) as sink:
        await sink.batch(BEFORE)
        async with neighbour(quick, PATIENT, theirs) as other:
            ours = asyncio.create_task(sink.batch(BATCH))
            await until_waiting(other)
            await other.execute("SELECT 1 FROM record FOR UPDATE")  # granted when we have given up
            await other.execute("COMMIT")
        await ours
        assert "40P01" in refusals
        await all_is_there(sink)


async def test_deadlock_of_labels_with_a_stranger_costs_a_try(quick: str) -> None:
    first, second = label(val="a"), label(val="b")
    async with labelling(quick) as sink:
        await sink.feed([label_message(each) for each in (first, second)])
        async with neighbour(quick, PATIENT, "SELECT 1 FROM label WHERE val = 'b' FOR UPDATE") as other:
            newer = [
                label_message({**each, "cts": "2025-10-21T00:00:00.000Z", "neg": True}) for each in (first, second)
            ]
            ours = asyncio.create_task(sink.feed(newer))
            await until_waiting(other)
            await other.execute("SELECT 1 FROM label WHERE val = 'a' FOR UPDATE")
            await other.execute("COMMIT")
        (outcome,) = await ours
        assert outcome.retries["contention"] > 0
        assert [neg for *_, neg, _, _ in await sink.rows()] == [True, True]
        assert await sink.letters() == []


async def test_serialization_failure_costs_a_try(strict: str, refusals: list[str | None]) -> None:
    async with writing(strict) as sink:
        await sink.batch(BEFORE)
        async with neighbour(strict, 'UPDATE record SET "indexedAt" = "indexedAt"') as other:
            ours = asyncio.create_task(sink.batch(BATCH))
            await until_waiting(other)
            await other.execute("COMMIT")
        await ours
        assert "40001" in refusals
        await all_is_there(sink)


async def all_is_there(sink: Writing) -> None:
    assert await sink.value("SELECT text FROM post") == "second"
    assert await sink.uris("like") == [like_uri(B, "l"), like_uri(C, "l")]
    assert await wrong_counters(sink.pool) == []
    assert await sink.value("SELECT count(*) FROM indexer.dead_letter") == 0
