"""`indexer dlq retry`: whatever happens on the way, each message is in its stream or its letter is kept."""

import asyncio
import json
import os
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import pytest
import redis
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from indexer import embedded
from indexer.commands.dlq import letters as letters_module
from indexer.commands.dlq import retry as retry_module
from indexer.commands.dlq.letters import Selection, opened
from indexer.errors import ExitCode
from tests.conftest import execute
from tests.integration.dead_letters import STREAM, Command, dlq, environment, keep, letter, rows
from tests.messages import label, label_frame, label_message

__all__ = ["dlq"]

EVENT = retry_module.fields([STREAM], "label_live")


def entries(redis_url: str, stream: str = STREAM) -> list[tuple[bytes, bytes]]:
    """Field and payload of each entry, in the order of the stream."""
    with redis.Redis.from_url(redis_url) as client:
        found: Any = client.xrange(stream)
        return [pair for _, fields in found for pair in fields.items()]


def payloads(redis_url: str) -> Counter[bytes]:
    return Counter(payload for _, payload in entries(redis_url))


def test_messages_go_to_the_end_of_their_streams_and_the_letters_away(
    dlq: Command, database: str, redis_url: str
) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"event": b"before"})
    keep(database, [letter(b"\xff\x00", "1-0"), letter(b"{}", "2-0"), letter(b"x", "3-0", stream="firehose_backfill")])
    said = dlq("retry", "--all")
    assert (said.code, said.err) == (0, "")
    assert said.out == "added 3 messages again: firehose_backfill 1, firehose_live 2\n"
    assert entries(redis_url) == [(b"event", b"before"), (b"event", b"\xff\x00"), (b"event", b"{}")]
    assert entries(redis_url, "firehose_backfill") == [(b"event", b"x")]
    assert rows(database) == []


def test_labels_go_into_the_field_that_their_producer_uses(dlq: Command, database: str, redis_url: str) -> None:
    single, frame = label_message(label("a")), label_frame(label("a"), label("b"))
    places = enumerate([single, frame, b"{poison", b'{"labels":7}', b"[]", b"[" * 100_000])
    keep(database, [letter(payload, f"{n}-0", stream="labels_here") for n, payload in places])
    assert dlq("retry", "--all", "--label-stream", "labels_here").code == 0
    fields = [field for field, _ in entries(redis_url, "labels_here")]
    assert fields == [b"event", b"labels", b"event", b"labels", b"event", b"event"]


def test_only_what_was_named_is_retried(dlq: Command, database: str, redis_url: str) -> None:
    ids = keep(database, [letter(b"%d" % n, f"{n}-0", "bad_rev" if n % 2 else "not_json") for n in range(6)])
    dry = dlq("retry", "--cause", "bad_rev", "--dry-run")
    assert (dry.code, dry.out.splitlines()[-1]) == (0, "dry run: retry would take these; nothing was changed")
    assert (len(rows(database)), entries(redis_url)) == (6, [])
    assert dlq("retry", ids[0], "--stream", STREAM).code == 0
    assert dlq("retry", "--cause", "bad_rev").out == "added 3 messages again: firehose_live 3\n"
    assert payloads(redis_url) == Counter([b"0", b"1", b"3", b"5"])
    assert [id_ for id_, _ in rows(database)] == [ids[2], ids[4]]
    again = dlq("retry", ids[0], ids[2])
    assert (again.code, len(again.err.splitlines())) == (ExitCode.FINDINGS, 3)
    assert "1 of the 2 that were named are not there" in again.err
    assert [id_ for id_, _ in rows(database)] == [ids[4]]


def test_stream_that_nobody_reads_is_refused_before_anything_is_added(
    dlq: Command, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_module, "PORTION", 1)
    keep(database, [letter(b"x", "1-0"), letter(b"x", "1-0", stream="old")])
    said = dlq("retry", "--all")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.CONFIG, 3)
    assert "stream old, which is not one that is read" in said.err
    assert (len(rows(database)), entries(redis_url)) == (2, [])
    assert dlq("retry", "--all", "--streams", f"{STREAM},old").code == 0
    assert len(entries(redis_url, "old")) == 1


def test_killed_between_the_stream_and_the_table_nothing_is_lost(dlq: Command, database: str, redis_url: str) -> None:
    """A lock keeps the letters from going; the command is killed while it waits for it."""
    keep(database, [letter(b"%d" % n, f"{n}-0") for n in range(30)])
    before = rows(database)

    async def killed() -> None:
        holder = await asyncpg.connect(database)
        try:
            await holder.execute("BEGIN; LOCK TABLE indexer.dead_letter IN SHARE MODE")
            command = [sys.executable, "-m", "indexer", "dlq", "retry", "--all"]
            process = await asyncio.create_subprocess_exec(*command, env=environment(database, redis_url))
            while await asyncio.to_thread(entries, redis_url) == []:
                assert process.returncode is None
                await asyncio.sleep(0.01)
            process.kill()
            await process.wait()
        finally:
            await holder.close()

    asyncio.run(killed())
    assert len(entries(redis_url)) == 30
    assert rows(database) == before
    assert dlq("retry", "--all").code == 0
    assert payloads(redis_url) == Counter({payload: 2 for _, payload in before}), "twice is harmless"
    assert rows(database) == []


