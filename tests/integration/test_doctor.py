"""`indexer doctor`: each planted fault is found with its remedy, and nothing is found where nothing is wrong."""

import asyncio
import contextlib
import json
import os
import re
import signal
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import dns.rcode
import pytest
import redis
from aiohttp import web

from indexer import cli, embedded
from indexer.commands.doctor import examination, postgres, streams
from indexer.commands.doctor import redis as redis_checks
from indexer.commands.doctor.checks import CHECKS
from indexer.commands.doctor.examination import examine
from indexer.commands.doctor.subject import Subject
from indexer.configuration import origins as configuration
from indexer.errors import ExitCode
from tests import least_authority
from tests.identity.network import NameServer
from tests.integration.planted_faults import (
    ALSO,
    CHANGING,
    PLANTED,
    UNSEEN,
    delivered_often,
    orphans,
    role_with_a_limit,
    two_groups,
)
from tests.integration.planting import GROUP, HEALTHY, LIVE, Deployment, Plant, healthy


@pytest.fixture(scope="module")
def redis_server() -> Iterator[embedded.Redis]:
    with embedded.redis({**HEALTHY, "include": str(least_authority.ACL)}) as server:
        yield server


@pytest.fixture
def where(request: pytest.FixtureRequest) -> str:
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    found: str = request.getfixturevalue("database" if parameters.get("plant") in CHANGING else "shared_database")
    return found


@pytest.fixture
async def deployment(redis_server: embedded.Redis, where: str) -> AsyncIterator[Deployment]:
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
        found = await healthy(redis_server, client, where)
        yield found
        with contextlib.suppress(asyncpg.PostgresError):
            await found.execute("DELETE FROM indexer.lease")


@pytest.fixture(autouse=True)
def _shorter_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers of these tests read every 50 ms."""
    monkeypatch.setattr(streams, "WATCH_S", 1.0)
    monkeypatch.setattr(streams, "LOOK_S", 0.2)


@pytest.fixture
async def directory() -> AsyncIterator[str]:
    """The URL of a directory of accounts that answers."""

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"version": "1"})

    app = web.Application()
    app.add_routes([web.get("/_health", health)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def names() -> AsyncIterator[NameServer]:
    async with NameServer().running() as server:
        yield server


async def test_nothing_is_found_where_nothing_is_wrong(
    deployment: Deployment, directory: str, names: NameServer
) -> None:
    deployment.environ |= {"ENABLE_DID_RESOLUTION": "true", "PLC_URL": directory}
    deployment.subject["nameservers"] = [names.place]
    report = await deployment.examined()
    assert report.findings == []
    assert report.unseen == []
    facts = [fact.text for fact in report.facts]
    assert "firehose_live, group firehose_group: 25 entries, 20 undelivered, 5 pending" in facts
    assert any(re.match(r"firehose_live: one \(ours\) holds 5, asked \d+ s ago", fact) for fact in facts)
    assert f"{directory} answers" in facts
    assert names.asked


@pytest.mark.parametrize(("plant", "code", "remedy"), PLANTED, ids=[plant.__name__ for plant, *_ in PLANTED])
async def test_planted_fault_is_found_with_its_remedy_and_nothing_else(
    deployment: Deployment, plant: Plant, code: str, remedy: str
) -> None:
    kept: Any = deployment.client.config_get("*")
    try:
        await plant(deployment)
        report = await deployment.examined()
    finally:
        deployment.client.slaveof()
        for name in ("maxmemory-policy", "maxmemory", "save", "appendonly"):
            deployment.client.config_set(name, kept[name])
        if plant is role_with_a_limit:
            await deployment.execute("DROP ROLE narrow")
    codes = {finding.code for finding in report.findings}
    assert codes == {code} | ALSO.get(plant, set()), [finding.what for finding in report.findings]
    assert any(remedy in finding.remedy for finding in report.findings if finding.code == code), report.findings
    assert len(report.unseen) == UNSEEN.get(plant, 0), report.unseen
    assert all(finding.what and finding.means for finding in report.findings)
    assert "hunter2" not in str(report)


async def test_name_servers_that_know_nothing_are_found(
    deployment: Deployment, directory: str, names: NameServer
) -> None:
    names.answer_all = dns.rcode.SERVFAIL
    deployment.environ |= {"ENABLE_DID_RESOLUTION": "true", "PLC_URL": directory}
    deployment.subject["nameservers"] = [names.place]
    report = await deployment.examined()
    assert [finding.code for finding in report.findings] == ["network.dns"]


async def test_who_has_just_stopped_is_not_taken_for_alive(deployment: Deployment) -> None:
    """A consumer of a clean end: it has no lease any more, and asked a moment ago."""
    ids = deployment.read("typescript-1", 1)
    deployment.client.xack(LIVE, GROUP, *ids)
    deployment.client.xdel(LIVE, *ids)
    assert (await deployment.examined()).findings == []


async def test_instance_that_starts_meanwhile_is_one_of_ours(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is taken after leases were read, and before it reads."""
    await deployment.living("two")
    watched = streams._living

    async def living(*arguments: Any) -> set[str]:
        found = await watched(*arguments)
        await deployment.lease("two")
        return found

    monkeypatch.setattr(streams, "_living", living)
    assert (await deployment.examined()).findings == []


