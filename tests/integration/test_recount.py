"""INDEXER_AGGREGATES=recount: what a batch marks is counted once, beside the lanes, and never forgotten."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from indexer.connections.database import Pool, open_pool
from indexer.sink.recount import PORTION, Recounter, lock_id
from indexer.sink.statements import Statements
from tests.acceptance.daemon import feed, left_over, running
from tests.convergence.hot import hot_messages
from tests.integration.writing import writing, wrong_counters
from tests.messages import A, B, cid, create, delete, follow, like, like_uri, post, post_uri, uri
from tests.oracle import library

P = post_uri(A, "p")


@asynccontextmanager
async def recounting(database: str, name: str = "recount") -> AsyncIterator[tuple[Recounter, Pool]]:
    """A recounter with a connection of its own."""
    pool = await open_pool(database, name, 1, 1, None)
    try:
        yield Recounter(pool, Statements("public")), pool
    finally:
        await pool.close()


@asynccontextmanager
async def session(database: str) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """Somebody else."""
    connection = await asyncpg.connect(database)
    try:
        yield connection
    finally:
        await connection.close()


async def marks(connection: "asyncpg.Connection[asyncpg.Record]") -> Counter[tuple[str, str]]:
    """How often each counter is marked."""
    return Counter(tuple(row) for row in await connection.fetch("SELECT counter, key FROM indexer.dirty_count"))


async def until(fact: Callable[[], Awaitable[object]]) -> None:
    while not await fact():
        await asyncio.sleep(0.01)


async def waiting(connection: "asyncpg.Connection[asyncpg.Record]") -> int:
    """How many sessions wait for a lock."""
    found: int = await connection.fetchval("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    return found


async def fill(database: str, *payloads: bytes) -> None:
    """Write messages, each in a batch of its own, and leave their marks."""
    async with writing(database, aggregates="recount", connections=1) as sink:
        await sink.feed(payloads, 1)


def likes(number: int) -> list[bytes]:
    return [create(like_uri(f"did:plc:{n:024}", "l"), like(P), cid=cid(n)) for n in range(number)]


@pytest.mark.parametrize(
    ("key", "which", "id_"),
    [
        # records.md 8, measured
        (("postCount", "did:plc:abc"), "run", 2722047647),
        (("followsCount", "did:plc:abc"), "wait", 1668628772),
    ],
)
def test_locks_have_the_ids_of_the_reference(key: tuple[str, str], which: str, id_: int) -> None:
    assert lock_id(*key, which) == id_


async def test_marks_of_one_counter_are_counted_once(database: str) -> None:
    await fill(database, *likes(5), create(P, post()), create(uri(A, "app.bsky.graph.follow", "f"), follow(B)))
    async with session(database) as other, recounting(database) as (recounter, _):
        assert await marks(other) == {
            ("likeCount", P): 5,
            ("postsCount", A): 1,
            ("followersCount", B): 1,
            ("followsCount", A): 1,
        }
        assert await other.fetchval("SELECT count(*) FROM post_agg") == 0, "nothing is counted by the batch"
        await other.execute("""
            CREATE TABLE counted (uri text);
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO counted VALUES (new.uri); RETURN new; END $$;
            CREATE TRIGGER note AFTER UPDATE ON post_agg FOR EACH ROW EXECUTE FUNCTION note();
        """)
        assert await recounter.portion() == 8
        assert [row[0] for row in await other.fetch("SELECT uri FROM counted")] == [P]
        assert await other.fetchval('SELECT "likeCount" FROM post_agg WHERE uri = $1', P) == 5
        row = await other.fetchrow('SELECT did, "postsCount", "followsCount" FROM profile_agg WHERE did = $1', A)
        assert row is not None
        assert tuple(row) == (A, 1, 1)
        assert not await marks(other)
        assert await recounter.portion() == 0


async def test_what_goes_is_counted_too(database: str) -> None:
    await fill(database, *likes(3), delete(like_uri(f"did:plc:{0:024}", "l"), "3m0000000zzzz"))
    async with session(database) as other, recounting(database) as (recounter, _):
        await recounter.drain()
        assert await other.fetchval('SELECT "likeCount" FROM post_agg WHERE uri = $1', P) == 2


async def test_counter_that_others_spoiled_is_right_after_the_next_mark(database: str) -> None:
    """The reference counts, it does not add: whatever stood there before, the count is that of the rows."""
    await fill(database, *likes(1))
    async with session(database) as other, recounting(database) as (recounter, _):
        await other.execute('INSERT INTO post_agg (uri, "likeCount", "bookmarkCount") VALUES ($1, 77, 3)', P)
        await recounter.drain()
        row = await other.fetchrow('SELECT "likeCount", "bookmarkCount" FROM post_agg')
        assert tuple(row or ()) == (1, 3)


async def test_many_marks_are_taken_in_portions(database: str) -> None:
    async with session(database) as other, recounting(database) as (recounter, _):
        await other.execute(
            "INSERT INTO indexer.dirty_count (counter, key) "
            f"SELECT 'postsCount', 'did:plc:' || n FROM generate_series(1, {2 * PORTION + 10}) n"
        )
        assert [await recounter.portion() for _ in range(4)] == [PORTION, PORTION, 10, 0]
        assert await other.fetchval("SELECT count(*) FROM profile_agg") == 2 * PORTION + 10


async def test_crash_before_the_commit_keeps_the_marks(database: str) -> None:
    await fill(database, *likes(2))
    async with session(database) as other, session(database) as blocker, recounting(database) as (recounter, _):
        await other.execute("INSERT INTO post_agg (uri) VALUES ($1)", P)
        await blocker.execute("BEGIN")
        await blocker.execute("SELECT 1 FROM post_agg FOR UPDATE")
        work = asyncio.create_task(recounter.portion())
        await until(lambda: waiting(other))
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'indexer/recount'"
        )
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await work
        await blocker.execute("ROLLBACK")
        assert await marks(other) == {("likeCount", P): 2}
        await recounter.drain()
        assert await other.fetchval('SELECT "likeCount" FROM post_agg') == 2
        assert not await marks(other)


async def test_one_that_is_cancelled_keeps_the_marks(database: str) -> None:
    await fill(database, *likes(2))
    async with session(database) as other, session(database) as blocker, recounting(database) as (recounter, _):
        await other.execute("INSERT INTO post_agg (uri) VALUES ($1)", P)
        await blocker.execute("BEGIN")
        await blocker.execute("SELECT 1 FROM post_agg FOR UPDATE")
        work = asyncio.create_task(recounter.run(asyncio.Event()))
        await until(lambda: waiting(other))
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await blocker.execute("ROLLBACK")
        assert await marks(other) == {("likeCount", P): 2}


@pytest.mark.parametrize(("counter", "name"), [("postsCount", "postCount"), ("followsCount", "followsCount")])
async def test_one_that_counts_already_is_waited_for(database: str, counter: str, name: str) -> None:
    """A foreign indexer holds `run`: we take `wait`, wait for `run`, and count what it may have missed."""
    await fill(database, create(P, post()), create(uri(A, "app.bsky.graph.follow", "f"), follow(B)))
    async with session(database) as other, session(database) as foreign, recounting(database) as (recounter, _):
        await foreign.execute("BEGIN")
        await foreign.execute(f"SELECT pg_advisory_xact_lock({lock_id(name, A, 'run')})")
        work = asyncio.create_task(recounter.drain())
        await until(lambda: waiting(other))
        free = "SELECT pg_try_advisory_xact_lock($1)"
        assert not await other.fetchval(free, lock_id(name, A, "wait")), "who comes third need not wait"
        assert await other.fetchval(f'SELECT coalesce(sum("{counter}"), 0) FROM profile_agg') == 0
        await foreign.execute("COMMIT")
        await work
        assert await other.fetchval(f'SELECT "{counter}" FROM profile_agg WHERE did = $1', A) == 1


async def test_where_somebody_waits_already_the_mark_is_kept(database: str) -> None:
    """The reference leaves the count to who waits; that one may be counting already, without what we wrote."""
    await fill(database, create(P, post()), create(post_uri(B, "p"), post()))
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(session(database))
        foreign = await stack.enter_async_context(session(database))
        recounter, _ = await stack.enter_async_context(recounting(database))
        await foreign.execute("BEGIN")
        for which in ("run", "wait"):
            await foreign.execute(f"SELECT pg_advisory_xact_lock({lock_id('postCount', A, which)})")
        await recounter.drain()
        counts = 'SELECT did, "postsCount" FROM profile_agg ORDER BY did'
        assert [tuple(row) for row in await other.fetch(counts)] == [(B, 1)]
        assert await marks(other) == {("postsCount", A): 1}
        await foreign.execute("COMMIT")
        await recounter.drain()
        assert [tuple(row) for row in await other.fetch(counts)] == [(A, 1), (B, 1)]
        assert not await marks(other)


async def test_counts_are_exact_while_others_write(database: str) -> None:
    """Four writers on the same few records and two that count: at the end every counter is the count of its rows."""
    async with AsyncExitStack() as stack:
        sinks = [
            await stack.enter_async_context(writing(database, aggregates="recount", connections=1)) for _ in range(4)
        ]
        recounters = [(await stack.enter_async_context(recounting(database, f"recount{n}")))[0] for n in range(2)]
        beside = [asyncio.create_task(turn(recounter)) for recounter in recounters]
        await asyncio.gather(*(sink.feed(hot_messages(seed, 400), 20) for seed, sink in enumerate(sinks)))
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        assert not any(task.done() and not task.cancelled() for task in beside), beside
        await recounters[0].drain()
        assert await sinks[0].value("SELECT count(*) FROM indexer.dirty_count") == 0
        assert await sinks[0].value('SELECT sum("likeCount") FROM post_agg') > 0
        assert await wrong_counters(sinks[0].pool) == []


async def turn(recounter: Recounter) -> None:
    """Count without a pause; what stands in the way is tried again, as `run` does."""
    while True:
        with suppress(asyncpg.PostgresError):
            await recounter.drain()
        await asyncio.sleep(0)


class Slow(Statements):
    """Takes its locks one by one, with a pause after each, as a server that has much to do."""

    def __getitem__(self, name: str) -> str:
        text = super().__getitem__(name)
        return f"{text} AND pg_sleep(0.02) IS NOT NULL" if name == "try_locks" else text


async def test_two_that_count_the_same_accounts_never_wait_in_a_circle(database: str) -> None:
    accounts = [f"did:plc:{n:03}" for n in range(40)]
    async with AsyncExitStack() as stack:
        other = await stack.enter_async_context(session(database))
        slow_pool = await open_pool(database, "slow", 1, 1, None)
        stack.push_async_callback(slow_pool.close)
        quick, _ = await stack.enter_async_context(recounting(database))
        insert = "INSERT INTO indexer.dirty_count (counter, key) SELECT 'postsCount', unnest($1::text[])"
        await other.execute(insert, accounts)
        first = asyncio.create_task(Recounter(slow_pool, Slow("public")).portion())
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        await until(lambda: other.fetchval(held))
        await other.execute(insert, accounts)
        # the second overtakes the first in the middle of its locks
        counted = await asyncio.gather(first, quick.portion())
        assert list(counted) == [len(accounts)] * 2


@pytest.mark.timeout(120)
def test_drain_ends_when_everything_is_counted(database: str, redis_url: str, tmp_path: Path) -> None:
    case = "mixed-5k-hostile"
    feed(redis_url, library.stream(case), library.messages(case))
    environment = {"INDEXER_AGGREGATES": "recount"}
    with running(database, redis_url, tmp_path, "--drain", environment=environment) as daemon:
        assert daemon.wait() == 0, daemon.output
    assert left_over(redis_url, library.stream(case)) == (0, 0)
    status, said = library.compare(database, case)
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said


@pytest.mark.timeout(120)
def test_drain_waits_for_what_is_being_counted(database: str, redis_url: str, tmp_path: Path) -> None:
    """The lanes end while a count waits for somebody's lock: it is finished, not given up."""
    asyncio.run(fill(database, *likes(2)))
    environment = {"INDEXER_AGGREGATES": "recount"}

    async def drained_behind_a_lock() -> tuple[int, int]:
        async with session(database) as blocker, session(database) as other:
            await other.execute("INSERT INTO post_agg (uri) VALUES ($1)", P)
            await blocker.execute("BEGIN")
            await blocker.execute("SELECT 1 FROM post_agg FOR UPDATE")
            with running(database, redis_url, tmp_path, "--drain", environment=environment) as daemon:
                await until(lambda: waiting(other))
                # it may end now, and must not; that it does not can only be seen for a while
                for _ in range(300):
                    if daemon.process.poll() is not None:
                        break
                    await asyncio.sleep(0.01)
                await blocker.execute("ROLLBACK")
                assert await asyncio.to_thread(daemon.wait) == 0, daemon.output
            counted = await other.fetchval('SELECT "likeCount" FROM post_agg WHERE uri = $1', P)
            return counted, await other.fetchval("SELECT count(*) FROM indexer.dirty_count")

    assert asyncio.run(drained_behind_a_lock()) == (2, 0)


@pytest.mark.parametrize("flags", [("--drain",), ()])
def test_marks_of_before_are_counted_by_an_instance_with_deltas(
    database: str, redis_url: str, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """The last instance that recounted was stopped with marks in hand: nobody else would count them."""
    asyncio.run(fill(database, *likes(2)))

    async def counted() -> tuple[int | None, int]:
        async with session(database) as other:
            likes_ = await other.fetchval('SELECT "likeCount" FROM post_agg WHERE uri = $1', P)
            return likes_, await other.fetchval("SELECT count(*) FROM indexer.dirty_count")

    assert asyncio.run(counted()) == (None, 2)
    with running(database, redis_url, tmp_path, *flags, environment={"INDEXER_AGGREGATES": "delta"}) as daemon:
        if flags:
            assert daemon.wait() == 0, daemon.output
        else:
            daemon.until(lambda: asyncio.run(counted()) == (2, 0))
            assert daemon.stop() == 0
    assert asyncio.run(counted()) == (2, 0)
