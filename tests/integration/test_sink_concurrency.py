"""Several sinks on the same rows at once: nothing is lost, nobody waits for each other in a circle."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest

from indexer.sink.commit import Sink
from indexer.sink.reads import Reads
from tests.integration.invariants import broken
from tests.integration.writing import Writing, snapshot, writing, wrong_counters
from tests.messages import (
    DISABLE,
    REVS,
    A,
    B,
    C,
    D,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    post,
    post_uri,
    postgate,
    quote,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
)

P = post_uri(A, "p")


@asynccontextmanager
async def neighbour(database: str, *statements: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A transaction of somebody else that has done something, and waits."""
    connection = await asyncpg.connect(database)
    try:
        await connection.execute("BEGIN")
        for statement in statements:
            await connection.execute(statement)
        yield connection
    finally:
        await connection.close()


async def until_waiting(connection: "asyncpg.Connection[asyncpg.Record]", number: int = 1) -> None:
    """Return when that many sessions wait for a lock."""
    # not pg_stat_activity: a transaction sees it as it was at the first look
    while True:
        if await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted") >= number:
            return
        await asyncio.sleep(0.01)


def record_row(link: str, json: str, rev: str, version: str) -> str:
    did = link.split("/")[2]
    return (
        'INSERT INTO record (uri, cid, did, json, "indexedAt", rev) '
        f"VALUES ('{link}', '{version}', '{did}', '{json}', '2025-10-20T10:00:00Z', '{rev}')"
    )


async def test_record_that_a_neighbour_inserts_meanwhile_is_read_again(database: str) -> None:
    """Between our reading and our writing: the batch is rolled back and folded on what is there now."""
    newer = record_row(P, '{"$type":"app.bsky.feed.post","text":"theirs"}', REVS[9], cid("theirs"))
    async with writing(database) as sink, neighbour(database, newer) as other:
        ours = asyncio.create_task(sink.batch([("1-0", create(P, post("ours"), REVS[1])), ("2-0", b"{")]))
        await until_waiting(other)
        await other.execute("COMMIT")
        outcome = await ours
        assert outcome.retries["contention"] == 1
        assert outcome.transactions == 1
        assert await sink.value("SELECT rev FROM record") == REVS[9]
        assert await sink.uris("post") == [], "ours is the older one"
        assert await sink.value("SELECT count(*) FROM indexer.dead_letter") == 1


@pytest.mark.parametrize("careful", [False, True])
async def test_like_that_a_neighbour_inserts_meanwhile_makes_ours_a_duplicate(
    database: str, monkeypatch: pytest.MonkeyPatch, careful: bool
) -> None:
    """Also in the try after one that was in vain, which copies nothing."""
    if careful:
        real = Sink._transaction

        async def later_try(self: Sink, *arguments: Any, **_: bool) -> None:
            await real(self, *arguments, careful=True)

        monkeypatch.setattr(Sink, "_transaction", later_try)
    theirs, ours = like_uri(B, "a"), like_uri(B, "b")
    columns = 'uri, cid, creator, subject, "subjectCid", "createdAt", "indexedAt"'
    values = f"'{theirs}', '{cid('a')}', '{B}', '{P}', '{cid(1)}', '2025-10-20T09:00:00.000Z', '2025-10-20T10:00:00Z'"
    text = create(theirs, like(P)).decode()
    stored = text[text.index('"record": ') + 10 : text.index(', "cid"')]
    statements = (
        record_row(theirs, stored, REVS[1], cid("a")),
        f'INSERT INTO "like" ({columns}) VALUES ({values})',
    )
    async with writing(database) as sink, neighbour(database, *statements) as other:
        task = asyncio.create_task(sink.batch([("1-0", create(ours, like(P), REVS[2], cid("b")))]))
        await until_waiting(other)
        await other.execute("COMMIT")
        outcome = await task
        assert outcome.retries["contention"] == 1
        assert await sink.uris("like") == [theirs]
        assert [tuple(row) for row in await sink.fetch('SELECT uri, "duplicateOf" FROM duplicate_record')] == [
            (ours, theirs)
        ]
        likes = await sink.value('SELECT sum("likeCount") FROM post_agg WHERE uri = $1', P)
        assert not likes, "theirs was not counted, ours is none"


