"""`verify` finds each fault and nothing else, `reconcile` mends it; neither disturbs those who write meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest

from indexer.commands.verify import walk
from indexer.commands.verify.checks import all_checks
from indexer.commands.verify.finding import Check, Finding, Look
from indexer.commands.verify.statements import VerifyStatements
from indexer.commands.verify.walk import Walker
from tests.integration.planted_rows import PLANTED
from tests.integration.verifying import POST, REPOST, findings, reconcile, verify, walking, world
from tests.integration.writing import Snapshot, Writing, snapshot, writing, wrong_counters
from tests.messages import C1, REVS, A, create, like, like_uri


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SECOND_LOOK_S", 0.01)
    monkeypatch.setattr(walk, "PORTION", 20)


async def rows(sink: Writing) -> Snapshot:
    """All rows, without what no two runs have in common; NULL and false of flags are the same."""
    found = await snapshot(sink.pool)
    found.pop("reconcile", None)
    found["post"] = [text.replace('"invalidReplyRoot": false', '"invalidReplyRoot": null') for text in found["post"]]
    found["post"] = [text.replace('Gate": false', 'Gate": null') for text in found["post"]]
    return found


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("table", sorted({kind.partition(".")[0] for _, kind, _ in PLANTED}))
async def test_each_fault_is_found_and_mended(database: str, table: str) -> None:
    async with writing(database) as sink:
        await sink.feed(world())
        before = await rows(sink)
        assert await verify(database) == {}
        for statement, kind, key in PLANTED:
            if kind.partition(".")[0] != table:
                continue
            await sink.pool.execute(statement)
            found = await verify(database, table)
            assert any(key in found_key for found_key in found.get(kind, ())), (statement, found)
            await reconcile(database)
            assert await rows(sink) == before, statement
        assert await verify(database) == {}


async def test_all_faults_at_once_are_mended(database: str) -> None:
    """Not each can be planted beside all others: of a row that is gone nothing can be changed."""
    async with writing(database) as sink:
        await sink.feed(world())
        before = await rows(sink)
        for statement, _, _ in PLANTED:
            if "duplicate_record" not in statement and "DELETE FROM post_agg" not in statement:
                await sink.pool.execute(statement + _or_nothing(statement))
        found = await verify(database)
        assert len(found) > 30
        await reconcile(database)
        assert await wrong_counters(sink.pool) == []
        assert await verify(database) == {}
        assert await rows(sink) == before


def _or_nothing(statement: str) -> str:
    return " ON CONFLICT DO NOTHING" if statement.startswith("INSERT") else ""


async def test_only_what_is_asked_for_is_looked_at(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 9; UPDATE profile SET description = 'planted'""")
        assert set(await verify(database, "post_agg")) == {"post_agg.likeCount"}
        assert set(await verify(database, "profile.differs")) == {"profile.differs"}
        assert set(await reconcile(database, ["aggregates"])) == {"post_agg.likeCount"}
        assert set(await verify(database)) == {"profile.differs"}


async def test_dry_run_changes_nothing(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 9 WHERE uri = $1""", POST)
        before = await rows(sink)
        assert await reconcile(database, dry_run=True) == {"post_agg.likeCount": 1}
        assert await rows(sink) == before


async def test_counters_that_wait_to_be_counted_are_no_findings(database: str) -> None:
    async with writing(database, aggregates="recount") as sink:
        await sink.feed(world())
        assert await verify(database) == {}
        await sink.pool.execute("DELETE FROM indexer.dirty_count WHERE counter = 'likeCount'")
        assert set(await verify(database)) == {"post_agg.likeCount"}


async def test_what_is_in_flight_is_no_finding(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look sees a like whose row another is about to write; at the second all is there."""
    async with writing(database) as sink, walking(database) as walker:
        await sink.feed(world())
        await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 9 WHERE uri = $1""", POST)
        look = walker._confirmed

        async def later(check: Check, found: list[Finding]) -> list[Finding]:
            await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 2 WHERE uri = $1""", POST)
            return await look(check, found)

        monkeypatch.setattr(type(walker), "_confirmed", lambda _self, check, found: later(check, found))
        assert await findings(walker) == []


