"""Repositories one after the other through the backfill stream, beside COPY of the same rows."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round
from benches.durable import Servers
from benches.report import Report

ROUNDS = 3
MESSAGES = 30_000
SECTION = f"{MESSAGES:,} messages of a backfill through `firehose_backfill`, one process"


@pytest.mark.timeout(900)
def test_backfill(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    messages = list(workload.made_up("backfill", MESSAGES))
    rounds: list[Round] = []
    rates: list[float] = []
    ratios: list[float] = []
    cpu: list[float] = []

    def begin() -> None:
        rounds.append(Round(servers, messages=messages, stream="firehose_backfill"))

    def end() -> None:
        drained, floor = rounds[-1].drained(), rounds[-1].floor()
        rates.append(MESSAGES / drained.seconds)
        cpu.append(drained.indexer_cpu_s * 1_000_000 / MESSAGES)
        ratios.append(floor.seconds / drained.seconds)
        rounds[-1].close()

    benchmark.pedantic(lambda: rounds[-1].drain(), setup=begin, teardown=end, rounds=ROUNDS, iterations=1)  # type: ignore[no-untyped-call]

    report.add(SECTION, "messages a second", rates)
    report.add(SECTION, "processor time of the daemon, µs a message", cpu)
    report.add(SECTION, "messages a second, of the floor's", ratios, bar="backfill")
