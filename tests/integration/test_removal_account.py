"""What goes with a deleted account, and what stays (actors.md 4, design.md: deleted accounts)."""

from collections.abc import Awaitable, Callable

import pytest

from indexer.connections.database import Pool
from indexer.metrics import WRITTEN_TABLES
from indexer.sink.counts import Aggregates
from indexer.sink.recount import Recounter
from indexer.sink.statements import Statements
from tests.integration.invariants import broken
from tests.integration.removing import (
    AFTER,
    BEFORE,
    PREFIX,
    as_if_never,
    confirm,
    job,
    left_of_account,
    of_account,
    of_others,
    removing,
    rows_of_appview,
)
from tests.integration.writing import writing, wrong_counters
from tests.messages import (
    C1,
    C2,
    REVS,
    A,
    B,
    C,
    create,
    like,
    like_uri,
    post,
    post_uri,
    quote,
    repost,
    repost_uri,
    threadgate,
    uri,
)


@pytest.fixture(autouse=True)
def _small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("account.PORTION", 7), ("account.PAGE", 3), ("remains.PORTION", 4)):
        monkeypatch.setattr(f"indexer.removal.{name}", size)


async def known(pool: Pool, did: str = A, time: str = BEFORE) -> None:
    """What a look-up has left, and one that waits."""
    await pool.execute('INSERT INTO actor (did, handle, "indexedAt") VALUES ($1, $1, $2)', did, time)
    await pool.execute(
        "INSERT INTO indexer.handle_lookup (did, found_time, missing_time) VALUES ($1, $2, $2)"
        " ON CONFLICT (did) DO UPDATE SET found_time = $2, missing_time = $2",
        did,
        time,
    )


async def removed(pool: Pool, database: str, aggregates: Aggregates = "delta") -> None:
    """A is gone, says its PDS; its rows go."""
    await confirm(pool)
    async with removing(database, aggregates=aggregates) as worker:
        assert await worker.remove_one()
        assert not await worker.remove_one()
    if aggregates == "recount":
        await Recounter(pool, Statements("public")).drain()
    assert (await job(pool))["state"] == "removed"


@pytest.mark.parametrize("aggregates", ["delta", "recount"])
async def test_everything_of_the_account_goes_and_what_others_have_is_right(
    database: str, other_database: str, aggregates: Aggregates
) -> None:
    async with writing(database, notifications="all") as sink, writing(other_database, notifications="all") as never:
        await sink.feed([*of_others(5), *of_account(7)])
        await never.feed(of_others(5))
        await known(sink.pool)
        before = await left_of_account(sink.pool)
        assert before.keys() == set(WRITTEN_TABLES) - {"label", "post_agg", "profile_agg"}
        rows = await rows_of_appview(sink.pool)
        await removed(sink.pool, database, aggregates)
        assert await left_of_account(sink.pool) == {}
        assert not await sink.fetch("SELECT * FROM indexer.handle_lookup")
        assert (await job(sink.pool))["removed_rows"] == rows - await rows_of_appview(sink.pool)
        assert await wrong_counters(sink.pool) == []
        # a reply stays valid when its parent goes (DIV-12)
        assert (await broken(sink.pool)).keys() <= {"invalidReplyRoot"}
        assert await as_if_never(sink.pool) == await as_if_never(never.pool)


