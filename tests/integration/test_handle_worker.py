"""The worker of handle look-ups, with a directory, a name server and web hosts on real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from indexer.connections.database import Turns
from indexer.daemon import handle_worker
from indexer.daemon.handle_worker import HandleWorker
from indexer.identity import Deferred, DidCache, Found, Limits, NotFound, Resolver, Unusable
from indexer.metrics import Metrics
from indexer.sink.handles import HandleQueue
from tests.identity.stand_in import StandIn, handle_of
from tests.integration.test_sink_accounts import actor, actors, at, waiting
from tests.integration.test_sink_concurrency import deadlocks, neighbour, until_waiting
from tests.integration.writing import Writing, writing
from tests.messages import A, B, C, account, identity

ROOMY = Limits(timeout_s=20.0, dns_try_s=8.0, wait_s=20.0, overload_s=1000.0)


class Scripted:
    """A resolver that answers from a list, or waits; what is not in it has no document."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = asyncio.Event()
        self.go.set()

    async def look_up(self, did: str) -> Any:
        self.asked.append(did)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        answer = self.answers.get(did, NotFound())
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(did: str, handle: str | None) -> Found:
    return Found(did, handle, {}, 0, None if handle else "no_proof")


@dataclass
class Working:
    """A worker and what it works on."""

    sink: Writing
    queue: HandleQueue
    metrics: Metrics
    stop: asyncio.Event
    task: "asyncio.Task[None]"

    async def until(self, fact: Callable[[], Awaitable[bool]]) -> None:
        while not await fact():
            assert not self.task.done(), self.task.exception()
            await asyncio.sleep(0.02)

    async def until_done(self) -> None:
        """Return when nothing waits."""

        async def is_empty() -> bool:
            return not await waiting(self.sink)

        await self.until(is_empty)

    async def end(self) -> None:
        self.stop.set()
        await self.task

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"indexer_{name}", labels) or 0


@asynccontextmanager
async def working(sink: Writing, resolver: Any, cache: Any = None) -> AsyncIterator[Working]:
    queue = HandleQueue(sink.pool, Turns(4), sink.statements)
    metrics, stop = Metrics(["firehose_live"]), asyncio.Event()
    worker = HandleWorker(queue, resolver, cache or DidCache(Redis()), metrics)
    task = asyncio.create_task(worker.run(stop))
    try:
        yield Working(sink, queue, metrics, stop, task)
    finally:
        stop.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def sink(database: str) -> AsyncIterator[Writing]:
    async with writing(database) as opened:
        yield opened


async def ask(sink: Writing, dids: Sequence[str], hour: float = 0) -> None:
    await sink.feed([identity(did, at(hour)) for did in dids])


async def due(sink: Writing) -> None:
    """As if the time of waiting were over."""
    await sink.pool.execute("UPDATE indexer.handle_lookup SET next_at = now() - interval '1 second'")


async def test_rule_verified_both_ways_and_lower_cased(sink: Writing, tmp_path: Path, redis_url: str) -> None:
    dids = ["did:plc:AbCdEf234567", "did:web:example.test", *(f"did:plc:{n:024}" for n in range(6))]
    async with (
        StandIn().running(tmp_path) as stand_in,
        Redis.from_url(redis_url) as redis,
        Resolver(**stand_in.arguments(), limits=ROOMY, cache=(cache := DidCache(redis))) as resolver,
        working(sink, resolver, cache) as work,
    ):
        await ask(sink, [*dids, "did:plc:missing"])
        await work.until_done()
        assert await actors(sink) == sorted((did, handle_of(did), at(0), None) for did in dids)
        assert await redis.exists(*(f"identity:{did}" for did in dids)) == len(dids)
        assert work.count("look_ups_total", outcome="found") == len(dids)
        assert work.count("look_ups_total", outcome="not_found") == 1
        assert work.count("look_up_causes_total", cause="not_found") == 1


