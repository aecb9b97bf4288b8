"""What PostgreSQL refuses as data costs one message, not its neighbours (design.md, one bad message)."""

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from indexer.fold.record_type import Row, Table, Version
from indexer.fold.world import World
from indexer.records import RECORDS
from indexer.records.like import RECORD as LIKE_RECORD
from indexer.sink import halving
from indexer.sink.commit import Sink
from indexer.sink.halving import HaltedError
from tests.integration.writing import writing, wrong_counters
from tests.messages import REVS, A, B, cid, create, delete, like, like_uri, post, post_uri, update

SIZE = 500
ATTEMPTS = 3


def refused(number: int) -> bytes:
    """A post whose URI is too long for an index, however it is compressed (54000)."""
    rkey = random.Random(number).randbytes(1500).hex()
    return create(post_uri(A, rkey), post(f"refused {number}"), cid=cid(number))


def good(number: int) -> bytes:
    if number % 2:
        return create(like_uri(B, f"l{number}"), like(post_uri(A, f"p{number - 1}")), cid=cid(number))
    return create(post_uri(A, f"p{number}"), post(f"good {number}"), cid=cid(number))


@pytest.mark.parametrize("bad", [1, 2, 50])
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
async def test_refused_rows_are_found_and_the_others_are_committed(database: str, bad: int, seed: int) -> None:
    places = set(random.Random(seed).sample(range(SIZE), bad))
    payloads = [refused(n) if n in places else good(n) for n in range(SIZE)]
    async with writing(database) as sink:
        (outcome,) = await sink.feed(payloads, SIZE)
        letters = await sink.fetch("SELECT * FROM indexer.dead_letter ORDER BY id")
        assert {letter["message_id"] for letter in letters} == {f"{place + 1}-0" for place in places}
        assert {letter["cause"] for letter in letters} == {"db_54000"}
        assert {bytes(letter["payload"]) for letter in letters} == {payloads[place] for place in places}
        assert {(letter["class"], letter["sqlstate"], letter["attempts"]) for letter in letters} == {
            ("data", "54000", ATTEMPTS)
        }
        assert [letter.message_id for letter in outcome.dead] == [f"{place + 1}-0" for place in sorted(places)]
        assert outcome.indexed == SIZE - bad
        assert await sink.value("SELECT count(*) FROM record") == SIZE - bad
        assert await sink.value('SELECT (SELECT count(*) FROM post) + (SELECT count(*) FROM "like")') == SIZE - bad
        assert await wrong_counters(sink.pool) == []
        # what the search costs; each message that was found is tried alone a few times more
        assert sink.statements.begun - bad * (ATTEMPTS - 1) <= 2 * bad * math.log2(SIZE) + 4


async def test_batch_of_good_rows_takes_two_transactions(database: str) -> None:
    """The batch's, and the one that derives again: the number does not grow with the batch."""
    async with writing(database) as sink:
        for size in (1, SIZE):
            before = sink.statements.begun
            (outcome,) = await sink.feed([good(n) for n in range(size)], SIZE)
            assert sink.statements.begun - before == 2
            assert outcome.transactions == 1


