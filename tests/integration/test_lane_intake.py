"""Lanes on real streams under a rate, a number of messages and a pause: nothing more is delivered than was given."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from indexer._native import Event
from indexer.lane.decoding import decode
from indexer.lane.intake import Intake
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import Source
from indexer.metrics import Metrics
from indexer.sink.commit import Sink
from tests.integration.test_source_lane import Recorder, end, others
from tests.messages import A, create, post, post_uri

STREAMS, GROUP = ("s1", "s2", "s3"), "firehose_group"


class Clock:
    """Stands still unless it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Sinks(Recorder):
    """What the lanes ask of it."""

    waits_for: str | None = None


class Lanes:
    """Three of them, with one intake."""

    def __init__(self, redis: "Redis", intake: Intake) -> None:
        self.intake = intake
        self.sinks = [Sinks() for _ in STREAMS]
        metrics = Metrics(STREAMS)
        self.lanes: list[Lane[Event]] = [
            Lane(
                Source(redis, stream, GROUP, "one", 10), cast(Sink, sink), LaneMetrics(metrics, stream), decode,
                intake=intake,
            )
            for stream, sink in zip(STREAMS, self.sinks, strict=True)
        ]  # fmt: skip
        self.stop = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, *, drain: bool = False) -> None:
        self.tasks = [asyncio.create_task(lane.run(self.stop, drain=drain)) for lane in self.lanes]

    @property
    def seen(self) -> int:
        return sum(len(sink.seen) + len(sink.letters) for sink in self.sinks)

    async def quiet(self) -> None:
        """Return when the lanes have had ample time to read what they may, and hold nothing."""
        seen, same = -1, 0
        while same < 8:
            await asyncio.sleep(0.05)
            same = same + 1 if self.seen == seen and not any(lane.in_hand for lane in self.lanes) else 0
            seen = self.seen

    async def end(self) -> None:
        self.stop.set()
        await asyncio.gather(*self.tasks)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    client = Redis.from_url(redis_url, protocol=2)
    yield client
    await end(others())
    await client.aclose()


async def fill(redis: "Redis", stream: str, number: int) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for n in range(number):
            pipeline.xadd(stream, {b"event": create(post_uri(A, f"{stream}x{n}"), post())})
        await pipeline.execute()


async def delivered(redis: "Redis") -> int:
    total = 0
    for stream in STREAMS:
        for group in cast(Any, await redis.xinfo_groups(stream)):
            total += group["entries-read"] or 0
    return total


async def test_no_more_is_read_than_the_clock_allows_whichever_streams_have_something(redis: "Redis") -> None:
    clock = Clock()
    lanes = Lanes(redis, Intake(rate=30, clock=clock))
    await fill(redis, "s1", 100)
    await fill(redis, "s3", 100)
    lanes.start()
    await lanes.quiet()
    assert await delivered(redis) == 0
    for seconds, total in ((0.5, 15), (1, 45), (60, 75), (0.5, 90)):
        clock.now += seconds
        await lanes.quiet()
        assert await delivered(redis) == lanes.seen == total
    lanes.intake.limit(None)
    await lanes.quiet()
    assert lanes.seen == 200
    await lanes.end()


async def test_number_is_exact_and_counts_what_is_pending(redis: "Redis") -> None:
    for stream in STREAMS:
        await fill(redis, stream, 50)
    before = Source(redis, "s1", GROUP, "one", 10)
    await before.ensure_group()
    await before.new(None, 15)
    lanes = Lanes(redis, Intake(most=73))
    lanes.start()
    await asyncio.gather(*lanes.tasks)
    assert lanes.seen == 73
    pending: Any = [await redis.xpending(stream, GROUP) for stream in STREAMS]
    left = sum(one["pending"] for one in pending)
    assert await delivered(redis) == 73 + left, "what was pending before is all that is left"
    assert left in range(16)


async def test_reply_that_is_lost_does_not_make_it_more(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """The entries are delivered, and nobody got them: they are found among the pending ones, and count."""
    await fill(redis, "s1", 30)
    await fill(redis, "s2", 30)
    new, cuts = Source.new, iter([True, True])

    async def cut(self: Source, block_ms: int | None = None, count: int | None = None) -> Any:
        found = await new(self, block_ms, count)
        if next(cuts, False) if found else False:
            raise RedisConnectionError("cut by a test")
        return found

    monkeypatch.setattr(Source, "new", cut)
    lanes = Lanes(redis, Intake(most=25))
    lanes.start()
    await asyncio.gather(*lanes.tasks)
    assert lanes.seen == await delivered(redis) == 25
    assert next(cuts, None) is None


async def test_paused_lanes_finish_what_they_hold_and_read_nothing(redis: "Redis") -> None:
    lanes, hold = Lanes(redis, Intake()), asyncio.Event()
    lanes.sinks[0].before = hold.wait
    await fill(redis, "s1", 25)
    lanes.start()
    while not lanes.sinks[0].batches:
        await asyncio.sleep(0.01)
    lanes.intake.pause(paused=True)
    assert lanes.lanes[0].state == "working"
    hold.set()
    while any(lane.state != "paused" for lane in lanes.lanes):
        await asyncio.sleep(0.01)
    assert lanes.intake.is_at_rest
    read = await delivered(redis)
    assert read == lanes.seen
    for stream in STREAMS:
        await fill(redis, stream, 5)
    await lanes.quiet()
    assert await delivered(redis) == read
    lanes.intake.pause(paused=False)
    await lanes.quiet()
    assert lanes.seen == 40
    await lanes.end()
