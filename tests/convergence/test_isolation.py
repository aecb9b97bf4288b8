"""Rows that PostgreSQL refuses: exactly these messages become dead letters, and finding them costs few transactions."""

import math
import random
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from indexer._native import Event
from indexer.connections.database import open_pool
from indexer.lane.decoding import decode
from indexer.lane.source import Message
from indexer.sink.commit import Sink
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Entry, Outcome
from indexer.sink.statements import Statements
from tests.convergence.laboratory import ATTEMPTS, CLOCK_MS, STREAM
from tests.messages import A, B, cid, create, like, like_uri, post_uri

SIZE = 500


class CountingSink(Sink):
    """Counts the transactions that look for bad messages: not those of dead letters, not a message's further tries."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.searches = 0
        self.alone: set[str] = set()

    async def _transaction(
        self, entries: Sequence[Entry[Event]], letters: Sequence[DeadLetter], outcome: Outcome, *, careful: bool
    ) -> None:
        if len(entries) == 1:
            self.searches += entries[0].message_id not in self.alone
            self.alone.add(entries[0].message_id)
        else:
            self.searches += bool(entries)
        await super()._transaction(entries, letters, outcome, careful=careful)


def too_long(number: int) -> str:
    """A URI that no compression brings below what a row of a btree may hold (2,704 bytes)."""
    return post_uri(B, "".join(cid((number, part)) for part in range(125)))


@pytest.mark.parametrize("bad", [0, 1, 2, 50])
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_bad_rows_of_a_batch_are_found_by_halving(database: str, bad: int, seed: int) -> None:
    places = set(random.Random(seed).sample(range(SIZE), bad))
    messages = [
        Message(
            b"1-%d" % n,
            create(like_uri(A, f"l{n}"), like(too_long(n) if n in places else post_uri(B, f"p{n}")), cid=cid(n)),
        )
        for n in range(SIZE)
    ]
    decoded = decode(messages, STREAM, CLOCK_MS)
    pool = await open_pool(database, "one", 1, 1, None)
    try:
        sink = CountingSink(pool, Statements("public"), STREAM, "live", "delta", ATTEMPTS)
        outcome = await sink.commit(decoded.entries, decoded.letters)
    finally:
        await pool.close()
    assert {letter.message_id for letter in outcome.dead} == {f"1-{n}" for n in places}
    connection = await asyncpg.connect(database)
    try:
        letters = await connection.fetch("SELECT message_id, cause, attempts, payload FROM indexer.dead_letter")
        likes = {row[0] for row in await connection.fetch('SELECT uri FROM "like"')}
        records = {row[0] for row in await connection.fetch("SELECT uri FROM record")}
    finally:
        await connection.close()
    assert {tuple(row) for row in letters} == {(f"1-{n}", "db_54000", ATTEMPTS, messages[n].payload) for n in places}
    assert likes == records == {like_uri(A, f"l{n}") for n in range(SIZE) if n not in places}
    assert sink.searches <= 2 * bad * math.log2(SIZE) + 4
    if not bad:
        assert sink.searches == 1
