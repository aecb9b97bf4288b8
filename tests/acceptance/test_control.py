"""`indexer pause`, `resume` and `rate` on running instances, and what becomes of them over restarts."""

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from indexer import cli
from tests.acceptance.daemon import GROUP, Daemon, count, feed, left_over, query, run_once, running
from tests.conftest import execute
from tests.messages import A, create, post, post_uri

STREAM = "firehose_live"
QUICK = {"indexer.daemon.lease:LENGTH_S": 3, "indexer.daemon.lease:RENEWAL_S": 0.3}
NO_CONTROL = "DROP TABLE indexer.control"


def posts(number: int, name: str) -> list[bytes]:
    return [create(post_uri(A, f"{name}{n:05}"), post()) for n in range(number)]


class Desk:
    """Gives commands, as an operator does."""

    def __init__(self, database: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._database = database
        self._capsys = capsys

    def __call__(self, *command: str) -> tuple[int, str, str]:
        """Exit code, output and errors."""
        self._capsys.readouterr()
        code = cli.main([*command, "--postgres-url", self._database])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def done(self, *command: str) -> str:
        """The output of a command that everybody has obeyed."""
        code, out, err = self(*command)
        assert (code, err) == (0, "")
        return out


@pytest.fixture
def desk(database: str, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(database, capsys)


def last_delivered(redis_url: str) -> bytes:
    with redis.Redis.from_url(redis_url) as client:
        groups: Any = client.xinfo_groups(STREAM)
    return next(bytes(group["last-delivered-id"]) for group in groups if group["name"] == GROUP.encode())


def states(daemon: Daemon) -> dict[str, str]:
    """By stream, the state of its lane."""
    found = [dict(labels) for (name, labels), on in daemon.metrics().items() if name == "indexer_lane_state" and on]
    assert len(found) == 3, "one state for each lane"
    return {labels["stream"]: labels["state"] for labels in found}


def row(database: str, consumer: str = "one") -> tuple[Any, ...]:
    wanted = f"SELECT paused, rate, state, rate_now FROM indexer.control WHERE consumer = '{consumer}'"
    return tuple(asyncio.run(query(database, wanted))[0])


def test_paused_it_reads_nothing_and_goes_on_afterwards(
    database: str, redis_url: str, tmp_path: Path, desk: Desk
) -> None:
    feed(redis_url, STREAM, posts(50, "a"))
    with running(database, redis_url, tmp_path, settings=QUICK) as daemon:
        daemon.until(lambda: count(database, "post") == 50)
        assert re.fullmatch(r"one: paused since \S+, no limit\n", desk.done("pause"))
        before = last_delivered(redis_url)
        feed(redis_url, STREAM, posts(30, "b"))
        assert set(states(daemon).values()) == {"paused"}
        assert daemon.get("/livez")[0] == 200
        assert daemon.get("/readyz") == (503, "paused: `indexer resume --consumer one` goes on\n")
        asyncio.run(asyncio.sleep(1.5))  # longer than a read waits
        assert last_delivered(redis_url) == before
        assert left_over(redis_url, STREAM) == (30, 0)
        assert desk.done("resume", "--consumer", "one") == "one: working, no limit\n"
        daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.stop() == 0
    assert [line["event"] for line in daemon.lines() if line["event"] in ("paused", "resumed")] == ["paused", "resumed"]
    assert asyncio.run(query(database, "SELECT 1 FROM indexer.control")) == [], "nothing is asked: no row is left"


@pytest.mark.long
def test_pause_waits_until_what_it_holds_is_settled(database: str, redis_url: str, tmp_path: Path, desk: Desk) -> None:
    """The batch in hand waits for a lock; the command says so, and the pause comes when it is done."""
    with running(database, redis_url, tmp_path, settings=QUICK) as daemon:
        daemon.started()

        async def pause_meanwhile() -> tuple[int, str, str]:
            import asyncpg

            connection = await asyncpg.connect(database)
            try:
                async with connection.transaction():
                    await connection.execute("LOCK TABLE post IN ACCESS EXCLUSIVE MODE")
                    feed(redis_url, STREAM, posts(3, "a"))
                    while left_over(redis_url, STREAM) != (3, 3):
                        await asyncio.sleep(0.02)
                    return await asyncio.to_thread(desk, "pause", "--timeout", "2")
            finally:
                await connection.close()

        code, out, err = asyncio.run(pause_meanwhile())
        assert (code, out) == (75, "")
        assert "one: it finishes what it holds" in err
        daemon.until(lambda: row(database)[2] == "paused")
        assert left_over(redis_url, STREAM) == (0, 0)


@pytest.mark.long
def test_pause_outlives_a_restart_and_is_shown(
    database: str, redis_url: str, tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(database, redis_url, tmp_path, settings=QUICK) as daemon:
        daemon.started()
        desk.done("pause")
        assert daemon.stop() == 0
    feed(redis_url, STREAM, posts(3, "a"))
    refused = run_once(database, redis_url, tmp_path, "--drain")
    assert refused.process.returncode == 78
    assert "indexer: the consumer one is paused" in refused.output
    assert "run `indexer resume --consumer one` first" in refused.output
    assert desk("pause")[0] == 1, "nobody lives"
    with running(database, redis_url, tmp_path, settings=QUICK) as daemon:
        daemon.started()
        assert daemon.lines("paused")[0]["remedy"] == "`indexer resume --consumer one` goes on"
        assert left_over(redis_url, STREAM) == (3, 0)
        monkeypatch.setenv("REDIS_URL", redis_url)
        monkeypatch.setenv("METRICS_PORT", "0")
        assert re.search(r"^instances +one: paused since \S+, no limit$", desk.done("status", "--interval", "0"), re.M)
        shown = json.loads(desk.done("status", "--interval", "0", "--json"))["instances"]
        assert shown == [{"consumer": "one", "lives": True, "state": "paused", "paused": True, "rate": None}]
        assert daemon.stop() == 0
    assert desk.done("resume", "--all") == "one: does not run\n"
    assert run_once(database, redis_url, tmp_path, "--drain").process.returncode == 0
    assert count(database, "post") == 3


@pytest.mark.long
def test_rate_is_changed_and_outlives_a_restart(database: str, redis_url: str, tmp_path: Path, desk: Desk) -> None:
    with running(database, redis_url, tmp_path, "--rate", "500", settings=QUICK) as daemon:
        daemon.started()
        assert desk.done("rate", "20") == "one: working, 20 messages/s at most\n"
        assert desk.done("rate", "off") == "one: working, no limit\n"
        assert desk.done("rate", "default") == "one: working, 500 messages/s at most\n"
        found = json.loads(desk.done("rate", "1", "--json"))
        assert found == [{"consumer": "one", "obeys": True, "lives": True, "state": "working", "rate": 1}]
        feed(redis_url, STREAM, posts(200, "a"))
        daemon.until(lambda: count(database, "post") > 0)
        assert daemon.stop() == 0
    length, pending = left_over(redis_url, STREAM)
    assert pending == 0
    assert length > 100, "one a second"
    with running(database, redis_url, tmp_path, "--rate", "500", settings=QUICK) as daemon:
        daemon.started()
        daemon.until(lambda: row(database)[3] == 1)


@pytest.mark.long
def test_all_of_them_or_one_must_be_named(database: str, redis_url: str, tmp_path: Path, desk: Desk) -> None:
    code, _, err = desk("pause")
    assert code == 1
    assert err.startswith("indexer: no instance lives\n  cause:  ")
    with (
        running(database, redis_url, tmp_path, consumer="one", settings=QUICK) as one,
        running(database, redis_url, tmp_path, consumer="two", settings=QUICK) as two,
    ):
        one.started()
        two.started()
        code, out, err = desk("pause")
        assert (code, out) == (78, "")
        assert "2 instances live, and none is named" in err
        assert "one, two" in err
        code, _, err = desk("pause", "--consumer", "three")
        assert code == 1
        assert "no instance lives under the name three" in err
        assert "one, two" in err
        assert desk.done("pause", "--consumer", "two").startswith("two: paused")
        assert set(states(one).values()) == {"idle"}
        assert len(desk.done("pause", "--all").splitlines()) == 2
        assert len(desk.done("resume", "--all").splitlines()) == 2


def test_instance_that_does_not_answer_gives_75(database: str, desk: Desk) -> None:
    """One of the version before has a lease and knows nothing of the table."""
    execute(
        database,
        "INSERT INTO indexer.lease VALUES ('old', gen_random_uuid(), 'host', 1, now(), now() + interval '1 hour')",
    )
    code, out, err = desk("pause", "--timeout", "1")
    assert (code, out) == (75, "")
    assert err.startswith("indexer: 1 of 1 instances have not obeyed within 1 s\n")
    assert "old: it says nothing" in err
    assert len(err.splitlines()) == 3
    assert row(database, "old")[0] is True, "what was asked stays asked"


@pytest.mark.long
def test_it_runs_without_the_table_and_finds_it_when_it_comes(
    database: str, redis_url: str, tmp_path: Path, desk: Desk
) -> None:
    execute(database, NO_CONTROL)
    code, _, err = desk("pause")
    assert code == 78
    assert "run `indexer schema create`" in err
    feed(redis_url, STREAM, posts(3, "a"))
    settings = {**QUICK, "indexer.daemon.obedience:ABSENT_AGAIN_S": 0.5}
    with running(database, redis_url, tmp_path, settings=settings) as daemon:
        daemon.until(lambda: count(database, "post") == 3)
        assert [line["note"] for line in daemon.lines("schema_note") if "0004 control" in line["note"]]
        assert len(daemon.lines("control_unavailable")) == 1
        assert desk("schema", "create")[0] == 0
        daemon.until(lambda: bool(asyncio.run(query(database, "SELECT 1 FROM indexer.control"))))
        assert desk.done("pause").startswith("one: paused")
        assert daemon.stop() == 0
    assert daemon.lines("lease_not_renewed") == []


@pytest.mark.long
def test_pause_is_no_reason_to_end_the_process(database: str, redis_url: str, tmp_path: Path, desk: Desk) -> None:
    """Longer than a task may give no sign of life, with all that rests; and over an outage of PostgreSQL."""
    environment = {"INDEXER_AGGREGATES": "recount", "ENABLE_DID_RESOLUTION": "true", "PLC_URL": "http://127.0.0.1:1"}
    settings = {**QUICK, "indexer.daemon.health:STALLED_S": 2}
    with running(database, redis_url, tmp_path, environment=environment, settings=settings) as daemon:
        daemon.started()
        desk.done("pause")
        end = time.monotonic() + 12
        while time.monotonic() < end:
            assert daemon.get("/livez")[0] == 200, daemon.output
            asyncio.run(asyncio.sleep(0.5))
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'indexer/one'"
        asyncio.run(query(database, cut))
        feed(redis_url, STREAM, posts(3, "a"))
        assert desk.done("rate", "100").startswith("one: paused")
        assert left_over(redis_url, STREAM) == (3, 0)
        desk.done("resume")
        daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert daemon.stop() == 0
