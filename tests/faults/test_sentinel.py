"""A real fail-over of Redis: a Sentinel promotes the replica, and the address that the daemon knows follows it."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from indexer import embedded
from indexer.embedded import binaries
from indexer.embedded.process import Child, private_folder
from tests.faults.indexing import STREAM, feed_and_wait, nothing_is_lost, working
from tests.faults.proxy import proxied

PATIENCE_S = 60


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def until(is_true: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.05)


@contextmanager
def sentinel(master: int) -> Iterator[redis.Redis]:
    """One Sentinel, whose vote suffices, for the master at a port."""
    port = free_port()
    with private_folder() as folder:
        settings = folder.path / "sentinel.conf"
        settings.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder.path}\nsentinel monitor it 127.0.0.1 {master} 1\n"
            "sentinel down-after-milliseconds it 500\nsentinel failover-timeout it 2000\n",
            encoding="utf-8",
        )
        child = Child([binaries.redis_program(), settings, "--sentinel"], folder, "same", signal.SIGKILL)
        try:
            with redis.Redis(port=port, decode_responses=True) as client:
                yield client
        finally:
            child.stop((signal.SIGTERM, signal.SIGKILL))


def knows_a_replica(watch: redis.Redis) -> bool:
    try:
        return bool(watch.sentinel_slaves("it"))
    except RedisError:
        return False


@pytest.mark.long
def test_failover_by_sentinel(database: str, tmp_path: Path) -> None:
    """The master is killed; the daemon, behind an address that follows Sentinel, goes on with the replica."""
    ports = [free_port(), free_port()]
    tcp = [{"port": str(port), "bind": "127.0.0.1"} for port in ports]
    with (
        embedded.redis(tcp[0]) as master,
        embedded.redis({**tcp[1], "replicaof": f"127.0.0.1 {ports[0]}"}) as replica,
        sentinel(ports[0]) as watch,
        proxied(master.url) as proxy,
        redis.Redis.from_url(master.url) as client,
        redis.Redis.from_url(replica.url) as other,
    ):
        until(lambda: bool(other.info("replication")["master_link_status"] == "up"))
        until(lambda: knows_a_replica(watch))
        with working(database, proxy.url, tmp_path) as daemon:
            feed_and_wait(daemon, master.url)
            client.wait(1, 10_000)  # what never reached the replica, Redis itself would lose
            assert other.xlen(STREAM) > 0
            os.kill(master.pid, signal.SIGKILL)
            until(lambda: watch.sentinel_get_master_addr_by_name("it") == ("127.0.0.1", ports[1]))
            proxy.server_url = replica.url
            proxy.reset_all()
            nothing_is_lost(daemon, database, replica.url)
            assert daemon.lines("redis_away")
