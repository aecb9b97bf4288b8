"""The stand-in of `demo --migration` has the habits of the TypeScript indexer that a move must reckon with."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from indexer.demo.migration.fleet import STAND_IN
from tests.acceptance.daemon import GROUP, count, feed, left_over
from tests.messages import A, B, cid, create, follow, label_message, like, like_uri, post, post_uri, uri

STREAM, LABELS = "firehose_live", "label_live"
P = post_uri(A, "p")
REFUSED = create(post_uri(A, "q"), {"$type": "app.bsky.feed.post"})


@contextmanager
def stand_in(database: str, redis_url: str, name: str = "typescript-1") -> Iterator["subprocess.Popen[str]"]:
    """One that runs, with the TypeScript indexer's names of the environment."""
    variables = {**os.environ, "REDIS_HOST": redis_url, "DB_POSTGRES_URL": database, "INDEXER_CONSUMER": name}
    with subprocess.Popen(STAND_IN, env=variables, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(process: "subprocess.Popen[str]", word: str) -> list[str]:
    """What it writes, up to the first line with the word."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if word in line:
            return seen
    raise AssertionError(f"it ended without {word}: {seen}")


def pending(redis_url: str) -> dict[str, dict[str, int]]:
    """Of each consumer the ids that it holds, and how often each was given out."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        found: dict[str, dict[str, int]] = {}
        for one in client.xpending_range(STREAM, GROUP, "-", "+", 1000):
            found.setdefault(one["consumer"], {})[one["message_id"]] = one["times_delivered"]
        return found


def test_it_has_the_habits_of_the_typescript_indexer(database: str, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(STREAM, GROUP, "0", mkstream=True)
        feed(redis_url, STREAM, [create(post_uri(B, "held"), post())])
        client.xreadgroup(GROUP, "somebody", {STREAM: ">"})
        (mine,) = feed(redis_url, STREAM, [create(P, post())])
        client.xreadgroup(GROUP, "typescript-1", {STREAM: ">"})
    others = [
        create(like_uri(B, "l"), like(P), cid=cid(1)),
        create(uri(B, "app.bsky.graph.follow", "f"), follow(A), cid=cid(2)),
        b"no JSON",
        b"null",
        REFUSED,
    ]
    failed = feed(redis_url, STREAM, others)[-1]
    feed(redis_url, LABELS, [label_message({"src": A, "uri": P, "val": "spam", "cts": "2025-10-20T10:00:00.000Z"})])
    with stand_in(database, redis_url) as process:
        lines_until(process, "message_failed")
        process.send_signal(signal.SIGTERM)  # it finishes what it has read
        assert process.wait(20) == 0
    held = pending(redis_url)
    assert list(held["somebody"].values()) == [1]
    assert held["typescript-1"] == {failed: 1}
    assert left_over(redis_url, STREAM) == (2, 2)
    assert (count(database, "post"), count(database, "like"), count(database, "follow")) == (1, 1, 1)
    assert count(database, "label") == 1
    assert count(database, "post_agg") == 1
    assert count(database, "profile_agg") == 2
    assert mine not in held["typescript-1"]

    # only its next start tries again, and fails again
    with stand_in(database, redis_url) as process:
        lines_until(process, "message_failed")
    assert pending(redis_url)["typescript-1"] == {failed: 2}
