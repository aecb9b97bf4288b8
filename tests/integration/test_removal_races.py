"""Removals beside other traffic, cut off anywhere, by several instances: the end is the same, and exact."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest

from indexer.fold.world import World
from indexer.removal.jobs import LostError
from indexer.removal.remains import Remains
from indexer.removal.worker import RemovalWorker
from indexer.sink.counts import Aggregates
from indexer.sink.reads import Reads
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements
from tests.integration.invariants import broken
from tests.integration.removing import (
    AFTER,
    BEFORE,
    as_if_never,
    confirm,
    job,
    left_of_account,
    of_account,
    of_others,
    removing,
)
from tests.integration.writing import Writing, writing, wrong_counters
from tests.messages import REVS, A, B, create, like, like_uri, post, post_uri, repost, repost_uri


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("account.PORTION", 5), ("account.PAGE", 3), ("remains.PORTION", 4)):
        monkeypatch.setattr(f"indexer.removal.{name}", size)


async def write(sink: Writing, payloads: list[bytes], seed: int) -> None:
    """Batches of random sizes, not in step with others."""
    generator = random.Random(seed)
    sizes = [generator.randint(1, 9) for _ in payloads]
    await sink.feed(payloads, sizes)


async def work_with_accidents(database: str, aggregates: Aggregates, seed: int) -> int:
    """Remove, cancelled again and again; returns how often."""
    generator, accidents = random.Random(seed), 0
    async with writing(database) as other:
        while (await job(other.pool)).get("state") != "removed":
            await other.pool.execute("UPDATE indexer.account_deletion SET next_at = now()")  # as after the lease
            async with removing(database, aggregates=aggregates) as worker:
                task = asyncio.create_task(_until_removed(worker, other))
                await asyncio.wait({task}, timeout=generator.uniform(0.005, 0.15) if accidents < 25 else None)
                accidents += not task.done()
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
    return accidents


async def _until_removed(worker: RemovalWorker, other: Writing) -> None:
    while (await job(other.pool))["state"] != "removed":
        if not await worker.remove_one():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("aggregates", ["delta", "recount"])
async def test_counts_are_exact_with_traffic_on_the_same_posts_and_accidents(
    database: str, other_database: str, aggregates: Aggregates
) -> None:
    """Others like, repost, answer and quote its posts and those that it likes; its own old events come, too."""
    mine, others = of_account(30), of_others(30)
    random.Random(1).shuffle(others)
    async with AsyncExitStack() as stack:
        sinks = [
            await stack.enter_async_context(writing(database, notifications="all", aggregates=aggregates))
            for _ in range(3)
        ]
        never = await stack.enter_async_context(writing(other_database, notifications="all"))
        await sinks[0].feed([*others[::3], *mine])
        before = await left_of_account(sinks[0].pool)
        assert before["record"] == len(mine)
        await confirm(sinks[0].pool)
        *_, accidents = await asyncio.gather(
            write(sinks[0], others[1::3], 1),
            write(sinks[1], others[2::3], 2),
            write(sinks[2], mine, 3),
            work_with_accidents(database, aggregates, 4),
        )
        assert accidents > 3
        if aggregates == "recount":
            await Recounter(sinks[0].pool, Statements("public")).drain()
        left = await left_of_account(sinks[0].pool)
        # what others said to it or hung on its posts after these were gone
        assert left.keys() <= {"notification", "feed_item", "quote"}
        assert await sinks[0].value("SELECT count(*) FROM notification WHERE author = $1", A) == 0
        assert await sinks[0].value('SELECT count(*) FROM feed_item WHERE "originatorDid" = $1', A) == 0
        assert await wrong_counters(sinks[0].pool) == []
        assert (await broken(sinks[0].pool)).keys() <= {"invalidReplyRoot"}
        await never.feed(others)
        here, there = await as_if_never(sinks[0].pool), await as_if_never(never.pool)
        del here["notification"], there["notification"]  # they depend on who came first
        assert here == there


async def test_instances_on_one_account_do_not_disturb_each_other(database: str, other_database: str) -> None:
    """Leases run out at once here, so that all work on the same job."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(writing(database, notifications="all"))
        never = await stack.enter_async_context(writing(other_database, notifications="all"))
        await sink.feed([*of_others(20), *of_account(20)])
        await never.feed(of_others(20))
        await confirm(sink.pool)
        workers = [await stack.enter_async_context(removing(database)) for _ in range(3)]

        async def impatient() -> None:
            while (await job(sink.pool))["state"] != "removed":
                await sink.pool.execute("UPDATE indexer.account_deletion SET next_at = now()")
                await asyncio.sleep(0.05)

        await asyncio.gather(impatient(), *(_until_removed(worker, sink) for worker in workers))
        assert await left_of_account(sink.pool) == {}
        assert await wrong_counters(sink.pool) == []
        assert await as_if_never(sink.pool) == await as_if_never(never.pool)


