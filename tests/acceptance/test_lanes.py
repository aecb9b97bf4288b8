"""Two lanes: a backlog of backfill messages does not delay what people post now.

Never told by a clock: each live message notes how much of the backlog was settled when it came, and the database knows
how much of it was written before that message was.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from tests.acceptance.daemon import PATIENCE_S, Daemon, feed, left_over, running
from tests.messages import A, cid, create, like, like_uri, post, post_uri

LIVE, BACKFILL = "firehose_live", "firehose_backfill"
BATCH = 50
NEWS = 40
MOST_BATCHES = 10
"""As many batches of the backlog may pass a live message: those in hand when it comes, and some room for chance."""


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "backlog", [10_000, pytest.param(200_000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
@pytest.mark.parametrize("connections", [1, pytest.param(4, marks=pytest.mark.long)])
def test_backlog_does_not_delay_live_messages(
    database: str, redis_url: str, tmp_path: Path, backlog: int, connections: int
) -> None:
    feed(redis_url, BACKFILL, old_messages(backlog))
    environment = {"DB_POOL_MAX_SIZE": str(connections), "INDEXER_BATCH_SIZE": str(BATCH)}
    with running(database, redis_url, tmp_path, environment=environment) as daemon:
        settled = trickle(redis_url, backlog, daemon)
        assert settled[-1] < backlog, "the last live message came while there was a backlog"
        until_drained(redis_url, daemon)
        assert daemon.stop() == 0
    written = asyncio.run(written_before_each(database))
    assert len(written) == NEWS
    passed = [later - before for before, later in zip(settled, written, strict=True)]
    assert max(passed) <= MOST_BATCHES * BATCH, passed


def old_messages(number: int) -> Iterator[bytes]:
    for n in range(number):
        yield create(like_uri(f"did:plc:{n:024}", "l"), like(post_uri(A, f"old{n}")), cid=cid(n), seq=-2)


def trickle(redis_url: str, backlog: int, daemon: Daemon) -> list[int]:
    """Add live messages one after the other during the first half of the backlog; what was settled of it at each."""
    settled: list[int] = []
    with redis.Redis.from_url(redis_url) as client:
        for n in range(NEWS):
            daemon.until(lambda n=n: client.xlen(BACKFILL) <= backlog - backlog * (n + 1) // (2 * NEWS))  # type: ignore[misc]
            with client.pipeline(transaction=True) as pipeline:
                pipeline.xadd(LIVE, {"event": create(post_uri(A, f"new{n:03}"), post("news"))})
                pipeline.xlen(BACKFILL)
                answers: list[Any] = pipeline.execute()
                settled.append(backlog - answers[1])
    return settled


def until_drained(redis_url: str, daemon: Daemon) -> None:
    """Return when both streams are empty; as long as the backlog shrinks it may take its time."""
    left, limit = -1, 0.0
    while (found := sum((*left_over(redis_url, LIVE), *left_over(redis_url, BACKFILL)))) > 0:
        if found != left:
            left, limit = found, time.monotonic() + PATIENCE_S
        assert time.monotonic() < limit, daemon.output
        assert daemon.process.poll() is None, daemon.output
        time.sleep(0.05)


async def written_before_each(database: str) -> list[int]:
    """For each live post, in order: how many records of the backlog were written by earlier transactions."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT xmin::text::bigint AS by, uri LIKE '%/new%' AS is_live, uri FROM record")
    finally:
        await connection.close()
    old = sorted(row["by"] for row in rows if not row["is_live"])
    return [
        sum(1 for by in old if by < row["by"]) for row in sorted(rows, key=lambda row: row["uri"]) if row["is_live"]
    ]
