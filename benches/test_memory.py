"""Resident memory while a million messages drain: bounded, and flat."""

import threading

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, memory, peak_memory
from benches.durable import Servers
from benches.report import Report

MESSAGES = 1_000_000
EVERY_S = 1.0
SECTION = f"memory of one process while {MESSAGES:,} messages drain"


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_memory(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    round_ = Round(servers, messages=list(workload.made_up("live", MESSAGES, accounts=50_000)))
    (pid,) = round_.pids
    samples: list[float] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(EVERY_S):
            samples.append(memory(pid) / 2**20)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        benchmark.pedantic(round_.drain, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
        peak = peak_memory(pid) / 2**20
    finally:
        over.set()
        sampler.join()
        round_.close()
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    report.add(SECTION, "MiB at most (bar: 160)", [peak])
    report.add(SECTION, "MiB, median of the second quarter", [sorted(second)[len(second) // 2]])
    report.add(SECTION, "MiB, median of the last quarter", [sorted(last)[len(last) // 2]])
    report.add(SECTION, "messages a second", [MESSAGES / round_.seconds])