async def test_who_has_lost_the_job_leaves_nothing_of_its_portion(database: str) -> None:
    async with writing(database) as sink, removing(database) as worker:
        await sink.feed([create(like_uri(A, "l"), like(post_uri(B, "p")))])
        await confirm(sink.pool)
        (mine,) = await worker._jobs.take("removing", 1)
        await sink.pool.execute("UPDATE indexer.account_deletion SET attempts = attempts + 1")
        with pytest.raises(LostError):
            await worker._remove(mine)
        assert await sink.uris("like") == [like_uri(A, "l")]
        assert await sink.value('SELECT "likeCount" FROM post_agg') == 1
        assert (await job(sink.pool))["removed_rows"] == 0


async def test_batch_that_did_not_see_the_mark_is_waited_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks what is stale, then the mark is committed, the account swept; only then it writes (worker.py).

    The mark's transaction has the lower number here: what is over up to the mark says nothing of the batch.
    """
    asked, go, read = asyncio.Event(), asyncio.Event(), Reads.all

    async def slowly(*arguments: Any, **options: Any) -> World:
        asked.set()
        await go.wait()
        return await read(*arguments, **options)

    monkeypatch.setattr(Reads, "all", slowly)
    async with writing(database) as sink, removing(database) as worker, sink.pool.acquire() as marking:
        await marking.execute("BEGIN")
        await confirm(marking)
        batch = asyncio.create_task(sink.feed([create(post_uri(A, "p"), post(), time=BEFORE)]))
        await asked.wait()
        await marking.execute("COMMIT")
        assert await worker.remove_one()
        waits = await job(sink.pool)
        go.set()
        await batch
        assert (waits["state"], waits["cause"]) == ("removing", "older_transactions")
        assert await sink.uris("post") == [post_uri(A, "p")], "it did not know"
        await sink.pool.execute("UPDATE indexer.account_deletion SET next_at = now()")
        assert await worker.remove_one()
        assert (await job(sink.pool))["state"] == "removed"
        assert await left_of_account(sink.pool) == {}


async def test_record_that_comes_where_only_its_rows_were_keeps_its_rows(database: str) -> None:
    """Rows without a record are found, then a newer event brings the record: it is left alone."""
    own, subject = like_uri(A, "l"), post_uri(B, "p")
    async with writing(database) as sink, removing(database) as worker, sink.pool.acquire() as neighbour:
        await sink.feed([create(own, like(subject), time=BEFORE)])
        await sink.pool.execute("DELETE FROM record")
        await confirm(sink.pool)
        await neighbour.execute("BEGIN")
        await neighbour.execute("SELECT 1 FROM notification FOR UPDATE")
        removal = asyncio.create_task(worker.remove_one())
        while not await sink.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)
        await sink.feed([create(own, like(subject), REVS[5], time=AFTER)])
        await neighbour.execute("ROLLBACK")
        await removal
        assert await sink.uris("like") == await sink.uris("record") == [own]
        assert await wrong_counters(sink.pool) == []


async def test_who_saw_rows_before_they_went_is_waited_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of a batch looks in the middle of the sweep, and restores when it is over (worker.py)."""
    finish = Remains.actor
    item = (repost_uri(A, "t"), "c", "repost", post_uri(B, "p"), A, BEFORE)
    async with writing(database) as sink, removing(database) as worker, sink.pool.acquire() as late:

        async def in_the_middle(remains: Remains, *, lives: bool) -> None:
            if not await sink.value("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"):
                await late.execute(f"{sink.statements['begin']};\n{sink.statements['take_number']}")
            await finish(remains, lives=lives)

        monkeypatch.setattr(Remains, "actor", in_the_middle)
        await sink.feed([create(repost_uri(A, "t"), repost(post_uri(B, "p")), time=BEFORE)])
        await confirm(sink.pool)
        assert await worker.remove_one()
        waits = await job(sink.pool)
        monkeypatch.undo()
        await late.execute("INSERT INTO feed_item VALUES ($1, $2, $3, $4, $5, $6)", *item)
        await late.execute("COMMIT")
        assert (waits["state"], waits["cause"]) == ("removing", "older_transactions")
        await sink.pool.execute("UPDATE indexer.account_deletion SET next_at = now()")
        assert await worker.remove_one()
        assert (await job(sink.pool))["state"] == "removed"
        assert await left_of_account(sink.pool) == {}
