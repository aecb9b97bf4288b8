"""`indexer shadow`: it finds what differs from the incumbent's rows, nothing else, and leaves no trace."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis

from indexer.configuration.settings import OPTIONS
from tests.acceptance.daemon import GROUP, feed, running
from tests.conftest import execute
from tests.oracle import library, reference

READ_ONLY = {
    "ping",
    "xrange",
    "xlen",
    "xinfo|groups",
    "xpending",
    "exists",
    "hello",
    "client|setinfo",
    "select",
    "auth",
}
CASES = ("real-firehose",)
LONG_CASES = (
    "labels-2k",
    "real-scenarios",
    "real-repos",
    "real-posts",
    "mixed-5k-hostile",
    "backfill-10k",
    "mixed-30k",
)
PLANTED: dict[tuple[str, str, str | None], str] = {
    ("like", "missing row", None): 'DELETE FROM "like" WHERE uri = (SELECT min(uri) FROM "like")',
    ("post", "column", "text"): "UPDATE post SET text = text || '!' WHERE uri = (SELECT min(uri) FROM post)",
    ("record", "column", "json"): "UPDATE record SET json = json || ' ' WHERE uri = (SELECT max(uri) FROM follow)",
    ("follow", "column", "subjectDid"): """UPDATE follow SET "subjectDid" = 'did:plc:nobody' WHERE uri =
        (SELECT min(uri) FROM follow)""",
    ("post_embed_image", "surplus row", None): """INSERT INTO post_embed_image ("postUri", position, "imageCid", alt)
        SELECT uri, '7', 'bafkreione', '' FROM post ORDER BY uri DESC LIMIT 1""",
    ("feed_item", "column", "sortAt"): """UPDATE feed_item SET "sortAt" = '2026-01-01T00:00:00.000Z' WHERE uri =
        (SELECT max(uri) FROM feed_item WHERE type = 'repost')""",
    ("notification", "missing row", None): """DELETE FROM notification WHERE id = (SELECT min(id) FROM notification
        WHERE reason = 'like')""",
    ("actor_sync", "column", "commitCid"): """UPDATE actor_sync SET "commitCid" = 'bafyreione' WHERE did =
        (SELECT min(did) FROM actor_sync)""",
    ("post_agg", "column", "likeCount"): """UPDATE post_agg SET "likeCount" = "likeCount" + 3 WHERE uri =
        (SELECT min(uri) FROM post_agg WHERE "repostCount" > 0)""",
    ("profile", "column", "displayName"): """UPDATE profile SET "displayName" = 'nobody' WHERE uri =
        (SELECT min(uri) FROM profile)""",
    ("repost", "missing row", None): "DELETE FROM repost WHERE uri = (SELECT min(uri) FROM repost)",
    ("actor_block", "surplus row", None): """INSERT INTO actor_block (uri, cid, creator, "subjectDid", "createdAt",
        "indexedAt") SELECT 'at://' || creator || '/app.bsky.graph.block/3zzzzzzzzzzzz', cid, creator, 'did:plc:nobody',
        "createdAt", "indexedAt" FROM post ORDER BY uri LIMIT 1""",
}  # fmt: skip
"""By class: how it is planted."""


@contextmanager
def started(database: str, redis_url: str, *flags: str) -> Iterator["subprocess.Popen[str]"]:
    known = {name for option in OPTIONS for name in option.variables}
    environment = {name: text for name, text in os.environ.items() if name not in known}
    environment |= {"DB_POSTGRES_URL": database, "REDIS_HOST": redis_url}
    command = [sys.executable, "-m", "indexer", "shadow", "--json", *flags]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def shadow(database: str, redis_url: str, *flags: str, status: int | None = None) -> dict[str, Any]:
    """What `shadow --json` says."""
    with started(database, redis_url, "--wait", "1", *flags) as process:
        said, told = process.communicate(timeout=280)
    assert process.returncode in ((0, 1) if status is None else (status,)), told + said
    found: dict[str, Any] = json.loads(said)
    assert process.returncode == (1 if found["found"] else 0)
    return found


def classes(found: dict[str, Any]) -> set[tuple[str, str, str | None]]:
    return {(one["table"], one["kind"], one["column"]) for one in found["differences"]}


def with_database(database: str, work: Callable[["asyncpg.Connection[Any]"], Any]) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(database, statement_cache_size=0)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def load(database: str, redis_url: str, case: str) -> None:
    """The reference's tables, and the stream that made them, kept."""
    with_database(database, lambda connection: reference.load(connection, case))
    feed(redis_url, library.stream(case), library.messages(case))


def plant(database: str, *statements: str) -> None:
    async def run(connection: "asyncpg.Connection[Any]") -> None:
        for statement in statements:
            assert int((await connection.execute(statement)).rpartition(" ")[2]) == 1, statement

    with_database(database, run)


@pytest.mark.parametrize("case", [*CASES, *(pytest.param(case, marks=pytest.mark.long) for case in LONG_CASES)])
@pytest.mark.timeout(300)
def test_nothing_unknown_differs_from_the_reference(database: str, redis_url: str, case: str) -> None:
    load(database, redis_url, case)
    found = shadow(database, redis_url)
    assert not found["differences"], found["differences"]
    (mine,) = [one for one in found["streams"] if one["stream"] == library.stream(case)]
    assert mine["read"] == len(library.messages(case))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("window", [50, 333, 2000])
