"""What a stopped instance held is handed back, and nothing is lost whatever happens (streams.md 2.4)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from indexer import embedded
from indexer.commands.handover import commands, holdings, release
from indexer.connections.database import open_pool
from indexer.daemon import lease
from indexer.errors import ConfigError, NotFoundError, StoppedEarlyError
from indexer.lane.adoption import overdue_leases

STREAM, GROUP = "firehose_live", "firehose_group"


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody need be still for long to count as stopped."""
    monkeypatch.setattr(holdings, "ALIVE_S", 0.0)
    monkeypatch.setattr(holdings, "WATCH_S", 0.05)
    monkeypatch.setattr(holdings, "JITTER_S", 0.01)
    monkeypatch.setattr(release, "PAGE", 10)
    monkeypatch.setattr(release, "CLAIMED", 10)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator["Redis"]:
    client = Redis.from_url(redis_url, protocol=2)
    yield client
    await client.aclose()


@pytest.fixture
def settings(database: str, redis_url: str) -> dict[str, Any]:
    return {
        "redis_url": redis_url,
        "postgres_url": database,
        "consumer": "ours",
        "mode": "all",
        "streams": (STREAM, "firehose_backfill"),
        "group": GROUP,
        "label_stream": "label_live",
        "label_group": "label_group",
    }


async def deliver(
    redis: "Redis", number: int, consumer: str = "ours", stream: str = STREAM, group: str = GROUP
) -> None:
    """Entries 0 to `number` - 1, held by a consumer."""
    for n in range(number):
        await redis.xadd(stream, {"event": b"%d" % n})
    await redis.xgroup_create(stream, group, "0")
    await redis.xreadgroup(group, consumer, {stream: ">"}, count=number)


async def run(
    settings: dict[str, Any], to: str | None = None, stream: str | None = None, *, dry_run: bool = False
) -> int:
    return await commands.release(settings, to, stream, dry_run=dry_run)


async def new(redis: "Redis", consumer: str = "typescript", cursor: str = ">", stream: str = STREAM) -> list[bytes]:
    """What a TypeScript consumer reads: what is new, or at its start what it holds."""
    group = "label_group" if stream == "label_live" else GROUP
    found: Any = await redis.xreadgroup(group, consumer, {stream: cursor}, count=1000)
    return [fields[b"event"] for _, entries in found for _, fields in entries]


async def entries(redis: "Redis") -> dict[bytes, bytes]:
    found: Any = await redis.xrange(STREAM)
    return {id_: fields[b"event"] for id_, fields in found}


async def left(redis: "Redis") -> tuple[int, dict[str, int]]:
    """Entries of the stream, and entries held by consumer."""
    found = await redis.xinfo_consumers(STREAM, GROUP)
    return await redis.xlen(STREAM), {one["name"].decode(): one["pending"] for one in found if one["pending"]}


