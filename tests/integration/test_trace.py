"""`indexer trace`: what it says of each outcome that a message can have."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from indexer import cli
from indexer.commands.handover.holdings import Group
from indexer.commands.trace import commands, facts, streams
from indexer.errors import ExitCode
from tests.conftest import execute
from tests.integration.dead_letters import keep, letter
from tests.integration.writing import writing
from tests.messages import (
    C1,
    C2,
    REVS,
    A,
    B,
    account,
    create,
    delete,
    follow,
    identity,
    like,
    like_uri,
    post,
    post_uri,
    record,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
)  # fmt: skip

GROUP, LIVE = "firehose_group", "firehose_live"
POST = post_uri(A, "3jaaaaaaaaa2a")
Said = dict[str, Any]
Trace = Callable[..., Said]


@pytest.fixture
def trace(database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Trace:
    monkeypatch.setenv("DB_POSTGRES_URL", database)
    monkeypatch.setenv("REDIS_HOST", redis_url)

    def command(what: str, *flags: str, code: int = 0) -> Said:
        capsys.readouterr()
        assert cli.main(["trace", "--json", "--interval", "0", what, *flags]) == code
        said: Said = json.loads(capsys.readouterr().out)
        assert said["found"] is (code == 0)
        times = [fact["at"] for fact in said["facts"] if fact["at"] is not None]
        assert times == sorted(times)
        return said

    return command


def index(database: str, *payloads: bytes) -> None:
    async def run() -> None:
        async with writing(database) as sink:
            await sink.feed(payloads)

    asyncio.run(run())


def add(redis_url: str, *payloads: bytes, stream: str = LIVE) -> list[str]:
    with redis.Redis.from_url(redis_url) as client:
        return [client.xadd(stream, {"event": payload}).decode() for payload in payloads]


def states(said: Said) -> list[str]:
    return sorted(fact["state"] for fact in said["facts"])


def fact(said: Said, state: str) -> dict[str, Any]:
    (found,) = [one for one in said["facts"] if one["state"] == state]
    return {**found["details"], "text": found["text"], "at": found["at"]}


@pytest.mark.long
def test_nothing_is_known(trace: Trace, redis_url: str) -> None:
    add(redis_url, create(post_uri(B, "3jaaaaaaaaa2b"), post()))
    said = trace(POST, code=ExitCode.FINDINGS)
    assert said["verdict"] == "nothing is known of it"
    assert said["looked_at"][0] == {"stream": LIVE, "entries": 1, "length": 1, "whole": True}


def test_indexed_with_its_rows_and_counts(trace: Trace, database: str) -> None:
    index(database, create(POST, post("hello", embed=None)), create(like_uri(B, "l1"), like(POST), commit=C2))
    said = trace(POST)
    assert states(said) == ["indexed"]
    found = fact(said, "indexed")
    assert found["tables"] == {"post": 1, "feed_item": 1}
    assert found["aggregates"] == {"likeCount": 1, "replyCount": 0, "repostCount": 0, "quoteCount": 0}
    assert (found["rev"], found["cid"]) == (REVS[0], C1)
    assert said["verdict"] == f"indexed with the rev {REVS[0]}: rows in record, post, feed_item"
    assert states(trace(like_uri(B, "l1"))) == ["indexed", "notified"]


def test_queued_with_position(trace: Trace, redis_url: str) -> None:
    ids = add(redis_url, *(create(post_uri(B, f"r{n}"), post()) for n in range(5)), create(POST, post()))
    said = trace(POST)
    assert states(said) == ["queued"]
    found = fact(said, "queued")
    assert (found["stream"], found["id"], found["position"], found["eta_s"]) == (LIVE, ids[-1], 6, None)
    assert said["verdict"] == "not indexed; 1 message queued"


@pytest.mark.parametrize("ms", [1_700_000_000_000_000, 2**64 - 1])
def test_entries_whose_ids_are_no_times(trace: Trace, redis_url: str, ms: int) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(LIVE, {"event": create(POST, post())}, id=f"{ms}-0")
    found = fact(trace(POST), "queued")
    assert (found["id"], found["at"]) == (f"{ms}-0", None)


def test_events_whose_times_are_none(trace: Trace, database: str) -> None:
    index(database, account(A, active=False, status="deactivated", time="some day"))
    assert fact(trace(A), "account_status")["at"] is None
    execute(database, "UPDATE indexer.account_status SET at_ms = 9223372036854775807")
    assert fact(trace(A), "account_status")["at"] is None


@pytest.mark.long
def test_position_counts_what_is_not_delivered_only(trace: Trace, redis_url: str) -> None:
    add(redis_url, *(create(post_uri(B, f"r{n}"), post()) for n in range(5)), create(POST, post()))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, id="0")
        client.xreadgroup(GROUP, "one", {LIVE: ">"}, count=4)
    assert fact(trace(POST), "queued")["position"] == 2


@pytest.mark.long
def test_eta_from_the_speed_of_the_group(trace: Trace, redis_url: str) -> None:
    add(redis_url, *(create(post_uri(B, f"r{n}"), post()) for n in range(300)), create(POST, post()))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, id="0")

    async def work() -> None:
        from redis.asyncio import Redis

        async with Redis.from_url(redis_url) as client:
            while True:
                reply: Any = await client.xreadgroup(GROUP, "one", {LIVE: ">"}, count=1)
                ((_, ((id_, _),)),) = reply
                await client.xack(LIVE, GROUP, id_)
                await client.xdel(LIVE, id_)
                await asyncio.sleep(0.02)

    async def run() -> Any:
        from indexer.commands.handover.holdings import Group
        from indexer.commands.trace.streams import speed
        from indexer.connections.redis_connection import open_redis

        client = await open_redis(redis_url)
        working = asyncio.create_task(work())
        try:
            return (await speed(client, [Group(LIVE, GROUP)], 0.5))[Group(LIVE, GROUP)]
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await client.aclose()

    queue, rate = asyncio.run(run())
    assert rate is not None
    assert rate > 0
    assert queue.undelivered < 301


@pytest.mark.long
def test_scan_looks_at_either_end_and_says_how_far(trace: Trace, redis_url: str) -> None:
    others = [create(post_uri(B, f"r{n}"), post()) for n in range(40)]
    add(redis_url, *others, create(POST, post()), *others, create(post_uri(A, "3jaaaaaaaaa2c"), post()))
    said = trace(POST, "--scan", "10", code=ExitCode.FINDINGS)
    assert said["looked_at"][0] == {"stream": LIVE, "entries": 20, "length": 82, "whole": False}
    assert fact(trace(post_uri(A, "3jaaaaaaaaa2c"), "--scan", "10"), "queued")["position"] == 82
    assert fact(trace(POST, "--scan", "41"), "queued")["position"] == 41


def test_pending_with_whom(trace: Trace, redis_url: str) -> None:
    add(redis_url, create(POST, post()))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, id="0")
        client.xreadgroup(GROUP, "somebody", {LIVE: ">"})
        client.xreadgroup(GROUP, "somebody", {LIVE: "0"})
    said = trace(POST)
    found = fact(said, "pending")
    assert (found["consumer"], found["deliveries"]) == ("somebody", 2)
    assert said["verdict"] == "not indexed; 1 message in work"


@pytest.mark.long
def test_acknowledged_but_still_there(trace: Trace, redis_url: str) -> None:
    (id_,) = add(redis_url, create(POST, post()))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(LIVE, GROUP, id="0")
        client.xreadgroup(GROUP, "somebody", {LIVE: ">"})
        client.xack(LIVE, GROUP, id_)
    assert states(trace(POST)) == ["acknowledged"]


def test_dead_letter_with_why_and_how_to_retry(trace: Trace, database: str) -> None:
    (number, _) = keep(
        database,
        [
            letter(create(POST, post()), "5-0", "db_22021", detail="no NUL"),
            letter(create(like_uri(A, "3jaaaaaaaaa2a"), {}), "6-0"),
        ],
    )
    said = trace(POST)
    assert states(said) == ["dead_letter"]
    found = fact(said, "dead_letter")
    assert (found["id"], found["cause"], found["stale"]) == (number, "db_22021", None)
    assert found["retry"] == f"indexer dlq retry {number}"
    assert said["verdict"] == "not indexed; a dead letter"


@pytest.mark.long
def test_dead_letter_that_is_stale(trace: Trace, database: str) -> None:
    index(database, create(POST, post(), REVS[5]))
    keep(database, [letter(create(POST, post(), REVS[1], C2), "5-0")])
    said = trace(POST)
    assert states(said) == ["dead_letter", "indexed"]
    assert REVS[5] in fact(said, "dead_letter")["stale"]
    assert said["verdict"].startswith("indexed")
    assert "dead letter" not in said["verdict"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("late", "why"),
    [
        (create(POST, post("old"), REVS[1], C2), f"the record has the newer rev {REVS[5]}"),
        (create(POST, post(), REVS[5], C1), "it is the version that stands"),
        (delete(POST, REVS[4]), f"the record has the newer rev {REVS[5]}"),
    ],
)
def test_stale(trace: Trace, database: str, redis_url: str, late: bytes, why: str) -> None:
    index(database, create(POST, post(), REVS[5]))
    add(redis_url, late)
    said = trace(POST)
    assert states(said) == ["indexed", "queued", "stale"]
    assert fact(said, "stale")["text"] == f"stale: {why}"
    assert "queued" not in said["verdict"]


@pytest.mark.long
def test_newer_message_is_not_stale(trace: Trace, database: str, redis_url: str) -> None:
    index(database, create(POST, post(), REVS[5]))
    add(redis_url, update(POST, post("new"), REVS[6], C2))
    said = trace(POST)
    assert states(said) == ["indexed", "queued"]
    assert said["verdict"].endswith("; 1 message queued")


def test_duplicate_of_which(trace: Trace, database: str) -> None:
    first, second = like_uri(B, "l1"), like_uri(B, "l2")
    index(database, create(first, like(POST), REVS[0]), create(second, like(POST), REVS[1], C2))
    said = trace(second)
    assert states(said) == ["duplicate"]
    assert fact(said, "duplicate")["of"] == first
    assert fact(trace(first), "indexed")["duplicates"] == [second]


@pytest.mark.long
def test_duplicate_repost_keeps_its_feed_item(trace: Trace, database: str) -> None:
    first, second = repost_uri(B, "l1"), repost_uri(B, "l2")
    index(database, create(first, repost(POST), REVS[0]), create(second, repost(POST), REVS[1], C2))
    assert states(trace(second)) == ["duplicate"]


def test_tombstone_with_rev_and_time(trace: Trace, database: str) -> None:
    index(database, create(POST, post(), "3m3brwfczvb27"), delete(POST, "3m3brxpsbye27"))
    said = trace(POST)
    assert states(said) == ["tombstone"]
    found = fact(said, "tombstone")
    assert found["rev"] == "3m3brxpsbye27"
    assert found["at"].startswith("2025-10-16T03:")
    assert said["verdict"].startswith("deleted with the rev 3m3brxpsbye27")


@pytest.mark.long
def test_refused_message_in_the_stream(trace: Trace, redis_url: str) -> None:
    add(redis_url, create(POST, record("app.bsky.feed.post")))
    said = trace(POST)
    assert states(said) == ["queued", "refused"]
    assert fact(said, "refused")["text"].startswith("it will be a dead letter: ")
    assert said["verdict"].startswith("it will be a dead letter")


@pytest.mark.long
def test_gate_of_somebody_elses_post_is_ignored(trace: Trace, redis_url: str) -> None:
    gate = uri(B, "app.bsky.feed.threadgate", "3jaaaaaaaaa2a")
    add(redis_url, create(gate, threadgate(POST)))
    said = trace(gate)
    assert states(said) == ["ignored", "queued"]
    assert "not_its_own" in fact(said, "ignored")["text"]


@pytest.mark.long
def test_collection_that_is_not_indexed(trace: Trace, redis_url: str) -> None:
    other = uri(A, "com.example.thing", "1")
    add(redis_url, create(other, {"$type": "com.example.thing"}))
    said = trace(other)
    assert states(said) == ["ignored", "queued"]
    assert said["verdict"] == "records of com.example.thing are not indexed"


@pytest.mark.long
def test_rows_without_a_record(trace: Trace, database: str) -> None:
    index(database, create(POST, post()))
    execute(database, "DELETE FROM record")
    said = trace(POST)
    assert states(said) == ["incomplete"]
    assert "there is no record" in said["verdict"]


@pytest.mark.long
def test_record_without_rows(trace: Trace, database: str) -> None:
    index(database, create(POST, post()))
    execute(database, "DELETE FROM post")
    assert states(trace(POST)) == ["incomplete"]


@pytest.mark.long
def test_removed_with_its_account(trace: Trace, database: str, redis_url: str) -> None:
    execute(
        database,
        f"""INSERT INTO indexer.account_deletion (did, time, at_ms, state, removed_ms, removed_rows)
        VALUES ('{A}', '2030-01-01T00:00:00.000Z', 1893456000000, 'removed', 1893456000000, 7)""",
    )
    said = trace(POST)
    assert states(said) == ["removed", "removed"]
    assert said["verdict"] == "removed with its account"
    add(redis_url, create(POST, post()))
    late = trace(POST)
    assert states(late) == ["queued", "removed", "removed", "stale"]
    assert "its account was deleted at 2030-01-01" in fact(late, "stale")["text"]
    assert late["verdict"] == "removed with its account"
    assert "removed, 7 rows" in fact(trace(A), "removed")["text"]


@pytest.mark.long
def test_account_with_status_handle_and_records(trace: Trace, database: str, redis_url: str) -> None:
    index(
        database,
        create(POST, post()),
        create(uri(A, "app.bsky.graph.follow", "f1"), follow(B), REVS[1], C2),
        account(A, active=False, status="deactivated"),
        identity(B),
    )
    add(redis_url, identity(A), create(POST, post()))
    said = trace(A)
    assert states(said) == [
        "account_status",
        "actor",
        "commit",
        "indexed",
        "look_up_waits",
        "queued",
        "queued",
        "stale",
    ]
    assert fact(said, "account_status")["status"] == "deactivated"
    assert fact(said, "indexed")["records"] == {"app.bsky.feed.post": 1, "app.bsky.graph.follow": 1}
    assert fact(said, "commit")["rev"] == REVS[1]
    assert said["verdict"] == "the account is deactivated; 1 message queued"


@pytest.mark.long
def test_deletion_that_waits(trace: Trace, database: str) -> None:
    index(database, account(A, active=False, status="deleted"))
    assert "deletion_asked" in states(trace(A))


@pytest.mark.long
def test_several_things_at_once_in_the_order_of_time(trace: Trace, database: str, redis_url: str) -> None:
    index(database, create(POST, post(), REVS[3]))
    keep(database, [letter(create(POST, post(), REVS[4], C2), "5-0")])
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(LIVE, {"event": update(POST, post("a"), REVS[5], C2)}, id="1000000000000-0")  # long before
    add(redis_url, delete(POST, REVS[6]))
    said = trace(POST)
    assert states(said) == ["dead_letter", "indexed", "queued", "queued"]
    assert [one["state"] for one in said["facts"]] == ["queued", "indexed", "dead_letter", "queued"]
    assert said["verdict"].endswith("; 2 messages queued; a dead letter")


@pytest.mark.long
def test_database_without_our_schema(trace: Trace, database: str) -> None:
    index(database, create(POST, post()))
    execute(database, "DROP SCHEMA indexer CASCADE")
    said = trace(POST)
    assert states(said) == ["indexed"]
    assert "dead letters and removals are not known" in said["notes"][0]


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("alice.test", "no DID"),
        ("at://alice.test/app.bsky.feed.post/1", "no DID"),
        ("https://bsky.app/profile/alice.test", "no DID"),
        ("at://", "no DID"),
        ("did:plc:", "cut off"),
        (f"at://{A}/app.bsky.feed.post", "a collection and a record key"),
        (f"at://{A}/app.bsky.feed.post/", "a collection and a record key"),
        (f"{POST}/more", "a collection and a record key"),
        (f"{A}/app.bsky.feed.post/1", "a collection and a record key"),
        ("at://did:plc:\udcff/app.bsky.feed.post/1", "characters that no URI has"),
        (f"{POST}\n", "characters that no URI has"),
    ],
)
def test_wrong_names_are_explained(what: str, cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before any server is asked."""
    servers = ("--redis-url", "redis://nowhere.invalid", "--postgres-url", "postgresql://nowhere.invalid/x")
    assert cli.main(["trace", what, *servers]) == ExitCode.CONFIG
    said = capsys.readouterr().err
    assert cause in said
    assert "or a DID alone" in said


