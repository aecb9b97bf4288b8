"""`schema drop --own` removes the schema `indexer` and nothing else, and not while something in it would be lost."""

import asyncio

import asyncpg
import pytest

from indexer.errors import SchemaError
from indexer.schema import create, drop
from indexer.schema.migration import migrations
from tests.acceptance.daemon import query
from tests.conftest import execute

LEFT = {
    "dead letters: 1": "INSERT INTO indexer.dead_letter (stream, message_id, cause, class, detail, attempts, payload) "
    "VALUES ('s', '1-0', 'c', 'reject', 'd', 1, '')",
    "look-ups of handles that wait: 1": "INSERT INTO indexer.handle_lookup (did, found_time, missing_time) "
    "VALUES ('did:plc:a', '', '')",
    "removals of accounts that are not finished: 1": "INSERT INTO indexer.account_deletion (did, time, at_ms) "
    "VALUES ('did:plc:a', '', 0)",
    "counters that wait to be counted: 1": "INSERT INTO indexer.dirty_count (counter, key) VALUES ('likeCount', 'k')",
}
LEASE = "INSERT INTO indexer.lease VALUES ('one', gen_random_uuid(), 'host', 7, now(), now() + interval '10 s')"


def dropped(database: str, *, force: bool = False, dry_run: bool = False) -> dict[str, int]:
    return asyncio.run(drop.drop(database, force=force, dry_run=dry_run))[0]


def tables(database: str) -> list[tuple[str, str]]:
    rows = asyncio.run(query(database, "SELECT schemaname, tablename FROM pg_tables ORDER BY 1, 2"))
    return [(row[0], row[1]) for row in rows]


def test_only_the_own_schema_goes(database: str) -> None:
    execute(database, "INSERT INTO indexer.account_status VALUES ('did:plc:a', '', 0, NULL)")
    before = tables(database)
    assert dropped(database, dry_run=True)
    assert tables(database) == before
    dropped(database)
    assert tables(database) == [name for name in before if name[0] != "indexer"]
    assert asyncio.run(drop.drop(database, force=False, dry_run=False)) == ({}, False)
    asyncio.run(create.create(database, "public"))
    assert tables(database) == before


@pytest.mark.parametrize("what", LEFT)
def test_what_would_be_lost_is_told_with_what_to_do(database: str, what: str) -> None:
    execute(database, LEFT[what])
    before = tables(database)
    with pytest.raises(SchemaError) as fault:
        dropped(database)
    assert what in fault.value.cause
    assert "indexer" in fault.value.remedy
    assert tables(database) == before
    if what.startswith("dead"):
        with pytest.raises(SchemaError):
            dropped(database, force=True)
    else:
        dropped(database, force=True)
        assert not any(schema == "indexer" for schema, _ in tables(database))


def test_living_instance_is_never_robbed(database: str) -> None:
    execute(database, LEASE)
    for force in (False, True):
        with pytest.raises(SchemaError, match="process 7 on host"):
            dropped(database, force=force)
    execute(database, "UPDATE indexer.lease SET expires_at = now()")
    dropped(database)


def test_reconcile_at_work_is_left_alone(database: str) -> None:
    execute(database, "INSERT INTO indexer.reconcile (task, pass, owner, seed) VALUES ('', '', gen_random_uuid(), 1)")
    with pytest.raises(SchemaError, match="at work"):
        dropped(database)
    execute(database, "UPDATE indexer.reconcile SET moved_at = now() - interval '2 minutes'")
    dropped(database)


def test_what_others_made_is_not_dropped_along(database: str) -> None:
    execute(database, "CREATE VIEW public.letters AS SELECT * FROM indexer.dead_letter")
    with pytest.raises(SchemaError, match="letters"):
        dropped(database)
    execute(database, "DROP VIEW public.letters; CREATE TABLE indexer.theirs ()")
    with pytest.raises(SchemaError, match="theirs"):
        dropped(database)
    execute(database, "DROP TABLE indexer.theirs")
    dropped(database)


def test_schema_of_another_version_is_left_alone(database: str) -> None:
    execute(database, "INSERT INTO indexer.migration (number, name, checksum) VALUES (9999, 'later', '')")
    with pytest.raises(SchemaError, match="not made by this version"):
        dropped(database)


async def test_somebody_at_work_holds_it_up_for_a_moment_only(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drop, "LOCK_TIMEOUT_MS", 100)
    neighbour = await asyncpg.connect(database)
    try:
        await neighbour.execute("BEGIN; SELECT * FROM indexer.lease")
        with pytest.raises(SchemaError, match="using the tables"):
            await drop.drop(database, force=False, dry_run=False)
    finally:
        await neighbour.close()


def test_all_own_tables_are_known() -> None:
    made = {word for step in migrations() for word in step.sql.split() if word.startswith("indexer.")}
    assert {f"indexer.{name}" for name in drop.own_tables()} >= {word for word in made if "_next_at" not in word}
