"""The daemon under `Type=notify` with a watchdog."""

from pathlib import Path

import pytest

from tests.acceptance.daemon import feed, running
from tests.messages import A, create, post, post_uri
from tests.unit.test_systemd import manager

ALIVE = "WATCHDOG=1\nSTATUS=works"


def test_systemd_hears_that_it_is_ready_alive_and_stopping(database: str, redis_url: str, tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": f"{tmp_path}/s", "WATCHDOG_USEC": "200000"}
    with (
        manager(f"{tmp_path}/s") as systemd,
        running(database, redis_url, tmp_path, environment=environment) as daemon,
    ):
        daemon.until(lambda: systemd.heard().count(ALIVE) > 1)
        assert systemd.heard()[0] == "READY=1"
        assert daemon.lines("started")
        assert daemon.stop() == 0
        assert "STOPPING=1" in systemd.heard()


@pytest.mark.long
def test_watchdog_is_not_fed_when_a_lane_stands_still(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, "firehose_live", [create(post_uri(A, "p"), post())])
    settings = {"indexer.pulse:STILL_S": 1000, "indexer.daemon.health:STALLED_S": 4}
    fault = ["indexer.lane.pipeline:Lane._batch", "hang"]
    environment = {"NOTIFY_SOCKET": f"{tmp_path}/s", "WATCHDOG_USEC": "200000"}
    with (
        manager(f"{tmp_path}/s") as systemd,
        running(database, redis_url, tmp_path, environment=environment, fault=fault, settings=settings) as daemon,
    ):
        stalled = "STATUS=lane firehose_live made no progress for 4 s"
        daemon.until(lambda: systemd.heard().count(stalled) > 3)
        heard = systemd.heard()
        assert ALIVE in heard
        assert not any("WATCHDOG=1" in message for message in heard[heard.index(stalled) :])