def test_name_that_no_message_may_have_can_be_traced(trace: Trace, database: str) -> None:
    uri = f"at://{A}/not a collection/1"
    payload = create(POST, post()).replace(b"app.bsky.feed.post", b"not a collection").replace(b"3jaaaaaaaaa2a", b"1")
    keep(database, [letter(payload, "1-0", "bad_collection")])
    said = trace(uri)
    assert states(said) == ["dead_letter"]
    assert said["notes"] == [f"{uri} is not valid: messages that name it are dead letters"]


def test_place_in_the_queue_is_that_of_now(trace: Trace, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not that of when the stream was read: the group has settled what came before meanwhile."""
    add(redis_url, *(create(post_uri(B, f"{n}"), post()) for n in range(20)), create(POST, post()))
    ask = streams.speed

    async def later(client: Any, *arguments: Any) -> Any:
        await client.xgroup_create(LIVE, GROUP, "0")
        for ((_, entries),) in [await client.xreadgroup(GROUP, "one", {LIVE: ">"}, count=15)]:
            ids = [id_ for id_, _ in entries]
            await client.xack(LIVE, GROUP, *ids)
            await client.xdel(LIVE, *ids)
        return await ask(client, *arguments)

    monkeypatch.setattr(commands, "speed", later)
    assert "number 6 of 6" in fact(trace(POST), "queued")["text"]


async def test_stream_that_is_worked_off_meanwhile_was_looked_at_whole() -> None:
    class Settling:
        async def xlen(self, _: str) -> int:
            return 9

        async def xrange(self, *_: Any, **__: Any) -> list[Any]:
            return [(b"1-0", {b"event": b"{}"})]

    looked = await streams.look(Settling(), Group(LIVE, GROUP), facts.Target(A), 100)  # type: ignore[arg-type]
    assert looked.line() == f"{LIVE}: all 1 entries were looked at"


def test_lines_for_people(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_POSTGRES_URL", database)
    monkeypatch.setenv("REDIS_HOST", redis_url)
    index(database, create(POST, post()))
    assert cli.main(["trace", POST, "--interval", "0"]) == ExitCode.DONE
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == f"{POST}: indexed with the rev {REVS[0]}: rows in record, post, feed_item"
    assert "firehose_live: all 0 entries were looked at" in rest
