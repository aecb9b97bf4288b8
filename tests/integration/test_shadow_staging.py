"""What `shadow` works on: copies of the tables, beside which nothing can be written or locked."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest

from indexer.commands.shadow.reading import Delivery, unprocessed
from indexer.commands.shadow.staging import Layout, stage
from indexer.errors import ConfigError
from tests.conftest import execute

FORBIDDEN = (
    """INSERT INTO public.record (uri, cid, did, json, rev, "indexedAt") VALUES ('a', 'b', 'c', 'd', 'e', 'f')""",
    "UPDATE public.post SET text = ''",
    "DELETE FROM public.record",
    "SELECT nextval(pg_get_serial_sequence('public.notification', 'id'))",
    "SELECT 1 FROM public.record FOR UPDATE",
    "INSERT INTO indexer.dirty_count (counter, key) VALUES ('a', 'b')",
    "CREATE TABLE public.mine ()",
)


def run(database: str, work: Any) -> Any:
    async def connected() -> Any:
        connection = await asyncpg.connect(database, statement_cache_size=0)
        try:
            return await work(connection, await Layout.read(connection, "public"))
        finally:
            await connection.close()

    return asyncio.run(connected())


def test_the_server_refuses_everything_but_the_copies(database: str) -> None:
    async def work(connection: "asyncpg.Connection[Any]", layout: Layout) -> None:
        async with stage(connection, layout):
            await connection.execute(
                'INSERT INTO pg_temp.notification (did, author, reason, "recordUri", "recordCid", "sortAt")'
                " VALUES ('a', 'b', 'c', 'd', 'e', 'f')"
            )
            locks = await connection.fetch(
                "SELECT DISTINCT mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
                " JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname IN ('public', 'indexer') AND l.pid = pg_backend_pid()"
            )
            assert [row[0] for row in locks] == ["AccessShareLock"]
            for statement in FORBIDDEN:
                await connection.execute("SAVEPOINT trial")
                with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
                    await connection.execute(statement)
                await connection.execute("ROLLBACK TO SAVEPOINT trial")
        assert await connection.fetchval("SELECT count(*) FROM pg_class WHERE relpersistence = 't'") == 0

    run(database, work)


def test_a_role_without_temporary_tables_is_told(database: str) -> None:
    name = database.partition("?")[0].rpartition("/")[2]
    execute(database, f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC; CREATE ROLE "{name}_reader" LOGIN')
    execute(database, f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{name}_reader"')

    async def work(connection: "asyncpg.Connection[Any]", layout: Layout) -> None:
        await connection.execute(f'SET ROLE "{name}_reader"')
        with pytest.raises(ConfigError, match="temporary tables"):
            async with stage(connection, layout):
                pass

    try:
        run(database, work)
    finally:
        execute(database, f'DROP OWNED BY "{name}_reader"; DROP ROLE "{name}_reader"')


IDS = [f"{n}-0".encode() for n in range(1, 101)]


def left(
    reached: Sequence[bool | None], settled: int = 0, pending: tuple[int, ...] = (), *, over: bool = False
) -> list[int]:
    """Places of the entries that are not processed; the first `settled` are acknowledged but for those pending."""
    found = Delivery(frozenset(IDS[:settled]) - {IDS[n] for n in pending}, frozenset(IDS[n] for n in pending))
    waiting = unprocessed(IDS, reached, found, patience_is_over=over)
    return [place for place, id_ in enumerate(IDS) if id_ in waiting]


def test_what_a_group_acknowledged_is_processed() -> None:
    assert left([False] * 100, settled=60) == list(range(60, 100))
    assert left([False] * 100, settled=60, pending=(3, 7)) == [3, 7, *range(60, 100)]


def test_a_rev_in_the_database_is_processed_whatever_redis_says() -> None:
    assert left([n == 70 for n in range(100)], settled=60, pending=(3,)) == [3, *(n for n in range(60, 100) if n != 70)]


def test_a_filled_database_with_its_stream_kept_is_processed_up_to_the_last_that_is_there() -> None:
    assert left([n not in (5, 99) for n in range(100)]) == []
    assert left([None if n % 2 else True for n in range(100)]) == []
    assert left([n < 40 and n != 5 for n in range(100)]) == list(range(40, 100))


def test_few_that_are_there_prove_nothing() -> None:
    assert left([n % 3 == 0 for n in range(100)]) == [n for n in range(100) if n % 3]
    assert left([False] * 100) == list(range(100))
    assert left([None] * 100) == list(range(100))


def test_what_is_in_work_is_waited_for() -> None:
    reached = [n < 95 for n in range(100)]
    assert left(reached, settled=100, pending=tuple(range(80, 100))) == list(range(95, 100))
    assert left(reached, settled=100, pending=tuple(range(80, 100)), over=True) == list(range(95, 100))[5:]
