"""The status page of a real daemon."""

import asyncio
import http.client
import json
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from indexer import embedded
from indexer.commands.control import wishes
from tests.acceptance.daemon import Daemon, feed, left_over, query, refuse, running
from tests.messages import A, create, post, post_uri

LIVE, GROUP = "firehose_live", "firehose_group"
TERMINATE = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""
DEFAULT = {"INDEXER_STATUS_PAGE": "auto"}


def status(daemon: Daemon) -> dict[str, Any]:
    code, text = daemon.get("/status.json")
    found: dict[str, Any] = json.loads(text) if code == 200 else {}
    return found


def test_page_tells_what_the_daemon_does(database: str, redis_url: str, tmp_path: Path) -> None:
    """And it stops at once, although somebody watches."""
    feed(redis_url, LIVE, [create(post_uri(A, "p"), post()), b"not JSON"])
    often = {"indexer.daemon.page.collector:EVERY_S": 0.2, "indexer.daemon.page.collector:SHARE": 1}
    with running(database, redis_url, tmp_path, settings=often, environment=DEFAULT) as daemon:
        daemon.started()
        daemon.until(lambda: left_over(redis_url, LIVE) == (0, 0))
        daemon.until(lambda: status(daemon).get("dead_letters") == 1 and bool(status(daemon)["history"]["at"]))
        found = status(daemon)
        assert found["lanes"].keys() == {LIVE, "firehose_backfill", "label_live"}
        assert set(found["lanes"].values()) <= {"working", "idle"}
        assert [one["consumer"] for one in found["instances"]] == ["one"]
        assert (found["consumer"], found["instance"]["ready"], found["reasons"]) == ("one", True, [])
        assert found["dead_letters_by_cause"] == {"not_json": 1}
        assert found["connections"]["indexer/one"] >= 1
        assert found["streams"][0]["consumers"][0]["looks_like"] == "ours"
        assert found["notes"]
        assert found["away"] == []
        code, text = daemon.get("/")
        assert code == 200
        assert "<noscript>" in text
        watching = http.client.HTTPConnection("127.0.0.1", daemon.lines("started")[0]["metrics_port_bound"], timeout=30)
        watching.request("GET", "/status.json")
        watching.getresponse().read()  # the connection stays open, as browsers have it
        assert daemon.stop() == 0
        watching.close()
    assert daemon.lines("status_page_failed") == []


def test_lane_that_is_halted_is_shown(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(refuse(database, "post", "42501"))
    feed(redis_url, LIVE, [create(post_uri(A, "p"), post())])
    with running(database, redis_url, tmp_path, environment=DEFAULT) as daemon:
        daemon.until(lambda: bool(daemon.lines("lane_halted")))
        daemon.until(lambda: status(daemon)["lanes"][LIVE] == "halted")
        found = status(daemon)
        assert found["reasons"][0].startswith("lane firehose_live halted: ")
        assert found["last_error"] == "; ".join(found["reasons"])
        assert found["instance"]["ready"] is False


@pytest.mark.long
def test_pause_is_shown(database: str, redis_url: str, tmp_path: Path) -> None:
    async def pause() -> None:
        connection = await asyncpg.connect(database)
        await wishes.ask_to_rest(connection, "one", paused=True)
        await connection.close()

    with running(database, redis_url, tmp_path, environment=DEFAULT) as daemon:
        daemon.started()
        asyncio.run(pause())
        daemon.until(lambda: set(status(daemon)["lanes"].values()) == {"paused"})
        assert status(daemon)["reasons"] == ["paused: `indexer resume --consumer one` goes on"]


@pytest.mark.long
def test_page_is_off_where_others_can_ask(database: str, redis_url: str, tmp_path: Path) -> None:
    with running(database, redis_url, tmp_path, environment=DEFAULT | {"METRICS_HOST": "0.0.0.0"}) as daemon:
        daemon.started()
        assert [daemon.get(path)[0] for path in ("/", "/status.json", "/readyz")] == [404, 404, 200]


@pytest.mark.long
def test_servers_that_go_and_come_back(database: str, tmp_path: Path) -> None:
    """The page says so while they are away; that it looks meanwhile costs the daemon nothing."""
    often = {"indexer.daemon.page.collector:EVERY_S": 0.2, "indexer.daemon.page.collector:FRESH_S": 0.1}
    with (
        embedded.redis() as server,
        running(database, server.url, tmp_path, settings=often, environment=DEFAULT) as daemon,
    ):
        daemon.started()
        daemon.until(lambda: bool(status(daemon).get("streams")))
        server.stop()
        daemon.until(lambda: bool(status(daemon)["away"]))
        found = status(daemon)
        assert found["streams"] == []
        assert found["away"][0]["what"].startswith("Redis at ")
        daemon.until(lambda: status(daemon)["lanes"][LIVE] == "waiting")
        server.start()
        feed(server.url, LIVE, [create(post_uri(A, "p"), post())])
        daemon.until(lambda: left_over(server.url, LIVE) == (0, 0))
        asyncio.run(query(database, TERMINATE))
        daemon.until(lambda: not status(daemon)["away"] and status(daemon)["dead_letters"] == 0)
        feed(server.url, LIVE, [create(post_uri(A, "q"), post())])
        daemon.until(lambda: left_over(server.url, LIVE) == (0, 0))
        assert daemon.stop() == 0
    assert daemon.lines("status_page_failed") == []
