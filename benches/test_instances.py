"""Three instances beside one, in turns: those that write the same posts and counters wait for each other."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, in_turns
from benches.durable import Servers
from benches.report import Report

ROUNDS = 5
INSTANCES = 3
SECTION = f"{workload.NAME} through {INSTANCES} instances beside one, turn by turn"


@pytest.mark.timeout(900)
def test_three_instances_beside_one(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    seconds = in_turns(
        benchmark,
        ROUNDS,
        {"1": lambda _: Round(servers), str(INSTANCES): lambda _: Round(servers, instances=INSTANCES)},
    )
    for instances, found in seconds.items():
        rates = [len(workload.payloads()) / each for each in found]
        report.add(SECTION, f"messages a second, {instances} at work", rates)
    ratios = [one / several for one, several in zip(*seconds.values(), strict=True)]
    report.add(SECTION, f"{INSTANCES} instances' of one's", ratios, bar="instances")