def test_reply_that_was_lost_keeps_the_letters(
    dlq: Command, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database, [letter(b"%d" % n, f"{n}-0") for n in range(25)])
    monkeypatch.setattr(letters_module, "PORTION", 10)
    execute_, calls = Pipeline.execute, iter([False, True])

    async def lossy(self: Pipeline, raise_on_error: bool = True) -> list[Any]:
        replies: list[Any] = await execute_(self, raise_on_error)
        if next(calls, False):
            raise redis.ConnectionError("gone")
        return replies

    monkeypatch.setattr(Pipeline, "execute", lossy)
    said = dlq("retry", "--all")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.STOPPED_EARLY, 3)
    assert "added 10 messages again, then Redis failed" in said.err
    assert len(rows(database)) == 15
    assert dlq("retry", "--all").code == 0
    assert payloads(redis_url) == Counter({b"%d" % n: 2 if 10 <= n < 20 else 1 for n in range(25)})
    assert rows(database) == []


def test_full_redis_is_told_and_each_message_is_in_one_place(
    dlq: Command, database: str, redis_server: embedded.Redis
) -> None:
    keep(database, [letter(b"%04d" % n + os.urandom(4_000), f"{n}-0") for n in range(300)])
    with redis.Redis.from_url(redis_server.url) as client:
        memory: Any = client.info("memory")
        client.config_set("maxmemory", int(memory["used_memory"]) + 500_000)
        said = dlq("retry", "--all", "--redis-url", redis_server.url)
        assert (said.code, len(said.err.splitlines())) == (ExitCode.STOPPED_EARLY, 3)
        assert "maxmemory" in said.err
        added, kept = payloads(redis_server.url), rows(database)
        assert 0 < len(added) < 300
        assert f"added {len(added)} messages again, then Redis failed" in said.err
        assert added + Counter(payload for _, payload in kept) == Counter(
            dict.fromkeys((*added, *dict(kept).values()), 1)
        )
        assert len(added) + len(kept) == 300
        client.config_set("maxmemory", 0)
        assert dlq("retry", "--all", "--redis-url", redis_server.url).code == 0
        assert set(payloads(redis_server.url).values()) == {1}
        assert len(entries(redis_server.url)) == 300


def test_key_that_is_no_stream_is_told_and_nothing_is_lost(dlq: Command, database: str, redis_url: str) -> None:
    keep(database, [letter(b"a", "1-0"), letter(b"b", "1-0", stream="firehose_backfill")])
    with redis.Redis.from_url(redis_url) as client:
        client.set(STREAM, "no stream")
    said = dlq("retry", "--all")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.CONFIG, 3)
    assert "WRONGTYPE" in said.err
    assert [payload for _, payload in rows(database)] == [b"a"]
    assert entries(redis_url, "firehose_backfill") == [(b"event", b"b")]


def test_redis_that_is_away_is_exit_69(dlq: Command, database: str) -> None:
    keep(database, [letter(b"a", "1-0")])
    said = dlq("retry", "--all", "--redis-url", "redis://:hunter2@127.0.0.1:1")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.UNAVAILABLE, 3)
    assert "hunter2" not in said.err
    assert len(rows(database)) == 1


