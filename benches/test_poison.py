"""1 % poison beside none, in turns: a message that cannot be indexed must not cost those that can."""

from collections.abc import Callable
from itertools import cycle, islice
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round
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
    seconds: dict[bool, list[float]] = {False: [], True: []}
    current: list[Round] = []

    def is_poisoned() -> bool:
        return len(seconds[False]) > len(seconds[True])

    def begin() -> None:
        messages, poison = poisoned(len(seconds[True]) + 1) if is_poisoned() else ([], 0)
        current[:] = [Round(servers, messages=messages, poison=poison)]

    def end() -> None:
        (done,) = current
        done.drained()
        seconds[is_poisoned()].append(done.seconds)
        done.close()

    benchmark.pedantic(lambda: current[0].drain(), setup=begin, teardown=end, rounds=2 * ROUNDS, iterations=1)  # type: ignore[no-untyped-call]

    good = len(workload.payloads())
    for name, found in (("without poison", seconds[False]), ("with poison", seconds[True])):
        report.add(SECTION, f"messages a second that can be indexed, {name}", [good / each for each in found])
    ratios = [without / with_ for without, with_ in zip(seconds[False], seconds[True], strict=True)]
    report.add(SECTION, "with poison, of without (to be 0.95 at least)", ratios)
    together = sum(seconds[False]) / sum(seconds[True])
    report.add(SECTION, "the same, all rounds together", [together])
    record_property("throughput with 1 % poison, of that without", f"{together:.3f}")
