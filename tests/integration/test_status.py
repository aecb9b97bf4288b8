"""`indexer status` and `top`, against Redis' own figures and with servers that are away."""

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import redis

from indexer import cli, embedded
from indexer.commands.status import ledger, queues
from indexer.commands.status.arguments import SETTINGS
from indexer.commands.status.watch import Watch
from indexer.configuration.settings import option
from indexer.errors import ExitCode
from tests import least_authority
from tests.conftest import execute
from tests.integration.dead_letters import keep, letter

LIVE, BACKFILL, GROUP = "firehose_live", "firehose_backfill", "firehose_group"
AWAY = "postgresql://bsky:hunter2@127.0.0.1:1/bsky"


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as found:
        yield found


def settings(redis_url: str, database: str) -> dict[str, Any]:
    found = {field: option(field).parse(option(field).default or "redis://x") for field in SETTINGS[2:]}
    return {**found, "redis_url": redis_url, "postgres_url": database, "metrics_port": 0}


def status(monkeypatch: pytest.MonkeyPatch, redis_url: str, database: str, *flags: str) -> int:
    for name, text in {"REDIS_URL": redis_url, "DATABASE_URL": database, "METRICS_PORT": "0"}.items():
        monkeypatch.setenv(name, text)
    return cli.main(["status", *flags])


def add(client: "redis.Redis", stream: str, number: int) -> None:
    for _ in range(number):
        client.xadd(stream, {"event": b"{}"})


def read(client: "redis.Redis", stream: str, consumer: str, number: int, group: str = GROUP) -> list[bytes]:
    reply: Any = client.xreadgroup(group, consumer, {stream: ">"}, count=number)
    return [id_ for _, entries in reply for id_, _ in entries]


def settle(client: "redis.Redis", stream: str, ids: list[bytes]) -> None:
    if ids:
        client.xack(stream, GROUP, *ids)
        client.xdel(stream, *ids)


def truth(client: "redis.Redis", stream: str) -> tuple[int, int, int, dict[str, int]]:
    """Length, undelivered, pending, pending by consumer, entry by entry."""
    groups: Any = client.xinfo_groups(stream)
    (last,) = [one["last-delivered-id"].decode() for one in groups if one["name"] == GROUP.encode()]
    entries: Any = client.xrange(stream)
    undelivered: Any = client.xrange(stream, min=f"({last}")
    pending: Any = client.xpending_range(stream, GROUP, "-", "+", 100_000)
    held: dict[str, int] = {}
    for entry in pending:
        name = entry["consumer"].decode()
        held[name] = held.get(name, 0) + 1
    return len(entries), len(undelivered), len(pending), held


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_redis_to_the_message(
    redis_url: str, shared_database: str, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], seed: int,
) -> None:  # fmt: skip
    """Consumers read, settle, acknowledge only, are deleted; entries are deleted out of turn; a group begins late."""
    chance = random.Random(seed)
    add(client, LIVE, chance.randrange(50))
    client.xgroup_create(LIVE, GROUP, "0" if seed % 2 else "$", mkstream=True)
    held: list[bytes] = []
    for _ in range(40):
        match chance.randrange(6):
            case 0 | 1:
                add(client, LIVE, chance.randrange(40))
            case 2 | 3:
                held += read(client, LIVE, chance.choice(("one", "two", "indexer_1")), chance.randrange(1, 30))
            case 4:
                done = [held.pop(chance.randrange(len(held))) for _ in range(min(len(held), chance.randrange(20)))]
                settle(client, LIVE, done)
            case 5:
                some: Any = client.xrange(LIVE)
                client.xdel(LIVE, *chance.sample([id_ for id_, _ in some], min(len(some), 2)) or ["0-1"])
    length, undelivered, pending, by_consumer = truth(client, LIVE)
    assert status(monkeypatch, redis_url, shared_database, "--json", "--interval", "0") == ExitCode.DONE
    (found,) = [one for one in json.loads(capsys.readouterr().out)["streams"] if one["stream"] == LIVE]
    assert (found["length"], found["undelivered"], found["pending"]) == (length, undelivered, pending)
    assert found["undelivered_is_exact"]
    assert {one["name"]: one["pending"] for one in found["consumers"] if one["pending"]} == by_consumer


