"""Nothing is wrong with instances at work: `doctor` and `status` look while everything moves."""

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from indexer import embedded
from tests.acceptance.daemon import feed, left_over, running
from tests.acceptance.test_least_authority import command
from tests.integration.planting import HEALTHY
from tests.oracle import library

CASE = "mixed-30k"
STREAM = "firehose_live"


@pytest.mark.long
@pytest.mark.timeout(240)
def test_nothing_is_found_beside_instances_at_work(database: str, tmp_path: Path) -> None:
    """And `status` sees every message either undelivered or pending until it is gone, but for what moves just now."""
    with embedded.redis(HEALTHY) as server, ExitStack() as stack:
        feed(server.url, STREAM, library.messages(CASE))
        environment = {"INDEXER_BATCH_SIZE": "20"}
        daemons = [
            stack.enter_context(running(database, server.url, tmp_path, consumer=name, environment=environment))
            for name in ("one", "two")
        ]
        for daemon in daemons:
            daemon.started()
        looks = 0
        while looks < 3 and left_over(server.url, STREAM)[0] > 2_000:
            examined = command(database, server.url, "doctor", "--json", "--consumer", "three")
            assert json.loads(examined.stdout)["findings"] == [], examined.stdout
            shown = json.loads(command(database, server.url, "status", "--json", "--interval", "1").stdout)
            (live,) = [one for one in shown["streams"] if one["stream"] == STREAM]
            assert live["length"] == pytest.approx(live["undelivered"] + live["pending"], abs=200)
            assert {one["looks_like"] for one in live["consumers"]} == {"ours"}
            assert live["in_per_s"] == 0
            looks += 1
        assert looks > 0


@pytest.mark.long
def test_top_shows_a_stream_that_becomes_empty(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, STREAM, library.messages("mixed-5k-hostile"))
    words = [sys.executable, "-m", "indexer", "top", "--interval", "0.2", "--redis-url", redis_url]
    top: subprocess.Popen[Any] = subprocess.Popen(
        [*words, "--postgres-url", database, "--metrics-port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert top.stdout is not None
    try:
        with running(database, redis_url, tmp_path, "--drain") as daemon:
            assert daemon.wait() == 0
            lines = iter(top.stdout)
            said = next(line for line in lines if f"{STREAM}: length 0, undelivered 0, pending 0" in line)
        assert said.endswith(", empty: empty\n")
    finally:
        top.terminate()
        top.wait()
        top.stdout.close()
