"""Processes that are killed, or stand still, while they hold messages: others do their work (P3, P14)."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.daemon import PATIENCE_S, Daemon, feed, left_over, query, running
from tests.oracle import library

CASE, STREAM, GROUP = "real-posts", "firehose_live", "firehose_group"
SOON = {"INDEXER_CLAIM_IDLE_MS": "1000"}
SMALL = {"INDEXER_BATCH_SIZE": "4"}


def holds(redis_url: str, consumer: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        found: Any = client.xinfo_consumers(STREAM, GROUP)
        return sum(one["pending"] for one in found if one["name"] == consumer.encode())


def let_lease_run_out(database: str, consumer: str) -> None:
    """Ten seconds in no time."""
    asyncio.run(query(database, f"UPDATE indexer.lease SET expires_at = now() WHERE consumer = '{consumer}'"))


def equals_reference(database: str, redis_url: str) -> None:
    assert left_over(redis_url, STREAM) == (0, 0)
    status, said = library.compare(database, CASE)
    assert status == 0, said


def stop_while_it_holds_something(redis_url: str, daemon: Daemon) -> None:
    """SIGSTOP between the delivery of a batch and its acknowledgement."""
    while True:
        daemon.until(lambda: holds(redis_url, "one") > 0)
        daemon.process.send_signal(signal.SIGSTOP)
        os.waitpid(daemon.process.pid, os.WUNTRACED)
        if holds(redis_url, "one"):
            return
        daemon.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("waits", [False, pytest.param(True, marks=pytest.mark.long)])
def test_killed_daemon_is_inherited_by_another(database: str, redis_url: str, tmp_path: Path, *, waits: bool) -> None:
    messages = library.messages(CASE)
    environment = {} if waits else SOON
    with (
        running(database, redis_url, tmp_path, consumer="two", environment=environment) as heir,
        running(database, redis_url, tmp_path, environment=SMALL) as killed,
    ):
        heir.started()
        killed.started()
        feed(redis_url, STREAM, messages)
        stop_while_it_holds_something(redis_url, killed)
        killed.kill()
        if not waits:
            let_lease_run_out(database, "one")
        heir.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        (line,) = heir.lines("consumer_adopted")
        assert (line["consumer"], line["reason"]) == ("one", "lease")
        claimed = heir.metrics()["indexer_claimed_total", (("reason", "lease"), ("stream", STREAM))]
        assert claimed == line["entries"]
        assert heir.stop() == 0
    equals_reference(database, redis_url)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_process_that_stood_still_and_goes_on_does_no_harm(database: str, redis_url: str, tmp_path: Path) -> None:
    """P14: others have done its work when it commits and acknowledges its batch.

    It may hold locks: PostgreSQL ends its transaction after fifteen seconds.
    """
    messages = library.messages(CASE)
    with (
        running(database, redis_url, tmp_path, environment=SMALL) as zombie,
        running(database, redis_url, tmp_path, consumer="two", environment=SOON) as heir,
    ):
        heir.started()
        zombie.started()
        feed(redis_url, STREAM, messages)
        stop_while_it_holds_something(redis_url, zombie)
        let_lease_run_out(database, "one")
        heir.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        zombie.process.send_signal(signal.SIGCONT)
        zombie.until(lambda: zombie.get("/readyz")[0] == 200)
        feed(redis_url, STREAM, messages[:50])
        heir.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert zombie.stop() == 0
        assert heir.stop() == 0
    equals_reference(database, redis_url)


def test_typescript_consumer_that_died_is_inherited(database: str, redis_url: str, tmp_path: Path) -> None:
    messages = library.messages(CASE)
    feed(redis_url, STREAM, messages)
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(STREAM, GROUP, "0")
        client.xreadgroup(GROUP, "typescript", {STREAM: ">"}, count=len(messages) - 100)
    with running(database, redis_url, tmp_path, environment=SOON) as heir:
        heir.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert [line["reason"] for line in heir.lines("consumer_adopted")] == ["idle"]
        assert heir.stop() == 0
    equals_reference(database, redis_url)


def takeover(database: str, redis_url: str, *flags: str) -> "subprocess.Popen[str]":
    variables = {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": database, "ENABLE_DID_RESOLUTION": "false"}
    words = [sys.executable, "-m", "indexer", "takeover", *flags]
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_takeover_beside_an_instance_indexes_what_the_dead_one_held(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    messages = library.messages(CASE)
    held = len(messages) // 2
    feed(redis_url, STREAM, messages)
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(STREAM, GROUP, "0")
        client.xreadgroup(GROUP, "typescript", {STREAM: ">"}, count=held)
    with running(database, redis_url, tmp_path) as instance:
        with takeover(database, redis_url, "--consumer", "typescript", "--dry-run") as asked:
            assert asked.communicate(timeout=PATIENCE_S) == (f"{STREAM}: {held:,} entries would be indexed\n", "")
        with takeover(database, redis_url, "--consumer", "typescript") as done:
            out, err = done.communicate(timeout=PATIENCE_S)
        assert done.returncode == 0, err
        assert f"{STREAM}: {held:,} of {held:,} entries indexed" in out
        instance.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert instance.stop() == 0
    equals_reference(database, redis_url)


@pytest.mark.long
@pytest.mark.timeout(180)
def test_takeover_that_is_broken_off_goes_on_where_it_was(database: str, redis_url: str) -> None:
    """Killed, then told to stop; nobody else is there."""
    messages = library.messages(CASE)
    feed(redis_url, STREAM, messages)
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(STREAM, GROUP, "0")
        client.xreadgroup(GROUP, "dead", {STREAM: ">"}, count=len(messages))
    words = ("--consumer", "dead", "--stream", STREAM, "--batch-size", "4")
    left = len(messages)
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 75)):
        process = takeover(database, redis_url, *words)
        while (now := left_over(redis_url, STREAM)[1]) > left - 40:
            assert process.poll() is None, process.communicate()
        left = now
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == code
        assert 0 < left_over(redis_url, STREAM)[1] <= left
        left = left_over(redis_url, STREAM)[1]
    process = takeover(database, redis_url, *words)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert f"{left:,} of {left:,}" in out
    equals_reference(database, redis_url)


def test_takeover_of_a_living_instance_is_refused(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path) as living:
        living.started()
        feed(redis_url, STREAM, library.messages(CASE)[:1])
        living.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        process = takeover(database, redis_url, "--consumer", "one")
        _, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 78
        assert "the consumer one is alive" in err
        assert str(living.process.pid) in err
        assert living.stop() == 0
