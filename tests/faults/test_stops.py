"""A daemon that is asked to stop at random moments while it has much in hand, again and again: the serial truth."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.acceptance.daemon import GROUP, feed, left_over, run_once, running
from tests.faults.truth import STREAM, equals, index_alone, traffic

IN_FLIGHT = 400
"""Messages: two batches, one that is written and one that is decoded."""
LOAD = 2_000
"""Messages in the stream when it starts."""
LONGEST_S = 0.4


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_stopped_at_random_moments(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    stops, number = 100, 100_000
    messages, chance = traffic(number, accounts=number // 50), random.Random(stops)
    index_alone(other_database, redis_url, tmp_path, messages)
    environment = {"INDEXER_BATCH_SIZE": str(IN_FLIGHT // 2)}
    fed = caught = 0
    for _ in range(stops):
        lacking = LOAD - left_over(redis_url, STREAM)[0]
        feed(redis_url, STREAM, messages[fed : fed + lacking])
        fed += max(0, min(lacking, number - fed))
        with running(database, redis_url, tmp_path, environment=environment) as daemon:
            daemon.started()
            time.sleep(chance.uniform(0, LONGEST_S))
            before = pending(redis_url)
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.wait() == 0, daemon.output
            assert left_over(redis_url, STREAM)[1] == 0, "what was read was also finished"
            assert not daemon.lines("stopped_early")
        daemon.log.unlink()
        caught += before > 0
    assert caught > stops / 2, "most came when nothing was in hand"
    feed(redis_url, STREAM, messages[fed:])
    run_once(database, redis_url, tmp_path, "--drain")
    equals(database, other_database, messages, in_stream_order=True)
    record_property("stops, of these with messages in hand", f"{stops}, {caught}")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_stopped_while_it_starts(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Until it listens for signals the system ends it, which has done nothing yet; from then on it ends in order."""
    stops, number = 60, 6_000
    messages, chance = traffic(number, accounts=number // 50), random.Random(stops)
    index_alone(other_database, redis_url, tmp_path, messages)
    feed(redis_url, STREAM, messages)
    began = time.monotonic()
    with running(database, redis_url, tmp_path, environment={"INDEXER_BATCH_SIZE": "10"}) as daemon:
        daemon.started()
        took = time.monotonic() - began
        daemon.stop()
    codes: Counter[int] = Counter()
    for _ in range(stops):
        with running(database, redis_url, tmp_path, environment={"INDEXER_BATCH_SIZE": "10"}) as daemon:
            time.sleep(chance.uniform(0, took))
            daemon.process.send_signal(signal.SIGTERM)
            codes[daemon.wait()] += 1
            assert set(codes) <= {0, -signal.SIGTERM}, daemon.output
            assert pending(redis_url) == 0
        daemon.log.unlink()
    assert len(codes) == 2, "it met one phase only"
    run_once(database, redis_url, tmp_path, "--drain")
    equals(database, other_database, messages, in_stream_order=True)
    record_property("stops within the start, of these before it listened", f"{stops}, {codes[-signal.SIGTERM]}")


def pending(redis_url: str) -> int:
    with redis.Redis.from_url(redis_url) as client:
        return int(client.xpending(STREAM, GROUP)["pending"])
