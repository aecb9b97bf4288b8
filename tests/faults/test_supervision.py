"""Never half alive: whichever task of the daemon dies, ends unasked or stands still, the process ends with a code."""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest

from indexer import pulse
from indexer.daemon import health, supervision
from indexer.daemon.supervision import Supervisor
from indexer.errors import ExitCode, IndexerError
from indexer.lane.pipeline import Lane
from indexer.pulse import beat, relying, waiting, with_pulse
from tests.acceptance.daemon import Daemon, feed, left_over, query, running
from tests.faults.proxy import Break, proxied
from tests.messages import A, create, post, post_uri

TASKS = {
    "lane": "indexer.lane.pipeline:Lane.run",
    "reader": "indexer.lane.pipeline:Lane._read",
    "lease": "indexer.daemon.lease:Lease.keep",
    "adoption": "indexer.lane.adoption:Adopter.run",
    "samples": "indexer.daemon.tasks:keep_fresh",
    "recount": "indexer.sink.recount:Recounter.run",
    "handles": "indexer.daemon.handle_worker:HandleWorker.run",
    "deletions": "indexer.removal.worker:RemovalWorker.asking",
    "removal": "indexer.removal.worker:RemovalWorker.removing",
}
WITH_ALL_TASKS = {
    "INDEXER_AGGREGATES": "recount",
    "ENABLE_DID_RESOLUTION": "true",
    "PLC_URL": "https://plc.invalid",
}
QUICK = {
    "indexer.pulse:STILL_S": 2,
    "indexer.daemon.samples:SAMPLE_S": 0.5,
    "indexer.daemon.lease:RENEWAL_S": 0.5,
    "indexer.lane.adoption:LOOK_S": 0.5,
}
"""Less patience, and tasks that sleep less."""
WAITS_LONG = """SELECT count(*) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name LIKE 'indexer/%' AND now() - query_start > '4 s'"""
INTERNAL = int(ExitCode.INTERNAL)


def test_bounds_add_up_to_ten_seconds() -> None:
    assert pulse.STILL_S + 2 * supervision.TICK_S + supervision.LAST_S <= 10
    assert supervision.BLOCKED_S < 10


def ends(database: str, redis_url: str, folder: Path, action: str, tasks: list[str]) -> None:
    """Each of the processes, in one of whose tasks something happens, ends with 70 and says which task it was."""
    with ExitStack() as stack:
        daemons: dict[str, Daemon] = {}
        for name in tasks:
            fault = [TASKS[name], action]
            daemons[name] = stack.enter_context(
                running(database, redis_url, folder, consumer=name, environment=WITH_ALL_TASKS, fault=fault)
            )
        codes = {name: daemon.wait() for name, daemon in daemons.items()}
        said = {name: [line["task"] for line in daemon.lines("task_failed")] for name, daemon in daemons.items()}
    assert codes == dict.fromkeys(tasks, INTERNAL)
    assert all(len(found) == 1 and names(name, found[0]) for name, found in said.items()), said


def names(name: str, task: str) -> bool:
    """A lane is called after its stream, and what ends its reader ends the lane."""
    kinds = {"lane": ("lane ",), "reader": ("lane ", "read ")}
    return task.startswith(kinds.get(name, (name,)))


@pytest.mark.timeout(180)
def test_task_that_raises_ends_the_process(database: str, redis_url: str, tmp_path: Path) -> None:
    ends(database, redis_url, tmp_path, "raise", list(TASKS))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_task_that_is_cancelled_ends_the_process(database: str, redis_url: str, tmp_path: Path) -> None:
    ends(database, redis_url, tmp_path, "cancel", list(TASKS))


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("action", ["hang", "deaf"])
def test_task_that_stands_still_ends_the_process(database: str, redis_url: str, tmp_path: Path, action: str) -> None:
    ends(database, redis_url, tmp_path, action, list(TASKS))