def test_database_that_goes_away_is_exit_75_and_the_rest_is_kept(
    dlq: Command, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(database, [letter(b"%d" % n, f"{n}-0") for n in range(20)])
    monkeypatch.setattr(letters_module, "PORTION", 10)
    add, calls = retry_module._add, iter([False, True])

    async def cut(client: "Redis", portion: Sequence[asyncpg.Record], fields: Any) -> Any:
        if next(calls):
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'indexer/dlq'"
            await asyncio.to_thread(rows, database, others)
        return await add(client, portion, fields)

    monkeypatch.setattr(retry_module, "_add", cut)
    said = dlq("retry", "--all")
    assert (said.code, len(said.err.splitlines())) == (ExitCode.STOPPED_EARLY, 3)
    assert payloads(redis_url) == Counter([b"%d" % n for n in range(20)])
    assert [payload for _, payload in rows(database)] == [b"%d" % n for n in range(10, 20)]


async def test_message_that_dies_again_meanwhile_is_a_new_letter_and_not_retried_for_ever(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_module, "PORTION", 10)
    await asyncio.to_thread(keep, database, [letter(b"%d" % n, f"{n}-0") for n in range(25)])
    add = retry_module._add

    async def dying(client: "Redis", portion: Sequence[asyncpg.Record], fields: Any) -> Any:
        added, fault = await add(client, portion, fields)
        again = [letter(row["payload"], f"9{row['message_id']}") for row in added]
        await asyncio.to_thread(keep, database, again)
        return added, fault

    monkeypatch.setattr(retry_module, "_add", dying)
    done = await retried(database, redis_url)
    assert (done.added[STREAM], done.removed) == (25, 25)
    found = await asyncio.to_thread(rows, database, "SELECT message_id, payload FROM indexer.dead_letter ORDER BY id")
    assert found == [(f"9{n}-0", b"%d" % n) for n in range(25)]


async def test_two_commands_at_once_lose_nothing_and_end(database: str, redis_url: str) -> None:
    await asyncio.to_thread(keep, database, [letter(b"%d" % n, f"{n}-0") for n in range(2_000)])
    first, second = await asyncio.gather(retried(database, redis_url), retried(database, redis_url))
    found = await asyncio.to_thread(payloads, redis_url)
    assert set(found) == {b"%d" % n for n in range(2_000)}
    assert found.total() == first.added.total() + second.added.total()
    assert max(found.values()) <= 2
    assert first.removed + second.removed == 2_000
    assert await asyncio.to_thread(rows, database) == []


async def test_no_transaction_is_open_while_redis_is_spoken_to(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold a server connection of a pooler, and its locks, for as long as Redis takes."""
    await asyncio.to_thread(keep, database, [letter(b"x", "1-0"), letter(b"x", "2-0")])
    add, states = retry_module._add, set()

    async def looked_at(client: "Redis", portion: Sequence[asyncpg.Record], fields: Any) -> Any:
        query = "SELECT state FROM pg_stat_activity WHERE application_name = 'indexer/dlq'"
        states.update(await asyncio.to_thread(rows, database, query))
        return await add(client, portion, fields)

    monkeypatch.setattr(retry_module, "_add", looked_at)
    await retried(database, redis_url)
    assert states == {("idle",)}


async def test_portions_are_bounded_in_letters_and_in_bytes(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_module, "PORTION", 10)
    monkeypatch.setattr(letters_module, "PORTION_BYTES", 1_000)
    sizes = [1] * 12 + [400] * 5 + [5_000] * 2 + [1]
    await asyncio.to_thread(keep, database, [letter(b"x" * size, f"{n}-0") for n, size in enumerate(sizes)])
    async with opened(database) as letters:
        found = [[len(row["payload"]) for row in portion] async for portion in letters.portions(Selection())]
    assert found == [[1] * 10, [1, 1, 400, 400, 400], [400, 400, 5_000], [5_000], [1]]


@pytest.mark.parametrize("statement", [letters_module._PORTION, letters_module._IDS])
async def test_page_is_read_along_the_key_however_young_the_statistics(database: str, statement: str) -> None:
    """Else each page reads the whole table, and all together its square."""
    fill = (
        "INSERT INTO indexer.dead_letter (stream, message_id, cause, class, detail, attempts, payload)"
        " SELECT 's', n || '-0', 'c' || n % 10, 'reject', '', 1, 'x' FROM generate_series(1, 20000) n"
    )
    await asyncio.to_thread(execute, database, fill)
    arguments: list[object] = [None, "c1", None, None, 0, 10**9, 100]
    if "$8" in statement:
        arguments.append(10**9)
    async with opened(database) as letters:
        (row,) = await letters._fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    read = [node for node in nodes(json.loads(row[0])[0]["Plan"]) if node.get("Rows Removed by Filter")]
    assert [node["Index Name"] for node in read] == ["dead_letter_pkey"]
    assert read[0]["Rows Removed by Filter"] < 1_000


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def test_ten_thousand_letters_need_no_more_memory_than_a_portion(database: str, redis_url: str) -> None:
    """40 MB of messages; counted is what Python allocates."""
    await asyncio.to_thread(
        execute,
        database,
        "INSERT INTO indexer.dead_letter (stream, message_id, cause, class, detail, attempts, payload)"
        f" SELECT '{STREAM}', n || '-0', 'bad_rev', 'reject', '', 1, convert_to(n || repeat('x', 4000), 'UTF8')"
        " FROM generate_series(1, 10000) n",
    )
    tracemalloc.start()
    try:
        done = await retried(database, redis_url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * letters_module.PORTION_BYTES
    assert (done.added[STREAM], done.removed) == (10_000, 10_000)
    assert await asyncio.to_thread(rows, database, "SELECT 1 FROM indexer.dead_letter") == []
    with redis.Redis.from_url(redis_url) as client:
        assert client.xlen(STREAM) == 10_000


async def retried(database: str, redis_url: str) -> retry_module.Retried:
    client = Redis.from_url(redis_url, protocol=2)
    try:
        async with opened(database) as letters:
            return await retry_module.retry(letters, client, Selection(), EVENT)
    finally:
        await client.aclose()
