"""Whole streams through the real daemon: every table must be what the reference indexer made of them, row for row."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.acceptance.daemon import Daemon, feed, left_over, running
from tests.oracle import library

SMALL = ("real-firehose", "real-scenarios", "real-posts", "real-repos")
SIZES = (1, 7, 100, 500, 2000)
RUNS = [("real-firehose", 1), ("real-firehose", 2000), ("real-scenarios", 7), ("real-posts", 100), ("real-repos", 500)]
RUNS += [("mixed-5k-hostile", 100), ("backfill-10k", 500), ("labels-2k", 7)]
"""Each case and each size is there."""
LONG_RUNS = [(case, size) for case in SMALL for size in SIZES if (case, size) not in RUNS]
LONG_RUNS += [("mixed-5k-hostile", 1), ("mixed-5k-hostile", 2000), ("backfill-10k", 1), ("backfill-10k", 2000)]
LONG_RUNS += [("labels-2k", 1), ("labels-2k", 500), *(("mixed-30k", size) for size in SIZES)]
MORE = [pytest.param(case, marks=pytest.mark.long) for case in SMALL if case != "real-scenarios"]


def drain(daemons: list[Daemon]) -> None:
    for daemon in daemons:
        assert daemon.wait() == 0, daemon.output


def index(
    database: str,
    redis_url: str,
    folder: Path,
    case: str,
    size: int,
    *,
    notifications: str = "live",
    seed: int | None = None,
    twice: bool = False,
    consumers: tuple[str, ...] = ("one",),
) -> None:
    """Feed a case and drain it; with `seed` in another order, with `twice` each message twice."""
    messages = library.messages(case) * (2 if twice else 1)
    if seed is not None:
        random.Random(seed).shuffle(messages)
    feed(redis_url, library.stream(case), messages)
    environment = {"INDEXER_BATCH_SIZE": str(size), "INDEXER_NOTIFICATIONS": notifications}
    with ExitStack() as stack:
        drain(
            [
                stack.enter_context(
                    running(database, redis_url, folder, "--drain", consumer=consumer, environment=environment)
                )
                for consumer in consumers
            ]
        )
    assert left_over(redis_url, library.stream(case)) == (0, 0)


def equals_reference(database: str, case: str, *options: str) -> None:
    status, said = library.compare(database, case, *options)
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("case", "size"), RUNS)
def test_stream_gives_the_reference_tables(database: str, redis_url: str, tmp_path: Path, case: str, size: int) -> None:
    index(database, redis_url, tmp_path, case, size)
    equals_reference(database, case)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("case", ["real-scenarios", "mixed-5k-hostile", *MORE])
def test_mode_updates_notifies_as_the_reference_does(database: str, redis_url: str, tmp_path: Path, case: str) -> None:
    index(database, redis_url, tmp_path, case, 500, notifications="updates")
    equals_reference(database, case, "--notifications", "updates")


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("case", "twice"), [("mixed-5k-hostile", False), ("labels-2k", True)])
def test_shuffled_stream_gives_the_same_tables(
    database: str, redis_url: str, tmp_path: Path, case: str, *, twice: bool
) -> None:
    index(database, redis_url, tmp_path, case, 100, seed=1, twice=twice)
    equals_reference(database, case, "--order-free")


@pytest.mark.timeout(180)
@pytest.mark.parametrize("case", ["mixed-5k-hostile", "labels-2k"])
def test_three_instances_give_the_same_tables(database: str, redis_url: str, tmp_path: Path, case: str) -> None:
    index(database, redis_url, tmp_path, case, 50, consumers=("one", "two", "three"))
    equals_reference(database, case, "--order-free")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("case", "size"), LONG_RUNS)
def test_long_stream_gives_the_reference_tables(
    database: str, redis_url: str, tmp_path: Path, case: str, size: int
) -> None:
    index(database, redis_url, tmp_path, case, size)
    equals_reference(database, case)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("size", [20, 100, 500])
@pytest.mark.parametrize("case", ["mixed-5k-hostile", "backfill-10k", "mixed-30k"])
def test_any_order_twice_over_three_instances_gives_the_same_tables(
    database: str, redis_url: str, tmp_path: Path, case: str, size: int
) -> None:
    index(database, redis_url, tmp_path, case, size, seed=size, twice=True, consumers=("one", "two", "three"))
    equals_reference(database, case, "--order-free")
