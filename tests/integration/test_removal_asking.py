"""Who is asked before an account goes, and what follows from the answer (actors.md 4)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indexer.identity import Hosting, Limits, Resolver
from indexer.removal.worker import AGAIN_S, RemovalWorker
from tests.identity.stand_in import StandIn
from tests.integration.removing import AT_MS, announce, confirm, job, left_of_account, of_account, removing
from tests.integration.writing import Writing, writing
from tests.messages import A

UNKNOWN = Hosting("unknown", "timeout", 30.0)
LIMITS = Limits(timeout_s=20.0, dns_try_s=9.0, wait_s=20.0, backoff_s=(0.0, 0.0, 0.0), overload_s=1000.0)


@pytest.fixture
async def stand_in(tmp_path: Path) -> AsyncIterator[StandIn]:
    async with StandIn().running(tmp_path) as running:
        yield running


@pytest.fixture
async def sink(database: str) -> AsyncIterator[Writing]:
    """A sink that has written A, whose deletion is announced."""
    async with writing(database) as written:
        await written.feed(of_account())
        await announce(written.pool)
        yield written


async def ask(database: str, stand_in: StandIn) -> None:
    async with (
        Resolver(**stand_in.arguments(), limits=LIMITS) as resolver,
        removing(database, resolver=resolver) as worker,
    ):
        assert await worker.ask_some()
        await worker.remove_one()


async def test_rule_an_account_that_the_pds_hosts_stays(database: str, sink: Writing, stand_in: StandIn) -> None:
    before = await left_of_account(sink.pool)
    await ask(database, stand_in)
    assert await left_of_account(sink.pool) == before
    assert await job(sink.pool) == {}, "the deletion is withdrawn"


async def test_rule_repo_not_found_removes_the_account(database: str, sink: Writing, stand_in: StandIn) -> None:
    stand_in.deleted.add(A)
    await ask(database, stand_in)
    assert await left_of_account(sink.pool) == {}
    done = await job(sink.pool)
    assert (done["state"], done["removed_ms"], done["cause"]) == ("removed", AT_MS, "repo_not_found")


async def test_rule_no_document_removes_the_account(database: str, sink: Writing, stand_in: StandIn) -> None:
    stand_in.directory_answer = 404, {}
    await ask(database, stand_in)
    assert await left_of_account(sink.pool) == {}
    assert (await job(sink.pool))["cause"] == "not_found"


async def test_rule_no_pds_in_the_document_removes_the_account(
    database: str, sink: Writing, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.identity.stand_in.document_of", lambda did: {"id": did, "service": []})
    await ask(database, stand_in)
    assert await left_of_account(sink.pool) == {}
    assert (await job(sink.pool))["cause"] == "no_pds"


@pytest.mark.parametrize("status", [500, 429, 410])
async def test_rule_a_directory_that_fails_is_asked_again(
    database: str, sink: Writing, stand_in: StandIn, status: int
) -> None:
    stand_in.directory_answer = status, {}
    await _waits(database, sink, stand_in)


async def test_rule_a_pds_that_cannot_be_reached_is_asked_again(
    database: str, sink: Writing, stand_in: StandIn, unused_tcp_port: int
) -> None:
    stand_in.switchboard.fallback = unused_tcp_port
    await _waits(database, sink, stand_in)


async def _waits(database: str, sink: Writing, stand_in: StandIn) -> None:
    before = await left_of_account(sink.pool)
    await ask(database, stand_in)
    assert await left_of_account(sink.pool) == before
    waits = await job(sink.pool)
    assert (waits["state"], waits["removed_ms"]) == ("asked", None)
    assert waits["cause"] is not None
    assert waits["due"] > AGAIN_S / 2


async def test_pauses_grow_and_follow_the_hosts_wish(database: str, sink: Writing) -> None:
    dues = []
    answers = [UNKNOWN, UNKNOWN, UNKNOWN, Hosting("unknown", "rate_limited", 9000.0)]
    async with removing(database, *answers) as worker:
        for _ in answers:
            await sink.pool.execute("UPDATE indexer.account_deletion SET next_at = now()")
            assert await worker.ask_some()
            assert not await worker.ask_some(), "it is not due"
            dues.append((await job(sink.pool))["due"])
    assert [round(due / AGAIN_S) for due in dues] == [1, 2, 4, 150]


async def test_hosted_account_with_an_older_removal_keeps_its_mark(database: str, sink: Writing) -> None:
    """What the older deletion began is finished; what came since stays."""
    await sink.pool.execute("UPDATE indexer.account_deletion SET removed_ms = at_ms - 1, at_ms = at_ms + 1000")
    async with removing(database, Hosting("hosted")) as worker:
        assert await worker.ask_some()
        assert await worker.remove_one()
    assert await left_of_account(sink.pool) == {}
    done = await job(sink.pool)
    assert (done["state"], done["removed_ms"]) == ("removed", AT_MS - 1)


class Slow:
    """A resolver that answers when it is told to."""

    def __init__(self, hosting: Hosting) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self._hosting = hosting

    async def hosting(self, _did: str) -> Hosting:
        self.asked.set()
        await self.go.wait()
        return self._hosting


async def _meanwhile(database: str, sink: Writing, slow: Slow, statement: str) -> RemovalWorker:
    """Ask, and let something happen before the answer comes."""
    async with removing(database, resolver=slow) as worker:
        asking = asyncio.create_task(worker.ask_some())
        await slow.asked.wait()
        busy = await sink.value(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'indexer/removal' AND state <> 'idle'"
        )
        assert busy == 0, "no transaction is open while others are waited for"
        await sink.pool.execute(statement)
        slow.go.set()
        await asking
        return worker


@pytest.mark.parametrize("answer", ["hosted", "gone"])
async def test_answer_counts_for_the_deletion_that_was_asked_for(database: str, sink: Writing, answer: str) -> None:
    """A newer deletion came meanwhile, and somebody else has taken it: the old answer says nothing of it."""
    newer = "UPDATE indexer.account_deletion SET at_ms = at_ms + 1000, attempts = 1"
    await _meanwhile(database, sink, Slow(Hosting(answer)), newer)  # type: ignore[arg-type]
    waits = await job(sink.pool)
    assert (waits["state"], waits["at_ms"], waits["removed_ms"]) == ("asked", AT_MS + 1000, None)


async def test_deletion_that_was_withdrawn_meanwhile_stays_withdrawn(database: str, sink: Writing) -> None:
    await _meanwhile(database, sink, Slow(Hosting("gone")), "DELETE FROM indexer.account_deletion")
    assert await job(sink.pool) == {}


async def test_many_are_asked_at_once_and_each_once(database: str) -> None:
    dids = [f"did:plc:{n:024}" for n in range(40)]
    async with writing(database) as sink, removing(database) as one, removing(database) as two:
        for did in dids:
            await announce(sink.pool, did)
        while any(await asyncio.gather(one.ask_some(), two.ask_some())):
            pass
        while any(await asyncio.gather(one.remove_one(), two.remove_one())):
            pass
        assert await sink.value("SELECT array_agg(DISTINCT state) FROM indexer.account_deletion") == ["removed"]
        assert await sink.value("SELECT sum(attempts) FROM indexer.account_deletion") == 2 * len(dids)


async def test_removed_account_stays_removed(database: str, sink: Writing) -> None:
    await sink.pool.execute("DELETE FROM indexer.account_deletion")
    await confirm(sink.pool)
    async with removing(database) as worker:
        assert await worker.remove_one()
        assert not await worker.ask_some()
        assert not await worker.remove_one()
