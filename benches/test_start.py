"""From the start of the process to the first committed row, and to the first line of help."""

import asyncio
import subprocess
import sys
import time

import asyncpg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from redis import Redis

from benches import workload
from benches.drain import GROUP, STREAM
from benches.durable import Servers
from benches.report import Report
from indexer.demo.daemon import running

ROUNDS = 7
SECTION = "start, warm"
POLL_S = 0.002


async def first_row(url: str) -> None:
    """Return when there is one."""
    connection = await asyncpg.connect(url)
    try:
        while not await connection.fetchval("SELECT true FROM record LIMIT 1"):  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
    finally:
        await connection.close()


@pytest.mark.timeout(300)
def test_start(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    taken: list[float] = []

    def once() -> None:
        name = servers.new_database()
        url = servers.postgres.database_url(name)
        with Redis.from_url(servers.redis.url) as client:
            client.flushdb()
            client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
            for payload in workload.payloads()[:100]:
                client.xadd(STREAM, {"event": payload})
        settings = {
            "redis_url": servers.redis.url,
            "postgres_url": url,
            "mode": "stream",
            "did_resolution": "false",
            "metrics_port": "0",
            "consumer": "bench",
        }
        began = time.perf_counter()
        with running(settings):
            asyncio.run(first_row(url))
            taken.append(time.perf_counter() - began)
        servers.postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    benchmark.pedantic(once, rounds=ROUNDS, iterations=1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    report.add(SECTION, "s from the start of `run` to the first committed row", taken[1:], bar="start")


@pytest.mark.timeout(300)
def test_help(benchmark: BenchmarkFixture, report: Report) -> None:
    taken: list[float] = []

    def once() -> None:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "indexer", "--help"], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - began)

    benchmark.pedantic(once, rounds=ROUNDS, iterations=1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    report.add(SECTION, "s for `--help`", taken[1:], bar="help")
