"""The status page: what is served, to whom, and what it costs."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import redis
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from indexer import cli, embedded
from indexer.commands.status.instance import Instance
from indexer.commands.status.ledger import Ledger, Letters
from indexer.commands.status.watch import Snapshot
from indexer.configuration.settings import Settings
from indexer.connections.database import Turns, open_pool
from indexer.connections.redis_connection import open_redis
from indexer.daemon.http import Health, serving
from indexer.daemon.page import collector, routes, watch
from indexer.daemon.page.collector import Collector
from indexer.daemon.page.history import MOST, History
from indexer.daemon.page.watch import InnerWatch
from tests import least_authority
from tests.integration.dead_letters import keep, letter

LIVE, GROUP = "firehose_live", "firehose_group"
NAMES = routes.own_names("127.0.0.1")
GOOD = Health(live=True, ready=True)


def settings(redis_url: str = "redis://x", database: str = "postgresql://x/x", **more: str) -> Settings:
    given = {"REDIS_URL": redis_url, "DATABASE_URL": database, "INDEXER_CONSUMER": "one", "METRICS_PORT": "0"}
    return Settings.from_environment({**given, **more}, {})[0]


@asynccontextmanager
async def collecting(found: Settings, health: Health = GOOD) -> AsyncIterator[tuple[Collector, Turns]]:
    """A collector over clients like those of the daemon, with one connection to PostgreSQL."""
    client = await open_redis(found.redis_url)
    pool, turns = await open_pool(found.postgres_url, "one", 0, 1, 0), Turns(1)
    made = Collector(found, InnerWatch(found, pool, turns, client, lambda: health), lambda: {LIVE: "working"})
    try:
        yield made, turns
    finally:
        await made.close()
        await client.aclose()
        pool.terminate()


async def shown(made: Collector) -> dict[str, Any]:
    text = await made.document()
    assert text is not None
    found: dict[str, Any] = json.loads(text)
    return found


@asynccontextmanager
async def served(document: Any) -> AsyncIterator[str]:
    async with serving("127.0.0.1", 0, CollectorRegistry(), lambda: GOOD, routes.routes(document, NAMES)) as port:
        yield f"127.0.0.1:{port}"


async def little() -> str:
    return '{"at": 1}'


async def ask(address: str, path: str, method: str = "GET", host: str | None = None) -> tuple[int, Any, str]:
    """Status, headers and text."""
    headers = {} if host is None else {"Host": host}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{address}{path}", headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


@pytest.mark.parametrize(("path", "kind"), [("/", "text/html"), ("/status.json", "application/json")])
async def test_answers_are_read_only_and_closed_to_other_sites(path: str, kind: str) -> None:
    async with served(little) as address:
        status, headers, _ = await ask(address, path)
        assert (status, headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["frame-ancestors"] == "'none'"
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["script-src"])
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["style-src"])
        for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            assert (await ask(address, path, method))[0] == 405


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200), ("127.0.0.1:4020", 200), ("[::1]:4020", 200), ("LocalHost:1", 200), ("192.0.2.7", 200),
        (socket.gethostname(), 200), ("evil.example", 421), ("evil.example:4020", 421), ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421), ("127.0.0.1@evil.example", 421), ("", 421), ("localhost, evil.example", 421),
        ("0x7f.1", 421), ("[evil.example]", 421),
    ],
)  # fmt: skip
async def test_name_that_is_not_of_this_machine_gets_nothing(host: str, status: int) -> None:
    """A site whose name is made to lead here (DNS rebinding) would be asked for by its own name."""
    async with served(little) as address:
        for path in ("/", "/status.json"):
            found, _, text = await ask(address, path, host=host)
            assert found == status
            assert ('"at"' in text or "<html" in text) == (status == 200)
        assert (await ask(address, "/metrics", host=host))[0] in (200, 400)  # Prometheus knows it by other names


def test_page_is_one_file_that_needs_no_other() -> None:
    page, policy = routes._page()
    assert len(page) < 40_000
    addresses = set(re.findall(r"\bhttps?://[^\s'\"]+|(?<=[\"'=])//[^\s'\"]+", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, which nobody asks for
    elements = re.findall(r"<(?:script|link|img|iframe|object|form)\b[^>]*", page)
    assert [found.partition("image/svg")[0] for found in elements] == ['<link rel="icon" href="data:', "<script"]
    assert not re.search(r"\sstyle=|\son\w+=|javascript:|@import|url\(", page)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", page)
    assert policy.count("sha256-") == 2
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("given", "host", "on"),
    [
        ("auto", "127.0.0.1", True), ("auto", "::1", True), ("auto", "localhost", True), ("auto", "0.0.0.0", False),
        ("auto", "::", False), ("auto", "10.0.0.1", False), ("auto", "indexer.internal", False),
        ("on", "0.0.0.0", True), ("off", "127.0.0.1", False),
    ],
)  # fmt: skip
def test_other_machines_see_the_page_only_where_it_was_asked_for(given: str, host: str, on: bool) -> None:
    assert routes.is_on(settings(METRICS_HOST=host, INDEXER_STATUS_PAGE=given)) == on


async def test_document_is_that_of_the_command_with_more(
    database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the daemon's Redis user, who is refused nothing: it does not even ask for what it may not."""
    await asyncio.to_thread(keep, database, [letter(b"x", f"{n}-0", "bad_rev") for n in range(3)])
    with embedded.redis({"include": str(least_authority.ACL)}) as server, redis.Redis.from_url(server.url) as client:
        for number in range(9):
            client.xadd(LIVE, {"event": str(number)})
        client.xgroup_create(LIVE, GROUP, "0")
        client.xreadgroup(GROUP, "<script>alert(1)</script>", {LIVE: ">"}, count=4)
        for name, text in {"REDIS_URL": server.url, "DATABASE_URL": database, "METRICS_PORT": "0"}.items():
            monkeypatch.setenv(name, text)
        assert await asyncio.to_thread(cli.main, ["status", "--json", "--interval", "0"]) == 0
        told = json.loads(capsys.readouterr().out)
        url = least_authority.url(server.url, "indexer")
        async with collecting(settings(url, database), Health(True, False, ("lane firehose_live halted: x",))) as (
            made,
            _,
        ):
            found = await shown(made)
        assert least_authority.refused(server.url) == []
    assert found.keys() > told.keys()
    assert found.keys() - told.keys() == {
        "consumer", "version", "started_at", "database_read_at", "lanes", "reasons", "history", "age_s"
    }  # fmt: skip
    for ours, theirs in zip(found["streams"], told["streams"], strict=True):
        for fields in (ours, theirs):
            for passing in ("oldest_s", "oldest_pending_s"):
                fields.pop(passing)
            for consumer in fields["consumers"]:
                consumer.pop("idle_s")
                consumer.pop("looks_like")  # the daemon may not ask Redis for its clients
        assert ours == theirs
    assert found["streams"][0]["consumers"][0]["name"] == "<script>alert(1)</script>"
    same = ("dead_letters", "dead_letters_by_cause", "handle_backlog", "account_deletions", "dirty_counts", "away")
    assert {name: found[name] for name in same} == {name: told[name] for name in same}
    assert found["dead_letters_by_cause"] == {"bad_rev": 3}
    assert found["last_error"] == "lane firehose_live halted: x"
    assert found["instance"]["ready"] is False
    assert [note for note in found["notes"] if "memory of Redis" in note]


