"""A whole daemon whose wall clock jumps for hours, to and fro, beside one whose clock is right (P31)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from indexer.demo import identifiers
from tests.acceptance.daemon import Daemon, feed, left_over, running
from tests.faults.truth import STREAM, equals, index_alone, traffic
from tests.messages import A, cid, create, post, post_uri

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
JUMPS_S = (600, -600, 3600, -3600, 0, 7200, -86_400, 3600)
PORTION = 1_500

pytestmark = pytest.mark.skipif(not LIBRARIES, reason="needs the Debian package libfaketime")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_wall_clock_that_jumps_costs_nothing(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Timers go on, nobody is taken for dead, and a clock that is late refuses no rev of now."""
    us = time.time_ns() // 1000
    of_now = [create(post_uri(A, f"now{n}"), post(), identifiers.tid(us + n), cid(n)) for n in range(len(JUMPS_S))]
    messages = traffic(PORTION * len(JUMPS_S), accounts=200)
    for number, message in enumerate(of_now):
        messages.insert(number * (PORTION + 1), message)
    index_alone(other_database, redis_url, tmp_path, messages)
    clock = tmp_path / "clock"
    jump(clock, 0)
    environment = {"INDEXER_BATCH_SIZE": "50", "INDEXER_CLAIM_IDLE_MS": "1000"}
    wrong = {"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
             "FAKETIME_DONT_FAKE_MONOTONIC": "1"}  # fmt: skip
    with (
        running(database, redis_url, tmp_path, environment={**environment, **wrong}) as jumping,
        running(database, redis_url, tmp_path, consumer="two", environment=environment) as right,
    ):
        for daemon in (jumping, right):
            daemon.started()
        for number, seconds in enumerate(JUMPS_S):
            jump(clock, seconds)
            first = number * (PORTION + 1)
            feed(redis_url, STREAM, messages[first : first + PORTION + 1])
            jumping.until(lambda: left_over(redis_url, STREAM)[0] < PORTION / 2)
        for daemon in (jumping, right):
            daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        time.sleep(4)  # a lease is renewed, and the consumers are looked at, by the new time
        for daemon in (jumping, right):
            assert daemon.get("/livez")[0] == daemon.get("/readyz")[0] == 200
            assert daemon.stop() == 0, daemon.output
            assert troubles(daemon) == []
    equals(database, other_database, messages, in_stream_order=False)
    (stopped,) = jumping.lines("stopped")
    assert datetime.fromisoformat(stopped["time"]) > datetime.now(UTC) + timedelta(minutes=50), "its clock was right"
    assert stopped["messages"] > 0, "it did nothing"
    record_property("jumps, messages of the one whose clock jumped", f"{len(JUMPS_S)}, {stopped['messages']}")


def jump(clock: Path, seconds: int) -> None:
    """By so much the clock is wrong from now on."""
    new = clock.with_suffix(".new")
    new.write_text(f"{seconds:+d}\n", encoding="ascii")
    new.replace(clock)


def troubles(daemon: Daemon) -> list[str]:
    """What it took over from others, lost, or was warned of."""
    return [line["event"] for line in daemon.lines() if line["level"] in ("warning", "error")]