@pytest.mark.parametrize("case", ["mixed-5k-hostile", "backfill-10k"])
def test_windows_of_any_size_report_nothing_falsely(database: str, redis_url: str, case: str, window: int) -> None:
    load(database, redis_url, case)
    found = shadow(database, redis_url, "--window", str(window))
    assert not found["differences"], found["differences"]


@pytest.mark.long
@pytest.mark.timeout(300)
def test_finds_what_was_planted_and_nothing_else(database: str, redis_url: str) -> None:
    load(database, redis_url, "mixed-5k-hostile")
    plant(database, *PLANTED.values())
    found = shadow(database, redis_url)
    # a row that goes missing takes the count of rows along
    counted = {("post_agg", "column", "likeCount"), ("post_agg", "column", "repostCount"),
               ("profile_agg", "column", "followersCount")}  # fmt: skip
    assert classes(found) >= set(PLANTED)
    assert classes(found) <= set(PLANTED) | counted


def snapshot_of_redis(redis_url: str) -> object:
    with redis.Redis.from_url(redis_url) as client:
        return {
            key: (
                client.xrange(key),
                client.xinfo_groups(key),
                {
                    group["name"]: (
                        [(one["name"], one["pending"]) for one in client.xinfo_consumers(key, group["name"])],
                        [
                            (one["message_id"], one["consumer"], one["times_delivered"])
                            for one in client.xpending_range(key, group["name"], "-", "+", 10_000)
                        ],
                    )
                    for group in client.xinfo_groups(key)
                },
            )
            for key in sorted(client.keys())
        }


def snapshot_of_database(database: str) -> object:
    async def run(connection: "asyncpg.Connection[Any]") -> object:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'indexer')"
        )
        rows = {
            name: await connection.fetchval(
                f"SELECT md5(coalesce(string_agg(t::text, '' ORDER BY t::text), '')) FROM {name} t"
            )
            for (name,) in tables
        }
        sequences = await connection.fetch(
            "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2"
        )
        written = await connection.fetch(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public'"
            " ORDER BY 1"
        )
        return rows, [tuple(row) for row in sequences], [tuple(row) for row in written]

    return with_database(database, run)


def calls(redis_url: str) -> dict[str, int]:
    with redis.Redis.from_url(redis_url) as client:
        return {name.removeprefix("cmdstat_"): one["calls"] for name, one in client.info("commandstats").items()}


def test_leaves_no_trace(database: str, redis_url: str) -> None:
    load(database, redis_url, "real-scenarios")
    stream = library.stream("real-scenarios")
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(stream, GROUP, id="0")
        client.xreadgroup(GROUP, "somebody", {stream: ">"}, count=10)
    before = snapshot_of_redis(redis_url), snapshot_of_database(database)
    counted = calls(redis_url)
    shadow(database, redis_url, status=0)
    made = {name for name, number in calls(redis_url).items() if number > counted.get(name, 0)}
    assert made - {"info", "config|get"} <= READ_ONLY
    assert (snapshot_of_redis(redis_url), snapshot_of_database(database)) == before


@pytest.mark.long
@pytest.mark.timeout(200)
def test_waits_for_an_incumbent_that_is_at_work(database: str, redis_url: str, tmp_path: Path) -> None:
    """One of ours is the incumbent; in its database a trigger falsifies one post."""
    case = "real-posts"
    ids = feed(redis_url, library.stream(case), library.messages(case))
    falsified = json.loads(library.messages(case)[100])
    uri = f"at://{falsified['did']}/{falsified['collection']}/{falsified['rkey']}"
    execute(
        database,
        f"""CREATE FUNCTION falsify() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.text := 'false'; RETURN NEW; END $$;
        CREATE TRIGGER falsify BEFORE INSERT ON post FOR EACH ROW
        WHEN (NEW.uri = '{uri}') EXECUTE FUNCTION falsify()""",
    )
    with started(database, redis_url, "--wait", "60") as looking:
        assert looking.stderr is not None
        while "not yet processed" not in looking.stderr.readline():
            pass
        with running(database, redis_url, tmp_path, "--drain") as incumbent:
            assert incumbent.wait() == 0
        said, _ = looking.communicate(timeout=120)
    found = json.loads(said)
    assert [(one["table"], one["column"], one["number"]) for one in found["differences"]] == [("post", "text", 1)]
    assert found["differences"][0]["examples"][0]["uri"] == uri
    assert not found["known"]
    assert found["streams"][0]["read"] == len(ids)
    assert found["streams"][0]["records"] > 1400


@pytest.mark.long
@pytest.mark.timeout(100)
def test_what_is_not_processed_is_not_compared(database: str, redis_url: str) -> None:
    feed(redis_url, "firehose_live", library.messages("real-scenarios"))
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create("firehose_live", GROUP, id="0")
        client.xreadgroup(GROUP, "somebody", {"firehose_live": ">"}, count=20)
    found = shadow(database, redis_url, status=0)
    assert found["not_compared"]["not yet processed"] > 40
    assert found["streams"][0]["records"] == 0
