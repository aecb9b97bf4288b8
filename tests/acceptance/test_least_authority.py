"""Everything runs as the Redis user of deploy/redis.acl, and nothing is refused (P5)."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from indexer import embedded
from indexer.connections.redis_connection import open_redis
from indexer.identity import DidCache
from tests import least_authority
from tests.acceptance.daemon import Daemon, count, feed, left_over, running
from tests.messages import A, B, create, label, label_message, post, post_uri

ROOT = Path(__file__).parents[2]
LIVE, BACKFILL, LABELS = "firehose_live", "firehose_backfill", "label_live"


@pytest.fixture
def server() -> Iterator[embedded.Redis]:
    """Started with the file as it is; its default user stays, for the test's own hands."""
    with embedded.redis({"include": str(least_authority.ACL)}) as server:
        yield server


def command(database: str, redis_url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    variables = {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": database, "ENABLE_DID_RESOLUTION": "false"}
    return subprocess.run(
        [sys.executable, "-m", "indexer", *words],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def hold(server: embedded.Redis, consumer: str, stream: str, group: str) -> None:
    """A consumer reads what is new and is never seen again."""
    with redis.Redis.from_url(server.url) as client:
        if not client.exists(stream) or not client.xinfo_groups(stream):
            client.xgroup_create(stream, group, "0", mkstream=True)
        assert client.xreadgroup(group, consumer, {stream: ">"}, count=100)


def feed_all(server: embedded.Redis, suffix: str) -> None:
    feed(server.url, LIVE, [create(post_uri(A, f"live{suffix}"), post())])
    feed(server.url, BACKFILL, [create(post_uri(B, f"old{suffix}"), post(), seq=-2)])
    feed(server.url, LABELS, [label_message(label(val=f"l{suffix}"))])


def is_drained(server: embedded.Redis) -> bool:
    return all(left_over(server.url, stream) == (0, 0) for stream in (LIVE, BACKFILL, LABELS))


def test_daemon_needs_no_more_than_it_is_given(database: str, server: embedded.Redis, tmp_path: Path) -> None:
    """All lanes, groups that are made and made again, and the entries of dead consumers."""
    feed_all(server, "1")
    hold(server, "typescript", LIVE, "firehose_group")
    hold(server, "typescript", LABELS, "label_group")
    environment = {"INDEXER_CLAIM_IDLE_MS": "500", "INDEXER_STATUS_PAGE": "on"}
    with running(database, least_authority.url(server.url, "indexer"), tmp_path, environment=environment) as daemon:
        daemon.until(lambda: is_drained(server))
        with redis.Redis.from_url(server.url) as client:
            client.xgroup_destroy(LIVE, "firehose_group")
        feed_all(server, "2")
        daemon.until(lambda: is_drained(server))
        assert sampled(daemon, "indexer_claimed_total") == 2
        assert daemon.get("/status.json")[0] == 200
        assert daemon.stop() == 0
    assert (count(database, "post"), count(database, "label")) == (4, 2)
    assert least_authority.refused(server.url) == []


def sampled(daemon: Daemon, name: str) -> float:
    return sum(value for (found, _), value in daemon.metrics().items() if found == name)


def test_drain_takeover_and_release_need_no_more_either(database: str, server: embedded.Redis, tmp_path: Path) -> None:
    feed_all(server, "1")
    hold(server, "dead", LIVE, "firehose_group")
    hold(server, "ours-1", BACKFILL, "firehose_group")
    hold(server, "ours-2", LABELS, "label_group")
    with ThreadPoolExecutor() as pool:  # each looks for some seconds whether the consumer is still
        takeover = pool.submit(
            command, database, least_authority.url(server.url, "indexer"), "takeover", "--consumer", "dead"
        )
        operator = least_authority.url(server.url, "indexer-operator")
        given = pool.submit(command, database, operator, "release", "--consumer", "ours-1", "--to", "typescript")
        added = pool.submit(command, database, operator, "release", "--consumer", "ours-2")
    for done, said in (
        (takeover.result(), f"{LIVE}: 1 of 1 entry indexed"),
        (given.result(), f"{BACKFILL}: 1 entry given to typescript"),
        (added.result(), f"{LABELS}: 1 entry added again"),
    ):
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert (count(database, "post"), count(database, "label")) == (1, 0)
    with running(database, least_authority.url(server.url, "indexer"), tmp_path, "--drain") as daemon:
        assert daemon.wait() == 0, daemon.output
    (told,) = daemon.lines("held_by_others")
    assert (told["stream"], told["consumers"]) == (BACKFILL, {"typescript": 1})
    assert (count(database, "post"), count(database, "label")) == (1, 1)
    assert least_authority.refused(server.url) == []


@pytest.mark.long
def test_shadow_and_trace_only_read(server: embedded.Redis, database: str) -> None:
    feed_all(server, "a")
    hold(server, "dead", LIVE, "firehose_group")
    for user, words, said in (
        ("indexer", ("shadow", "--wait", "0"), "NOT COMPARED"),
        ("indexer-operator", ("trace", post_uri(B, "olda"), "--interval", "0"), "1 message queued"),
        ("indexer-operator", ("trace", post_uri(A, "livea"), "--interval", "0", "--scan", "1"), "1 message in work"),
    ):
        done = command(database, least_authority.url(server.url, user), *words)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
    assert least_authority.refused(server.url) == []


def test_did_cache_can_be_written_and_no_other_key(server: embedded.Redis) -> None:
    async def write() -> tuple[object, object]:
        client = await open_redis(least_authority.url(server.url, "indexer"))
        try:
            cache = DidCache(client)
            return await cache.write(A, {"id": A}, 1), await cache.delete(A)
        finally:
            await client.aclose()

    assert asyncio.run(write()) == ("written", "written")
    assert least_authority.refused(server.url) == []


@pytest.mark.parametrize("user", ["indexer", "indexer-operator"])
def test_nobody_can_lose_what_is_not_acknowledged(server: embedded.Redis, user: str) -> None:
    feed(server.url, LIVE, [create(post_uri(A, "a"), post())])
    hold(server, "typescript", LIVE, "firehose_group")
    with redis.Redis.from_url(least_authority.url(server.url, user), protocol=2) as client:
        for words in (
            ["XTRIM", LIVE, "MAXLEN", "0"],
            ["DEL", LIVE],
            ["UNLINK", LIVE],
            ["RENAME", LIVE, "x"],
            ["XGROUP", "DESTROY", LIVE, "firehose_group"],
            ["XGROUP", "DELCONSUMER", LIVE, "firehose_group", "typescript"],
            ["XGROUP", "SETID", LIVE, "firehose_group", "0"],
            ["FLUSHALL"],
            ["FLUSHDB"],
            ["SET", LIVE, "x"],
            ["GET", f"identity:{A}"],
            ["KEYS", "*"],
            ["CONFIG", "SET", "maxmemory", "1"],
            ["EVAL", "return 1", "0"],
            ["XACK", "other_stream", "group", "0-1"],
            *([["XADD", LIVE, "*", "event", "x"]] if user == "indexer" else []),
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*words)
    assert left_over(server.url, LIVE) == (1, 1)


def test_package_knows_no_command_that_could() -> None:
    """The demo empties a database that it found empty; `doctor` tells people of a command that only adds."""
    forbidden = re.compile(r"x_?trim|max_?len\b|minid|delconsumer|group_?destroy|setid|flush(db|all)", re.I)
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted((ROOT / "python/indexer").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if forbidden.search(line)
    ]
    assert [line for line in found if not line.startswith('streams.py: f"`XGROUP SETID {group.stream} ')] == [
        "servers.py: client.flushdb()"
    ]