async def test_age_of_the_oldest_costs_no_body_while_a_stream_moves(redis_url: str, shared_database: str) -> None:
    """And is known of one that stands still: its lane is paused or halted, and nobody holds anything."""
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, "0", mkstream=True)

        def bodies() -> int:
            stats: Any = client.info("commandstats")
            return int(stats.get("cmdstat_xrange", {"calls": 0})["calls"])

        before = bodies()
        async with looking_at(redis_url, shared_database) as looking:
            for _ in range(3):  # held by somebody
                client.xadd(LIVE, {"event": "x"})
                client.xreadgroup(GROUP, "one", {LIVE: ">"})
                await looking.count()
                assert (await looking.snapshot()).streams[0].oldest_s is not None
            pending: Any = client.xpending_range(LIVE, GROUP, "-", "+", 9)
            client.xack(LIVE, GROUP, *[entry["message_id"] for entry in pending])
            client.xadd(LIVE, {"event": "x"})
            await looking.count()
            assert bodies() == before
            await looking.count()
            assert (await looking.snapshot()).streams[0].oldest_s is not None
            assert bodies() == before + 1


async def test_hundred_viewers_cost_what_one_costs(redis_url: str, shared_database: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(LIVE, {"event": "x"})
        async with collecting(settings(redis_url, shared_database)) as (made, _), served(made.document) as address:

            def commands() -> int:
                stats: Any = client.info("commandstats")
                return int(stats.get("cmdstat_xlen", {"calls": 0})["calls"])

            before = commands()
            answers = await asyncio.gather(*(ask(address, "/status.json") for _ in range(100)))
            assert {status for status, _, _ in answers} == {200}
            assert commands() - before == 3  # one look at three streams


async def test_servers_that_are_away_cost_their_figures_only(
    redis_url: str, shared_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "FRESH_S", 0.0)
    with embedded.redis() as server:
        async with collecting(settings(server.url, shared_database)) as (made, _):
            assert len((await shown(made))["streams"]) == 3
            server.stop()
            found = await shown(made)
    assert found["streams"] == []
    assert found["dead_letters"] == 0
    assert [fault["what"].startswith("Redis at ") for fault in found["away"]] == [True]
    away = settings(redis_url, "postgresql://bsky:hunter2@127.0.0.1:1/bsky")
    async with collecting(away) as (made, _):
        text = await made.document()
    assert text is not None
    found = json.loads(text)
    assert len(found["streams"]) == 3
    assert (found["dead_letters"], found["connections"]) == (None, {})
    assert "127.0.0.1:1/bsky" in found["away"][0]["what"]
    assert "hunter2" not in text


async def test_lanes_go_before_the_page(redis_url: str, shared_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FREE_S", 0.1)
    async with collecting(settings(redis_url, shared_database)) as (made, turns):
        async with turns.turn(0):
            found = await shown(made)
        assert "lanes use all of DB_POOL_MAX_SIZE" in found["away"][0]["cause"]
        assert len(found["streams"]) == 3


async def test_slow_table_is_read_seldom(redis_url: str, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "FRESH_S", 0.0)
    monkeypatch.setattr(collector, "EVERY_S", 0.0)
    reads = []
    read_database = InnerWatch.read_database

    async def slow(self: InnerWatch) -> Any:
        reads.append(1)
        await asyncio.sleep(0.1)
        return await read_database(self)

    monkeypatch.setattr(InnerWatch, "read_database", slow)
    async with collecting(settings(redis_url, database)) as (made, _):
        for _ in range(10):
            await made.document()
    assert len(reads) == 1


class Stub(InnerWatch):
    """Looks at nothing; `hangs` or fails as it is told."""

    def __init__(self) -> None:
        self.hangs = self.fails = False

    async def count(self) -> None:
        if self.fails:
            raise KeyError("a bug")
        if self.hangs:
            await asyncio.Event().wait()

    async def read_database(self) -> Any:
        return Ledger(), None

    async def snapshot(self, known: Any = None, away: Any = None) -> Snapshot:
        return point(letters=7)


def point(letters: int = 0) -> Snapshot:
    instance = Instance("here", True)
    ledger = Ledger(letters=Letters(letters, {}))
    return Snapshot(datetime.now(UTC), 0.0, (), None, None, ledger, instance, ())


async def test_nobody_waits_for_a_server_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "FRESH_S", 0.0)
    monkeypatch.setattr(collector, "PATIENCE_S", 0.05)
    stub = Stub()
    made = Collector(settings(), stub, dict)
    stub.hangs = True
    async with served(made.document) as address:
        assert (await ask(address, "/status.json"))[0] == 503
        await made.close()
        stub.hangs = False
        assert (await shown(made))["dead_letters"] == 7
        stub.hangs = True
        assert (await shown(made))["dead_letters"] == 7
    await made.close()


async def test_fault_of_the_page_is_no_fault_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "EVERY_S", 0.01)
    stub = Stub()
    made = Collector(settings(), stub, dict)
    stub.fails = True
    with capture_logs() as logs:
        running = asyncio.create_task(made.run())
        while not logs:
            await asyncio.sleep(0.01)
    assert {line["event"] for line in logs} == {"status_page_failed"}
    assert not running.done()
    stub.fails = False
    while not (found := await made.document()) or not json.loads(found)["history"]["at"]:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_history_is_an_hour_and_no_more() -> None:
    history = History((LIVE,))
    for number in range(MOST + 40):
        history.add(point(number), float(number))
    found = history.described()
    assert found["every_s"] * found["most_points"] == 3600
    assert len(found["at"]) == len(found["dead_letters"]) == len(found["streams"][LIVE]["left"]) == MOST
    assert found["dead_letters"][-1] == MOST + 39
    assert set(found["streams"][LIVE]["in_per_s"]) == {None}  # Redis was away


