"""What dead consumers hold is taken over and processed; the living keep what is theirs (P3, P4, P9, P14).

The dead and the living are plain clients of Redis, as TypeScript indexers are to us. Their times are scaled: what takes
ten minutes there, takes `IDLE_MS` here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from indexer import pulse
from indexer.connections.database import Pool, open_pool
from indexer.daemon import supervision
from indexer.lane import adoption, pending
from indexer.lane.adoption import Adopter
from indexer.lane.decoding import decode, decode_labels
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import Source
from indexer.metrics import Metrics
from tests.integration.test_source_lane import Recorder, add, deliver, redis, state
from tests.integration.writing import writing
from tests.messages import label, label_message

__all__ = ["redis"]  # the fixture

STREAM, GROUP = "firehose_live", "firehose_group"
IDLE_MS = 400


@pytest.fixture
async def pool(database: str) -> AsyncIterator["Pool"]:
    pool = await open_pool(database, "one", 1, 4, None)
    yield pool
    await pool.close()


class Instance:
    """A lane with somebody who takes over for it, as in the daemon."""

    def __init__(
        self, pool: "Pool", redis: "Redis", consumer: str = "one", sink: Any = None, *, is_label: bool = False
    ) -> None:
        self.stream, group = ("label_live", "label_group") if is_label else (STREAM, GROUP)
        self.sink: Any = sink or Recorder()
        self.metrics = Metrics((self.stream,))
        source = Source(redis, self.stream, group, consumer, 10)
        lane: Any = Lane  # of events or labels
        self.lane: Lane[Any] = lane(
            source, self.sink, LaneMetrics(self.metrics, self.stream), decode_labels if is_label else decode
        )
        self.adopter = Adopter(pool, redis, [self.lane], IDLE_MS)
        self.stop = asyncio.Event()

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, {"stream": self.stream, **labels}) or 0.0

    @property
    def claimed(self) -> float:
        return sum(self.counted("indexer_claimed_total", reason=reason) for reason in ("lease", "idle"))


@asynccontextmanager
async def running(*instances: Instance) -> AsyncIterator[None]:
    work = [one.lane.run(one.stop, drain=False) for one in instances]
    work += [one.adopter.run(one.stop) for one in instances]
    tasks = [asyncio.create_task(one) for one in work]
    for task in tasks:
        task.add_done_callback(_end_test(cast("asyncio.Task[Any]", asyncio.current_task())))
    try:
        yield
    finally:
        await supervision.ended(tasks)


def _end_test(test: "asyncio.Task[Any]") -> Callable[["asyncio.Task[Any]"], None]:
    def ended(task: "asyncio.Task[Any]") -> None:
        if not task.cancelled() and task.exception() is not None:
            test.cancel(repr(task.exception()))

    return ended


async def until(fact: Callable[[], Any]) -> None:
    while not fact():
        await asyncio.sleep(0.01)


async def until_drained(redis: "Redis") -> None:
    while await state(redis) != (0, 0):
        await asyncio.sleep(0.02)


async def read(redis: "Redis", consumer: str, count: int = 100) -> list[bytes]:
    """As a TypeScript consumer reads what is new."""
    found: Any = await redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=count)
    return [id_ for _, entries in found for id_, _ in entries]


async def settle(redis: "Redis", *ids: bytes) -> None:
    await redis.xack(STREAM, GROUP, *ids)
    await redis.xdel(STREAM, *ids)


async def owners(redis: "Redis") -> dict[str, int]:
    found = await redis.xinfo_consumers(STREAM, GROUP)
    return {one["name"].decode(): one["pending"] for one in found if one["pending"]}


async def lease(pool: "Pool", consumer: str, seconds: float) -> None:
    await pool.execute(
        "INSERT INTO indexer.lease VALUES ($1, gen_random_uuid(), 'there', 1, now(), now() + $2 * interval '1 second')",
        consumer,
        seconds,
    )


async def test_what_a_dead_consumer_holds_is_processed(
    database: str, pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3."""
    monkeypatch.setattr("indexer.lane.pipeline.LOOK_AGAIN_S", float("inf"))  # the lane must be told
    await add(redis, *(f"k{n}" for n in range(40)))
    await deliver(redis, "typescript", 30)
    async with writing(database) as sink:
        one = Instance(pool, redis, sink=sink.sink)
        with capture_logs() as lines:
            async with running(one):
                await until_drained(redis)
        assert await sink.value("SELECT count(*) FROM post") == 40
    assert one.counted("indexer_claimed_total", reason="idle") == 30
    assert one.counted("indexer_messages_total", outcome="indexed") == 40
    (line,) = [line for line in lines if line["event"] == "consumer_adopted"]
    assert (line["consumer"], line["reason"], line["entries"]) == ("typescript", "idle", 30)


