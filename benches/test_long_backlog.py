"""A long backlog: resident memory is bounded and flat, and the rate does not fall with the tables' size."""

import threading
import time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, memory, peak_memory
from benches.durable import Servers
from benches.report import Report

MESSAGES = 1_600_000
"""Which make more than five million rows."""
EVERY_S = 1.0
FIRST, LAST, PART = 30_000, 1_450_000, 100_000
"""After so many messages there are about 100,000 rows, and nearly five million; the rates are those of so many."""
SECTION = f"{MESSAGES:,} messages in one go, one process"
FLOOR = f"the floor of {MESSAGES:,} messages: COPY of the finished rows, a transaction per {workload.BATCH} messages"


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_long_backlog(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    round_ = Round(servers, messages=list(workload.made_up("live", MESSAGES, accounts=50_000)))
    (pid,) = round_.pids
    samples: list[tuple[float, int, float]] = []
    """Time, messages done, MiB."""
    over = threading.Event()

    def sample() -> None:
        while not over.wait(EVERY_S):
            samples.append((time.perf_counter(), MESSAGES - round_.left(), memory(pid) / 2**20))

    sampler = threading.Thread(target=sample)
    try:
        try:
            benchmark.pedantic(round_.drain, setup=sampler.start, rounds=1, iterations=1)  # type: ignore[no-untyped-call]
            peak, rows = peak_memory(pid) / 2**20, round_.rows()
        finally:
            over.set()
            sampler.join()
        floor = round_.floor()
    finally:
        round_.close()

    def resident(begin: float, end: float) -> float:
        found = sorted(mib for _, done, mib in samples if begin * MESSAGES <= done < end * MESSAGES)
        return found[len(found) // 2]

    def rate(begin: int) -> float:
        part = [(at, done) for at, done, _ in samples if begin <= done <= begin + PART]
        (began, first), (ended, last) = part[0], part[-1]
        return (last - first) / (ended - began)

    def floor_rate(begin: int) -> float:
        portions = floor.portions[workload.portions(begin) :][: workload.portions(PART)]
        return PART / sum(portions)

    early, late = rate(FIRST), rate(LAST)
    floor_early, floor_late = floor_rate(FIRST), floor_rate(LAST)
    report.add(SECTION, "MiB of resident memory at most", [peak], bar="memory")
    report.add(SECTION, "MiB in the second quarter, median", [resident(0.25, 0.5)])
    report.add(SECTION, "MiB in the last quarter, median", [resident(0.75, 1)])
    report.add(SECTION, "rows at the end", [rows])
    report.add(SECTION, "messages a second from about 100,000 rows on", [early])
    report.add(SECTION, "messages a second about 5,000,000 rows", [late])
    report.add(SECTION, "the rate there, of that at the beginning", [late / early], bar="size")
    report.add(FLOOR, "messages a second from about 100,000 rows on", [floor_early])
    report.add(FLOOR, "messages a second about 5,000,000 rows", [floor_late])
    report.add(FLOOR, "the rate there, of that at the beginning", [floor_late / floor_early])
    report.add(
        FLOOR, "what is left of the daemon's rate, beside the floor's", [late / early / (floor_late / floor_early)]
    )
