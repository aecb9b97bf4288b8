"""A lane on a real stream: in which order messages reach the sink, and that none is acknowledged before."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from indexer._native import Event
from indexer.configuration.criteria import criteria
from indexer.lane.budget import Budget
from indexer.lane.decoding import decode
from indexer.lane.intake import Intake
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import Source
from indexer.metrics import Metrics
from indexer.sink.commit import Sink
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Entry, HaltedError, Outcome
from tests.integration.writing import writing
from tests.messages import A, create, post, post_uri

STREAM, GROUP = "firehose_live", "firehose_group"


class Recorder:
    """A sink that writes nothing: it remembers, and does what a test tells it to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        """The record keys of each batch."""
        self.letters: list[str] = []
        self.before: Callable[[], Any] | None = None
        self.after: Callable[[], Coroutine[Any, Any, None]] | None = None

    async def write(self, entries: Sequence[Entry[Event]], letters: Sequence[DeadLetter]) -> Outcome:
        self.batches.append([entry.event.rkey or "" for entry in entries])
        self.letters += [letter.cause for letter in letters]
        if self.before is not None:
            await self.before()
        rest = None if self.after is None else asyncio.create_task(self.after())
        return Outcome(indexed=len(entries), rest=rest)

    @property
    def seen(self) -> list[str]:
        return [rkey for batch in self.batches for rkey in batch]


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    client = Redis.from_url(redis_url, protocol=2)
    yield client
    await end(others())
    await client.aclose()


def others() -> "set[asyncio.Task[Any]]":
    """The tasks that run beside the caller's."""
    return asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}


async def end(tasks: "set[asyncio.Task[Any]]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics((STREAM,))


def lane(redis: "Redis", sink: object, metrics: Metrics, consumer: str = "one", count: int = 10) -> Lane[Event]:
    source = Source(redis, STREAM, GROUP, consumer, count)
    return Lane(source, cast(Sink, sink), LaneMetrics(metrics, STREAM), decode)


async def add(redis: "Redis", *rkeys: str) -> list[bytes]:
    payloads = [create(post_uri(A, rkey), post()) for rkey in rkeys]
    return [cast(bytes, await redis.xadd(STREAM, {b"event": payload})) for payload in payloads]


async def deliver(redis: "Redis", consumer: str, count: int) -> None:
    """Give the next entries to a consumer that dies with them."""
    source = Source(redis, STREAM, GROUP, consumer, count)
    await source.ensure_group()
    await source.new(block_ms=10)


async def state(redis: "Redis") -> tuple[int, int]:
    summary: Any = await redis.xpending(STREAM, GROUP)
    return await redis.xlen(STREAM), summary["pending"]


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, {"stream": STREAM, **labels}) or 0.0


async def test_own_pending_entries_come_first_and_all_in_stream_order(redis: "Redis", metrics: Metrics) -> None:
    rkeys = [f"k{n:02}" for n in range(45)]
    await add(redis, *rkeys[:25])
    await deliver(redis, "one", 23)
    await add(redis, *rkeys[25:])
    sink = Recorder()
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert sink.seen == rkeys
    assert max(len(batch) for batch in sink.batches) == 10
    assert await state(redis) == (0, 0)


async def test_entries_of_others_are_not_awaited(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, "a", "b")
    await deliver(redis, "two", 1)
    sink = Recorder()
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert sink.seen == ["b"]
    assert await state(redis) == (1, 1)


async def test_poison_among_the_pending_entries_does_not_hold_up_the_new_ones(
    database: str, redis: "Redis", metrics: Metrics
) -> None:
    """Lessons L-28."""
    await redis.xadd(STREAM, {b"event": b"{poison"})
    await deliver(redis, "one", 1)
    await add(redis, *(f"k{n}" for n in range(100)))
    async with writing(database) as sink:
        await lane(redis, sink.sink, metrics).run(asyncio.Event(), drain=True)
        assert await sink.value("SELECT count(*) FROM post") == 100
        assert await sink.value("SELECT cause FROM indexer.dead_letter") == "not_json"
    assert await state(redis) == (0, 0)


