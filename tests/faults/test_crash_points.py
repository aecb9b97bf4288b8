"""A process that dies at a named point, again and again: acknowledged is only what is committed, and counted once."""

import random
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.daemon import feed, left_over, running
from tests.faults.truth import STREAM, equals, index_alone, traffic

CRASH_POINTS = {
    "before anything is written": ("indexer.sink.writer:Writer.all", "kill"),
    "before COMMIT, with everything written": ("indexer.sink.writer:Writer.all", "killed"),
    "before COMMIT of dead letters": ("indexer.sink.writer:insert_dead_letters", "killed"),
    "after COMMIT": ("indexer.sink.commit:Sink._once", "killed"),
    "after COMMIT, before the second run": ("indexer.sink.commit:derive_again", "kill"),
    "after the second run": ("indexer.sink.commit:derive_again", "killed"),
    "before XACK": ("indexer.lane.source:Source.settle", "kill"),
    "after XDEL": ("indexer.lane.source:Source.settle", "killed"),
}
QUICK = {"indexer.daemon.lease:LENGTH_S": 1, "indexer.daemon.lease:RENEWAL_S": 0.3}
"""Who is killed comes again under its name at once."""
SIZE = {"INDEXER_BATCH_SIZE": "5"}


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.timeout(1800)
def test_crash_at_each_point(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    times: int,
    record_property: Callable[[str, object], None],
) -> None:
    crashes = [*CRASH_POINTS.values()] * times
    chance = random.Random(times)
    chance.shuffle(crashes)
    messages = traffic(50 * len(crashes), accounts=40, hostile=0.05)
    index_alone(other_database, redis_url, tmp_path, messages)
    feed(redis_url, STREAM, messages)
    for point, action in crashes:
        fault = (point, action, chance.randint(1, 5))
        with running(database, redis_url, tmp_path, environment=SIZE, settings=QUICK, fault=fault) as daemon:
            assert daemon.wait() == -signal.SIGKILL, daemon.output
        assert left_over(redis_url, STREAM)[0], "there was not enough to crash on"
    with running(database, redis_url, tmp_path, "--drain", settings=QUICK) as daemon:
        assert daemon.wait() == 0, daemon.output
    assert left_over(redis_url, STREAM) == (0, 0)
    equals(database, other_database, messages, in_stream_order=True)
    record_property("crashes, points", f"{len(crashes)}, {len(CRASH_POINTS)}")
