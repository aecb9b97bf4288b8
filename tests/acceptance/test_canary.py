"""`run --canary`, `--rate` and `--stop-if`: nothing more is taken than was said, and nothing is lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.acceptance.daemon import GROUP, count, feed, left_over, query, refuse, run_once, running
from tests.messages import A, B, create, label, label_message, like, like_uri, post, post_uri

STREAMS = ("firehose_live", "firehose_backfill", "label_live")
GROUPS = {"firehose_live": GROUP, "firehose_backfill": GROUP, "label_live": "label_group"}


def posts(number: int, name: str = "p") -> list[bytes]:
    return [create(post_uri(A, f"{name}{n:05}"), post()) for n in range(number)]


def likes(number: int) -> list[bytes]:
    return [create(like_uri(B, f"l{n:05}"), like(post_uri(A, f"of{n:05}"))) for n in range(number)]


def labels(number: int) -> list[bytes]:
    return [label_message(label(uri=post_uri(A, f"p{n:05}"))) for n in range(number)]


def taken(redis_url: str) -> int:
    """Entries that were ever delivered."""
    total = 0
    with redis.Redis.from_url(redis_url) as client:
        for stream, name in GROUPS.items():
            groups: Any = client.xinfo_groups(stream)
            total += sum(group["entries-read"] or 0 for group in groups if group["name"] == name.encode())
    return total


def lost(redis_url: str) -> dict[str, tuple[int, int]]:
    return {stream: left_over(redis_url, stream) for stream in STREAMS}


def test_canary_takes_exactly_so_many_of_three_lanes_and_settles_them(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    feed(redis_url, "firehose_live", [*posts(3), b"{poison", *posts(200, "q")])
    feed(redis_url, "firehose_backfill", [*likes(200), b"null"])
    feed(redis_url, "label_live", labels(200))
    daemon = run_once(database, redis_url, tmp_path, "--canary", "150", INDEXER_BATCH_SIZE="40")
    assert daemon.process.returncode == 0, daemon.output
    assert taken(redis_url) == 150
    left = lost(redis_url)
    assert sum(length for length, _ in left.values()) == 204 + 201 + 200 - 150
    assert sum(pending for _, pending in left.values()) == 0
    (summary,) = daemon.lines("canary")
    assert summary["indexed"] + summary["ignored"] + summary["stale"] + summary["dead"] == 150
    assert summary["dead"] == len(asyncio.run(query(database, "SELECT 1 FROM indexer.dead_letter"))) == 1
    assert summary["p99_s"] >= 0
    assert summary["duration_s"] > 0
    assert asyncio.run(query(database, "SELECT 1 FROM indexer.lease")) == []


def test_canary_counts_what_its_consumer_held_already(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, "firehose_live", posts(30))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create("firehose_live", GROUP, id="0")
        client.xreadgroup(GROUP, "one", {"firehose_live": ">"}, count=20)
    daemon = run_once(database, redis_url, tmp_path, "--canary", "7")
    assert daemon.process.returncode == 0, daemon.output
    assert count(database, "post") == 7
    assert left_over(redis_url, "firehose_live") == (23, 13)


def test_canary_ends_with_a_halted_lane(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(refuse(database, "like", "42501"))
    feed(redis_url, "firehose_live", likes(1))
    daemon = run_once(database, redis_url, tmp_path, "--canary", "10")
    assert daemon.process.returncode == 1, daemon.output
    assert daemon.lines("lane_halted")
    assert left_over(redis_url, "firehose_live") == (1, 1)


@pytest.mark.parametrize("flags", [pytest.param(("--drain",), marks=pytest.mark.long), ("--canary", "600")])
def test_a_run_that_ends_by_itself_is_judged_however_small(
    flags: tuple[str, ...], database: str, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(refuse(database, "like", "23514"))
    feed(redis_url, "firehose_live", [*posts(590), *likes(10)])
    daemon = run_once(database, redis_url, tmp_path, *flags, "--stop-if", "db>1%")
    assert daemon.process.returncode == 1, daemon.output
    assert "10 of the last 600 messages (1.67 %) were refused by PostgreSQL" in daemon.output
    assert left_over(redis_url, "firehose_live") == (0, 0)


@pytest.mark.parametrize(
    ("tens", "criterion"),
    [(20, "db>3"), pytest.param(120, "db>1%", marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_passed_budget_ends_it_with_1_and_a_second_run_has_the_rest(
    tens: int, criterion: str, database: str, redis_url: str, tmp_path: Path
) -> None:
    asyncio.run(refuse(database, "like", "23514"))
    # a tenth is refused, which would halt the lane: the budget is asked first
    payloads = [payload for n in range(tens) for payload in (*posts(9, f"n{n}x"), likes(tens)[n])]
    feed(redis_url, "firehose_live", payloads)
    feed(redis_url, "firehose_backfill", posts(12 * tens, "b"))
    with running(
        database, redis_url, tmp_path, "--stop-if", f"p99>1h|{criterion}", environment={"INDEXER_BATCH_SIZE": "20"}
    ) as daemon:
        assert daemon.wait() == 1, daemon.output
    three = [line for line in daemon.output.splitlines() if not line.startswith("{")]
    assert len(three) == 3, daemon.output
    assert three[0].startswith(f"indexer: stopped, {criterion}: ")
    assert "db_23514" in three[1]
    assert "indexer dlq ls" in three[2]
    length, pending = left_over(redis_url, "firehose_live")
    assert pending == 0
    assert left_over(redis_url, "firehose_backfill")[1] == 0
    done = 10 * tens - length
    letters = len(asyncio.run(query(database, "SELECT 1 FROM indexer.dead_letter")))
    assert count(database, "post") + letters == done + 12 * tens - left_over(redis_url, "firehose_backfill")[0]
    again = run_once(database, redis_url, tmp_path, "--drain", INDEXER_DEAD_LETTER_LIMIT="off")
    assert again.process.returncode == 0, again.output
    assert lost(redis_url)["firehose_live"] == (0, 0)
    assert count(database, "post") == 21 * tens
    assert len(asyncio.run(query(database, "SELECT 1 FROM indexer.dead_letter"))) == tens


def test_wrong_criteria_are_refused_before_anything_is_opened(database: str, redis_url: str, tmp_path: Path) -> None:
    daemon = run_once(database, redis_url, tmp_path, INDEXER_STOP_IF="dead>5 percent")
    assert daemon.process.returncode == 78
    assert "INDEXER_STOP_IF=dead>5 percent is not allowed" in daemon.output
    assert "must be criteria such as dead>0.1%" in daemon.output