async def test_rule_a_handle_that_does_not_verify_is_null(sink: Writing) -> None:
    """It erases a handle that was valid, and restarts the clock (actors.md 2.2, step 5)."""
    await actor(sink, A, "a.test", at(-48))
    await ask(sink, [A])
    async with working(sink, Scripted({A: found(A, None)})) as work:
        await work.until_done()
    assert await actors(sink) == [(A, None, at(0), None)]


@pytest.mark.parametrize("answer", [NotFound(), Unusable("no_key"), Unusable("tombstone")])
async def test_rule_without_a_usable_document_no_row_is_written(sink: Writing, answer: Any) -> None:
    await actor(sink, B, "b.test", at(-48))
    await ask(sink, [A, B])
    async with working(sink, Scripted({A: answer, B: answer})) as work:
        await work.until_done()
        assert work.count("look_up_causes_total", cause=answer.cause) == 2
    assert await actors(sink) == [(B, "b.test", at(-48), None)]


async def test_rule_contention_takes_the_handle_from_the_other(sink: Writing) -> None:
    """The other's indexedAt stays (actors.md 2.2, step 4), and so does its status."""
    await actor(sink, A, "same.test", at(-2))
    await sink.pool.execute("""UPDATE actor SET "upstreamStatus" = 'suspended'""")
    await ask(sink, [B])
    async with working(sink, Scripted({B: found(B, "same.test")})) as work:
        await work.until_done()
    assert await actors(sink) == [(A, None, at(-2), "suspended"), (B, "same.test", at(0), None)]


async def test_handles_that_change_places_do_not_collide(sink: Writing) -> None:
    await actor(sink, A, "one.test", at(-48))
    await actor(sink, B, "two.test", at(-48))
    await ask(sink, [A, B, C])
    answers = {A: found(A, "two.test"), B: found(B, "one.test"), C: found(C, "one.test")}
    queue = HandleQueue(sink.pool, Turns(4), sink.statements)
    await queue.write(answers)
    assert await actors(sink) == [
        (A, "two.test", at(0), None),
        (B, None, at(0), None),
        (C, "one.test", at(0), None),
    ], "of two with one handle the later answer has it"


async def test_rule_the_status_is_never_touched(sink: Writing) -> None:
    await sink.feed([account(A, at(0), active=False, status="takendown")])
    async with working(sink, Scripted({A: found(A, "a.test")})) as work:
        await work.until_done()
    assert await actors(sink) == [(A, "a.test", at(0), "takendown")]


@pytest.mark.parametrize(("handle", "time"), [("a.test", at(0)), (None, at(2))])
async def test_time_is_that_of_the_queue_when_the_answer_comes(sink: Writing, handle: str | None, time: str) -> None:
    """An event that comes while the hosts are asked moves it as the reference's next look-up would."""
    resolver = Scripted({A: found(A, handle)})
    resolver.go.clear()
    await ask(sink, [A])
    async with working(sink, resolver) as work:

        async def is_asked() -> bool:
            return bool(resolver.asked)

        await work.until(is_asked)
        await ask(sink, [A], 2)
        resolver.go.set()
        await work.until_done()
    assert await actors(sink) == [(A, handle, time, None)]
    assert resolver.asked == [A]


async def test_look_ups_under_way_are_bounded(sink: Writing) -> None:
    dids = [f"did:plc:{n:024}" for n in range(3 * handle_worker.WINDOW)]
    resolver = Scripted({did: found(did, f"n{n}.test") for n, did in enumerate(dids)})
    resolver.go.clear()
    await ask(sink, dids)
    async with working(sink, resolver) as work:

        async def is_full() -> bool:
            return resolver.at_once == handle_worker.WINDOW

        await work.until(is_full)
        assert work.count("handle_backlog") == len(dids)
        resolver.go.set()
        await work.until_done()
        assert work.count("look_ups_total", outcome="found") == len(dids)
    assert resolver.most_at_once == handle_worker.WINDOW
    assert sorted(resolver.asked) == dids, "each once"


