"""Two and three instances beside one, in turns: those that write the same posts and counters wait for each other."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, in_turns
from benches.durable import Servers
from benches.report import Report

ROUNDS = 5
SEVERAL = (2, 3)
SECTION = f"{workload.NAME} through several instances beside one, turn by turn"


@pytest.mark.timeout(900)
def test_several_instances_beside_one(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    def begins(instances: int) -> Callable[[int], Round]:
        return lambda _: Round(servers, instances=instances)

    seconds = in_turns(benchmark, ROUNDS, {str(instances): begins(instances) for instances in (1, *SEVERAL)})
    for number, found in seconds.items():
        rates = [len(workload.payloads()) / each for each in found]
        report.add(SECTION, f"messages a second, {number} at work", rates)
    for instances in SEVERAL:
        ratios = [one / several for one, several in zip(seconds["1"], seconds[str(instances)], strict=True)]
        if instances == 2:
            report.add(SECTION, "2 instances' of one's", ratios, bar="instances")
        else:
            report.add(SECTION, f"{instances} instances' of one's", ratios)
