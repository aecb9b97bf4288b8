"""Redis goes, comes back, refuses, answers slowly or not at all: nothing is lost, nothing dies."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import redis
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from indexer import embedded
from indexer.lane.faults import refusal
from tests.acceptance.daemon import GROUP, count, feed, left_over, running
from tests.faults.indexing import STREAM, feed_and_wait, is_drained, nothing_is_lost, posts, working
from tests.faults.proxy import Answer, Break, Latency, Slices, proxied
from tests.faults.truth import equals, index_alone, traffic
from tests.messages import label, label_message

KEPT = {"appendonly": "yes", "appendfsync": "always", "save": ""}
"""Settings of a Redis whose data outlives it."""
SETTLE = b"XACK"


def test_restart(database: str, tmp_path: Path) -> None:
    with embedded.redis(KEPT) as server, working(database, server.url, tmp_path) as daemon:
        feed_and_wait(daemon, server.url)
        server.stop()
        daemon.until(lambda: bool(daemon.lines("redis_away")))
        daemon.until(lambda: daemon.get("/readyz")[0] == 503)
        assert "waits for Redis" in daemon.get("/readyz")[1]
        assert daemon.get("/livez")[0] == 200, "a restart would not help"
        server.start()
        nothing_is_lost(daemon, database, server.url)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("how", ["always", "everysec"])
def test_killed_many_times_at_work(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    how: str,
    record_property: Callable[[str, object], None],
) -> None:
    """By kill -9, which loses nothing that it answered: what it wrote is the system's to keep."""
    kills, portion, chance = 50, 400, random.Random(how)
    messages = traffic(kills * portion, accounts=kills * portion // 50)
    index_alone(other_database, redis_url, tmp_path, messages)
    caught = 0
    with embedded.redis({**KEPT, "appendfsync": how}) as server, working(database, server.url, tmp_path) as daemon:
        daemon.started()
        for first in range(0, len(messages), portion):
            feed(server.url, STREAM, messages[first : first + portion])
            full = left_over(server.url, STREAM)[0]
            daemon.until(lambda full=full: left_over(server.url, STREAM)[0] < full)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.05))
            caught += left_over(server.url, STREAM)[1] > 0
            os.kill(server.pid, signal.SIGKILL)
            server.stop()
            server.start()
        daemon.until(lambda: is_drained(server.url))
        assert daemon.stop() == 0, daemon.output
        assert not daemon.lines("group_lost")
    assert caught > kills / 2, "it was hardly ever killed with a batch in hand"
    equals(database, other_database, messages, in_stream_order=False)
    record_property(f"kills of Redis ({how}), of these with a batch in hand", f"{kills}, {caught}")


def test_restart_that_loses_everything_gets_the_group_again(database: str, tmp_path: Path) -> None:
    with embedded.redis() as server, running(database, server.url, tmp_path) as daemon:
        feed(server.url, STREAM, posts(0, 3))
        daemon.until(lambda: count(database, "post") == 3)
        server.stop()
        server.start()
        feed(server.url, STREAM, posts(3, 3))
        daemon.until(lambda: count(database, "post") == 6)
        daemon.until(lambda: is_drained(server.url))
        assert daemon.stop() == 0


@pytest.mark.parametrize("how", ["destroy", "delete", "flush"])
def test_group_that_is_gone_is_made_again(database: str, redis_url: str, tmp_path: Path, how: str) -> None:
    """Under a daemon that waits for news (P10)."""
    with running(database, redis_url, tmp_path) as daemon:
        feed(redis_url, STREAM, posts(0, 3))
        daemon.until(lambda: count(database, "post") == 3)
        with redis.Redis.from_url(redis_url) as client:
            match how:
                case "destroy":
                    client.xgroup_destroy(STREAM, GROUP)
                case "delete":
                    client.delete(STREAM)
                case "flush":
                    client.flushdb()
        feed(redis_url, STREAM, posts(3, 3))
        daemon.until(lambda: count(database, "post") == 6)
        daemon.until(lambda: is_drained(redis_url))
        assert STREAM in {line["stream"] for line in daemon.lines("group_lost")}
        assert daemon.metrics()["indexer_groups_lost_total", (("stream", STREAM),)] == 1
        assert daemon.stop() == 0


@pytest.mark.parametrize("flags", [("--drain",), ()])
def test_full_redis_is_drained(database: str, tmp_path: Path, flags: tuple[str, ...]) -> None:
    """At maxmemory XGROUP CREATE is refused although the group is there; only the consumer can make room (P17).

    The stream of backfill is not there: its group is made as soon as there is room.
    """
    with embedded.redis({"maxmemory-policy": "noeviction"}) as server, redis.Redis.from_url(server.url) as client:
        client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        client.xgroup_create("label_live", "label_group", id="0", mkstream=True)
        feed(server.url, STREAM, posts(0, 2000))
        feed(server.url, "label_live", [label_message(label(val=f"v{n}")) for n in range(500)])
        client.config_set("maxmemory", "1mb")
        with pytest.raises(OutOfMemoryError):
            client.xgroup_create(STREAM, GROUP, id="0")
        with running(database, server.url, tmp_path, *flags) as daemon:
            if flags:
                assert daemon.wait() == 0, daemon.output
            else:
                daemon.until(lambda: is_drained(server.url) and left_over(server.url, "label_live") == (0, 0))
                client.config_set("maxmemory", "0")
                daemon.until(lambda: daemon.get("/readyz")[0] == 200)
                assert client.xinfo_groups("firehose_backfill")
                assert daemon.stop() == 0
        assert is_drained(server.url)
        assert left_over(server.url, "label_live") == (0, 0)
    assert (count(database, "post"), count(database, "label")) == (2000, 500)