async def test_no_connection_is_held_while_the_network_works(database: str) -> None:
    async with writing(database, connections=1) as sink:
        resolver = Scripted({A: found(A, "a.test")})
        resolver.go.clear()
        await ask(sink, [A])
        async with working(sink, resolver) as work:

            async def is_asked() -> bool:
                return bool(resolver.asked)

            await work.until(is_asked)
            await ask(sink, [B])  # with the only connection
            resolver.go.set()
            await work.until_done()


async def test_what_cannot_be_known_now_is_put_off(sink: Writing) -> None:
    """Nothing is written, the wait grows with the tries, and is never shorter than the host asks for."""
    resolver = Scripted({A: Deferred("rate_limited", 100.0, found(A, None)), B: Deferred("busy", 1.0)})
    await ask(sink, [A, B])
    rows: list[Any] = []
    async with working(sink, resolver) as work:
        for tries in (1, 2, 3):

            async def is_put_off(tries: int = tries) -> bool:
                query = "SELECT count(*) FROM indexer.handle_lookup WHERE attempts = $1"
                return bool(await sink.value(query, tries) == 2)

            await work.until(is_put_off)
            rows.append(
                await sink.fetch(
                    "SELECT cause, extract(epoch FROM next_at - now())::int FROM indexer.handle_lookup ORDER BY did"
                )
            )
            await due(sink)
    assert await actors(sink) == []
    assert [row[0][0] for row in rows] == ["rate_limited"] * 3
    assert all(90 < row[0][1] <= 100 for row in rows)
    assert [round(row[1][1], -1) for row in rows] == [0, 10, 20], "5, 10, 20 seconds"


async def test_outage_of_the_directory_delays_and_recovers(sink: Writing, tmp_path: Path) -> None:
    """Down, slow, 429: told once, nothing becomes NULL, and all handles come when it answers again."""
    dids = [f"did:plc:{n:024}" for n in range(20)]
    for did in dids[:10]:
        await actor(sink, did, f"old-{did[-2:]}.test", at(-48))
    short = Limits(timeout_s=0.3, dns_try_s=0.1, wait_s=0.3, directory_open_s=0.2, directory_open_most_s=0.2)
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:
        patch.setattr(handle_worker, "PAUSE_MOST_S", 0.05)
        async with StandIn().running(tmp_path) as stand_in:
            async with Resolver(**stand_in.arguments(), limits=short) as resolver, working(sink, resolver) as work:
                stand_in.directory_answer = (429, {"Retry-After": "1"})
                await ask(sink, dids)
                for _ in range(handle_worker.TROUBLE_ROUNDS + 2):
                    before = work.count("look_ups_total", outcome="put_off")

                    async def is_put_off(before: float = before) -> bool:
                        await due(sink)
                        return work.count("look_ups_total", outcome="put_off") > before

                    await work.until(is_put_off)
                assert len(await waiting(sink)) == 20
                assert all(row[1] for row in await actors(sink)), "no handle was lost"
            stand_in.directory_answer = None
            async with Resolver(**stand_in.arguments(), limits=ROOMY) as resolver, working(sink, resolver) as work:
                await due(sink)
                await work.until_done()
    assert await actors(sink) == [(did, handle_of(did), at(0), None) for did in dids]
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["look_ups_delayed"]


async def test_leaving_gives_back_what_was_taken(sink: Writing) -> None:
    resolver = Scripted()
    resolver.go.clear()
    await ask(sink, [A, B])
    async with working(sink, resolver) as work:

        async def is_asked() -> bool:
            return len(resolver.asked) == 2

        await work.until(is_asked)
        assert await sink.value("SELECT count(*) FROM indexer.handle_lookup WHERE next_at > now()") == 2
        await work.end()
    assert await sink.value("SELECT count(*) FROM indexer.handle_lookup WHERE next_at <= now()") == 2
    assert await sink.value("SELECT sum(attempts) FROM indexer.handle_lookup") == 0


