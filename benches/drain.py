"""One round: the real daemon, or several, at work in processes of their own, empty a stream that was filled before."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from pytest_benchmark.fixture import BenchmarkFixture
from redis import Redis

from benches import copy_floor, durable, workload
from benches.durable import Servers
from indexer.demo import processor
from indexer.demo.daemon import Daemon, running

STREAM = "firehose_live"
STAGED = "staged"
GROUP = "firehose_group"
POLL_S = 0.01
"""How exactly the end is seen; a look costs Redis about 0.1 ms."""


@dataclass(frozen=True)
class Drained:
    """What a round took, between the arrival of the messages and the acknowledgement of the last one."""

    seconds: float
    indexer_cpu_s: float
    postgres_cpu_s: float
    redis_cpu_s: float
    peak_memory_bytes: int
    """Of the greatest daemon since it began."""


@dataclass(frozen=True)
class Statements:
    """Statements, BEGIN and COMMIT among them, and transactions; several commands sent as one text count one each."""

    statements: int
    transactions: int


class Round:
    """A new database, a filled stream under another name, and idle daemons that wait for it."""

    def __init__(
        self,
        servers: Servers,
        *,
        instances: int = 1,
        counting: bool = False,
        messages: Sequence[bytes] = (),
        poison: int = 0,
        stream: str = STREAM,
        template: str = durable.EMPTY,
    ) -> None:
        """`messages` are those of `workload` if there are none, and among them so much `poison`: dead letters.

        `template` is the database that a copy is made of for this round.
        """
        self._servers = servers
        self._messages = messages or workload.payloads()
        self._poison = poison
        self._stream = stream
        self._stack = ExitStack()
        self._name = servers.new_database(template, counting=counting)
        self._records_before = self._ask("SELECT count(*) FROM record")
        self._redis = self._stack.enter_context(Redis.from_url(servers.redis.url))
        self._redis.flushdb()
        settings = {
            "redis_url": servers.redis.url,
            "postgres_url": self.url,
            "mode": "stream",
            "did_resolution": "false",
            "metrics_port": "0",
        }
        self._daemons: list[Daemon] = [
            self._stack.enter_context(running(settings | {"consumer": f"bench{number}"}))
            for number in range(1, instances + 1)
        ]
        self._fill()
        self._before = self._after = self._cpu()
        self.seconds = 0.0
        """What `drain` took."""

    @property
    def pids(self) -> list[int]:
        """Of the daemons."""
        return [daemon.pid for daemon in self._daemons]

    @property
    def url(self) -> str:
        """The database's URL."""
        return self._servers.postgres.database_url(self._name)

    def drain(self) -> None:
        """Let the messages arrive, all at once, and wait until the last one is acknowledged and deleted."""
        self._before, began = self._cpu(), time.perf_counter()
        self._redis.rename(STAGED, self._stream)  # the group comes along, and who waits for the stream is woken
        total = len(self._messages)
        self._daemons[0].until(lambda: total - int(self._redis.xlen(self._stream)), total, lambda _: None, POLL_S)
        self.seconds, self._after = time.perf_counter() - began, self._cpu()

    def left(self) -> int:
        """Messages that are not acknowledged and deleted."""
        return int(self._redis.xlen(self._stream))

    def rows(self) -> int:
        """How many there are in all tables, about."""
        self._ask("ANALYZE")
        return self._ask(
            "SELECT sum(reltuples)::bigint FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
            "WHERE relkind = 'r' AND nspname = 'public' AND reltuples > 0"
        )

    def drained(self) -> Drained:
        """What it took; fails where something is not in the database that must be."""
        assert self._ask("SELECT count(*) FROM indexer.dead_letter") == self._poison
        written = self._ask("SELECT count(*) FROM record") - self._records_before
        assert written == (
            workload.records(self._messages) if not self._poison else workload.records(workload.payloads())
        )
        used = [after - before for before, after in zip(self._before, self._after, strict=True)]
        peak = max(peak_memory(daemon.pid) for daemon in self._daemons)
        return Drained(self.seconds, used[0], used[1], used[2], peak)

    def floor(self, size: int = workload.BATCH) -> copy_floor.Floor:
        """COPY of what is now in the database, in portions of so many messages; the daemon is ended before."""
        self._stack.close()
        portions = workload.portions(len(self._messages), size)
        return asyncio.run(copy_floor.measure(self.url, self._servers.postgres.pid, portions))

    def forget_statements(self) -> None:
        """Count from here on: not what the daemon asks when it starts."""
        self._servers.postgres.execute("SELECT pg_stat_statements_reset()")

    def statements(self) -> Statements:
        """What the daemon ran in this database; the round must have been made to count."""
        query = f"""
            SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
            WHERE dbid = (SELECT oid FROM pg_database WHERE datname = '{self._name}') AND query ~* """
        server = self._servers.postgres.url
        return Statements(self._ask(query + "'.*'", server), self._ask(query + "'^(commit|rollback)'", server))

    def close(self) -> None:
        """End the daemon and drop the database."""
        self._stack.close()
        self._servers.postgres.execute(f"DROP DATABASE {self._name} WITH (FORCE)")

    def _fill(self) -> None:
        for start in range(0, len(self._messages), workload.BATCH):
            with self._redis.pipeline(transaction=False) as pipeline:
                for payload in self._messages[start : start + workload.BATCH]:
                    pipeline.xadd(STAGED, {"event": payload})
                pipeline.execute()
        self._redis.xgroup_create(STAGED, GROUP, id="0")

    def _cpu(self) -> tuple[float, float, float]:
        """Processor seconds so far: daemons, PostgreSQL with all its processes, Redis."""
        daemons = [processor.seconds(daemon.pid) for daemon in self._daemons]
        postgres = processor.family_seconds(self._servers.postgres.pid)
        redis = processor.seconds(self._servers.redis.pid)
        known = [seconds for seconds in daemons if seconds is not None]
        if len(known) < len(daemons) or postgres is None or redis is None:
            raise RuntimeError("the benches need /proc (Linux)")
        return sum(known), postgres, redis

    def _ask(self, query: str, url: str | None = None) -> int:
        async def ask() -> int:
            connection = await asyncpg.connect(url or self.url)
            try:
                return int(await connection.fetchval(query) or 0)
            finally:
                await connection.close()

        return asyncio.run(ask())


def in_turns(
    benchmark: BenchmarkFixture, rounds: int, kinds: Mapping[str, Callable[[int], Round]]
) -> dict[str, list[float]]:
    """Drain rounds of several kinds turn by turn, so that what else the machine does meets all; seconds by kind.

    A kind makes a round from its number, counted from 1.
    """
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    current: list[Round] = []

    def next_kind() -> str:
        return min(seconds, key=lambda kind: len(seconds[kind]))

    def begin() -> None:
        kind = next_kind()
        current[:] = [kinds[kind](len(seconds[kind]) + 1)]

    def end() -> None:
        (done,) = current
        done.drained()
        seconds[next_kind()].append(done.seconds)
        done.close()

    benchmark.pedantic(  # type: ignore[no-untyped-call]
        lambda: current[0].drain(), setup=begin, teardown=end, rounds=rounds * len(kinds), iterations=1
    )
    return seconds


def peak_memory(pid: int) -> int:
    """The most resident memory that a process ever had, in bytes (VmHWM of proc(5))."""
    return _status(pid, "VmHWM:")


def memory(pid: int) -> int:
    """The resident memory of a process, in bytes."""
    return _status(pid, "VmRSS:")


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system does not tell the resident memory")