@pytest.mark.long
@pytest.mark.timeout(180)
def test_task_that_returns_unasked_ends_the_process(database: str, redis_url: str, tmp_path: Path) -> None:
    """One that returns when it is told to is another matter: the lanes', of which the reader is a part."""
    tasks = [name for name in TASKS if name not in ("lane", "reader")]
    ends(database, redis_url, tmp_path, "return", tasks)
    for name in ("lane", "reader"):
        with running(database, redis_url, tmp_path, consumer=name, fault=[TASKS[name], "return"]) as daemon:
            assert daemon.wait() == INTERNAL
        assert "has ended" in daemon.output


@pytest.mark.parametrize(
    ("point", "action", "task"),
    [
        ("indexer.lane.pipeline:Lane._batch", "deaf", "lane firehose_live"),
        ("indexer.lane.pipeline:Lane._settle", "raise", "lane firehose_live"),
        pytest.param("indexer.lane.pipeline:Lane._settle", "hang", "settle firehose_live", marks=pytest.mark.long),
        pytest.param("indexer.sink.commit:Sink._derive", "raise", "lane firehose_live", marks=pytest.mark.long),
        pytest.param("indexer.sink.commit:Sink._derive", "hang", "derive firehose_live", marks=pytest.mark.long),
    ],
)
def test_batch_that_does_not_come_to_its_end_ends_the_process_and_loses_nothing(
    database: str, redis_url: str, tmp_path: Path, point: str, action: str, task: str
) -> None:
    """Also where the stream is silent after it."""
    feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
    with running(database, redis_url, tmp_path, fault=[point, action], settings=QUICK) as daemon:
        assert daemon.wait() == INTERNAL
    assert task in daemon.lines("task_failed")[0]["task"]
    assert left_over(redis_url, "firehose_live") == (1, 1)