async def test_two_workers_do_not_ask_twice(sink: Writing) -> None:
    dids = [f"did:plc:{n:024}" for n in range(200)]
    one, two = (Scripted({did: found(did, f"n{n}.test") for n, did in enumerate(dids)}) for _ in range(2))
    await ask(sink, dids)
    async with working(sink, one) as work, working(sink, two):
        await work.until_done()
    assert sorted(one.asked + two.asked) == dids


async def test_answer_that_somebody_else_wrote_first_is_dropped(sink: Writing) -> None:
    """A lease that ran out: both ask, the second finds the look-up done."""
    queue = HandleQueue(sink.pool, Turns(4), sink.statements)
    await ask(sink, [A])
    await queue.write({A: found(A, "new.test")})
    await queue.write({A: found(A, "old.test")})
    assert await actors(sink) == [(A, "new.test", at(0), None)]


async def test_handle_that_a_neighbour_writes_meanwhile_is_contended_again(database: str, sink: Writing) -> None:
    """A foreign indexer inserts the same handle: unique violation, and the contention rule once more."""
    await ask(sink, [A])
    theirs = f"INSERT INTO actor (did, handle, \"indexedAt\") VALUES ('{B}', 'same.test', '{at(-1)}')"
    async with neighbour(database, theirs) as other, working(sink, Scripted({A: found(A, "same.test")})) as work:
        await until_waiting(other)
        await other.execute("COMMIT")
        await work.until_done()
    assert await actors(sink) == [(A, "same.test", at(0), None), (B, None, at(-1), None)]


async def test_fault_of_one_look_up_spares_the_others(sink: Writing) -> None:
    """An exception of ours, and an answer that PostgreSQL refuses: put off alone."""
    answers = {A: RuntimeError("a bug"), B: found(B, "b\0.test"), C: found(C, "c.test")}
    await ask(sink, [A, B, C])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handle_worker, "TRIES", 1)
        async with working(sink, Scripted(answers)) as work:

            async def is_settled() -> bool:
                causes = await sink.fetch("SELECT cause FROM indexer.handle_lookup")
                return [row[0] for row in causes] == ["local", "local"]

            await work.until(is_settled)
    assert await actors(sink) == [(C, "c.test", at(0), None)]


async def test_refused_cache_is_counted_and_nothing_more(sink: Writing, tmp_path: Path) -> None:
    class Full:
        refused = 0

        async def write(self, *_: object) -> str:
            self.refused += 1
            return "refused"

        delete = write

    cache: Any = Full()
    async with StandIn().running(tmp_path) as stand_in:
        arguments = stand_in.arguments()
        async with Resolver(**arguments, limits=ROOMY, cache=cache) as resolver, working(sink, resolver, cache) as work:
            await ask(sink, [A])
            await work.until_done()
            assert work.count("did_cache_refused_total") == 1
    assert await actors(sink) == [(A, handle_of(A), at(0), None)]


@pytest.mark.timeout(120)
async def test_workers_and_batches_never_wait_in_a_circle(database: str, sink: Writing) -> None:
    """Events of the same accounts while their look-ups are written, handles changing hands."""
    dids = [f"did:plc:{n:024}" for n in range(60)]

    class Shifting(Scripted):
        async def look_up(self, did: str) -> Any:
            return found(did, f"n{(int(did[-3:]) + time.monotonic_ns()) % 20}.test")

    async def feed(into: Writing, first: int) -> None:
        for hour in range(first, first + 400, 40):
            events = [identity(did, at(hour)) for did in dids]
            events += [account(did, at(hour), active=False, status="suspended") for did in dids]
            await into.feed(events, 30)

    async with (
        writing(database, stream="firehose_backfill") as other,
        working(sink, Shifting()) as work,
        working(other, Shifting()),
    ):
        await asyncio.gather(feed(sink, 0), feed(other, 20))
        await work.until_done()
    assert await deadlocks(database) == 0
    assert len(await actors(sink)) == len(dids)
    assert await sink.value("SELECT count(DISTINCT handle) = count(handle) FROM actor")