async def test_entry_between_its_acknowledgement_and_its_deletion_is_no_orphan(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "AGAIN_S", 1.0)
    await orphans(deployment)

    async def delete() -> None:
        await asyncio.sleep(0.5)
        entries: Any = deployment.client.xrange(LIVE, count=1)
        deployment.client.xdel(LIVE, entries[0][0])

    deleting = asyncio.create_task(delete())
    assert (await deployment.examined()).findings == []
    await deleting


async def test_users_with_the_least_rights_see_what_they_may(deployment: Deployment) -> None:
    """The daemon's own user is told what it cannot look at; the operator's sees all but the snapshots."""
    deployment.environ["REDIS_URL"] = least_authority.url(deployment.server.url, "indexer")
    report = await deployment.examined()
    assert report.findings == []
    assert {unseen.what for unseen in report.unseen} == {"version, memory and persistence", "the clock of Redis"}
    deployment.environ["REDIS_URL"] = least_authority.url(deployment.server.url, "indexer-operator")
    report = await deployment.examined()
    assert (report.findings, report.unseen) == ([], [])


async def test_nothing_is_changed(deployment: Deployment) -> None:
    """Neither a key of Redis nor a row; also while there is much to find."""
    await delivered_often(deployment)
    await two_groups(deployment)
    before = state(deployment), await rows(deployment)
    report = await deployment.examined()
    assert {finding.code for finding in report.findings} == {"streams.two_groups", "streams.delivered_often"}
    assert (state(deployment), await rows(deployment)) == before


def state(d: Deployment) -> tuple[Any, ...]:
    info: Any = d.client.info("persistence")
    keys: Any = d.client.keys("*")
    return info["rdb_changes_since_last_save"], {key: d.client.dump(key) for key in keys}


async def rows(d: Deployment) -> Any:
    connection = await asyncpg.connect(d.database)
    try:
        return await connection.fetch(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY schemaname, relname"
        )
    finally:
        await connection.close()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_server_that_does_not_answer_costs_its_own_checks_only(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """It is frozen before or after the connection is made: it takes what it is told, and says nothing."""
    opened = examination._open_redis

    async def open_redis(*arguments: Any) -> None:
        if when == "before":
            os.kill(deployment.server.pid, signal.SIGSTOP)
        await opened(*arguments)
        os.kill(deployment.server.pid, signal.SIGSTOP)

    monkeypatch.setattr(examination, "_open_redis", open_redis)
    some = [check for check in CHECKS if check.ask in (redis_checks.version, streams.groups, postgres.server)]
    monkeypatch.setattr(examination, "CHECKS", some)
    monkeypatch.setattr(examination, "CHECK_S", 1.0)
    monkeypatch.setattr(examination, "CONNECT_S", 1.0)
    try:
        report = await deployment.examined()
    finally:
        os.kill(deployment.server.pid, signal.SIGCONT)
    assert [finding.code for finding in report.findings] == (["redis.unreachable"] if when == "before" else [])
    silent = [unseen for unseen in report.unseen if unseen.why.startswith("no answer within")]
    assert [unseen.area for unseen in silent] == ([] if when == "before" else ["redis", "streams"])
    assert "PostgreSQL" in str([fact.text for fact in report.facts if fact.area == "postgres"])


async def test_what_is_not_done_in_time_is_told(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(_subject: Subject) -> Any:
        await asyncio.sleep(3600)

    monkeypatch.setattr(examination, "_open_redis", lambda *_: endless(Subject(configuration.read({}, {}))))
    report = await examine(Subject(configuration.read(deployment.environ, {})), deadline_s=0.2)
    assert report.findings == []
    assert "redis: version" in {unseen.what for unseen in report.unseen}
    assert report.facts


def test_bounds_add_up_to_fifteen_seconds() -> None:
    start_of_the_program_s = 2.0
    assert examination.DEADLINE_S + 3 * examination.CLOSE_S + start_of_the_program_s <= 15.0
    assert examination.CONNECT_S + examination.CLOSE_S + examination.CHECK_S <= examination.DEADLINE_S
    assert streams.WATCH_S + streams.LOOK_S < examination.CHECK_S


async def test_command_ends_with_1_and_writes_a_masked_bundle(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, text in deployment.environ.items():
        monkeypatch.setenv(name, text)
    bundle = tmp_path / "bundle.json"
    assert await main("doctor", "--json", "--bundle", str(bundle)) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    written = json.loads(bundle.read_text(encoding="utf-8"))
    assert written.keys() == {"doctor", "configuration", "status", "variables", "versions"}
    assert written["status"]["streams"][0]["length"] == 25
    assert await main("doctor", "--bundle", str(bundle)) == ExitCode.CONFIG
    assert "name a file that is not there yet" in capsys.readouterr().err
    monkeypatch.setenv("INDEXER_LABEL_GROUP", "mine")
    assert await main("doctor") == ExitCode.FINDINGS
    said = capsys.readouterr().out
    assert "found: label_live is read in the group label_group" in said
    assert "  remedy: set INDEXER_GROUP or INDEXER_LABEL_GROUP" in said
    assert said.endswith("1 finding\n")


async def main(*arguments: str) -> int:
    """The command, with an event loop of its own."""
    return await asyncio.to_thread(cli.main, arguments)
