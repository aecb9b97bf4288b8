"""1 % poison beside none, in turns: a message that cannot be indexed must not cost those that can."""

from collections.abc import Callable
from itertools import cycle, islice
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, in_turns
from benches.durable import Servers
from benches.report import Report

ROUNDS = 5
SHARE = 0.01
REFUSED_IN = (1, 3, 5)
"""Rounds with one message that PostgreSQL alone refuses: three in 150,000 messages, one in 50,000."""
SECTION = f"{workload.NAME} with {SHARE:.0%} poison beside none, turn by turn"


def poisoned(number: int) -> tuple[list[bytes], int]:
    """The messages of a round, counted from 1, with poison at random places; how much."""
    messages, chance = list(workload.payloads()), Random(number)
    poison = list(islice(cycle(workload.refused()), round(len(messages) * SHARE / (1 - SHARE))))
    if number in REFUSED_IN:
        poison[0] = workload.refused_by_postgres()
    for payload in poison:
        messages.insert(chance.randrange(len(messages) + 1), payload)
    return messages, len(poison)


@pytest.mark.timeout(900)
def test_poison_beside_none(
    benchmark: BenchmarkFixture,
    servers: Servers,
    report: Report,
    record_property: Callable[[str, object], None],
) -> None:
    def with_poison(number: int) -> Round:
        messages, poison = poisoned(number)
        return Round(servers, messages=messages, poison=poison)

    kinds = {"without poison": lambda _: Round(servers), "with poison": with_poison}
    without, with_ = (found := in_turns(benchmark, ROUNDS, kinds)).values()
    good = len(workload.payloads())
    for name, seconds in found.items():
        report.add(SECTION, f"messages a second that can be indexed, {name}", [good / each for each in seconds])
    ratios = [clean / mixed for clean, mixed in zip(without, with_, strict=True)]
    report.add(SECTION, "with poison, of without", ratios)
    together = sum(without) / sum(with_)
    report.add(SECTION, "the same, all rounds together", [together], bar="poison")
    record_property("throughput with 1 % poison, of that without", f"{together:.3f}")
