"""An account of any size costs what its own rows cost: no statement of a removal reads a whole table."""

from collections.abc import Iterator

from indexer.removal.account import OWNED
from indexer.sink.statements import Statements
from indexer.sink.tables import TABLES
from tests.integration.removing import PREFIX
from tests.integration.writing import writing
from tests.messages import A

VALUES = {"_text": [PREFIX], "text[]": [PREFIX], "int8[]": [1], "text": A, "int4": 1, "int8": 1, "float8": 1.0}
"""Of parameters, by type."""

NAMED = """
    removals take_deletions put_off_deletion account_is_gone account_is_hosted withdraw_deletion
    note_removed_rows account_is_removed deletions_left records_of_account without_record duplicates_of_nothing
    lock_records delete_records delete_duplicates delete_notifications drop_feed_items_of_posts
    drop_quotes_of_posts delete_feed_items delete_quotes notifications_to_account notifications_by_account
    drop_notifications drop_idle_post_aggregates lock_post_aggregates drop_idle_profile_aggregates
    lock_profile_aggregates lock_commits drop_commits lock_look_up drop_look_up look_up_again actor_time lock_status
    lock_actor drop_actor keep_status
"""


def texts(statements: Statements) -> Iterator[tuple[str, str]]:
    yield from ((name, statements[name]) for name in NAMED.split())
    yield from ((f"{table}.{column}", statements.rows_behind(table, column)) for table, column in OWNED)
    yield from ((table.name, statements.delete(table)) for table in TABLES)


async def test_every_statement_has_an_index(database: str) -> None:
    """Scans of whole tables are off where there is another way (`begin`), so that one shows here."""
    statements, scans = Statements("public"), []
    async with writing(database, connections=1) as sink, sink.pool.acquire() as connection:
        await connection.execute(statements["begin"])
        for name, sql in texts(statements):
            kinds = (await connection.prepare(sql)).get_parameters()
            plan = await connection.fetch(f"EXPLAIN {sql}", *(VALUES[kind.name] for kind in kinds))
            scans += [(name, row[0]) for row in plan if "Seq Scan" in row[0]]
        await connection.execute("ROLLBACK")
    assert scans == []
