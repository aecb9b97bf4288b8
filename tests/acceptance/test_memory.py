"""Memory of a daemon that works off a backlog for three minutes, in which every hundredth message has 1 MiB (P30)."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import count as numbers
from pathlib import Path

import pytest
import redis

from indexer.demo.traffic import Traffic
from tests.acceptance.daemon import feed, left_over, running
from tests.messages import A, create, post, post_uri

STREAM = "firehose_live"
MINUTES = 3
MOST_MIB = 512
LARGE = 1024 * 1024
BACKLOG = 4_000
"""Messages that are always there: more than it has in hand."""


def messages() -> Iterator[bytes]:
    """Without end; of the large ones half become rows, half dead letters."""
    small = (message.payload for message in Traffic(seed=1, accounts=20_000, hostile=0).messages())
    for number in numbers():
        if number % 200 == 0:
            yield create(post_uri(A, f"p{number}"), post("large", beside="x" * LARGE))
        elif number % 200 == 100:
            yield create(post_uri(A, f"p{number}"), post("x" * LARGE))
        else:
            yield next(small)


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


@pytest.mark.long
@pytest.mark.timeout(MINUTES * 60 + 120)
def test_backlog_with_large_messages_needs_bounded_memory(
    database: str, redis_url: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    source, fed, samples = messages(), 0, []
    with redis.Redis.from_url(redis_url) as client, running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        began = time.monotonic()
        while (now := time.monotonic() - began) < MINUTES * 60:
            while (left := int(client.xlen(STREAM))) < BACKLOG:
                feed(redis_url, STREAM, (next(source) for _ in range(500)))
                fed += 500
            samples.append((now, resident_mib(daemon.process.pid)))
            assert daemon.process.poll() is None, daemon.output
            time.sleep(0.1 if left < 2 * BACKLOG else 0.5)
        daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        assert daemon.stop() == 0, daemon.output
    middle, end = (
        statistics.median(mib for at, mib in samples if first <= at / 60 < first + 1)
        for first in (MINUTES - 2, MINUTES - 1)
    )
    largest = max(mib for _, mib in samples)
    record_property(
        "messages, largest RSS in MiB, growth in the last minute", f"{fed}, {largest:.0f}, {end - middle:+.1f}"
    )
    assert largest < MOST_MIB
    assert end - middle < 8, json.dumps(samples)
