"""Three daemons on one stream, killed and started again: the tables of the reference, nothing left over."""

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.acceptance.daemon import GROUP, PATIENCE_S, Daemon, feed, left_over, running
from tests.oracle import library

NAMES = ("one", "two", "three")
SMALL = ("real-firehose", "real-scenarios", "real-posts", "real-repos")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "case",
    [
        "real-scenarios",
        "real-posts",
        *(pytest.param(case, marks=pytest.mark.long) for case in ("real-firehose", "real-repos")),
    ],
)
def test_shuffled_case_delivered_twice_to_three(database: str, redis_url: str, tmp_path: Path, case: str) -> None:
    deliver(database, redis_url, tmp_path, case, seed=1, size=20)
    equals_reference(database, case)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("case", [*SMALL, "mixed-5k-hostile", "backfill-10k", "mixed-30k"])
def test_instances_that_are_killed_many_times(
    database: str, redis_url: str, tmp_path: Path, case: str, seed: int
) -> None:
    kills = 3 if case in SMALL else 12
    deliver(database, redis_url, tmp_path, case, seed=seed, size=5 if case in SMALL else 50, kills=kills)
    equals_reference(database, case)


def deliver(database: str, redis_url: str, folder: Path, case: str, *, seed: int, size: int, kills: int = 0) -> None:
    """Feed a case shuffled and twice, and drain it with three instances, some of which are killed on the way."""
    chance = random.Random(seed)
    messages = library.messages(case) * 2
    chance.shuffle(messages)
    stream = library.stream(case)
    feed(redis_url, stream, messages)
    environment = {"INDEXER_BATCH_SIZE": str(size)}
    in_hand = 0
    with ExitStack() as stack:

        def start(name: str) -> Daemon:
            return stack.enter_context(
                running(database, redis_url, folder, "--drain", consumer=name, environment=environment)
            )

        daemons = {name: start(name) for name in NAMES}
        for kill in range(kills):
            wait_for_length(redis_url, stream, len(messages) * (kills - kill) // (kills + 1))
            working = [name for name, daemon in daemons.items() if daemon.process.poll() is None]
            if not working:
                break
            name = chance.choice(working)
            daemons[name].kill()
            in_hand += pending(redis_url, stream, name)
            daemons[name] = start(name)
        for daemon in daemons.values():
            assert daemon.wait() == 0, daemon.output
    assert in_hand or not kills, "nobody was killed at work"
    assert left_over(redis_url, stream) == (0, 0)


def wait_for_length(redis_url: str, stream: str, length: int) -> None:
    """Return when the stream is no longer than that."""
    limit = time.monotonic() + PATIENCE_S
    with redis.Redis.from_url(redis_url) as client:
        while client.xlen(stream) > length:
            assert time.monotonic() < limit, "nothing moves"
            time.sleep(0.01)


def pending(redis_url: str, stream: str, name: str) -> int:
    """How many entries a consumer was given and has not settled."""
    with redis.Redis.from_url(redis_url) as client:
        consumers: list[dict[str, object]] = client.xinfo_consumers(stream, GROUP)
        return sum(int(str(each["pending"])) for each in consumers if each["name"] == name.encode())


def equals_reference(database: str, case: str) -> None:
    status, said = library.compare(database, case, "--order-free")
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said
