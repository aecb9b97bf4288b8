"""One stream through a consumer group: what is read, in which order, and when it is acknowledged (streams.md 1, 2)."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, OutOfMemoryError, RedisError
from structlog.testing import capture_logs

from indexer import embedded
from indexer.lane.source import HeldSource, Message, Source

STREAM, GROUP = "firehose_live", "firehose_group"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    client = Redis.from_url(redis_url, protocol=2)
    yield client
    await client.aclose()


def source(redis: "Redis", consumer: str = "one", count: int = 10) -> Source:
    return Source(redis, STREAM, GROUP, consumer, count)


async def add(redis: "Redis", *payloads: bytes, field: bytes = b"event") -> list[bytes]:
    return [cast(bytes, await redis.xadd(STREAM, {field: payload})) for payload in payloads]


async def own_pending(reader: Source) -> list[Message]:
    return [message async for page in reader.own_pending() for message in page]


async def state(redis: "Redis") -> tuple[int, int]:
    """Entries of the stream, entries pending in the group."""
    summary: Any = await redis.xpending(STREAM, GROUP)
    return await redis.xlen(STREAM), summary["pending"]


async def test_new_group_begins_at_the_oldest_entry(redis: "Redis") -> None:
    ids = await add(redis, b"1", b"2")
    reader = source(redis)
    await reader.ensure_group()
    assert await reader.new(block_ms=10) == [
        Message(id_, payload) for id_, payload in zip(ids, (b"1", b"2"), strict=True)
    ]


async def test_group_is_made_for_a_stream_that_is_not_there_and_only_once(redis: "Redis") -> None:
    reader = source(redis)
    await reader.ensure_group()
    await add(redis, b"1")
    await reader.new(block_ms=10)
    await reader.ensure_group()
    assert await reader.new(block_ms=10) == [], "the group was not reset"
    assert await state(redis) == (1, 1)


async def test_read_brings_no_more_than_the_batch_size(redis: "Redis") -> None:
    ids = await add(redis, *(b"%d" % n for n in range(25)))
    reader = source(redis, count=10)
    await reader.ensure_group()
    read = [[message.id for message in await reader.new(block_ms=10)] for _ in range(4)]
    assert read == [ids[:10], ids[10:20], ids[20:], []]


async def test_own_pending_entries_come_in_pages_and_in_order(redis: "Redis") -> None:
    ids = await add(redis, *(b"%d" % n for n in range(25)))
    before = source(redis, count=100)
    await before.ensure_group()
    await before.new(block_ms=10)
    after = source(redis, count=10)
    assert [len(page) async for page in after.own_pending()] == [10, 10, 5]
    assert [message.id for message in await own_pending(after)] == ids
    assert [message.payload for message in await own_pending(after)] == [b"%d" % n for n in range(25)]


async def test_own_pending_ends_with_what_was_pending_at_the_start(redis: "Redis") -> None:
    """What is delivered while they are read belongs to the other reader of the same name's connection."""
    await add(redis, b"old")
    reader = source(redis, count=1)
    await reader.ensure_group()
    await reader.new(block_ms=10)
    pages = reader.own_pending()
    first = await anext(pages)
    await add(redis, b"new")
    await reader.new(block_ms=10)
    assert [message.payload for message in first] == [b"old"]
    assert [page async for page in pages] == []


async def test_what_others_hold_is_left_alone(redis: "Redis") -> None:
    await add(redis, b"1", b"2")
    other = source(redis, "two", count=1)
    await other.ensure_group()
    (held,) = await other.new(block_ms=10)
    reader = source(redis)
    assert await own_pending(reader) == []
    assert [message.payload for message in await reader.new(block_ms=10)] == [b"2"]
    assert [message.id for message in await own_pending(other)] == [held.id]


async def test_nothing_pending_is_no_page(redis: "Redis") -> None:
    reader = source(redis)
    await reader.ensure_group()
    assert await own_pending(reader) == []


async def test_settling_acknowledges_and_deletes(redis: "Redis") -> None:
    ids = await add(redis, b"1", b"2", b"3")
    reader = source(redis)
    await reader.ensure_group()
    await reader.new(block_ms=10)
    await reader.settle(ids[:2])
    assert await state(redis) == (1, 1)
    assert await redis.xrange(STREAM) == [(ids[2], {b"event": b"3"})]


