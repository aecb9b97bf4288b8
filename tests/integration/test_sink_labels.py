"""Labels become rows by the rules of actors.md 5: one by one, in batches, in frames, from several writers."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import asyncpg
import pytest
from redis.asyncio import Redis

from indexer.connections.database import Pool, open_pool
from indexer.lane.decoding import decode_labels
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import Message, Source
from indexer.metrics import Metrics
from indexer.sink.halving import Outcome
from indexer.sink.labels import LabelSink
from tests.integration.writing import Asked
from tests.messages import LABELER, A, B, C, label, label_frame, label_message, post_uri

STREAM, GROUP = "label_live", "label_group"
EARLY, LATE, LATER = (f"2025-10-20T09:00:0{n}.000Z" for n in range(3))
ATTEMPTS = 2

Row = tuple[Any, ...]


class Labelling:
    """A sink of labels with a pool of its own, fed with messages as they would come from the stream."""

    def __init__(self, pool: Pool, statements: Asked) -> None:
        self.pool = pool
        self.statements = statements
        self.sink = LabelSink(pool, statements, STREAM, ATTEMPTS, None, rank=0)

    async def feed(self, payloads: Sequence[bytes], size: int = 500) -> list[Outcome]:
        """Write messages in batches; ids are their places."""
        messages = [Message(b"%d-0" % place, payload) for place, payload in enumerate(payloads, 1)]
        batches = (messages[at : at + size] for at in range(0, len(messages), size))
        decoded = [decode_labels(batch, STREAM, 0) for batch in batches]
        return [await self.sink.commit(batch.entries, batch.letters) for batch in decoded]

    async def rows(self) -> list[Row]:
        """src, uri, cid, val, neg, cts, exp; sorted by key."""
        found = await self.pool.fetch("SELECT src, uri, cid, val, neg, cts, exp FROM label ORDER BY 1, 2, 3, 4")
        return [tuple(row) for row in found]

    async def letters(self) -> list[Row]:
        found = await self.pool.fetch(
            "SELECT message_id, cause, attempts, payload FROM indexer.dead_letter ORDER BY id"
        )
        return [tuple(row) for row in found]


@asynccontextmanager
async def labelling(database: str) -> AsyncIterator[Labelling]:
    pool = await open_pool(database, "test", 1, 2, None)
    try:
        yield Labelling(pool, Asked())
    finally:
        await pool.close()


async def rows_after(database: str, *labels: Any, size: int = 500) -> list[Row]:
    """The rows that labels of the TypeScript producer leave."""
    async with labelling(database) as writer:
        await writer.feed([label_message(each) for each in labels], size)
        return await writer.rows()


async def test_label_is_one_row_with_its_fields(database: str) -> None:
    full = label(post_uri(A, "p"), "porn", EARLY, cid="bafy", neg=False, exp=LATE)
    assert await rows_after(database, full, label(B, cts=LATE)) == [
        (LABELER, post_uri(A, "p"), "bafy", "porn", False, EARLY, LATE),
        (LABELER, B, "", "spam", False, LATE, None),
    ]


async def test_label_with_a_cid_is_another_than_the_one_without(database: str) -> None:
    same = [label(cts=EARLY), label(cts=LATE, cid="bafy"), label(cts=LATER, cid="other", neg=True)]
    assert [(row[2], row[4], row[5]) for row in await rows_after(database, *same)] == [
        ("", False, EARLY),
        ("bafy", False, LATE),
        ("other", True, LATER),
    ]


@pytest.mark.parametrize("size", [1, 500])
async def test_newer_cts_sets_neg_cts_and_exp(database: str, size: int) -> None:
    rows = await rows_after(database, label(cts=EARLY, exp=LATER), label(cts=LATE, neg=True), size=size)
    assert rows == [(LABELER, A, "", "spam", True, LATE, None)]


@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize("cts", [EARLY, LATE])
async def test_equal_or_older_cts_changes_nothing(database: str, size: int, cts: str) -> None:
    rows = await rows_after(database, label(cts=LATE, exp=LATER), label(cts=cts, neg=True), size=size)
    assert rows == [(LABELER, A, "", "spam", False, LATE, LATER)]


@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize(
    ("lesser", "greater"),
    [
        ("2025-10-20T09:00:00.000Z", "2025-10-20T09:00:00Z"),
        ("2025-10-20T09:00:00.000Z", "zzz"),
        ("2025-10-20 09:00:00", "2025-10-20T09:00:00"),
        ("Z", "a"),
        ("a", "é"),
        ("\uffff", "\U0001f600"),
    ],
)
async def test_cts_is_compared_as_text_whatever_the_collation(
    database: str, size: int, lesser: str, greater: str
) -> None:
    """Byte by byte, also where the column sorts as a dictionary does (the embedded server knows no such collation)."""
    async with labelling(database) as writer:
        if await writer.pool.fetchval("SELECT count(*) FROM pg_collation WHERE collname = 'en-x-icu'"):
            await writer.pool.execute('ALTER TABLE label ALTER cts TYPE varchar COLLATE "en-x-icu"')
        for val, order in (("up", (lesser, greater)), ("down", (greater, lesser))):
            await writer.feed([label_message(label(val=val, cts=cts)) for cts in order], size)
        assert [row[5] for row in await writer.rows()] == [greater, greater]


async def test_cts_of_the_rust_spelling_is_converted_before_it_is_compared(database: str) -> None:
    """As text it would lose against the other spelling: a blank sorts before T."""
    async with labelling(database) as writer:
        await writer.feed([label_message(label(cts=EARLY))])
        await writer.feed([label_frame(label(cts="2025-10-20 09:00:01.000999 UTC", neg=True))])
        assert await writer.rows() == [(LABELER, A, "", "spam", True, LATE, None)]


async def test_negation_is_a_row_and_nothing_is_deleted(database: str) -> None:
    labels = [label(cts=EARLY), label(cts=EARLY, cid="bafy"), label(cts=LATE, neg=True), label(B, cts=LATE, neg=True)]
    assert [(row[1], row[2], row[4]) for row in await rows_after(database, *labels)] == [
        (A, "", True),
        (A, "bafy", False),
        (B, "", True),
    ]


async def test_neg_is_what_is_truthy(database: str) -> None:
    truths = [("yes", True), (1, True), ([], True), ({}, True), (None, False), ("", False), (0, False)]
    rows = await rows_after(database, *(label(val=str(n), neg=neg) for n, (neg, _) in enumerate(truths)))
    assert [row[4] for row in rows] == [expected for _, expected in truths]


async def test_nothing_is_validated_and_the_subject_need_not_exist(database: str) -> None:
    odd = {"src": "nobody", "uri": "not a uri", "val": "ÄÖ \U0001f600" * 30, "cts": "some day", "ver": "x", "sig": None}
    assert await rows_after(database, odd) == [("nobody", "not a uri", "", odd["val"], False, "some day", None)]


@pytest.mark.parametrize("field", ["src", "uri", "val", "cts"])
async def test_label_without_a_field_is_a_dead_letter(database: str, field: str) -> None:
    bad = label_message({**label(), field: None})
    async with labelling(database) as writer:
        (outcome,) = await writer.feed([label_message(label(B)), bad])
        assert outcome.indexed == 1
        assert [row[1] for row in await writer.rows()] == [B]
        assert await writer.letters() == [("2-0", f"missing_field:{field}", 1, bad)]


async def test_frame_is_one_unit(database: str) -> None:
    """One bad label, whatever its fault, and nothing of the frame is written."""
    unseen, long = label(B), label(B, val=incompressible(1))
    frames = [
        label_frame(label(), label(C)),
        label_frame(unseen, {**unseen, "uri": ""}),
        label_frame(unseen, {**unseen, "val": "a\0b"}),
        label_frame(unseen, "no label"),
        label_frame(unseen, long),
        label_frame(),
    ]
    async with labelling(database) as writer:
        (outcome,) = await writer.feed(frames)
        assert outcome.indexed == 2
        assert [row[1] for row in await writer.rows()] == [A, C]
        assert sorted(await writer.letters()) == [
            ("2-0", "missing_field:labels/1/uri", 1, frames[1]),
            ("3-0", "bad_label:labels/1/val", 1, frames[2]),
            ("4-0", "missing_field:labels/1", 1, frames[3]),
            ("5-0", "db_54000", ATTEMPTS, frames[4]),
        ]


async def test_order_between_entries_does_not_matter(database: str) -> None:
    entries = [
        label_message(label(cts=EARLY, exp=LATER)),
        label_message(label(cts=LATER, neg=True)),
        label_frame(label(cts=LATE), label(B, cts=LATE)),
        label_message(label(B, cts=EARLY, neg=True)),
    ]
    found = set()
    async with labelling(database) as writer:
        for order in itertools.permutations(entries):
            for size in (1, 3):
                await writer.pool.execute("DELETE FROM label")
                await writer.feed(order, size)
                await writer.feed(order[:2], size)
                found.add(tuple(await writer.rows()))
    assert len(found) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_batch_is_its_entries_one_by_one(database: str, seed: int) -> None:
    """Also where labels of one key have one `cts`: the first stays, in a batch, in a frame and between them."""
    chance = random.Random(seed)
    labels = [
        label(chance.choice([A, B]), chance.choice("ab"), chance.choice([EARLY, LATE, LATER]), exp=str(n))
        for n in range(60)
    ]
    entries = [label_frame(*labels[at : at + 3]) for at in range(0, len(labels), 3)]
    found = set()
    async with labelling(database) as writer:
        for sizes in ([1] * 20, [20], [7, 13], [2, 5, 13]):
            await writer.pool.execute("DELETE FROM label")
            at = 0
            for size in sizes:
                await writer.feed(entries[at : at + size])
                at += size
            found.add(tuple(await writer.rows()))
    expected: dict[Row, dict[str, Any]] = {}
    for each in labels:
        known = expected.setdefault((each["uri"], each["val"]), each)
        if known["cts"] < each["cts"]:
            expected[each["uri"], each["val"]] = each
    (rows,) = found
    assert [(row[1], row[3], row[5], row[6]) for row in rows] == [
        (uri, val, each["cts"], each["exp"]) for (uri, val), each in sorted(expected.items())
    ]


async def test_batch_is_one_transaction_whatever_its_size(database: str) -> None:
    async with labelling(database) as writer:
        for size in (1, 500):
            before = writer.statements.begun
            (outcome,) = await writer.feed([label_message(label(val=str(n))) for n in range(size)], size)
            assert writer.statements.begun - before == outcome.transactions == 1


def incompressible(number: int) -> str:
    """Too long for a row of the index, and no compression makes it shorter."""
    return random.Random(number).randbytes(3000).hex()


@pytest.mark.parametrize("bad", [1, 20])
async def test_label_too_long_for_the_index_costs_one_message(database: str, bad: int) -> None:
    places = set(random.Random(bad).sample(range(200), bad))
    payloads = [label_message(label(val=incompressible(n) if n in places else str(n))) for n in range(200)]
    async with labelling(database) as writer:
        (outcome,) = await writer.feed(payloads)
        assert outcome.indexed == len(await writer.rows()) == 200 - bad
        assert +outcome.rows == {("label", "insert"): 200 - bad}
        assert await writer.letters() == [(f"{n + 1}-0", "db_54000", ATTEMPTS, payloads[n]) for n in sorted(places)]


async def test_rows_are_counted_by_what_really_changed(database: str) -> None:
    async with labelling(database) as writer:
        outcomes = await writer.feed(
            [label_message(label(cts=cts)) for cts in (LATE, LATE, EARLY, LATER)] + [label_frame(label(B), label(C))], 1
        )
        assert [+outcome.rows for outcome in outcomes] == [
            {("label", "insert"): 1},
            {},
            {},
            {("label", "update"): 1},
            {("label", "insert"): 2},
        ]


async def test_writers_on_the_same_labels_never_wait_in_a_circle(database: str) -> None:
    """Each has its labels in an order of its own; half of them are there, half are not."""
    uris = [f"did:plc:{n:024}" for n in range(200)]
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(labelling(database)) for _ in range(4)]
        await writers[0].feed([label_message(label(uri, cts=EARLY)) for uri in uris[::2]])

        async def write(number: int) -> list[Outcome]:
            outcomes = []
            for turn in range(5):
                order = random.Random(number * 100 + turn).sample(uris, len(uris))
                labels = [label_message(label(uri, cts=f"2025-10-2{turn}", exp=str(number))) for uri in order]
                outcomes += await writers[number].feed(labels)
            return outcomes

        outcomes = [each for some in await asyncio.gather(*map(write, range(4))) for each in some]
        rows = await writers[0].rows()
    assert not any(outcome.retries for outcome in outcomes)
    assert {row[5] for row in rows} == {"2025-10-24"}
    assert len(rows) == len(uris)


async def test_foreign_transaction_with_an_older_label_is_waited_for(database: str) -> None:
    """The TypeScript indexer writes beside ours: whoever commits last, the greater `cts` stays."""
    foreign = await asyncpg.connect(database)
    try:
        await foreign.execute("BEGIN")
        await foreign.execute("INSERT INTO label VALUES ($1, $2, '', 'spam', false, $3, NULL)", LABELER, A, EARLY)
        async with labelling(database) as writer:
            writing = asyncio.create_task(writer.feed([label_message(label(cts=LATE, neg=True))]))
            while not await foreign.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            await foreign.execute("COMMIT")
            await writing
            assert await writer.rows() == [(LABELER, A, "", "spam", True, LATE, None)]
    finally:
        await foreign.close()


FATES: tuple[tuple[dict[Any, Any], str], ...] = (
    ({"event": label_message(label(A))}, "indexed"),
    ({"labels": label_frame(label(B), label(C))}, "indexed"),
    ({"event": label_message(label(A)), "labels": b"{"}, "indexed"),
    ({"event": b""}, "ignored empty"),
    ({"event": b"null"}, "ignored empty"),
    ({"other": b"x"}, "ignored empty"),
    ({"labels": b""}, "ignored empty"),
    ({"event": b"[]"}, "ignored unknown_type"),
    ({"event": b'{"type":"create"}'}, "ignored unknown_type"),
    ({"event": b"{}"}, "ignored unknown_type"),
    ({"event": b"{"}, "dead not_json"),
    ({"labels": b"\xff\xfe"}, "dead not_json"),
    ({"event": b"5"}, "dead not_an_object"),
    ({"labels": b'"x"'}, "dead not_an_object"),
    ({"event": b"[" * 1001 + b"]" * 1001}, "dead too_deep"),
    ({"event": b" " * (16 << 20) + b"0"}, "dead too_big"),
    ({"event": b'{"type":"label"}'}, "dead missing_field:label"),
    ({"event": b'{"type":"label","label":[]}'}, "dead missing_field:label"),
    ({"labels": b'{"seq":1,"labels":{}}'}, "dead missing_field:labels"),
    ({"event": label_message(label("a\0"))}, "dead bad_label:uri"),
    ({"event": label_message(label(val="\ud800"))}, "dead bad_label:val"),
    ({"event": label_message(label(val=incompressible(0)))}, "dead db_54000"),
)


async def test_entries_of_the_stream_meet_their_fates(database: str, redis_url: str) -> None:
    """Through a lane, which reads both fields; what vanished is among its pending entries."""
    metrics, redis = Metrics((STREAM,)), Redis.from_url(redis_url, protocol=2)
    source = Source(redis, STREAM, GROUP, "one", 10, (b"event", b"labels"))
    try:
        gone = await redis.xadd(STREAM, {"event": b"gone"})
        await source.ensure_group()
        await source.new(block_ms=10)
        await redis.xdel(STREAM, gone)
        ids = [await redis.xadd(STREAM, fields) for fields, _ in FATES]
        async with labelling(database) as writer:
            lane = Lane(source, writer.sink, LaneMetrics(metrics, STREAM), decode_labels)
            await lane.run(asyncio.Event(), drain=True)
            letters, rows = await writer.letters(), await writer.rows()
        assert await redis.xlen(STREAM) == 0
    finally:
        await redis.aclose()
    expected = [
        (cast(bytes, id_).decode(), fate.removeprefix("dead "), next(iter(fields.values())))
        for id_, (fields, fate) in zip(ids, FATES, strict=True)
        if fate.startswith("dead")
    ]
    assert sorted((id_, cause, payload) for id_, cause, _, payload in letters) == sorted(expected)
    assert [row[1] for row in rows] == [A, B, C]

    def counted(name: str, **labels: str) -> float:
        return metrics.registry.get_sample_value(f"indexer_{name}_total", {"stream": STREAM, **labels}) or 0.0

    ignored = [fate.removeprefix("ignored ") for _, fate in FATES if fate.startswith("ignored")]
    assert counted("ignored", reason="vanished") == 1
    for reason in ("empty", "unknown_type"):
        assert counted("ignored", reason=reason) == ignored.count(reason)
    assert counted("messages", outcome="indexed") == 3
    assert counted("messages", outcome="ignored") == 1 + len(ignored)
    assert counted("messages", outcome="dead_lettered") == len(expected)
