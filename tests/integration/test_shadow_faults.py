"""Faults all over the tables of a backfill and of labels, each in a row of its own: `shadow` names every one."""

from typing import Any

import asyncpg
import pytest

from tests.integration.test_shadow import load, shadow, with_database

NOBODY = "at://did:plc:nobodynobodynobodynobody/app.bsky.feed.post/3zzzzzzzzzzzz"
LONG_AGO = "'2001-01-01T00:00:00.000Z'"
Class = tuple[str, str, str | None]


def changed(table: str, column: str, to: str, where: str = "true", key: str = "uri") -> tuple[Class, str, str]:
    """A column of one row that nothing was done to yet."""
    return (table, "column", column), f'UPDATE "{table}" SET "{column}" = {to} {_one_row(table, where, key)}', key


def gone(table: str, where: str = "true", key: str = "uri") -> tuple[Class, str, str]:
    return (table, "missing row", None), f'DELETE FROM "{table}" {_one_row(table, where, key)}', key


def _one_row(table: str, where: str, key: str) -> str:
    free = f'NOT EXISTS (SELECT 1 FROM touched x WHERE x.key = t."{key}")'
    row = f'SELECT ctid FROM "{table}" t WHERE {where} AND {free} ORDER BY "{key}" LIMIT 1'
    return f'WHERE ctid = ({row}) RETURNING "{key}"'


SURPLUS = (
    ("follow", "surplus row", None),
    f"""INSERT INTO follow (uri, cid, creator, "subjectDid", "createdAt", "indexedAt")
    SELECT 'at://' || creator || '/app.bsky.graph.follow/3zzzzzzzzzzzz', 'c', creator, 'did:plc:x',
    {LONG_AGO}, {LONG_AGO} FROM follow ORDER BY uri LIMIT 1 RETURNING uri""",
    "uri",
)
FAULTS: list[tuple[Class, str, str]] = [
    changed("label", "neg", "NOT neg"), changed("label", "exp", "'2030'", "exp IS NULL"), gone("label"),
    changed("post", "langs", "NULL", "langs IS NOT NULL"), changed("post", "tags", "'[]'", "tags IS NULL"),
    changed("post", "text", "''", "text <> ''"), changed("post", "creator", "'did:plc:x'"),
    changed("post", "cid", "'x'"),
    changed("post", "replyRoot", f"'{NOBODY}'", '"replyRoot" IS NOT NULL'), changed("post", "createdAt", LONG_AGO),
    changed("post", "hasThreadGate", "true", '"hasThreadGate" IS NULL'),
    changed("post", "hasPostGate", "true", '"hasPostGate" IS NULL'),
    changed("post", "invalidReplyRoot", "true", '"invalidReplyRoot" IS NOT TRUE AND "replyParent" IS NOT NULL'),
    changed("post", "violatesEmbeddingRules", "true", "EXISTS (SELECT 1 FROM quote q WHERE q.uri = t.uri)"),
    changed("quote", "createdAt", LONG_AGO), changed("quote", "subjectCid", "'x'"), gone("quote"),
    changed("feed_item", "type", "'post'", "type = 'repost'"), changed("feed_item", "originatorDid", "'did:plc:x'"),
    changed("feed_item", "postUri", f"'{NOBODY}'", "type = 'repost'"), gone("feed_item", "type = 'repost'"),
    changed("feed_item", "sortAt", LONG_AGO, "type = 'post'"), changed("feed_item", "cid", "'x'"),
    changed("post_embed_external", "title", "''", "title <> ''", "postUri"),
    changed("post_embed_image", "alt", "'planted'", key="postUri"), gone("post_embed_record", key="postUri"),
    changed("list", "purpose", "'x'"), changed("list_item", "subjectDid", "'did:plc:x'"), gone("list_item"),
    gone("list_block"), changed("starter_pack", "createdAt", LONG_AGO), changed("verification", "handle", "'x.test'"),
    changed("feed_generator", "displayName", "'x'"), changed("thread_gate", "postUri", f"'{NOBODY}'"),
    gone("post_gate"),
    changed("duplicate_record", "duplicateOf", f"'{NOBODY}'"), gone("duplicate_record"),
    changed("profile", "avatarCid", "NULL", '"avatarCid" IS NOT NULL'), gone("profile"),
    changed("like", "via", "'at://x'", "via IS NULL"), changed("like", "indexedAt", LONG_AGO),
    changed("repost", "subject", f"'{NOBODY}'"), gone("follow"), changed("actor_block", "subjectDid", "'did:plc:x'"),
    changed("record", "json", "''", "json <> '' AND uri LIKE '%graph.follow%'"),
    gone("record", "uri LIKE '%feed.like%'"),
    changed("record", "cid", "'x'", "json <> ''"), changed("record", "rev", "'3aaaaaaaaaaaa'", "json <> ''"),
    changed("actor_sync", "repoRev", "'3aaaaaaaaaaaa'", key="did"), gone("actor_sync", key="did"),
    changed("post_agg", "quoteCount", '"quoteCount" + 1'), changed("post_agg", "replyCount", "-1"),
    changed("profile_agg", "followsCount", '"followsCount" + 7', '"followsCount" > 0', "did"),
    changed("profile_agg", "postsCount", "0", '"postsCount" > 0', "did"),
    SURPLUS,
]  # fmt: skip
COUNTS = ("post_agg", "profile_agg")
"""What a row that is gone, or points elsewhere, takes along."""
NO_RECORD = ("like", "surplus row", None)
"""What its record left behind."""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_each_fault_is_named_with_its_column_and_its_row(database: str, redis_url: str) -> None:
    for case in ("backfill-10k", "labels-2k"):
        load(database, redis_url, case)

    async def plant(connection: "asyncpg.Connection[Any]") -> set[tuple[Class, str]]:
        await connection.execute("CREATE TEMP TABLE touched (key text)")
        planted = set()
        for kind, statement, _ in FAULTS:
            (row,) = await connection.fetch(statement)
            await connection.execute("INSERT INTO touched VALUES ($1)", row[0])
            planted.add((kind, row[0]))
        return planted

    planted = with_database(database, plant)
    assert len(planted) == len(FAULTS)
    found = {
        ((one["table"], one["kind"], one["column"]), key)
        for one in shadow(database, redis_url, "--examples", "1000", status=1)["differences"]
        for example in one["examples"]
        for key in {*example["key"], example["uri"]}
    }
    assert planted <= found
    keys = {key for _, key in planted}
    others = {kind for kind, key in found if key not in keys and key.startswith("at://") and kind[0] != "label"}
    unplanted = {kind for kind, _ in found} - {kind for kind, _ in planted}
    assert {kind for kind in others | unplanted if kind[0] not in COUNTS} <= {NO_RECORD}