async def test_vanished_and_empty_entries_are_acknowledged_and_counted(redis: "Redis", metrics: Metrics) -> None:
    (gone,) = await add(redis, "gone")
    await redis.xadd(STREAM, {b"labels": b"x"})
    await redis.xadd(STREAM, {b"event": b""})
    await redis.xadd(STREAM, {b"event": b"null"})
    await deliver(redis, "one", 4)
    await redis.xdel(STREAM, gone)
    await add(redis, "kept")
    sink = Recorder()
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert sink.seen == ["kept"]
    assert sink.letters == []
    assert await state(redis) == (0, 0)
    assert sample(metrics, "indexer_ignored_total", reason="vanished") == 1
    assert sample(metrics, "indexer_ignored_total", reason="empty") == 3
    assert sample(metrics, "indexer_messages_total", outcome="ignored") == 4
    assert sample(metrics, "indexer_messages_total", outcome="indexed") == 1


async def test_nothing_is_acknowledged_before_the_commit(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, "a", "b")
    sink, inside, go_on = Recorder(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    sink.before = hold
    running = asyncio.create_task(lane(redis, sink, metrics).run(asyncio.Event(), drain=True))
    await inside.wait()
    assert await state(redis) == (2, 2)
    assert sample(metrics, "indexer_messages_total", outcome="indexed") == 0
    go_on.set()
    await running
    assert await state(redis) == (0, 0)
    assert sample(metrics, "indexer_messages_total", outcome="indexed") == 2


async def test_dead_letters_are_kept_before_their_acknowledgement(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.xadd(STREAM, {b"event": b"{poison"})
    sink, settle, kept = Recorder(), Source.settle, list[list[str]]()

    async def watched(self: Source, ids: Sequence[bytes]) -> int:
        kept.append(sink.letters.copy())
        return await settle(self, ids)

    monkeypatch.setattr(Source, "settle", watched)
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert kept == [["not_json"]]


async def test_next_batch_is_written_while_the_rest_of_the_one_before_is_done(redis: "Redis", metrics: Metrics) -> None:
    """And nothing is acknowledged before its rest is done."""
    await add(redis, "a", "b", "c")
    sink, go_on = Recorder(), asyncio.Event()

    async def hold() -> None:
        await go_on.wait()

    sink.after = hold
    running = asyncio.create_task(lane(redis, sink, metrics, count=1).run(asyncio.Event(), drain=True))
    while len(sink.batches) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert sink.batches == [["a"], ["b"]], "but no more than one"
    assert await state(redis) == (3, 3)
    go_on.set()
    await running
    assert sink.batches == [["a"], ["b"], ["c"]]
    assert await state(redis) == (0, 0)


async def test_rest_that_fails_halts_the_lane(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, "a", "b", "c")

    async def fail() -> None:
        raise HaltedError("refused by a test")

    sink = Recorder()
    sink.after = fail
    halted = lane(redis, sink, metrics, count=1)
    await halted.run(asyncio.Event(), drain=True)
    assert "refused by a test" in (halted.halted or "")
    assert (await state(redis))[0] == 3


async def test_halted_lane_acknowledges_nothing_and_says_why(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, "a", "b")

    async def fail() -> None:
        raise HaltedError("refused by a test")

    sink = Recorder()
    sink.before = fail
    halted = lane(redis, sink, metrics)
    await halted.run(asyncio.Event(), drain=True)
    assert "refused by a test" in (halted.halted or "")
    assert await state(redis) == (2, 2)


async def test_batch_after_a_failed_one_is_not_begun(redis: "Redis", metrics: Metrics) -> None:
    """It may say more of the same records."""
    await add(redis, *(f"k{n}" for n in range(5)))

    async def fail() -> None:
        raise HaltedError("refused by a test")

    sink = Recorder()
    sink.before = fail
    await lane(redis, sink, metrics, count=1).run(asyncio.Event(), drain=True)
    assert sink.batches == [["k0"]]


async def test_too_many_dead_letters_halt_the_lane_and_their_batch_is_kept(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.lane.sliding_window.FEWEST_MESSAGES", 3)
    for _ in range(4):
        await redis.xadd(STREAM, {b"event": b"{poison"})
    source = Source(redis, STREAM, GROUP, "one", 2)
    broken = Lane(source, cast(Sink, Recorder()), LaneMetrics(metrics, STREAM), decode, dead_letter_limit=5.0)
    await broken.run(asyncio.Event(), drain=True)
    assert "4 of the last 4 messages became dead letters" in (broken.halted or "")
    assert (await state(redis))[0] == 2


async def test_budget_that_is_passed_ends_the_lane_where_the_breaker_would_halt_it(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.lane.sliding_window.FEWEST_MESSAGES", 3)
    for _ in range(10):
        await redis.xadd(STREAM, {b"event": b"{poison"})
    intake, allowed = Intake(), criteria("dead>3")
    assert allowed is not None
    budget = Budget(allowed, intake.close)
    source = Source(redis, STREAM, GROUP, "one", 2)
    ending = Lane(source, cast(Sink, Recorder()), LaneMetrics(metrics, STREAM), decode, 5.0, intake)
    ending.listen(budget)
    await ending.run(asyncio.Event(), drain=False)
    assert budget.passed is not None
    assert ending.halted is None
    length, pending = await state(redis)
    assert (length < 10, pending) == (True, 0)


async def test_halted_lane_leaves_no_reader_behind(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, *(f"k{n}" for n in range(5)))

    async def fail() -> None:
        await asyncio.sleep(0.2)  # until the next batch waits
        raise HaltedError("refused by a test")

    sink, before = Recorder(), others()
    sink.before = fail
    await lane(redis, sink, metrics, count=1).run(asyncio.Event(), drain=True)
    await asyncio.sleep(0.1)
    assert others() == before


async def test_stop_finishes_what_was_read_and_reads_no_more(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, *(f"k{n}" for n in range(100)))
    stop, sink = asyncio.Event(), Recorder()

    async def ask() -> None:
        stop.set()

    sink.before = ask
    await lane(redis, sink, metrics, count=5).run(stop, drain=False)
    left, pending = await state(redis)
    assert left == 100 - len(sink.seen) > 70
    assert pending == 0
    assert sink.seen == [f"k{n}" for n in range(len(sink.seen))]


async def test_messages_that_come_while_it_runs_are_read(redis: "Redis", metrics: Metrics) -> None:
    stop, sink = asyncio.Event(), Recorder()
    running = asyncio.create_task(lane(redis, sink, metrics).run(stop, drain=False))
    for rkey in ("a", "b", "c"):
        await add(redis, rkey)
        while True:
            if rkey in sink.seen:
                break
            await asyncio.sleep(0.01)
    stop.set()
    await running
    assert sink.seen == ["a", "b", "c"]
    assert await state(redis) == (0, 0)


async def test_acknowledgement_that_fails_is_tried_again_and_nothing_comes_twice(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(redis, "a", "b", "c")
    settle, failures = Source.settle, iter([ConnectionError("gone"), TimeoutError("slow")])

    async def flaky(self: Source, ids: Sequence[bytes]) -> int:
        if failure := next(failures, None):
            raise failure
        return await settle(self, ids)

    monkeypatch.setattr(Source, "settle", flaky)
    sink = Recorder()
    await lane(redis, sink, metrics, count=1).run(asyncio.Event(), drain=True)
    assert sink.seen == ["a", "b", "c"]
    assert await state(redis) == (0, 0)


async def test_reply_that_was_lost_on_the_way_is_read_again(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server delivered entries, the connection broke before they arrived: they are pending, and nobody has them."""
    await add(redis, *(f"k{n}" for n in range(6)))
    new, lost = Source.new, iter([True])

    async def lossy(self: Source, block_ms: int = 1000) -> Any:
        messages = await new(self, block_ms)
        if next(lost, False):
            raise ConnectionError("gone")
        return messages

    monkeypatch.setattr(Source, "new", lossy)
    sink = Recorder()
    await lane(redis, sink, metrics, count=4).run(asyncio.Event(), drain=True)
    assert sink.seen == [f"k{n}" for n in range(6)]
    assert await state(redis) == (0, 0)


@pytest.mark.parametrize("answer", ["NOGROUP it is gone", "UNBLOCKED the stream key no longer exists"])
async def test_group_that_is_gone_is_told_and_made_again(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Redis before 7.2 gives the second answer to a read that waits while the stream is deleted."""
    new, once = Source.new, iter([True])

    async def gone(self: Source, block_ms: int = 1000) -> Any:
        if next(once, False):
            await redis.flushdb()
            await add(redis, "a")
            raise ResponseError(answer)
        return await new(self, block_ms)

    monkeypatch.setattr(Source, "new", gone)
    sink = Recorder()
    running, stop = lane(redis, sink, metrics), asyncio.Event()
    task = asyncio.create_task(running.run(stop, drain=False))
    while not sink.seen and not running.halted:
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert running.halted is None
    assert sink.seen == ["a"]
    assert sample(metrics, "indexer_groups_lost_total") == 1


async def test_messages_that_somebody_else_acknowledged_are_counted(redis: "Redis", metrics: Metrics) -> None:
    ids = await add(redis, "a", "b", "c")
    sink = Recorder()

    async def meanwhile() -> None:
        await redis.xack(STREAM, GROUP, ids[1])

    sink.before = meanwhile
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert sample(metrics, "indexer_acknowledged_elsewhere_total") == 1
    assert sample(metrics, "indexer_messages_total", outcome="indexed") == 3
    assert await state(redis) == (0, 0)


async def test_what_is_given_to_the_consumer_while_it_runs_is_read_when_it_is_told(
    redis: "Redis", metrics: Metrics
) -> None:
    await add(redis, "a", "b")
    await deliver(redis, "two", 2)
    sink, stop = Recorder(), asyncio.Event()
    running = lane(redis, sink, metrics)
    task = asyncio.create_task(running.run(stop, drain=False))
    while running.look_back:
        await asyncio.sleep(0.01)
    ids: Any = [id_ for id_, _ in cast(Any, await redis.xrange(STREAM))]
    await redis.xclaim(STREAM, GROUP, "one", 0, ids, justid=True)
    running.look_back = True
    while len(sink.seen) < 2:
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert sink.seen == ["a", "b"]
    assert await state(redis) == (0, 0)


async def test_what_is_in_hand_is_not_read_again_by_a_look_back(redis: "Redis", metrics: Metrics) -> None:
    await add(redis, "a")
    sink, inside, go_on = Recorder(), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    sink.before = hold
    running = lane(redis, sink, metrics)
    task = asyncio.create_task(running.run(asyncio.Event(), drain=True))
    await inside.wait()
    running.look_back = True
    while running.look_back:
        await asyncio.sleep(0.01)
    await add(redis, "b")  # read after the look
    while (await state(redis))[1] < 2:
        await asyncio.sleep(0.01)
    go_on.set()
    await task
    assert sink.seen == ["a", "b"]
    assert await state(redis) == (0, 0)


@pytest.mark.timeout(20)
async def test_what_is_claimed_during_a_look_back_is_not_forgotten(
    redis: "Redis", metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.lane.pipeline.LOOK_AGAIN_S", float("inf"))
    await add(redis, "a", "b")
    await deliver(redis, "one", 1)
    await deliver(redis, "two", 1)
    sink, stop = Recorder(), asyncio.Event()
    running, once = lane(redis, sink, metrics), iter([True])
    own_pending = Source.own_pending

    async def claimed_meanwhile(self: Source, allowed: Any) -> AsyncIterator[Any]:
        async for page in own_pending(self, allowed):
            yield page
        if next(once, False):
            ids: Any = [id_ for id_, _ in cast(Any, await redis.xrange(STREAM))]
            await redis.xclaim(STREAM, GROUP, "one", 0, ids[-1:], justid=True)
            running.look_back = True

    monkeypatch.setattr(Source, "own_pending", claimed_meanwhile)
    task = asyncio.create_task(running.run(stop, drain=False))
    while len(sink.seen) < 2:
        await asyncio.sleep(0.01)
    stop.set()
    await task
    assert sink.seen == ["a", "b"]


async def test_what_a_predecessor_under_the_same_name_read_meanwhile_is_found(redis: "Redis", metrics: Metrics) -> None:
    """It was stopped, and did not know yet that its name had gone to this one: `--drain` leaves nothing pending."""
    await add(redis, "a")
    sink = Recorder()

    async def read_beside() -> None:
        sink.before = None
        async with redis.pipeline(transaction=True) as pipeline:  # or the lane, which waits for news, would get it
            pipeline.xadd(STREAM, {b"event": create(post_uri(A, "b"), post())})
            pipeline.xreadgroup(GROUP, "one", {STREAM: ">"})
            await pipeline.execute()

    sink.before = read_beside
    await lane(redis, sink, metrics).run(asyncio.Event(), drain=True)
    assert sink.seen == ["a", "b"]
    assert await state(redis) == (0, 0)
