"""Three instances beside one, in turns: those that write the same posts and counters wait for each other."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round
from benches.durable import Servers
from benches.report import Report

ROUNDS = 5
INSTANCES = 3
SECTION = f"{workload.NAME} through {INSTANCES} instances beside one, turn by turn"


@pytest.mark.timeout(900)
def test_three_instances_beside_one(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    rates: dict[int, list[float]] = {1: [], INSTANCES: []}
    current: list[Round] = []

    def begin() -> None:
        instances = INSTANCES if len(rates[1]) > len(rates[INSTANCES]) else 1
        current[:] = [Round(servers, instances=instances)]

    def end() -> None:
        (done,) = current
        done.drained()
        instances = INSTANCES if len(rates[1]) > len(rates[INSTANCES]) else 1
        rates[instances].append(len(workload.payloads()) / done.seconds)
        done.close()

    benchmark.pedantic(lambda: current[0].drain(), setup=begin, teardown=end, rounds=2 * ROUNDS, iterations=1)  # type: ignore[no-untyped-call]

    for instances, found in rates.items():
        report.add(SECTION, f"messages a second, {instances} at work", found)
    ratios = [three / one for one, three in zip(rates[1], rates[INSTANCES], strict=True)]
    report.add(SECTION, f"{INSTANCES} instances' of one's", ratios)
