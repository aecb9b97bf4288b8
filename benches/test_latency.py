"""From a live event's arrival to its committed row while a backlog drains in the other lane."""

import asyncio
import time
from statistics import quantiles

import asyncpg
import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from redis import Redis

from benches import workload
from benches.drain import Round
from benches.durable import Servers
from benches.report import Report

BACKLOG = 200_000
EVERY_S = 0.05
"""Between two live events."""
POLL_S = 0.002
LIVE = 1_000
"""Events at most; the backlog must last longer than those that are taken."""
SECTION = f"live events, one every {EVERY_S * 1000:.0f} ms, while {BACKLOG:,} messages of a backfill drain, one process"


async def seen(url: str, redis_url: str, until_drained: "asyncio.Future[None]") -> list[float]:
    """Add live events until the backlog is gone; how long each took to be in `record`, in seconds."""
    found: list[float] = []
    connection = await asyncpg.connect(url)
    try:
        with Redis.from_url(redis_url) as client:
            for payload in workload.likes(LIVE, lambda at: f"at://did:plc:nobody/app.bsky.feed.post/{at}"):
                event = orjson.loads(payload)
                uri = f"at://{event['did']}/{event['collection']}/{event['rkey']}"
                began = time.perf_counter()
                client.xadd("firehose_live", {"event": payload})
                while not await connection.fetchval("SELECT true FROM record WHERE uri = $1", uri):  # noqa: ASYNC110
                    await asyncio.sleep(POLL_S)
                took = time.perf_counter() - began
                if until_drained.done():
                    break
                found.append(took)
                await asyncio.sleep(max(0.0, EVERY_S - took))
    finally:
        await connection.close()
    return found


@pytest.mark.timeout(1800)
def test_latency(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    round_ = Round(servers, messages=list(workload.made_up("backfill", BACKLOG)), stream="firehose_backfill")

    async def both() -> list[float]:
        draining = asyncio.ensure_future(asyncio.to_thread(round_.drain))
        found = await seen(round_.url, servers.redis.url, draining)
        await draining
        return found

    try:
        found = benchmark.pedantic(lambda: asyncio.run(both()), rounds=1, iterations=1)  # type: ignore[no-untyped-call]
        assert len(found) >= 200, "the backlog was gone before there was enough to judge by"
    finally:
        round_.close()
    cuts = quantiles((each * 1000 for each in found), n=100)
    report.add(SECTION, "live events", [len(found)])
    report.add(SECTION, "ms from arrival to committed row, median", [cuts[49]])
    report.add(SECTION, "ms from arrival to committed row, 99th percentile", [cuts[98]], bar="latency")
    report.add(SECTION, "messages of the backlog a second meanwhile", [BACKLOG / round_.seconds])
