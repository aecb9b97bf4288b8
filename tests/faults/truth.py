"""Two databases that must have come to the same: one through trouble, one by a single daemon that nobody disturbed."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import asyncpg

from indexer import _native
from indexer._native import Event
from indexer.demo.traffic import Traffic
from indexer.fold.record_type import Version
from indexer.records import RECORDS
from tests.acceptance.daemon import feed, left_over, running
from tests.convergence.expected import Expected, expected
from tests.convergence.laboratory import all_tables
from tests.convergence.tables import Tables, broken, differences, in_any_order, in_order

STREAM = "firehose_live"
LONGEST_URI = 2_700
"""Bytes; a row of an index has 2,704."""


def traffic(number: int, accounts: int, hostile: float = 0) -> list[bytes]:
    """Made-up messages, the same each time; the fewer the accounts, the more of them hit the same rows and counters."""
    made_up = Traffic(seed=number, accounts=accounts, hostile=hostile).messages()
    return [message.payload for message in islice(made_up, number)]


def index_alone(database: str, redis_url: str, folder: Path, messages: Sequence[bytes]) -> None:
    """The serial truth: in stream order, by one daemon."""
    feed(redis_url, STREAM, messages)
    with running(database, redis_url, folder, "--drain", consumer="alone") as daemon:
        assert daemon.process.wait(3600) == 0, daemon.output
    assert left_over(redis_url, STREAM) == (0, 0)


def known(messages: Sequence[bytes]) -> Expected:
    """What the messages say of the tables."""
    decoded = _native.decode_events(list(messages), [time.time_ns() // 1_000_000] * len(messages))
    return expected(event for event in decoded if isinstance(event, Event) and _has_rows(event))


def _has_rows(event: Event) -> bool:
    """Not what is somebody else's to write, nor what no index of PostgreSQL takes (54000)."""
    if event.kind == "account":
        return True
    kind = RECORDS.get(event.collection or "")
    is_own = kind is None or kind.belongs is None or event.kind == "delete" or kind.belongs(cast(Version, event))
    return event.kind in ("create", "update", "delete") and is_own and len(event.uri or "") < LONGEST_URI


def equals(database: str, truth: str, messages: Sequence[bytes], *, in_stream_order: bool) -> None:
    """The same rows, but for what may differ, the same dead letters; every counter is what its rows count."""
    say, shape = known(messages), in_order if in_stream_order else in_any_order
    found, wanted = tables(database), tables(truth)
    assert found["record"]
    assert causes(found) == causes(wanted)
    different, wrong = differences(shape(wanted, say), shape(found, say)), broken(found, say)
    assert not different, different[:5]
    assert not wrong, wrong[:5]


def causes(found: Tables) -> Counter[str]:
    """Of dead letters, taken out of the tables: the ids of their messages are those of a run."""
    letters, found["indexer.dead_letter"] = found["indexer.dead_letter"], []
    return Counter(letter["cause"] for letter in letters)


def tables(database: str) -> Tables:
    async def read() -> Tables:
        connection = await asyncpg.connect(database)
        try:
            return await all_tables(connection)
        finally:
            await connection.close()

    return asyncio.run(read())