def test_failover_to_a_replica_that_may_not_write_yet(database: str, tmp_path: Path) -> None:
    """READONLY, as a server says whose clients did not notice that another one took over."""
    with embedded.redis() as server, working(database, server.url, tmp_path) as daemon:
        feed_and_wait(daemon, server.url)
        with redis.Redis.from_url(server.url) as client:
            client.replicaof("127.0.0.1", "1")  # nobody is there: it keeps what it has
            with pytest.raises(ReadOnlyError):
                client.set("x", 1)
            daemon.until(lambda: any("read only replica" in line["error"] for line in daemon.lines("redis_away")))
            daemon.until(lambda: daemon.get("/readyz")[0] == 503)
            assert daemon.get("/livez")[0] == 200
            client.replicaof("NO", "ONE")
        nothing_is_lost(daemon, database, server.url)


def test_refusals_that_pass(database: str, redis_url: str, tmp_path: Path) -> None:
    """Of reads and of acknowledgements."""
    with proxied(redis_url) as proxy, working(database, proxy.url, tmp_path) as daemon:
        for code in ("LOADING", "MASTERDOWN", "READONLY", "BUSY", "MISCONF", "NOREPLICAS", "OOM", "UNBLOCKED"):
            reply = f"-{code} for some time.\r\n".encode()
            proxy.add(Answer(b"XREADGROUP", reply, most=1), Answer(SETTLE, reply * 3, most=1))
        feed_and_wait(daemon, redis_url)
        nothing_is_lost(daemon, database, redis_url)


def test_refusal_for_good_halts_the_lane(database: str, redis_url: str, tmp_path: Path) -> None:
    with proxied(redis_url) as proxy, working(database, proxy.url, tmp_path) as daemon:
        proxy.add(Answer(b"XREADGROUP", b"-NOPERM this user has no permissions to run 'xreadgroup'\r\n"))
        feed(redis_url, STREAM, posts(0, 1))
        daemon.started()
        daemon.until(lambda: "permissions" in daemon.get("/readyz")[1])
        assert daemon.get("/livez")[0] == 200
        assert left_over(redis_url, STREAM) == (1, 0)


def test_word_of_a_refusal_is_found_wherever_the_client_leaves_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, pytest.raises(ResponseError) as wrong:
        client.xreadgroup("g", "c", {"none": ">"})
    assert refusal(wrong.value) == "NOGROUP"
    sentence = "Command # 1 (XACK s g 1-0) of pipeline caused error: ('MISCONF Redis is configured to',)"
    assert refusal(ResponseError(sentence)) == "MISCONF"
    assert refusal(ReadOnlyError("You can't write", status_code="READONLY")) == "READONLY"


def test_connections_that_break(database: str, redis_url: str, tmp_path: Path) -> None:
    """While messages are delivered, and while they are acknowledged: before Redis hears of it, and after."""
    with proxied(redis_url) as proxy, working(database, proxy.url, tmp_path) as daemon:
        ways: tuple[Literal["close", "reset"], ...] = ("close", "reset")
        for how in ways:
            proxy.add(
                Break(how, "client", b"app.bsky.feed.post", arrives=False, most=1),
                Break(how, "client", b"app.bsky.feed.post", most=1),
                Break(how, "server", SETTLE, arrives=False, most=1),
                Break(how, "client", b":30\r\n:30\r\n", arrives=False, most=1),
            )
        feed_and_wait(daemon, redis_url)
        nothing_is_lost(daemon, database, redis_url)


@pytest.mark.long
@pytest.mark.parametrize("seconds", [2, None])
@pytest.mark.timeout(120)
def test_half_open_connections(database: str, redis_url: str, tmp_path: Path, seconds: float | None) -> None:
    """Nothing comes any more and nobody says so; None: for as long as the daemon really waits."""
    settings = {"indexer.connections.redis_connection:SOCKET_TIMEOUT_S": seconds} if seconds else None
    with proxied(redis_url) as proxy, working(database, proxy.url, tmp_path, settings=settings) as daemon:
        proxy.add(
            Break("hang", "client", b"app.bsky.feed.post", arrives=False, most=1),
            Break("hang", "client", b":30\r\n:30\r\n", arrives=False, most=1),
        )
        feed_and_wait(daemon, redis_url)
        nothing_is_lost(daemon, database, redis_url)


@pytest.mark.long
def test_slow_connection_in_slices(database: str, redis_url: str, tmp_path: Path) -> None:
    with proxied(redis_url) as proxy, working(database, proxy.url, tmp_path, size=200) as daemon:
        proxy.add(Latency(0.05), Slices(7))
        feed_and_wait(daemon, redis_url)
        nothing_is_lost(daemon, database, redis_url)
    assert not daemon.lines("redis_away"), "slow is not away"
