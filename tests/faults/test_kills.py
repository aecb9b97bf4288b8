"""Three daemons on one stream, killed at work (kill -9) and started again under their names: the serial truth."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.daemon import GROUP, Daemon, feed, left_over
from tests.faults.truth import STREAM, equals, index_alone, traffic

NAMES = ("one", "two", "three")


class Instances:
    """Daemons by name; the killed ones come again."""

    def __init__(self, database: str, redis_url: str, folder: Path, **options: Any) -> None:
        self._arguments, self._options = (database, redis_url, folder), options
        self._redis = redis.Redis.from_url(redis_url)
        self.daemons: dict[str, Daemon] = {}
        for name in NAMES:
            self.start(name)

    def start(self, name: str) -> None:
        self.daemons[name] = Daemon(*self._arguments, consumer=name, **self._options)

    def in_hand(self, name: str) -> int:
        """Entries that it was given and has not settled."""
        groups: Any = self._redis.xinfo_groups(STREAM) if self._redis.exists(STREAM) else []
        consumers: Any = self._redis.xinfo_consumers(STREAM, GROUP) if groups else []
        return sum(each["pending"] for each in consumers if each["name"] == name.encode())

    def kill(self, chance: random.Random) -> bool:
        """Kill one that has a batch in hand, and start it again; False where none has or it was done just then."""
        working = [name for name, daemon in self.daemons.items() if daemon.lines("started") and self.in_hand(name)]
        if not working:
            return False
        name = chance.choice(working)
        daemon = self.daemons[name]
        assert daemon.process.poll() is None, daemon.output
        daemon.kill()
        daemon.log.unlink()
        counts = self.in_hand(name) > 0
        self.start(name)
        return counts

    def until_drained(self, redis_url: str, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while left_over(redis_url, STREAM) != (0, 0):
            for daemon in self.daemons.values():
                assert daemon.process.poll() is None, daemon.output
            assert time.monotonic() < limit, [daemon.output for daemon in self.daemons.values()]
            time.sleep(0.05)

    def close(self) -> None:
        for daemon in self.daemons.values():
            daemon.kill()
        self._redis.close()


@contextmanager
def instances(*arguments: Any, **options: Any) -> Iterator[Instances]:
    found = Instances(*arguments, **options)
    try:
        yield found
    finally:
        found.close()


@pytest.mark.parametrize(
    ("kills", "number", "settings"),
    [
        pytest.param(
            3, 1500, {"indexer.daemon.lease:LENGTH_S": 2, "indexer.daemon.lease:RENEWAL_S": 0.5}, id="3_kills"
        ),
        pytest.param(200, 200_000, {}, id="200_kills", marks=pytest.mark.long),
    ],
)
@pytest.mark.timeout(7200)
def test_killed_at_work(
    database: str,
    other_database: str,
    redis_url: str,
    tmp_path: Path,
    kills: int,
    number: int,
    settings: dict[str, Any],
    record_property: Callable[[str, object], None],
) -> None:
    """Fed at the pace of the kills; counted is a kill with a batch in flight."""
    messages, chance = traffic(number, accounts=number // 50), random.Random(kills)
    index_alone(other_database, redis_url, tmp_path, messages)
    environment, portion = {"INDEXER_BATCH_SIZE": "50"}, number // (kills + 1)
    killed = fed = 0
    with instances(database, redis_url, tmp_path, environment=environment, settings=settings) as three:
        while killed < kills:
            left = left_over(redis_url, STREAM)[0]
            if fed < number and (fed <= killed * portion or not left):
                more = portion if fed <= killed * portion else portion // 10  # who was killed had just settled
                feed(redis_url, STREAM, messages[fed : fed + more])
                fed += more
            killed += three.kill(chance)
            assert fed < number or left_over(redis_url, STREAM)[0], f"{killed} kills only, and no work is left"
        feed(redis_url, STREAM, messages[fed:])
        three.until_drained(redis_url, 600)
        for daemon in three.daemons.values():
            assert daemon.stop() == 0, daemon.output
    equals(database, other_database, messages, in_stream_order=False)
    record_property("kills with a batch in flight, messages", f"{killed}, {number}")
