"""What decoding costs: bytes to checked events in one call per batch, beside a JSON parser that checks nothing."""

import time

import orjson
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.report import Report
from indexer._native import Event, decode_events

SECTION = f"the seam: {workload.NAME} in batches of {workload.BATCH}, one thread, µs an event"
ROUNDS = 10


@pytest.fixture(scope="module")
def batches() -> list[list[bytes]]:
    return workload.batches()


@pytest.mark.benchmark(group="seam")
def test_decode_events(benchmark: BenchmarkFixture, batches: list[list[bytes]], report: Report) -> None:
    """Envelope, lexicon, `record.json`, timestamps, and the values as Python objects."""
    now = time.time_ns() // 1_000_000
    clocks = [[now] * len(batch) for batch in batches]

    def decode() -> None:
        for batch, clock in zip(batches, clocks, strict=True):
            decode_events(batch, clock)

    assert all(isinstance(result, Event) for result in decode_events(batches[0], clocks[0]))
    benchmark.pedantic(decode, rounds=ROUNDS, iterations=1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    _add(benchmark, report, "decode_events: checked, text and columns made")


@pytest.mark.benchmark(group="seam")
def test_orjson(benchmark: BenchmarkFixture, batches: list[list[bytes]], report: Report) -> None:
    def parse() -> None:
        for batch in batches:
            _ = [orjson.loads(payload) for payload in batch]

    benchmark.pedantic(parse, rounds=ROUNDS, iterations=1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    _add(benchmark, report, "orjson.loads: objects only, nothing checked")


def _add(benchmark: BenchmarkFixture, report: Report, name: str) -> None:
    assert benchmark.stats is not None, "run with --benchmark-enable"
    each = 1_000_000 / len(workload.payloads())
    report.add(SECTION, name, [seconds * each for seconds in benchmark.stats.stats.data])
