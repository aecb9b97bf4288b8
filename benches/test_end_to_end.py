"""Messages a second through the daemon, from Redis to committed and acknowledged, beside COPY of the same rows."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.copy_floor import Floor
from benches.drain import Drained, Round
from benches.durable import Servers
from benches.report import Report

ROUNDS = 3
MESSAGES = len(workload.payloads())
DAEMON = f"{workload.NAME} through `indexer run`, one process, durable PostgreSQL ({MESSAGES:,} messages)"
FLOOR = f"the floor: COPY of the finished rows, a transaction per {workload.BATCH} messages, one connection"
RATIO = "the daemon beside the floor, round by round"


@pytest.mark.timeout(900)
def test_drain(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    rounds: list[Round] = []
    done: list[tuple[Drained, Floor]] = []
    large: list[Floor] = []

    def begin() -> None:
        rounds.append(Round(servers))

    def end() -> None:
        done.append((rounds[-1].drained(), rounds[-1].floor()))
        large.append(rounds[-1].floor(workload.LARGEST))
        rounds[-1].close()

    benchmark.pedantic(lambda: rounds[-1].drain(), setup=begin, teardown=end, rounds=ROUNDS, iterations=1)  # type: ignore[no-untyped-call]

    each = 1_000_000 / MESSAGES
    drained, floors = [one for one, _ in done], [floor for _, floor in done]
    report.add(DAEMON, "messages a second", [MESSAGES / one.seconds for one in drained])
    report.add(
        DAEMON, "processor time of the daemon, µs a message", [one.indexer_cpu_s * each for one in drained], bar="cpu"
    )
    report.add(
        DAEMON,
        "processor time of PostgreSQL, µs a message",
        [one.postgres_cpu_s * each for one in drained],
        bar="postgres",
    )
    report.add(DAEMON, "processor time of Redis, µs a message", [one.redis_cpu_s * each for one in drained])
    report.add(DAEMON, "peak resident memory of the daemon, MiB", [one.peak_memory_bytes / 2**20 for one in drained])
    _count_statements(servers, report)
    report.add(FLOOR, "messages a second", [MESSAGES / floor.seconds for floor in floors])
    report.add(FLOOR, "processor time of PostgreSQL, µs a message", [floor.postgres_cpu_s * each for floor in floors])
    in_large = f"in portions of {workload.LARGEST:,}"
    report.add(FLOOR, f"messages a second {in_large}", [MESSAGES / floor.seconds for floor in large])
    report.add(
        FLOOR,
        f"processor time of PostgreSQL {in_large}, µs a message",
        [floor.postgres_cpu_s * each for floor in large],
    )
    report.add(FLOOR, "rows", [floor.rows for floor in floors])
    report.add(
        RATIO,
        "messages a second, the daemon's of the floor's",
        [f.seconds / one.seconds for one, f in done],
        bar="floor",
    )
    report.add(
        RATIO,
        f"the same, of the floor's {in_large}",
        [floor.seconds / one.seconds for (one, _), floor in zip(done, large, strict=True)],
    )
    report.add(
        RATIO,
        "processor time of PostgreSQL, times the floor's",
        [one.postgres_cpu_s / floor.postgres_cpu_s for one, floor in done],
    )


def _count_statements(servers: Servers, report: Report) -> None:
    """In a round of its own, whose time is not used: counting takes some."""
    if not servers.can_count:
        report.facts["not measured"] = {"statements": "this PostgreSQL has no pg_stat_statements"}
        return
    counted = Round(servers, counting=True)
    try:
        counted.forget_statements()
        counted.drain()
        found = counted.statements()
        counted.drained()
    finally:
        counted.close()
    batches = len(workload.batches())
    report.add(DAEMON, "statements a message", [found.statements / MESSAGES])
    report.add(DAEMON, f"statements a batch of {workload.BATCH}", [found.statements / batches])
    report.add(DAEMON, f"transactions a batch of {workload.BATCH}", [found.transactions / batches])