async def test_large_batch_is_cut_into_usual_ones_before_it_is_halved(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written twice to find one message follows the usual size, not the backlog's."""
    monkeypatch.setattr("indexer.sink.halving.USUAL", 20)
    payloads = [good(number) for number in range(100)]
    payloads[50] = refused(50)
    sizes: list[int] = []
    async with writing(database) as sink:
        transaction = sink.sink._transaction

        async def noted(entries: Any, *arguments: Any, **options: Any) -> None:
            sizes.append(len(entries))
            await transaction(entries, *arguments, **options)

        monkeypatch.setattr(sink.sink, "_transaction", noted)
        (outcome,) = await sink.feed(payloads, 100)
        assert (outcome.indexed, len(outcome.dead)) == (99, 1)
        assert await wrong_counters(sink.pool) == []
    assert sizes[:4] == [100, 20, 20, 20]
    assert sizes[-2:] == [20, 20]
    assert sum(sizes) < 100 + 100 + 3 * 20


async def test_refused_message_is_tried_as_often_as_allowed(database: str) -> None:
    for attempts in (1, 5):
        async with writing(database, max_attempts=attempts) as sink:
            (outcome,) = await sink.feed([refused(attempts)])
            assert outcome.dead[0].attempts == attempts
            assert outcome.retries["data"] == attempts


async def test_order_around_a_refused_message_is_kept(database: str) -> None:
    """Halves are written one after the other: what follows a refused message sees what came before it."""
    p = post_uri(A, "p")
    payloads = [
        create(p, post("first"), REVS[1], cid(1), commit=cid("1")),
        refused(1),
        create(p, post("second"), REVS[1], cid(1), commit=cid("2"), time="2025-10-20T12:00:00Z"),
        update(p, post("third"), REVS[2], cid(3), commit=cid("3")),
        refused(2),
        delete(p, REVS[3], commit=cid("4")),
    ]
    async with writing(database) as sink:
        await sink.feed(payloads)
        assert await sink.uris("post") == []
        (row,) = await sink.fetch("SELECT rev, json FROM record")
        assert tuple(row) == (REVS[3], "")
        assert await sink.value('SELECT "commitCid" FROM actor_sync') == cid("4")


async def test_rejects_of_a_batch_are_kept_when_it_is_halved(database: str) -> None:
    """What the decoder refused is written once, however often the batch around it is tried."""
    payloads = [b"{", refused(1), b"5", good(0), refused(2), good(1), b"{bad"]
    async with writing(database) as sink:
        await sink.feed(payloads)
        rows = await sink.fetch("SELECT message_id, cause FROM indexer.dead_letter ORDER BY message_id")
        assert [tuple(row) for row in rows] == [
            ("1-0", "not_json"),
            ("2-0", "db_54000"),
            ("3-0", "not_an_object"),
            ("5-0", "db_54000"),
            ("7-0", "not_json"),
        ]
        assert await sink.value("SELECT count(*) FROM record") == 2


async def test_dead_letter_that_comes_again_keeps_its_first_time(database: str) -> None:
    async with writing(database, max_attempts=2) as sink:
        for _ in range(2):
            await sink.feed([refused(1), b"{"])
        rows = await sink.fetch("SELECT message_id, attempts, first_at, last_at FROM indexer.dead_letter ORDER BY 1")
        assert [(row["message_id"], row["attempts"]) for row in rows] == [("1-0", 2), ("2-0", 1)]
        assert all(row["first_at"] < row["last_at"] for row in rows)


async def test_entry_of_the_other_stream_with_the_same_id_is_another_letter(database: str) -> None:
    for stream in ("firehose_live", "firehose_backfill"):
        async with writing(database, stream=stream) as sink:
            await sink.feed([b"{"])
            rows = await sink.fetch("SELECT stream FROM indexer.dead_letter ORDER BY stream")
    assert [row[0] for row in rows] == ["firehose_backfill", "firehose_live"]


async def test_error_that_is_no_data_fault_halts_and_leaves_nothing(database: str) -> None:
    async with writing(database) as sink:
        await sink.pool.execute('ALTER TABLE "like" RENAME COLUMN via TO through')
        with pytest.raises(HaltedError, match="via"):
            await sink.feed([good(0), good(1)])
        assert await sink.value("SELECT count(*) FROM record") == 0
        assert await sink.value("SELECT count(*) FROM indexer.dead_letter") == 0


async def test_message_that_our_own_code_fails_on_costs_only_itself(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = LIKE_RECORD.rows

    def stumble(version: Version, world: World) -> Iterable[tuple[Table, Row]]:
        if version.rkey == "l3":
            raise KeyError("subject")
        return rows(version, world)

    monkeypatch.setitem(RECORDS, LIKE_RECORD.collection, replace(LIKE_RECORD, rows=stumble))
    async with writing(database) as sink:
        (outcome,) = await sink.feed([good(n) for n in range(20)])
        assert await sink.uris("like") == sorted(like_uri(B, f"l{n}") for n in range(1, 20, 2) if n != 3)
        (letter,) = await sink.fetch("SELECT * FROM indexer.dead_letter")
        assert (letter["message_id"], letter["cause"], letter["class"]) == ("4-0", "crashed", "programming")
        assert letter["detail"] == "KeyError: 'subject'"
        assert bytes(letter["payload"]) == good(3)
        assert [each.cause for each in outcome.dead] == ["crashed"]
        assert await wrong_counters(sink.pool) == []


async def test_want_of_memory_halts(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> Iterable[tuple[Table, Row]]:
        raise MemoryError

    monkeypatch.setitem(RECORDS, LIKE_RECORD.collection, replace(LIKE_RECORD, rows=exhausted))
    async with writing(database) as sink:
        with pytest.raises(HaltedError):
            await sink.feed([good(1)])
        assert not await sink.fetch("SELECT * FROM indexer.dead_letter")


async def test_error_that_quotes_a_nul_becomes_a_dead_letter_all_the_same(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object) -> Iterable[tuple[Table, Row]]:
        raise ValueError("a\0b")

    monkeypatch.setitem(RECORDS, LIKE_RECORD.collection, replace(LIKE_RECORD, rows=stumble))
    async with writing(database) as sink:
        await sink.feed([good(1)])
        assert await sink.value("SELECT detail FROM indexer.dead_letter") == "ValueError: ab"


async def test_outage_is_no_attempt(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes, nothing is halved, and nothing becomes a dead letter."""
    monkeypatch.setattr(halving, "LONGEST_WAIT_S", 0.001)
    once, away = Sink._once, iter(range(10 * ATTEMPTS))

    async def starting_up(self: Sink, *arguments: Any, **options: Any) -> Any:
        if next(away, None) is not None:
            raise asyncpg.CannotConnectNowError("the database system is starting up")
        return await once(self, *arguments, **options)

    monkeypatch.setattr(Sink, "_once", starting_up)
    async with writing(database) as sink:
        (outcome,) = await sink.feed([good(0), good(1)])
        assert outcome.retries == {"outage": 10 * ATTEMPTS}
        assert (outcome.indexed, outcome.dead, outcome.transactions) == (2, [], 1)
        assert not await sink.fetch("SELECT * FROM indexer.dead_letter")
