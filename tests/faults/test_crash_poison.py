"""A message that ends the process which reads it, again and again (P7)."""

import asyncio
import signal
import sys
from pathlib import Path

import asyncpg

from tests.acceptance.daemon import FAULTY, feed, left_over, running
from tests.faults.truth import STREAM, equals, index_alone, traffic

QUICK = {
    "indexer.daemon.lease:LENGTH_S": 1,
    "indexer.daemon.lease:RENEWAL_S": 0.3,
    "indexer.lane.trial:COMMAND": [sys.executable, str(FAULTY), "trial"],
}
POISON = b"{ends the process}"
FAULT = ("indexer._native:decode_events", "die of", POISON.decode())


def test_it_is_set_aside_at_the_fourth_start(
    database: str, other_database: str, redis_url: str, tmp_path: Path
) -> None:
    messages = traffic(60, accounts=10, hostile=0.05)
    index_alone(other_database, redis_url, tmp_path, messages)
    feed(redis_url, STREAM, [*messages[:30], POISON, *messages[30:]])
    for _ in range(3):
        with running(database, redis_url, tmp_path, "--drain", settings=QUICK, fault=FAULT) as daemon:
            assert daemon.wait() == -signal.SIGSEGV, daemon.output
    with running(database, redis_url, tmp_path, "--drain", settings=QUICK, fault=FAULT) as daemon:
        assert daemon.wait() == 0, daemon.output
        (line,) = daemon.lines("message_ends_process")
        assert line["how"] == "it ended a process with SIGSEGV"
    assert left_over(redis_url, STREAM) == (0, 0)
    assert asyncio.run(causes_of_poison(database)) == ["crashed"]
    equals(database, other_database, messages, in_stream_order=True)


async def causes_of_poison(database: str) -> list[str]:
    """Of its dead letter, which goes: the truth has none."""
    connection = await asyncpg.connect(database)
    try:
        found = await connection.fetch("DELETE FROM indexer.dead_letter WHERE payload = $1 RETURNING cause", POISON)
        return [row[0] for row in found]
    finally:
        await connection.close()