async def test_course_of_a_stream_is_kept(redis_url: str, shared_database: str) -> None:
    history = History((LIVE,))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, "0", mkstream=True)
        async with looking_at(redis_url, shared_database) as looking:
            for number in range(3):
                for _ in range(20):
                    client.xadd(LIVE, {"event": "x"})
                client.xreadgroup(GROUP, "one", {LIVE: ">"}, count=5)
                await looking.count()
                history.add(await looking.snapshot(), number * 10.0)
    course = history.described()["streams"][LIVE]
    assert course == {"in_per_s": [None, 2.0, 2.0], "out_per_s": [None, 0.0, 0.0], "left": [20, 40, 60]}


@asynccontextmanager
async def looking_at(redis_url: str, database: str) -> AsyncIterator[InnerWatch]:
    found = settings(redis_url, database)
    client, pool = await open_redis(redis_url), await open_pool(database, "one", 0, 1, 0)
    try:
        yield InnerWatch(found, pool, Turns(1), client, lambda: GOOD)
    finally:
        await client.aclose()
        pool.terminate()


def test_password_that_a_server_repeats_is_masked() -> None:
    found = settings("redis://:hunter2@cache", "postgresql://bsky:sw0rd@db/bsky")
    made = Collector(found, Stub(), dict)
    given = {"sw0rd": ["a hunter2", {"b": ("sw0rd", 1, None)}], "n": 2.5}
    assert made._scrubbed(given) == {"***": ["a ***", {"b": ["***", 1, None]}], "n": 2.5}