async def test_entry_whose_body_vanished_is_told_apart(redis: "Redis") -> None:
    """Deleted or trimmed while it was pending: its id comes without fields, and is acknowledged like any other."""
    ids = await add(redis, b"1", b"2", b"3")
    reader = source(redis)
    await reader.ensure_group()
    await reader.new(block_ms=10)
    await redis.xdel(STREAM, ids[0], ids[2])
    pending = await own_pending(reader)
    assert [(message.id, message.payload, message.vanished) for message in pending] == [
        (ids[0], None, True),
        (ids[1], b"2", False),
        (ids[2], None, True),
    ]
    await reader.settle(ids)
    assert await state(redis) == (0, 0)


async def test_entry_without_the_field_has_no_payload(redis: "Redis") -> None:
    await add(redis, b"x", field=b"labels")
    await add(redis, b"")
    reader = source(redis)
    await reader.ensure_group()
    read = await reader.new(block_ms=10)
    assert [(message.payload, message.vanished) for message in read] == [(None, False), (b"", False)]


async def test_payload_is_in_the_first_of_the_fields_that_an_entry_has(redis: "Redis") -> None:
    """Labels come in one of two (streams.md 4)."""
    for fields in ({b"labels": b"1"}, {b"event": b"2"}, {b"labels": b"3", b"event": b"4"}, {b"other": b"5"}):
        await redis.xadd(STREAM, dict[Any, Any](fields))
    reader = Source(redis, STREAM, GROUP, "one", 10, (b"event", b"labels"))
    await reader.ensure_group()
    assert [message.payload for message in await reader.new(block_ms=10)] == [b"1", b"2", b"4", None]


async def test_entry_knows_its_time(redis: "Redis") -> None:
    await redis.xadd(STREAM, {b"event": b"x"}, id="1761000000000-7")
    reader = source(redis)
    await reader.ensure_group()
    (message,) = await reader.new(block_ms=10)
    assert message.ms == 1_761_000_000_000


async def test_settling_is_no_transaction(redis_server: embedded.Redis) -> None:
    """At maxmemory Redis 7 refuses every command inside MULTI (streams.md 7); Valkey does not."""
    client = Redis.from_url(redis_server.url, protocol=2)
    try:
        reader = source(client)
        await reader.ensure_group()
        ids = await add(client, b"1", b"2")
        await reader.new(block_ms=10)
        await client.config_resetstat()
        await reader.settle(ids)
        used = {name.removeprefix("cmdstat_") for name in await client.info("commandstats")}
        assert {"xack", "xdel"} <= used
        assert not used & {"multi", "exec"}
    finally:
        await client.aclose()


async def test_settling_of_a_full_redis_works(redis_server: embedded.Redis) -> None:
    client = Redis.from_url(redis_server.url, protocol=2)
    try:
        reader = source(client, count=100)
        await reader.ensure_group()
        ids = await add(client, *[b"x" * 10_000] * 100)
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        with pytest.raises(RedisError):
            await add(client, b"one more")
        await reader.new(block_ms=10)
        await reader.settle(ids)
        assert await state(client) == (0, 0)
    finally:
        await client.aclose()


async def test_group_that_is_there_is_enough_for_a_full_redis(redis_server: embedded.Redis) -> None:
    client = Redis.from_url(redis_server.url, protocol=2)
    try:
        reader = source(client)
        await reader.ensure_group()
        await add(client, *[b"x" * 10_000] * 200)
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        await reader.ensure_group()
    finally:
        await client.aclose()


@pytest.mark.parametrize("is_there", [True, False])
async def test_full_redis_without_the_group_is_an_error_that_passes(
    redis_server: embedded.Redis, *, is_there: bool
) -> None:
    client = Redis.from_url(redis_server.url, protocol=2)
    try:
        await client.xadd(STREAM if is_there else "other", {b"event": b"x" * 2_000_000})
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        with pytest.raises(OutOfMemoryError):
            await source(client).ensure_group()
    finally:
        await client.aclose()


async def test_first_read_asks_for_few_and_the_next_ones_for_more(redis: "Redis") -> None:
    """Whoever died of too much memory would read the same messages again."""
    await add(redis, *(b"%d" % n for n in range(1000)))
    reader = source(redis, count=500)
    await reader.ensure_group()
    assert [len(await reader.new(block_ms=10)) for _ in range(5)] == [64, 128, 256, 500, 52]