async def test_like_that_moves_to_another_post_while_its_duplicate_is_read_leaves_its_place(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which key a record beside the batch has is asked again when it is locked: it may have changed since."""
    first, second, elsewhere = like_uri(B, "a"), like_uri(B, "b"), post_uri(A, "elsewhere")
    lock_beside = Reads._lock_beside
    moved: list[str] = []

    async with writing(database) as sink, writing(database) as other:
        await sink.batch([("1-0", create(first, like(P), REVS[1], cid("a")))])

        async def late(reads: Reads, uris: set[str]) -> None:
            if not moved:
                moved.append("here")
                await other.batch([("2-0", update(first, like(elsewhere), REVS[2], cid("c")))])
            await lock_beside(reads, uris)

        monkeypatch.setattr(Reads, "_lock_beside", late)
        await sink.batch([("3-0", create(second, like(P), REVS[3], cid("b")))])
        assert moved
        rows = await sink.fetch('SELECT uri, subject FROM "like" ORDER BY uri')
        assert [tuple(row) for row in rows] == [(first, elsewhere), (second, P)]
        assert await sink.fetch("SELECT uri FROM duplicate_record") == []
        assert await wrong_counters(sink.pool) == []


async def test_neighbour_that_rolls_back_leaves_the_row_to_us(database: str) -> None:
    newer = record_row(P, "{}", REVS[9], cid("theirs"))
    async with writing(database) as sink, neighbour(database, newer) as other:
        ours = asyncio.create_task(sink.batch([("1-0", create(P, post("ours"), REVS[1]))]))
        await until_waiting(other)
        await other.execute("ROLLBACK")
        outcome = await ours
        assert outcome.retries["contention"] == 0
        assert await sink.uris("post") == [P]


async def test_record_that_is_locked_is_waited_for(database: str) -> None:
    async with writing(database) as sink:
        await sink.batch([("1-0", create(P, post("first"), REVS[1], cid(1)))])
        change = f"UPDATE record SET rev = '{REVS[5]}' WHERE uri = '{P}'"
        async with neighbour(database, change) as other:
            ours = asyncio.create_task(sink.batch([("2-0", update(P, post("second"), REVS[2], cid(2)))]))
            await until_waiting(other)
            await other.execute("COMMIT")
            await ours
        assert await sink.value("SELECT text FROM post") == "first", "theirs is newer than ours"


async def deadlocks(database: str) -> int:
    """How many the server found in this database; the sessions must have ended."""
    connection = await asyncpg.connect(database)
    try:
        number: int = await connection.fetchval(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return number
    finally:
        await connection.close()


def hot(seed: int, number: int) -> list[bytes]:
    """Messages of four people about six posts of one, in an order of chance: everything meets everything."""
    chance = random.Random(seed)
    return [_hot_message(chance, rev) for rev in REVS[:number]]


_HOT_POSTS = [post_uri(A, f"p{n}") for n in range(6)]


def _hot_message(chance: random.Random, rev: str) -> bytes:
    people = (A, B, C, D)
    did, subject, n = chance.choice(people), chance.choice(_HOT_POSTS), chance.randrange(4)
    gate = subject.replace("app.bsky.feed.post", "app.bsky.feed.threadgate")
    post_gate = subject.replace("app.bsky.feed.post", "app.bsky.feed.postgate")
    writes = (
        (subject, post("a")),
        (subject, post("b", embed=quote(_HOT_POSTS[0]))),
        (post_uri(did, f"r{n}"), post(parent=subject, root=_HOT_POSTS[0])),
        (post_uri(did, f"q{n}"), post(embed=quote(subject))),
        (like_uri(did, f"l{n}"), like(subject)),
        (repost_uri(did, f"s{n}"), repost(subject)),
        (uri(did, "app.bsky.graph.follow", f"f{n}"), follow(people[n])),
        (gate, threadgate(subject, allow=[])),
        (post_gate, postgate(subject, embeddingRules=DISABLE)),
    )
    link, said = chance.choice(writes)
    if chance.random() < 0.25:
        return delete(link, rev)
    kind = update if chance.random() < 0.3 else create
    return kind(link, said, rev, cid(rev))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("table", ["like", "repost", "post_agg"])
async def test_sinks_that_want_the_same_keys_at_once_wait_in_one_order(database: str, table: str) -> None:
    """Four stand before a table, each with the same keys in an order of its own, and are let in together."""
    chance, people, posts = random.Random(1), (A, B, C, D), 300
    # of one person only one like of a post can be indexed; of several people the counters are the same
    owners = people if table == "post_agg" else (B,) * 4
    verb, link = (repost, repost_uri) if table == "repost" else (like, like_uri)

    def messages(turn: int, name: int) -> list[tuple[str, bytes]]:
        found = []
        for n in range(posts):
            rkey = f"{turn}-{n}-{name}"
            said = verb(post_uri(A, f"{turn}-{n}"))
            found.append((rkey, create(link(owners[name], rkey), said, REVS[turn * 10 + name], cid(rkey))))
        chance.shuffle(found)
        return found

    async with AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(writing(database, connections=1)) for _ in people]
        for turn in range(3):
            async with neighbour(database, f'LOCK TABLE "{table}" IN SHARE MODE') as other:
                tasks = [asyncio.create_task(sink.batch(messages(turn, name))) for name, sink in enumerate(sinks)]
                await until_waiting(other, len(sinks))
                await other.execute("COMMIT")
                await asyncio.gather(*tasks)
        rows = 3 * posts * len(set(owners))
        assert await sinks[0].value(f'SELECT count(*) FROM "{"repost" if table == "repost" else "like"}"') == rows
        assert await sinks[0].value("SELECT count(*) FROM duplicate_record") == 3 * posts * 4 - rows
        assert await broken(sinks[0].pool) == {}
    assert await deadlocks(database) == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("seed", "number"), [(0, 450), pytest.param(1, 900, marks=pytest.mark.long)])
async def test_many_sinks_on_the_same_keys_never_deadlock_and_lose_nothing(
    database: str, other_database: str, seed: int, number: int
) -> None:
    payloads = hot(seed, number)
    chance = random.Random(seed)
    order = [(f"{place}-0", payload) for place, payload in enumerate(payloads, 1)]
    chance.shuffle(order)
    slices = [order[n::6] for n in range(6)]

    async def work(sink: Writing, mine: list[tuple[str, bytes]]) -> int:
        waits = 0
        for at in range(0, len(mine), 30):
            outcome = await sink.batch(mine[at : at + 30])
            waits += outcome.retries["contention"]
            assert not outcome.dead
        return waits

    async with AsyncExitStack() as stack:
        sinks = [await stack.enter_async_context(writing(database, connections=1)) for _ in slices]
        await asyncio.gather(*(work(sink, mine) for sink, mine in zip(sinks, slices, strict=True)))
        assert await wrong_counters(sinks[0].pool) == []
        concurrent = await snapshot(sinks[0].pool)
    assert await deadlocks(database) == 0
    async with writing(other_database) as sink:
        await sink.feed(payloads, 1)
        serial = await snapshot(sink.pool)
    # what shows the order is left to compare.py --order-free; which records are there and which is which does not
    for table in ("record", "like", "repost", "follow", "thread_gate", "post_gate", "duplicate_record"):
        assert columns(concurrent, table) == columns(serial, table), table
    flags = ("uri", "cid", "text", "hasThreadGate", "hasPostGate")
    assert columns(concurrent, "post", flags) == columns(serial, "post", flags)


def columns(tables: dict[str, list[str]], name: str, wanted: tuple[str, ...] = ()) -> list[Any]:
    """The rows of a table, of `wanted` columns or all but those that show the order of arrival."""
    rows = [json.loads(row) for row in tables.get(name, ())]
    drop = {"indexedAt", "sortAt", "sortedAt"}
    return sorted(
        json.dumps({key: value or None for key, value in row.items() if (key in wanted if wanted else key not in drop)})
        for row in rows
    )


async def test_parent_that_is_committed_between_two_looks_at_it(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record is there then, and its row, which says that the thread above it is broken."""
    parent = create(P, post(parent=post_uri(D, "missing"), root=post_uri(D, "root")), REVS[1], cid("p"))
    child = create(post_uri(B, "c"), post(parent=P, root=post_uri(D, "root")), REVS[2], cid("c"))
    fetch = Reads._fetch
    async with writing(database, connections=2) as sink:

        async def commits_in_between(self: Reads, name: str, *arguments: object) -> list[tuple[Any, ...]]:
            rows = await fetch(self, name, *arguments)
            if name == "ancestors":
                monkeypatch.setattr(Reads, "_fetch", fetch)
                await sink.feed([parent])
            return rows

        monkeypatch.setattr(Reads, "_fetch", commits_in_between)
        await sink.batch([("1-0", child)])
        assert await sink.value("SELECT count(*) FROM post") == 2
        assert await sink.value('SELECT "invalidReplyRoot" FROM post WHERE uri = $1', post_uri(B, "c")) is True


@pytest.fixture
def without_second_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run would mend what is wrong, which must not be needed."""

    async def nothing(*_arguments: object) -> int:
        return 0

    monkeypatch.setattr("indexer.sink.commit.derive_again", nothing)


@pytest.mark.usefixtures("without_second_run")
async def test_quotes_go_with_their_post_before_the_second_run(database: str) -> None:
    """Those that are older than its deletion, and only these (DIV-18)."""
    older, newer = post_uri(B, "older"), post_uri(B, "newer")
    async with writing(database) as sink:
        await sink.batch([("1-0", create(P, post(), REVS[1]))])
        await sink.batch(
            [
                ("2-0", create(older, post(embed=quote(P)), REVS[2])),
                ("3-0", create(newer, post(embed=quote(P)), REVS[5])),
            ]
        )
        assert await sink.uris("quote") == sorted([older, newer])
        await sink.batch([("4-0", delete(P, REVS[3]))])
        assert await sink.uris("quote") == [newer]


@pytest.mark.usefixtures("without_second_run")
async def test_updated_post_has_its_gates_before_the_second_run(database: str) -> None:
    gate = uri(A, "app.bsky.feed.threadgate", "p")
    async with writing(database) as sink:
        await sink.batch([("1-0", create(P, post("old"), REVS[1])), ("2-0", create(gate, threadgate(P), REVS[2]))])
        await sink.batch([("3-0", update(P, post("new"), REVS[3], cid("new")))])
        assert await sink.value('SELECT text FROM post WHERE "hasThreadGate"') == "new"


async def test_deleted_post_takes_its_video_along(database: str) -> None:
    blob = {"$type": "blob", "ref": {"$link": cid("video")}, "mimeType": "video/mp4", "size": 1}
    embed = {"$type": "app.bsky.embed.video", "video": blob}
    async with writing(database) as sink:
        await sink.batch([("1-0", create(P, post(embed=embed), REVS[1]))])
        assert await sink.value("SELECT count(*) FROM post_embed_video") == 1
        await sink.batch([("2-0", delete(P, REVS[2]))])
        assert await sink.value("SELECT count(*) FROM post_embed_video") == 0
