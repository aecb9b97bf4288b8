"""`python -m indexer run` as a real process, and what it needs around it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import redis
from prometheus_client.parser import text_string_to_metric_families

from indexer.configuration.settings import OPTIONS
from tests import least_authority

GROUP = "firehose_group"
FAULTY = Path(__file__).parents[1] / "faults" / "faulty.py"
PATIENCE_S = 60.0
"""How long a test waits for a fact before it fails; more in long ones (conftest.py)."""


class Daemon:
    """One process of the daemon; `environment` adds to the settings that it needs, `within` is a command before it.

    With `fault` or `settings` it is `tests/faults/faulty.py`, which says what they mean.
    """

    def __init__(
        self,
        database: str,
        redis_url: str,
        folder: Path,
        *flags: str,
        consumer: str = "one",
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        fault: Sequence[Any] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        program: tuple[str, ...] = ("-m", "indexer")
        if fault or settings:
            program = (str(FAULTY),)
            environment = {**(environment or {}), "FAULTS": json.dumps(fault), "SETTINGS": json.dumps(settings or {})}
        known = {name for option in OPTIONS for name in option.variables}
        variables = {name: text for name, text in os.environ.items() if name not in known}
        variables |= {
            "DB_POSTGRES_URL": database,
            "REDIS_HOST": least_authority.URLS.get(redis_url, redis_url),
            "INDEXER_CONSUMER": consumer,
            "ENABLE_DID_RESOLUTION": "false",
            "METRICS_PORT": "0",
            "INDEXER_STATUS_PAGE": "off",  # what it reads would meet the rules of proxies, which count
            "DB_POOL_MAX_SIZE": "4",
            "DB_POOL_MIN_IDLE": "1",
            **(environment or {}),
        }
        self.log = folder / f"{consumer}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*within, sys.executable, *program, "run", *flags],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def output(self) -> str:
        """Everything that it wrote, both outputs."""
        return self.log.read_text(encoding="utf-8")

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """Its log lines, of one event or all."""
        found = [json.loads(line) for line in self.output.splitlines() if line.startswith("{") and line.endswith("}")]
        return [line for line in found if event is None or line["event"] == event]

    def wait(self) -> int:
        """Its exit status."""
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the daemon does not end; it wrote:\n{self.output}") from None

    def until(self, fact: Callable[[], bool]) -> None:
        """Return when `fact` is true; the process must be alive until then."""
        limit = time.monotonic() + PATIENCE_S
        while not fact():
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}:\n{self.output}"
            assert time.monotonic() < limit, f"the daemon does not get there; it wrote:\n{self.output}"
            time.sleep(0.02)

    def started(self) -> None:
        """Return when it has everything that it needs."""
        self.until(lambda: bool(self.lines("started")) and self._listens_for_sigterm())

    def _listens_for_sigterm(self) -> bool:
        """By its mask of caught signals (proc(5)); elsewhere than on Linux it is taken for granted."""
        status = Path(f"/proc/{self.process.pid}/status")
        if not status.exists():
            return True
        (mask,) = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt:")]
        return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer of its port."""
        port = self.lines("started")[0]["metrics_port_bound"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def metrics(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample of `/metrics` by its name and its sorted labels."""
        status, text = self.get("/metrics")
        assert status == 200
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def stop(self, signal_number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        self.process.send_signal(signal_number)
        return self.wait()

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def running(*arguments: Any, **options: Any) -> Iterator[Daemon]:
    """A `Daemon` for the time of the block."""
    daemon = Daemon(*arguments, **options)
    try:
        yield daemon
    finally:
        daemon.kill()


def feed(redis_url: str, stream: str, payloads: Iterable[bytes], field: str = "event") -> list[str]:
    """Add messages to a stream, in order; their ids."""
    ids: list[str] = []
    with redis.Redis.from_url(redis_url) as client:
        pending: list[bytes] = []
        for payload in payloads:
            pending.append(payload)
            if len(pending) == 1000:
                ids += _add(client, stream, pending, field)
                pending = []
        return ids + _add(client, stream, pending, field)


def _add(client: "redis.Redis", stream: str, payloads: list[bytes], field: str) -> list[str]:
    with client.pipeline(transaction=False) as pipeline:
        for payload in payloads:
            pipeline.xadd(stream, {field: payload})
        return [id_.decode() for id_ in pipeline.execute()]


def left_over(redis_url: str, stream: str) -> tuple[int, int]:
    """Entries in a stream, and entries pending in its group."""
    with redis.Redis.from_url(redis_url) as client:
        length: Any = client.xlen(stream)
        groups: Any = client.xinfo_groups(stream) if client.exists(stream) else []
        return length, sum(group["pending"] for group in groups)


def run_once(database: str, redis_url: str, folder: Path, *flags: str, **environment: str) -> Daemon:
    """A daemon that ended by itself."""
    with running(database, redis_url, folder, *flags, environment=environment) as daemon:
        daemon.wait()
    return daemon


async def query(database: str, statement: str) -> list[asyncpg.Record]:
    """Run one statement over a connection of its own."""
    connection = await asyncpg.connect(database)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def count(database: str, table: str) -> int:
    """The number of rows of a table of the AppView."""
    number: int = asyncio.run(query(database, f'SELECT count(*) FROM "{table}"'))[0][0]
    return number


async def refuse(database: str, table: str, sqlstate: str) -> None:
    """Make PostgreSQL refuse every insertion into a table."""
    await query(
        database,
        f"""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{sqlstate}'; END $$""",
    )
    await query(database, f'CREATE TRIGGER refuse BEFORE INSERT ON "{table}" EXECUTE FUNCTION refuse()')