async def test_counters_that_others_still_move_stay(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([*of_account(2), *of_others(1)])
        await removed(sink.pool, database)
        assert [
            tuple(row) for row in await sink.fetch("SELECT * FROM post_agg WHERE starts_with(uri, $1)", PREFIX)
        ] == [(post_uri(A, "p0"), 1, 1, 1, 0, 0)]
        assert [tuple(row) for row in await sink.fetch("SELECT * FROM profile_agg WHERE did = $1", A)] == [(A, 1, 0, 0)]


async def test_bookmarks_of_others_are_not_forgotten(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(of_account(2))
        await sink.pool.execute('UPDATE post_agg SET "bookmarkCount" = 3 WHERE uri = $1', post_uri(A, "p1"))
        await removed(sink.pool, database)
        assert [
            tuple(row) for row in await sink.fetch("SELECT * FROM post_agg WHERE starts_with(uri, $1)", PREFIX)
        ] == [(post_uri(A, "p1"), 0, 0, 0, 0, 3)]


async def test_counters_do_not_move_when_they_are_off(database: str) -> None:
    counters = "SELECT a::text FROM post_agg a UNION ALL SELECT a::text FROM profile_agg a ORDER BY 1"
    async with writing(database) as sink:
        await sink.feed([*of_account(2), *of_others(2)])
        before = await sink.fetch(counters)
        await removed(sink.pool, database, "off")
        assert await left_of_account(sink.pool) == {}
        assert await sink.fetch(counters) == before


@pytest.mark.parametrize("without", ["record", "record, post", "record, like, feed_item, repost, follow, verification"])
async def test_rows_that_others_left_without_a_record_go_too(database: str, without: str) -> None:
    """The reference removes accounts beside us, and leaves rows in many tables (actors.md 4)."""
    async with writing(database, notifications="all") as sink:
        await sink.feed([*of_account(5), *of_others(2)])
        await known(sink.pool)
        for table in without.split(", "):
            await sink.pool.execute(f'DELETE FROM "{table}" WHERE starts_with(uri, $1)', PREFIX)
        await removed(sink.pool, database)
        assert await left_of_account(sink.pool) == {}


async def test_accounts_with_a_similar_did_stay(database: str) -> None:
    similar = [A + "a", A[:-1], A.upper().replace("DID:PLC", "did:plc")]
    async with writing(database) as sink:
        await sink.feed([create(like_uri(did, "l"), like(post_uri(B, "p"))) for did in (*similar, A)])
        await sink.pool.execute("DELETE FROM record")
        await removed(sink.pool, database)
        assert [row[0] for row in await sink.fetch('SELECT creator FROM "like" ORDER BY 1')] == sorted(similar)
        assert await wrong_counters(sink.pool) == []


async def test_labels_and_mutes_are_not_the_accounts(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(of_account())
        await sink.pool.execute(
            "INSERT INTO label VALUES ($1, $2, '', 'spam', false, $3)", B, post_uri(A, "p0"), BEFORE
        )
        await sink.pool.execute("INSERT INTO thread_mute VALUES ($1, $2, $3)", post_uri(A, "p0"), A, BEFORE)
        await removed(sink.pool, database)
        assert [await sink.value(f"SELECT count(*) FROM {table}") for table in ("label", "thread_mute")] == [1, 1]


async def test_what_is_newer_than_the_deletion_stays(database: str, other_database: str) -> None:
    """The account lives again: its newer records, with everything that belongs to them, and nothing else."""
    newer = [
        create(post_uri(A, "n"), post("n"), REVS[-9], C1, time=AFTER),
        create(post_uri(A, "p3"), post("p"), REVS[-8], C2, time=AFTER),
        create(like_uri(A, "n"), like(post_uri(B, "p0")), REVS[-7], C1, time=AFTER),
        create(repost_uri(A, "n"), repost(post_uri(B, "p0")), REVS[-6], C1, time=AFTER),
        create(uri(A, "app.bsky.feed.threadgate", "n"), threadgate(post_uri(A, "n")), REVS[-4], C1, time=AFTER),
        create(like_uri(C, "n"), like(post_uri(A, "n")), REVS[-3], C1, time=AFTER),
    ]
    async with writing(database, notifications="all") as sink, writing(other_database, notifications="all") as never:
        await sink.feed([*of_others(3), *of_account(5), *newer])
        await never.feed([*of_others(3), *newer])
        for pool in (sink.pool, never.pool):
            await known(pool, time=AFTER)
        await removed(sink.pool, database)
        assert await wrong_counters(sink.pool) == []
        assert (await broken(sink.pool)).keys() <= {"invalidReplyRoot"}
        mine, others = await as_if_never(sink.pool), await as_if_never(never.pool)
        for name in ("handle_lookup", "notification"):  # who becomes indexed this way tells nobody
            assert bool(mine.pop(name)) == bool(others.pop(name))
        assert mine == others


async def test_gate_that_goes_frees_a_newer_post(database: str) -> None:
    gate = uri(A, "app.bsky.feed.threadgate", "p0")
    async with writing(database) as sink:
        await sink.feed([create(gate, threadgate(post_uri(A, "p0")), time=BEFORE)])
        await sink.feed([create(post_uri(A, "p0"), post(), time=AFTER)])
        assert await sink.value('SELECT "hasThreadGate" FROM post')
        await removed(sink.pool, database)
        assert await sink.value('SELECT "hasThreadGate" FROM post') is False


async def test_popular_posts_lose_what_hangs_on_them_in_portions(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed([create(post_uri(A, "p"), post(), time=BEFORE)])
        people = [f"did:plc:{n:024}" for n in range(50)]
        await sink.feed([create(repost_uri(did, "t"), repost(post_uri(A, "p"))) for did in people])
        await sink.feed([create(post_uri(did, "q"), post(embed=quote(post_uri(A, "p")))) for did in people])
        largest = await _largest_deletion(sink.pool, "feed_item", "quote")
        await removed(sink.pool, database)
        assert await sink.value("SELECT count(*) FROM feed_item WHERE type = 'repost'") == 0
        assert await sink.value("SELECT count(*) FROM quote") == 0
        assert await sink.value("SELECT count(*) FROM repost") == 50
        assert await wrong_counters(sink.pool) == []
        assert await largest() == 7


async def test_portions_are_bounded(database: str) -> None:
    async with writing(database, notifications="all") as sink:
        await sink.feed([*of_account(20), *of_others(2)])
        largest = await _largest_deletion(sink.pool, "record", "like", "post", "follow", "notification")
        await removed(sink.pool, database)
        assert 0 < await largest() <= 4 * 7, "a post has up to three notifications here"


async def _largest_deletion(pool: Pool, *tables: str) -> Callable[[], Awaitable[int]]:
    """Watch these tables; gives a function that says how many rows of one table the largest transaction deleted."""
    await pool.execute("""
        CREATE TABLE deleted (number xid8, name text);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO deleted VALUES (pg_current_xact_id(), tg_table_name); RETURN old; END $$;
    """)
    for table in tables:
        await pool.execute(f'CREATE TRIGGER note AFTER DELETE ON "{table}" FOR EACH ROW EXECUTE FUNCTION note()')

    async def largest() -> int:
        query = "SELECT max(n) FROM (SELECT count(*) AS n FROM deleted GROUP BY number, name) x"
        found: int = await pool.fetchval(query)
        return found

    return largest