async def test_what_changes_with_each_look_is_in_motion(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with writing(database) as sink, walking(database, "post_agg") as walker:
        await sink.feed(world())
        find = type(walker).find
        looks = 0

        async def moving(self: Walker, check: Check, keys: Sequence[Any]) -> list[Finding]:
            nonlocal looks
            looks += 1
            await sink.pool.execute(f"""UPDATE post_agg SET "likeCount" = {10 + looks} WHERE uri = '{POST}'""")
            return await find(self, check, keys)

        monkeypatch.setattr(type(walker), "find", moving)
        assert await findings(walker) == []
        assert any("in motion" in note for note in walker.notes)


async def test_rows_of_an_account_under_removal_are_no_findings(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("DELETE FROM feed_item WHERE type = 'repost'")
        removal = "INSERT INTO indexer.account_deletion (did, time, at_ms, state, removed_ms) VALUES ($1, '', 0, $2, 0)"
        await sink.pool.execute(removal, A, "removing")
        assert await verify(database) == {}
        await sink.pool.execute("DELETE FROM indexer.account_deletion")
        assert set(await verify(database)) == {"feed_item.missing"}


NOT_WRITTEN = {
    "post_agg.likeCount": """INSERT INTO post_agg (uri, "likeCount") VALUES ('', 2)""",
    "profile_agg.followsCount": """INSERT INTO profile_agg (did, "followsCount") VALUES ('', 2)""",
    "like.orphan": """INSERT INTO "like" (uri, cid, creator, subject, "subjectCid", "createdAt", "indexedAt")
        VALUES ('', 'c', 'did:plc:x', 'at://s', 'c', '2025', '2025')""",
    "post_embed_external.orphan": "INSERT INTO post_embed_external VALUES ('', 'u', 't', 'd')",
    "duplicate_record.orphan": "INSERT INTO duplicate_record VALUES ('', 'c', 'at://x', 't')",
    "notification.orphan": """INSERT INTO notification (id, did, "recordUri", "recordCid", author, reason, "sortAt")
        VALUES (-7, 'did:plc:x', 'at://x', 'c', 'did:plc:y', 'like', 't')""",
}


async def test_keys_that_no_indexer_writes_are_looked_at(database: str) -> None:
    """An empty text and a negative number are before all that a walk might take for the beginning."""
    async with writing(database) as sink:
        await sink.feed(world())
        before = await rows(sink)
        for statement in NOT_WRITTEN.values():
            await sink.pool.execute(statement)
        found = await verify(database)
        assert set(NOT_WRITTEN) <= set(found)
        assert all("" in found[kind] for kind in NOT_WRITTEN if kind != "notification.orphan"), found
        await reconcile(database)
        assert await rows(sink) == before


async def test_sample_begins_at_places_all_over_a_table(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PORTION", 10)
    async with writing(database) as sink, walking(database, "like.orphan") as walker:
        likes = [create(like_uri(f"did:plc:{n:024}", "a"), like(POST), REVS[n % 1000], C1) for n in range(2000)]
        await sink.feed(likes)
        await sink.pool.execute("ANALYZE")
        (check,) = [one for one in all_checks() if one.name == "like.orphans"]
        seen: list[str] = []
        find = check.find

        async def noting(look: Look, keys: Sequence[Any]) -> list[Finding]:
            seen.extend(keys)
            return await find(look, keys)

        object.__setattr__(check, "find", noting)
        async for _ in walker.walk(check, 0.1, 7, None, await walker.estimate(check)):
            pass
        assert 100 <= len(set(seen)) <= 200
        assert len({uri[len("at://did:plc:") + 20 :][:2] for uri in seen}) > 8


async def test_column_that_the_database_does_not_have_is_not_missed(database: str) -> None:
    """Databases before October 2025 have no `via` (schema/needs.py)."""
    async with writing(database) as sink, walking(database, "like") as walker:
        await sink.feed([create(like_uri(A, "1"), like(POST, via=REPOST), REVS[1], C1)])
        await sink.pool.execute("""ALTER TABLE "like" DROP COLUMN via, DROP COLUMN "viaCid" """)
        walker.statements = VerifyStatements("public", {("like", "via"), ("like", "viaCid")})
        assert await findings(walker) == []
        await sink.pool.execute("""UPDATE "like" SET cid = 'planted'""")
        assert [one.kind for one in await findings(walker)] == ["like.differs"]