async def test_what_is_claimed_is_not_acknowledged_before_the_commit(pool: "Pool", redis: "Redis") -> None:
    await add(redis, "a", "b")
    await deliver(redis, "typescript", 2)
    one, inside, go_on = Instance(pool, redis), asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        inside.set()
        await go_on.wait()

    one.sink.before = hold
    async with running(one):
        await inside.wait()
        assert await state(redis) == (2, 2)
        assert await owners(redis) == {"one": 2}
        go_on.set()
        await until_drained(redis)
    assert one.sink.seen == ["a", "b"]


async def test_many_entries_are_claimed_in_portions(
    pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "PORTION", 15)
    await add(redis, *(f"k{n:02}" for n in range(50)))
    await deliver(redis, "typescript", 50)
    one, most = Instance(pool, redis), 0

    async def look() -> None:
        nonlocal most
        most = max(most, (await owners(redis)).get("one", 0))

    one.sink.before = look
    async with running(one):
        await until_drained(redis)
    assert most == 15
    assert one.sink.seen == [f"k{n:02}" for n in range(50)]


async def test_living_consumer_that_reads_is_left_alone(pool: "Pool", redis: "Redis") -> None:
    """P4: it acknowledges nothing, as TypeScript does with messages that fail."""
    await add(redis, *(f"k{n}" for n in range(20)))
    await deliver(redis, "typescript", 20)
    one = Instance(pool, redis)
    async with running(one):
        for n in range(20):
            await asyncio.sleep(IDLE_MS / 5000)
            one.stop.set() if n == 19 else None
            await redis.xreadgroup(GROUP, "typescript", {STREAM: "0"}, count=1)
    assert one.claimed == 0
    assert await owners(redis) == {"typescript": 20}


async def test_living_consumer_that_works_slowly_at_a_batch_is_left_alone(pool: "Pool", redis: "Redis") -> None:
    """P4: it read once, long ago, and acknowledges an entry now and then."""
    await add(redis, *(f"k{n}" for n in range(20)))
    source = Source(redis, STREAM, GROUP, "typescript", 20)
    await source.ensure_group()
    ids = await read(redis, "typescript")
    one = Instance(pool, redis)
    async with running(one):
        for id_ in ids[:12]:
            await asyncio.sleep(IDLE_MS / 2000)
            await settle(redis, id_)
    assert one.claimed == 0
    assert await owners(redis) == {"typescript": 8}


async def test_consumer_of_ours_is_alive_as_long_as_its_lease(pool: "Pool", redis: "Redis") -> None:
    await add(redis, "a", "b")
    await deliver(redis, "two", 2)
    await lease(pool, "two", 3600)
    one = Instance(pool, redis)
    async with running(one):
        await asyncio.sleep(4 * IDLE_MS / 1000)
        assert one.claimed == 0
        assert await owners(redis) == {"two": 2}
        await pool.execute("UPDATE indexer.lease SET expires_at = now()")
        await until_drained(redis)
    assert (
        one.counted("indexer_claimed_total", reason="lease") + one.counted("indexer_claimed_total", reason="idle") == 2
    )
    assert one.sink.seen == ["a", "b"]


async def test_consumer_of_ours_need_not_be_idle_for_long(pool: "Pool", redis: "Redis") -> None:
    """The lease says that it is dead; the time that others get does not matter."""
    await add(redis, "a", "b")
    await deliver(redis, "two", 2)
    await lease(pool, "two", 0)
    one = Instance(pool, redis)
    one.adopter = Adopter(pool, redis, [one.lane], 3_600_000)
    one.adopter._look_s = 0.05
    one.adopter._groups[0].liveness._restart_s = 0.3
    async with running(one):
        await until_drained(redis)
    assert one.counted("indexer_claimed_total", reason="lease") == 2