async def test_entries_are_read_by_anybody_again_in_their_order(
    redis: "Redis", settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(redis, 35)
    await redis.xadd(STREAM, {"event": "later"})
    assert await run(settings) == 0
    assert await left(redis) == (36, {})
    assert await new(redis) == [b"later", *(b"%d" % n for n in range(35))]
    assert "firehose_live: 35 entries added again at the end" in capsys.readouterr().out


async def test_every_field_of_an_entry_is_kept(redis: "Redis", settings: dict[str, Any]) -> None:
    """Also bytes that are no text, and a name that comes twice."""
    fields = [b"event", b"\xff\0", b"labels", b"", b"event", b"second"]
    await cast(Any, redis).execute_command("XADD", STREAM, "*", *fields)
    await redis.xgroup_create(STREAM, GROUP, "0")
    await redis.xreadgroup(GROUP, "ours", {STREAM: ">"})
    assert await run(settings) == 0
    redis.set_response_callback("XRANGE", cast(Any, lambda reply, **_: reply))
    ((_, kept),) = cast(Any, await redis.xrange(STREAM))
    assert kept == fields


async def test_every_stream_is_released_or_the_one_that_is_named(redis: "Redis", settings: dict[str, Any]) -> None:
    await deliver(redis, 3)
    await deliver(redis, 2, stream="label_live", group="label_group")
    assert await run(settings, stream="label_live") == 0
    assert await new(redis, stream="label_live") == [b"0", b"1"]
    assert await new(redis) == []
    assert await run(settings) == 0
    assert await new(redis) == [b"0", b"1", b"2"]


async def test_what_others_hold_is_left_alone(redis: "Redis", settings: dict[str, Any]) -> None:
    await deliver(redis, 3, "typescript")
    await redis.xadd(STREAM, {"event": "ours"})
    await redis.xreadgroup(GROUP, "ours", {STREAM: ">"})
    before = await redis.xpending_range(STREAM, GROUP, "-", "+", 10, "typescript")
    assert await run(settings) == 0
    after = await redis.xpending_range(STREAM, GROUP, "-", "+", 10, "typescript")
    assert [(one["message_id"], one["times_delivered"]) for one in after] == [
        (one["message_id"], one["times_delivered"]) for one in before
    ]


@pytest.mark.parametrize("to", [None, "typescript"])
async def test_dry_run_changes_nothing(
    redis: "Redis", settings: dict[str, Any], to: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(redis, 3)
    before = await redis.xrange(STREAM), await redis.xpending_range(STREAM, GROUP, "-", "+", 10)
    assert await run(settings, to, dry_run=True) == 0
    after = await redis.xrange(STREAM), await redis.xpending_range(STREAM, GROUP, "-", "+", 10)
    assert before[0] == after[0]
    assert [one["consumer"] for one in before[1]] == [one["consumer"] for one in after[1]]
    assert "firehose_live: 3 entries would be" in capsys.readouterr().out


async def test_entries_are_given_to_a_consumer_that_reads_them_at_its_start(
    redis: "Redis", settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(redis, 25)
    assert await run(settings, "typescript") == 0
    assert await left(redis) == (25, {"typescript": 25})
    assert await new(redis, "typescript", "0") == [b"%d" % n for n in range(25)]
    assert "25 entries given to typescript" in capsys.readouterr().out


@pytest.mark.parametrize("to", [None, "typescript"])
async def test_entries_without_a_body_are_acknowledged_and_counted(
    redis: "Redis", settings: dict[str, Any], to: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(redis, 30)
    ids = list(await entries(redis))
    await redis.xdel(STREAM, *ids[5:20])
    assert await run(settings, to) == 0
    assert await left(redis) == (15, {} if to is None else {to: 15})
    out = capsys.readouterr().out
    assert "15 entries" in out
    assert "15 had no body any more" in out


async def test_answer_that_is_read_late_is_no_sign_of_life(
    redis: "Redis", settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine: the consumer is as idle as it was when Redis answered, not as when we came to read it."""
    await deliver(redis, 3)
    look = holdings._look

    async def late(*arguments: Any) -> Any:
        found = await look(*arguments)
        await asyncio.sleep(0.1)
        return found

    monkeypatch.setattr(holdings, "_look", late)
    assert await run(settings) == 0


class BrokenOffError(RedisError):
    """Stands for whatever ends the command."""


@pytest.mark.parametrize("after_pages", [0, 1, 2])
@pytest.mark.parametrize("place", ["before the addition", "after the addition", "after the settlement"])
async def test_interruption_at_any_point_loses_nothing(
    redis: "Redis", settings: dict[str, Any], place: str, after_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(redis, 35)
    name = "_settle" if place == "after the settlement" else "_add"
    step: Any = getattr(release, name)
    steps = 0

    async def interrupted(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps <= after_pages:
            return await step(*arguments)
        if place != "before the addition":
            await step(*arguments)
        raise BrokenOffError(place)

    with monkeypatch.context() as patch:
        patch.setattr(release, name, interrupted)
        with pytest.raises(StoppedEarlyError, match="nothing is lost"):
            await run(settings)
    assert set((await entries(redis)).values()) == {b"%d" % n for n in range(35)}
    assert await run(settings) == 0
    assert (await left(redis))[1] == {}
    assert set(await new(redis)) == {b"%d" % n for n in range(35)}


async def test_full_redis_refuses_and_nothing_is_lost(
    redis_server: embedded.Redis, settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    client = Redis.from_url(redis_server.url, protocol=2)
    settings["redis_url"] = redis_server.url
    try:
        await deliver(client, 30)
        await client.set("ballast", b"x" * 2_000_000)
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        with pytest.raises(StoppedEarlyError, match="raise maxmemory") as refused:
            await run(settings)
        assert refused.value.exit_code == 75
        assert await left(client) == (30, {"ours": 30})
        assert await run(settings, "typescript") == 0, "that needs no memory"
        assert await left(client) == (30, {"typescript": 30})
    finally:
        await client.aclose()


async def test_living_instance_of_ours_is_refused(
    redis: "Redis", settings: dict[str, Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LENGTH_S", 2)
    monkeypatch.setattr(lease, "RENEWAL_S", 0.3)
    await deliver(redis, 3)
    pool = await open_pool(database, "ours", 1, 2, None)
    living = lease.Lease(pool, "ours")
    await living.take()
    keeping = asyncio.create_task(living.keep())
    try:
        with pytest.raises(ConfigError, match="the consumer ours is alive"):
            await run(settings)
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await pool.close()
    assert await left(redis) == (3, {"ours": 3})


@pytest.mark.parametrize("sign", ["reads", "acknowledges"])
async def test_consumer_that_shows_life_is_refused(
    redis: "Redis", settings: dict[str, Any], sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A TypeScript indexer goes by the name: it has no lease."""
    await deliver(redis, 3)
    look = holdings._look
    ids = list(await entries(redis))

    async def alive(*arguments: Any) -> Any:
        found = await look(*arguments)
        if sign == "acknowledges":
            await redis.xack(STREAM, GROUP, *ids[:1])
        else:
            await redis.xreadgroup(GROUP, "ours", {STREAM: "0"})
        return found

    monkeypatch.setattr(holdings, "_look", alive)
    monkeypatch.setattr(holdings, "ALIVE_S", 3600.0)
    with pytest.raises(ConfigError, match="the consumer ours is alive"):
        await run(settings)
    assert await redis.xlen(STREAM) == 3


async def test_name_that_no_group_knows_is_refused_with_those_that_hold_something(
    redis: "Redis", settings: dict[str, Any]
) -> None:
    await deliver(redis, 3, "typescript-1")
    with pytest.raises(NotFoundError, match=r"typescript-1 \(3\)"):
        await run({**settings, "consumer": "typscript-1"})


async def test_consumer_that_holds_nothing_is_fine(
    redis: "Redis", settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await deliver(redis, 3)
    assert await run(settings) == 0
    assert await run(settings) == 0
    assert "ours holds nothing" in capsys.readouterr().out


async def test_wrong_names_are_refused(redis: "Redis", settings: dict[str, Any]) -> None:
    await deliver(redis, 3)
    with pytest.raises(NotFoundError, match="these are firehose_live, firehose_backfill, label_live"):
        await run(settings, stream="firehose")
    with pytest.raises(ConfigError, match="is the consumer itself"):
        await run(settings, to="ours")


async def test_name_is_not_free_while_its_entries_are_handed_back(
    redis: "Redis", settings: dict[str, Any], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(redis, 3)
    pool = await open_pool(database, "other", 1, 2, None)
    seen: list[dict[str, float]] = []
    add = release._add

    async def look(*arguments: Any) -> Any:
        seen.append(await overdue_leases(pool))
        return await add(*arguments)

    monkeypatch.setattr(release, "_add", look)
    assert await run(settings) == 0
    assert [found["ours"] < 0 for found in seen] == [True]
    assert await overdue_leases(pool) == {}
    await pool.close()
