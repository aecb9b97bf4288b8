"""Connections that are cut at COMMIT, so that nobody knows whether it happened: every effect is there exactly once."""

import contextlib
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.acceptance.daemon import feed, left_over, running
from tests.faults.proxy import COMMIT, BrokenError, Flow, Rule, Side, proxied
from tests.faults.truth import STREAM, equals, index_alone, traffic


class Cuts(Rule):
    """Cuts at some of the COMMITs: before they reach the server, on their way back, or in between."""

    def __init__(self, most: int, share: float) -> None:
        super().__init__(match=COMMIT, most=most)
        self._chance, self._share = random.Random(most), share
        self.hits_by_place = {"before": 0, "between": 0, "after": 0}

    def fires(self, toward: Side, data: bytes) -> bool:
        return COMMIT in data and self._chance.random() < self._share and super().fires(toward, data)

    def changed(self, data: bytes, flow: Flow) -> Iterable[bytes]:
        place = data.index(COMMIT)
        if flow.toward == "client":
            self.hits_by_place["after"] += 1
        elif self._chance.random() < 0.5:
            self.hits_by_place["before"] += 1
        else:
            self.hits_by_place["between"] += 1
            yield data[: place + len(COMMIT)]
        raise BrokenError("close")


@pytest.mark.parametrize(
    ("cuts", "number", "daemons"),
    [
        (10, 600, 1),
        pytest.param(500, 10_000, 1, marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
        pytest.param(500, 10_000, 3, marks=[pytest.mark.long, pytest.mark.timeout(1800)]),
    ],
)
def test_cuts_at_commit(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    cuts: int,
    number: int,
    daemons: int,
    record_property: Callable[[str, object], None],
) -> None:
    messages = traffic(number, accounts=30)
    index_alone(other_database, redis_url, tmp_path, messages)
    feed(redis_url, STREAM, messages)
    with proxied(database) as proxy:
        rule = Cuts(cuts, share=0.2)
        proxy.add(rule)
        environment = {"INDEXER_BATCH_SIZE": str(max(1, number // (cuts * 4)))}
        processes = [
            running(proxy.url, redis_url, tmp_path, "--drain", consumer=f"c{n}", environment=environment)
            for n in range(daemons)
        ]
        with contextlib.ExitStack() as stack:
            for daemon in [stack.enter_context(process) for process in processes]:
                assert daemon.process.wait(1500) == 0, daemon.output
        assert rule.hits == cuts
        assert min(rule.hits_by_place.values()) > 0, rule.hits_by_place
    assert left_over(redis_url, STREAM) == (0, 0)
    equals(database, other_database, messages, in_stream_order=daemons == 1)
    record_property("cuts, messages, instances", f"{rule.hits}, {number}, {daemons}")
