"""What the tests of trouble share: a stream of which nothing may be lost, and nothing may die."""

import asyncio
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tests.acceptance.daemon import Daemon, feed, left_over, query, running
from tests.messages import A, create, post, post_uri
from tests.oracle import library

CASE = "real-posts"
"""1,481 messages, none of which is refused."""
STREAM = library.stream(CASE)


def posts(first: int, number: int) -> list[bytes]:
    return [create(post_uri(A, f"p{n}"), post(str(n))) for n in range(first, first + number)]


def working(
    database: str, redis_url: str, folder: Path, *flags: str, size: int = 30, **options: Any
) -> AbstractContextManager[Daemon]:
    """A daemon with small batches, so that trouble meets many of them."""
    return running(database, redis_url, folder, *flags, environment={"INDEXER_BATCH_SIZE": str(size)}, **options)


def is_drained(redis_url: str) -> bool:
    return left_over(redis_url, STREAM) == (0, 0)


def feed_and_wait(daemon: Daemon, redis_url: str) -> None:
    """Feed the case; returns in the middle of it."""
    messages = library.messages(CASE)
    feed(redis_url, STREAM, messages)
    daemon.until(lambda: left_over(redis_url, STREAM)[0] < len(messages))


def nothing_is_lost(daemon: Daemon, database: str, redis_url: str) -> None:
    """The daemon goes on until everything is there, is ready again and stops in order; the rows are the reference's."""
    daemon.until(lambda: is_drained(redis_url))
    daemon.until(lambda: daemon.get("/readyz")[0] == 200)
    assert daemon.stop() == 0, daemon.output
    assert dead_letters(database) == []
    equals_reference(database)


def dead_letters(database: str) -> list[Any]:
    return asyncio.run(query(database, "SELECT cause, detail FROM indexer.dead_letter"))


def equals_reference(database: str, case: str = CASE, *options: str) -> None:
    status, said = library.compare(database, case, *options)
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said