async def test_instances_that_take_over_together_share_and_process_nothing_twice(
    pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adoption, "PORTION", 10)
    rkeys = [f"k{n:03}" for n in range(200)]
    await add(redis, *rkeys)
    await Source(redis, STREAM, GROUP, "typescript", 1).ensure_group()
    assert len(await read(redis, "typescript", 200)) == 200
    clients = [Redis.from_url(url_of(redis), protocol=2) for _ in range(3)]
    instances = [Instance(pool, client, f"ours-{n}") for n, client in enumerate(clients)]
    for one in instances:
        await lease(pool, one.lane.source.consumer, 3600)
    async with running(*instances):
        await until_drained(redis)
    assert sorted(rkey for one in instances for rkey in one.sink.seen) == rkeys
    assert sum(one.claimed for one in instances) == 200
    for client in clients:
        await client.aclose()


def url_of(redis: "Redis") -> str:
    options = redis.connection_pool.connection_kwargs
    return f"unix://{options['path']}" if "path" in options else f"redis://{options['host']}:{options['port']}"


async def test_what_a_neighbour_claimed_first_stays_his(
    pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look at the list and our claim: the entries have just been given to him."""
    await add(redis, "a", "b", "c")
    await deliver(redis, "typescript", 3)
    held = pending.held

    async def late(redis: "Redis", *arguments: Any, **options: Any) -> list[bytes]:
        ids = await held(redis, *arguments, **options)
        await redis.xclaim(STREAM, GROUP, "neighbour", 0, cast("list[Any]", ids[:2]), justid=True)
        return ids

    monkeypatch.setattr(adoption, "held", late)
    one = Instance(pool, redis)
    async with running(one):
        await until(lambda: one.sink.seen)
        one.stop.set()
    assert one.sink.seen == ["c"]
    assert await owners(redis) == {"neighbour": 2}


async def test_entries_without_a_body_are_acknowledged_and_counted_exactly(pool: "Pool", redis: "Redis") -> None:
    """P9: deleted under a dead consumer, as the Rust indexer's trimming does."""
    ids = await add(redis, *(f"k{n:02}" for n in range(60)))
    await deliver(redis, "typescript", 60)
    await redis.xdel(STREAM, *ids[5:35])
    instances = [Instance(pool, redis, name) for name in ("one", "two")]
    for consumer, seconds in (("typescript", 0), ("one", 3600), ("two", 3600)):
        await lease(pool, consumer, seconds)
    with capture_logs() as lines:
        async with running(*instances):
            await until_drained(redis)
    vanished = sum(one.counted("indexer_ignored_total", reason="vanished") for one in instances)
    assert vanished == 30
    assert sum(one.counted("indexer_messages_total", outcome="ignored") for one in instances) == 30
    assert sum(one.claimed for one in instances) == 30
    told = [line for line in lines if line["event"] == "entries_vanished"]
    assert sum(line["number"] for line in told) == 30
    assert ids[5].decode() in {id_ for line in told for id_ in line["ids"]}


async def test_entries_without_a_body_are_told_to_one_of_two_who_look(redis: "Redis") -> None:
    ids = await add(redis, *(f"k{n:02}" for n in range(50)))
    await deliver(redis, "typescript", 50)
    await redis.xdel(STREAM, *ids[:30])
    looks = [pending.acknowledge_vanished(redis, STREAM, GROUP, ids) for _ in range(3)]
    told = [id_ for found in await asyncio.gather(*looks) for id_ in found]
    assert sorted(told) == sorted(ids[:30])
    assert await state(redis) == (20, 20)


async def test_labels_are_taken_over_in_their_group(pool: "Pool", redis: "Redis") -> None:
    for n in range(3):
        await redis.xadd("label_live", {"event": label_message(label(val=str(n)))})
    await redis.xgroup_create("label_live", "label_group", "0")
    await redis.xreadgroup("label_group", "typescript", {"label_live": ">"})
    letters: list[str] = []

    class Labels(Recorder):
        async def write(self, entries: Sequence[Any], letters_: Sequence[Any]) -> Any:
            letters.extend(one[3] for entry in entries for one in entry.event)
            return await Recorder.write(self, [], letters_)

    one = Instance(pool, redis, sink=Labels(), is_label=True)
    async with running(one):
        while await redis.xlen("label_live"):
            await asyncio.sleep(0.02)
    assert letters == ["0", "1", "2"]


async def test_claim_whose_answer_is_lost_is_processed(
    pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(redis, "a", "b")
    await deliver(redis, "typescript", 2)
    claim, lost = pending.claim, iter([True])

    async def lossy(*arguments: Any) -> list[bytes]:
        claimed = await claim(*arguments)
        if next(lost, False):
            raise ConnectionError("gone")
        return claimed

    monkeypatch.setattr(adoption, "claim", lossy)
    one = Instance(pool, redis)
    async with running(one):
        await until_drained(redis)
    assert one.sink.seen == ["a", "b"]


async def test_who_is_to_stop_claims_nothing_more(pool: "Pool", redis: "Redis") -> None:
    await add(redis, "a")
    await deliver(redis, "typescript", 1)
    one = Instance(pool, redis)
    one.stop.set()
    task = asyncio.create_task(one.adopter.run(one.stop))
    await asyncio.sleep(3 * IDLE_MS / 1000)
    task.cancel()
    assert await owners(redis) == {"typescript": 1}


async def test_who_is_to_stop_counts_as_alive(pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as the lanes take to finish."""
    monkeypatch.setattr(supervision, "TICK_S", 0.1)
    monkeypatch.setattr(pulse, "STILL_S", 1.0)
    one = Instance(pool, redis)
    one.stop.set()
    with supervision.Supervisor() as supervisor:
        supervisor.start(one.adopter.run(one.stop), "adoption")
        finished = asyncio.create_task(asyncio.sleep(2))
        assert await supervisor.first({finished}) == {finished}
        await supervision.ended(supervisor.tasks)


async def test_halted_lane_claims_nothing(pool: "Pool", redis: "Redis") -> None:
    await add(redis, "a")
    await deliver(redis, "typescript", 1)
    one = Instance(pool, redis)
    one.lane.halted = "for a test"
    task = asyncio.create_task(one.adopter.run(one.stop))
    await asyncio.sleep(3 * IDLE_MS / 1000)
    task.cancel()
    assert await owners(redis) == {"typescript": 1}


async def test_paused_lane_claims_nothing(pool: "Pool", redis: "Redis") -> None:
    await add(redis, "a")
    await deliver(redis, "typescript", 1)
    one = Instance(pool, redis)
    one.lane._intake.pause(paused=True)
    task = asyncio.create_task(one.adopter.run(one.stop))
    await asyncio.sleep(3 * IDLE_MS / 1000)
    task.cancel()
    assert await owners(redis) == {"typescript": 1}


async def test_zombie_that_wakes_up_does_no_harm(
    database: str, pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    """P14: it was taken for dead; when it goes on, it commits and acknowledges what somebody else has done."""
    await add(redis, *(f"k{n}" for n in range(10)))
    asleep, wake_up = asyncio.Event(), asyncio.Event()
    async with writing(database) as sink, writing(database) as other:
        zombie, heir = Instance(pool, redis, "zombie", sink=other.sink), Instance(pool, redis, "heir", sink=sink.sink)
        write = other.sink.write

        async def slow(*arguments: Any) -> Any:
            asleep.set()
            await wake_up.wait()
            return await write(*arguments)

        monkeypatch.setattr(other.sink, "write", slow)
        await lease(pool, "zombie", 0)
        reading = asyncio.create_task(zombie.lane.run(zombie.stop, drain=False))
        await asleep.wait()
        async with running(heir):
            await until_drained(redis)
            wake_up.set()
            await until(lambda: zombie.lane.done)
        zombie.stop.set()
        await reading
        assert await sink.value("SELECT count(*) FROM post") == 10
    assert zombie.counted("indexer_acknowledged_elsewhere_total") == 10
    assert heir.counted("indexer_acknowledged_elsewhere_total") == 0


@pytest.mark.parametrize("trouble", ["Redis is away", "the database is away", "nobody looked"])
async def test_after_trouble_the_time_begins_anew(
    pool: "Pool", redis: "Redis", monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Servers that are away stop the living, too."""
    await add(redis, "a")
    await deliver(redis, "typescript", 1)
    one = Instance(pool, redis)

    async def since() -> float:
        await one.adopter._look()
        return one.adopter._groups[0].liveness._watched[b"typescript"].since

    async def away(*_: Any) -> Any:
        raise ConnectionError("away")

    first = await since()
    assert await since() == first
    if trouble == "nobody looked":
        one.adopter._looked -= 2 * adoption.OUT_OF_SIGHT_S
    else:
        of, name = (adoption, "consumers") if trouble == "Redis is away" else (adoption, "overdue_leases")
        with monkeypatch.context() as patch:
            patch.setattr(of, name, away)
            await one.adopter._look()
    assert await since() > first