async def test_where_redis_has_no_figure_entries_are_counted_up_to_a_limit(
    redis_url: str, shared_database: str, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    add(client, LIVE, 30)
    client.xgroup_create(LIVE, GROUP, "0")
    read(client, LIVE, "one", 10)
    entries: Any = client.xrange(LIVE)
    client.xdel(LIVE, entries[20][0])
    groups: Any = client.xinfo_groups(LIVE)
    assert groups[0]["lag"] is None
    monkeypatch.setattr(queues, "PAGE", 4)
    async with Watch(settings(redis_url, shared_database)) as watch:
        await watch.count()
        found = (await watch.snapshot()).streams[0].queue
        assert (found.undelivered, found.is_exact) == (19, True)
        monkeypatch.setattr(queues, "COUNTED", 8)
        await watch.count()
        found = (await watch.snapshot()).streams[0].queue
        assert (found.undelivered, found.is_exact) == (19, False)


@pytest.mark.parametrize("user", [None, "indexer"])
async def test_rates_are_what_came_and_went(shared_database: str, user: str | None) -> None:
    """Also for the daemon's user, who may not ask for all of it."""
    with embedded.redis({"include": str(least_authority.ACL)}) as server, redis.Redis.from_url(server.url) as client:
        add(client, LIVE, 100)
        client.xgroup_create(LIVE, GROUP, "0")
        held = read(client, LIVE, "one", 40)
        url = least_authority.url(server.url, user) if user else server.url
        async with Watch(settings(url, shared_database)) as watch:
            await watch.count()
            add(client, LIVE, 30)
            settle(client, LIVE, held[:20])
            read(client, LIVE, "one", 5)
            await watch.count()
            found = await watch.snapshot()
        stream = found.streams[0]
        assert stream.rates.into is not None
        assert stream.rates.out is not None
        assert stream.rates.into * found.measured_s == pytest.approx(30)
        assert stream.rates.out * found.measured_s == pytest.approx(20)
        assert stream.queue.left == 110
        assert found.away == ()
        assert (found.memory is None) == (user is not None)
        assert len(found.notes) == (1 if user else 0)


def test_rows_of_the_database_are_shown(
    redis_url: str, database: str, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    keep(database, [letter(b"x", f"{n}-0", "bad_rev" if n < 3 else "not_json") for n in range(5)])
    execute(
        database,
        """INSERT INTO indexer.handle_lookup (did, found_time, missing_time) VALUES ('did:plc:a', '', '');
        INSERT INTO indexer.lease VALUES ('mine', gen_random_uuid(), 'h', 1, now(), now() + interval '1 hour'),
            ('gone', gen_random_uuid(), 'h', 1, now(), now() - interval '1 hour');""",
    )
    client.xgroup_create(LIVE, GROUP, "0", mkstream=True)
    add(client, LIVE, 9)
    for name in ("mine", "gone", "indexer_1"):
        read(client, LIVE, name, 3)
    client.xgroup_create(LIVE, "another", "0")
    assert status(monkeypatch, redis_url, database, "--interval", "0") == ExitCode.DONE
    shown = capsys.readouterr().out
    for pattern in (
        r"^ +mine +3 +0 s +ours$",
        r"^ +gone +3 +0 s +ours, gone$",
        r"^ +indexer_1 +3 +0 s +rsky\?$",
        r"^firehose_live, group firehose_group; other groups: another$",
        r"^dead letters  5$",
        r"^ +3  bad_rev$",
        r"^look-ups +1 handle waits$",
        r"^last error +dead letter of .*firehose_live",
    ):
        assert re.search(pattern, shown, re.M), f"{pattern}\n{shown}"


def test_each_server_may_be_away_or_empty(
    redis_url: str, shared_database: str, empty_database: str, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    add(client, LIVE, 3)
    assert status(monkeypatch, redis_url, AWAY, "--interval", "0") == ExitCode.UNAVAILABLE
    shown = capsys.readouterr().out
    assert re.search(r"^firehose_live +3 +3 +0 ", shown, re.M)
    assert "127.0.0.1:1/bsky cannot be reached" in shown
    assert "hunter2" not in shown
    assert (
        status(monkeypatch, "redis://:hunter2@127.0.0.1:1", shared_database, "--interval", "0") == ExitCode.UNAVAILABLE
    )
    shown = capsys.readouterr().out
    assert "dead letters  0" in shown
    assert "hunter2" not in shown
    assert status(monkeypatch, redis_url, empty_database, "--interval", "0") == ExitCode.DONE
    assert "note: dead letters: not known, the table is missing; run `indexer schema create`" in capsys.readouterr().out


async def test_what_takes_long_to_count_costs_itself(
    redis_url: str, shared_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "LIMIT_MS", 200)
    holder = await asyncpg.connect(shared_database)
    async with Watch(settings(redis_url, shared_database)) as watch, holder.transaction():
        await holder.execute("LOCK TABLE indexer.dead_letter IN ACCESS EXCLUSIVE MODE")
        await watch.count()
        found = await watch.snapshot()
    await holder.close()
    assert found.notes == ("dead letters: not known, it takes longer than 0.2 s to count",)
    assert found.ledger.letters is None
    assert found.ledger.handles == 0
    assert found.ledger.sessions


def environment(redis_url: str, database: str, **more: str) -> dict[str, str]:
    return {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": database, "METRICS_PORT": "0", **more}


def test_top_writes_lines_where_there_is_no_terminal(
    redis_url: str, shared_database: str, client: "redis.Redis"
) -> None:
    add(client, LIVE, 3)
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "top", "--interval", "0.05", "--count", "3"],
        env=environment(redis_url, shared_database), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    found = [line for line in done.stdout.splitlines() if " firehose_live: length 3, undelivered 3, pending 0" in line]
    assert len(found) == 3
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("end", "no_colour"), [(b"q", ""), (signal.SIGINT, "1")])
def test_top_redraws_on_a_terminal_and_leaves_it_as_it_was(
    redis_url: str, shared_database: str, client: "redis.Redis", end: bytes | signal.Signals, no_colour: str
) -> None:
    add(client, LIVE, 3)
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(ours)
    variables = environment(redis_url, shared_database, NO_COLOR=no_colour, TERM="xterm", COLUMNS="120", LINES="40")
    program = [sys.executable, "-m", "indexer", "top", "--interval", "0.1"]
    process = subprocess.Popen(program, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    limit = time.monotonic() + 30
    while shown.count(b"\x1b[H") < 3:
        assert time.monotonic() < limit
        shown += os.read(ours, 65_536)
        if shown.count(b"\x1b[H") == 2:
            client.xadd(LIVE, {"event": b"{}"})
    if isinstance(end, bytes):
        os.write(ours, end)
    else:
        process.send_signal(end)
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # the other side is closed
        pass
    assert process.wait(30) == 0
    assert termios.tcgetattr(ours) == before
    os.close(ours)
    text = shown.decode()
    assert re.search(r"firehose_live +3 +3 ", text)
    assert ("\x1b[1m" in text) == (not no_colour)
    assert text.endswith("\x1b[?25h\x1b[?1049l")


def test_instances_are_shown_with_what_they_say_of_themselves(
    redis_url: str, database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    execute(
        database,
        """WITH alive AS (
            INSERT INTO indexer.lease
            SELECT name, gen_random_uuid(), 'host', 1, now(), now() + interval '1 hour'
            FROM unnest(ARRAY['limited', 'older', 'resting', 'restarted']) AS name RETURNING consumer, owner
        )
        INSERT INTO indexer.control (consumer, owner, paused, asked_at, state, rate_now, heard)
        SELECT consumer, owner, consumer = 'resting', '2026-01-02T03:04:05Z',
            CASE consumer WHEN 'resting' THEN 'paused' ELSE 'working' END,
            CASE consumer WHEN 'limited' THEN 1200 END, 1
        FROM alive WHERE consumer IN ('limited', 'resting')
        UNION ALL SELECT 'restarted', gen_random_uuid(), true, now(), 'working', 7, 1
        UNION ALL SELECT 'stopped', gen_random_uuid(), true, now(), 'paused', 7, 1
        UNION ALL SELECT 'nobody', gen_random_uuid(), false, now(), 'working', 7, 1""",
    )
    assert status(monkeypatch, redis_url, database, "--interval", "0") == ExitCode.DONE
    shown = capsys.readouterr().out
    lines = re.findall(r"^(?:instances +| {14})(\S+: .*)$", shown, re.M)
    assert lines == [
        "limited: working, 1,200 messages/s at most",
        "older: runs, and says no more",
        "restarted: runs, and says no more",
        "resting: paused since 2026-01-02T03:04:05Z, no limit",
        "stopped: does not run, starts paused",
    ]
    assert status(monkeypatch, redis_url, database, "--interval", "0", "--json") == ExitCode.DONE
    found = {one["consumer"]: one for one in json.loads(capsys.readouterr().out)["instances"]}
    assert found["resting"] == {
        "consumer": "resting", "lives": True, "state": "paused", "paused": True, "rate": None
    }  # fmt: skip
    assert (found["limited"]["rate"], found["stopped"]["lives"], found["older"]["state"]) == (1200, False, None)