async def test_batches_grow_with_the_backlog_and_shrink_with_it(redis: "Redis") -> None:
    """What nobody has settled yet is a backlog, and a read takes a quarter of it at most beyond the usual."""
    await add(redis, *(b"%d" % n for n in range(1000)))
    reader = Source(redis, STREAM, GROUP, "one", 20, most=100)
    await reader.ensure_group()
    sizes: list[int] = []
    while page := await reader.new(block_ms=10):
        assert len(page) <= max(20, (1000 - sum(sizes[:-1])) // 4), "no more than a quarter, as was known before"
        sizes.append(len(page))
        await reader.settle([message.id for message in page])
    assert sizes[:6] == [20, 20, 40, 80, 100, 100]
    assert sizes[-2] == 20
    assert sum(sizes) == 1000
    await add(redis, *(b"%d" % n for n in range(30)))
    assert len(await reader.new(block_ms=10)) == 20, "no backlog is left"


async def test_batch_size_that_is_one_number_is_the_most(redis: "Redis") -> None:
    await add(redis, *(b"%d" % n for n in range(200)))
    reader = Source(redis, STREAM, GROUP, "one", 20, most=20)
    await reader.ensure_group()
    for _ in range(5):
        page = await reader.new(block_ms=10)
        assert len(page) == 20
        await reader.settle([message.id for message in page])


async def test_replies_have_a_bound_in_bytes(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """P30: one reply may be too large, those after it are not; when messages are small again, they are many again."""
    monkeypatch.setattr("indexer.lane.source.MOST_BYTES", 100_000)
    await add(redis, *[b"x" * 100] * 40, *[b"x" * 10_000] * 200, *[b"x" * 100] * 200)
    reader = source(redis, count=40)
    await reader.ensure_group()
    sizes, numbers = [], []
    while page := await reader.new(block_ms=10):
        sizes.append(sum(len(message.payload or b"") for message in page))
        numbers.append(len(page))
    assert numbers[:2] == [40, 40]
    assert sizes[1] == 400_000, "nobody knew"
    assert max(sizes[2:]) <= 200_000
    assert 40 in numbers[2:]


async def test_pages_of_pending_entries_have_it_too(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    """A single message may exceed it; then it comes alone. The field does not matter."""
    monkeypatch.setattr("indexer.lane.source.MOST_BYTES", 100_000)
    await add(redis, *[b"x" * 150_000] * 50, field=b"other")
    before = source(redis, count=50)
    await before.ensure_group()
    await before.new(block_ms=10)
    reader = source(redis, count=50)
    reader._count = 4
    assert [len(page) async for page in reader.own_pending()] == [4, *[1] * 46]


async def test_settling_tells_how_many_it_acknowledged(redis: "Redis") -> None:
    ids = await add(redis, b"1", b"2", b"3")
    reader = source(redis)
    await reader.ensure_group()
    await reader.new(block_ms=10)
    await redis.xack(STREAM, GROUP, ids[0])
    assert await reader.settle(ids) == 2
    assert await reader.settle(ids) == 0
    assert await state(redis) == (0, 0)


@pytest.mark.parametrize("refused", ["xack", "xdel"])
async def test_error_within_the_pipeline_of_settling_is_one(redis: "Redis", redis_url: str, refused: str) -> None:
    ids = await add(redis, b"1")
    await source(redis).ensure_group()
    await cast(Any, redis).execute_command("ACL", "SETUSER", "limited", "on", ">p", "~*", "+@all", f"-{refused}")
    limited = Redis.from_url(redis_url, username="limited", password="p", protocol=2)
    try:
        reader = source(limited)
        await reader.new(block_ms=10)
        with pytest.raises(NoPermissionError):
            await reader.settle(ids)
    finally:
        await limited.aclose()
        await cast(Any, redis).execute_command("ACL", "DELUSER", "limited")


async def test_vanished_entries_are_logged_by_their_ids(redis: "Redis") -> None:
    ids = await add(redis, b"1", b"2", b"3")
    reader = source(redis)
    await reader.ensure_group()
    await reader.new(block_ms=10)
    await redis.xdel(STREAM, ids[0], ids[2])
    with capture_logs() as lines:
        await own_pending(reader)
    assert [(line["event"], line["number"], line["ids"]) for line in lines] == [
        ("entries_vanished", 2, [ids[0].decode(), ids[2].decode()])
    ]


async def test_held_source_has_nothing_new(redis: "Redis") -> None:
    await add(redis, b"1", b"2")
    reader = HeldSource(redis, STREAM, GROUP, "one", 1)
    await reader.ensure_group()
    await source(redis, count=1).new(block_ms=10)
    assert [message.payload for message in await own_pending(reader)] == [b"1"]
    assert await reader.new(block_ms=10) == []