def test_endless_loop_ends_the_process_and_shows_where(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
    settings = {"indexer.daemon.supervision:BLOCKED_S": 1}
    fault = ["indexer.lane.pipeline:Lane._batch", "spin"]
    with running(database, redis_url, tmp_path, fault=fault, settings=settings) as daemon:
        assert daemon.wait() == INTERNAL
    (line,) = daemon.lines("event_loop_blocked")
    assert "faulty.py" in line["stack"]


@pytest.mark.long
def test_who_waits_for_a_server_is_not_at_fault(database: str, redis_url: str, tmp_path: Path) -> None:
    """However long a statement waits for a lock, and Redis for an answer."""
    settings = QUICK | {"indexer.connections.redis_connection:SOCKET_TIMEOUT_S": 4}
    reading = Break("hang", "client", b"app.bsky.feed.post", arrives=False, most=1)
    with (
        asyncio.Runner() as runner,
        proxied(redis_url) as proxy,
        running(database, proxy.url, tmp_path, settings=settings) as daemon,
    ):
        connection = runner.run(asyncpg.connect(database))
        runner.run(connection.execute("BEGIN; LOCK TABLE record IN ACCESS EXCLUSIVE MODE"))
        proxy.add(reading)
        feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
        daemon.until(lambda: bool(daemon.lines("redis_away")))
        daemon.until(lambda: asyncio.run(query(database, WAITS_LONG))[0][0] > 0)
        runner.run(connection.execute("COMMIT"))
        runner.run(connection.close())
        daemon.until(lambda: left_over(redis_url, "firehose_live") == (0, 0))
        assert daemon.stop() == 0


def test_lane_without_progress_is_not_alive(database: str, redis_url: str, tmp_path: Path) -> None:
    """The other lane, which has nothing to do, is."""
    feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
    settings = {"indexer.pulse:STILL_S": 1000, "indexer.daemon.health:STALLED_S": 4}
    fault = ["indexer.lane.pipeline:Lane._batch", "hang"]
    with running(database, redis_url, tmp_path, fault=fault, settings=settings) as daemon:
        daemon.started()
        daemon.until(lambda: daemon.get("/livez")[0] == 503)
        assert daemon.get("/livez")[1] == "lane firehose_live made no progress for 4 s\n"
        assert daemon.get("/readyz")[0] == 503


@pytest.mark.long
def test_streams_that_are_silent_for_long_are_no_fault(database: str, redis_url: str, tmp_path: Path) -> None:
    """Longer than any task may wait for a server, with every task there is."""
    settings = {"indexer.pulse:WAITED_S": 3, "indexer.pulse:STILL_S": 6}
    with running(database, redis_url, tmp_path, environment=WITH_ALL_TASKS, settings=settings) as daemon:
        daemon.started()
        time.sleep(9)
        assert daemon.process.poll() is None, daemon.output
        feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
        daemon.until(lambda: left_over(redis_url, "firehose_live") == (0, 0))
        assert daemon.stop() == 0


class AnyLane:
    """What `health` looks at."""

    def __init__(
        self, *, halted: str | None = None, redis: bool = False, database: str | None = None, state: str = "idle"
    ) -> None:
        self.state, self.is_resting = state, state in ("paused", "limited")
        self.source = type("Source", (), {"stream": "s"})
        self.halted, self.waiting = halted, redis
        self.progress = time.monotonic() - 10 * health.STALLED_S
        self.sink = type("Sink", (), {"waits_for": database, "progress": self.progress})


@pytest.mark.parametrize(
    ("lane", "live", "said"),
    [
        (AnyLane(), False, "no progress"),
        (AnyLane(halted="42703"), True, "halted: 42703"),
        (AnyLane(redis=True), True, "waits for Redis"),
        (AnyLane(database="PostgreSQL (57P03)"), True, "waits for PostgreSQL (57P03)"),
    ],
)
def test_lane_that_a_restart_would_not_help_is_alive(lane: AnyLane, live: bool, said: str) -> None:
    found = health.health([cast(Lane[Any], lane)])
    assert found.live is live
    assert not found.ready
    assert said in found.reasons[0]


def test_lane_that_may_not_read_is_alive() -> None:
    for state in ("paused", "limited"):
        assert health.health([cast(Lane[Any], AnyLane(state=state))]).ready
    found = health.health([cast(Lane[Any], AnyLane(state="paused", redis=True))], "`indexer resume` goes on")
    assert (found.live, found.ready, found.reasons) == (True, False, ("paused: `indexer resume` goes on",))


async def sleeping() -> None:
    await asyncio.Event().wait()


async def supervised(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> str:
    """What is said of a task for which a second without a pulse is too long."""
    monkeypatch.setattr(supervision, "TICK_S", 0.01)
    monkeypatch.setattr(pulse, "STILL_S", 0.1)
    done = asyncio.create_task(asyncio.sleep(0.5))
    with Supervisor() as supervisor:
        supervisor.start(work(), "it")
        try:
            await supervisor.first({done})
            return "alive"
        except IndexerError as fault:
            return fault.what
        finally:
            await supervision.ended({*supervisor.tasks, done})


async def test_task_that_beats_or_waits_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    async def beating() -> None:
        while True:
            beat()
            await asyncio.sleep(0.01)

    async def waits() -> None:
        with waiting():
            await sleeping()

    assert await supervised(monkeypatch, beating) == "alive"
    assert await supervised(monkeypatch, waits) == "alive"


async def test_task_that_does_not_is_at_fault_and_so_is_one_that_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def parent() -> None:
        task = asyncio.create_task(with_pulse("child", sleeping()))
        with waiting():
            await task

    async def was_waiting() -> None:
        with waiting():
            pass
        await sleeping()

    assert await supervised(monkeypatch, sleeping) == "the task `it` stands still"
    assert await supervised(monkeypatch, parent) == "the task `child` stands still"
    assert await supervised(monkeypatch, was_waiting) == "the task `it` stands still"


async def test_who_waits_for_a_server_for_ever_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits() -> None:
        with waiting():
            await sleeping()

    monkeypatch.setattr(pulse, "WAITED_S", 0.2)
    assert await supervised(monkeypatch, waits) == "the task `it` stands still"


async def test_who_waits_for_another_task_may_do_so_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the writer of a lane whose stream is silent for days; the reader has a pulse."""

    async def waits() -> None:
        with relying():
            await sleeping()

    monkeypatch.setattr(pulse, "WAITED_S", 0.2)
    assert await supervised(monkeypatch, waits) == "alive"


async def test_blocked_loop_is_not_held_against_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    async def blocks() -> None:
        while True:
            time.sleep(0.3)  # noqa: ASYNC251
            beat()
            await asyncio.sleep(0.01)

    assert await supervised(monkeypatch, blocks) == "alive"
