"""`reconcile` beside instances that write, broken off and begun again, and for single keys."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from indexer import cli
from indexer.commands.verify import walk
from indexer.commands.verify.checkpoints import Pass
from indexer.commands.verify.reconciliation import Reconciliation
from indexer.errors import ExitCode, StoppedEarlyError
from indexer.sink.counts import Aggregates
from tests.acceptance.daemon import feed, left_over, query, running
from tests.faults import truth
from tests.integration.verifying import FOLLOW, POST, checks, reconcile, verify, walking, world
from tests.integration.writing import Snapshot, Writing, snapshot, writing, wrong_counters
from tests.messages import C1, REVS, A, B, create, delete, like, like_uri

HARMLESS = [
    """UPDATE post_agg SET "likeCount" = "likeCount" + 5, "replyCount" = 0 WHERE abs(hashtext(uri)) % 3 = 0""",
    "DELETE FROM post_agg WHERE abs(hashtext(uri)) % 7 = 1",
    """UPDATE profile_agg SET "postsCount" = 1, "followersCount" = 77 WHERE abs(hashtext(did)) % 4 = 0""",
    """DELETE FROM "like" WHERE abs(hashtext(uri)) % 9 = 0""",
    "DELETE FROM repost WHERE abs(hashtext(uri)) % 5 = 0",
    """UPDATE "like" SET cid = 'planted', via = 'x' WHERE abs(hashtext(uri)) % 11 = 0""",
    "DELETE FROM feed_item WHERE abs(hashtext(uri)) % 6 = 0",
    "DELETE FROM quote WHERE abs(hashtext(uri)) % 2 = 0",
    'DELETE FROM post_embed_image WHERE abs(hashtext("postUri")) % 4 = 0',
    "UPDATE post_embed_external SET title = 'planted' WHERE abs(hashtext(\"postUri\")) % 2 = 0",
    """UPDATE post SET "hasThreadGate" = NOT coalesce("hasThreadGate", false) WHERE abs(hashtext(uri)) % 5 = 0""",
    "UPDATE post SET text = 'planted' WHERE abs(hashtext(uri)) % 8 = 0",
    "DELETE FROM actor_block WHERE abs(hashtext(uri)) % 2 = 0",
    "INSERT INTO post_embed_video SELECT 'at://did:plc:x/app.bsky.feed.post/' || n, 'v' FROM generate_series(1, 40) n",
    """INSERT INTO duplicate_record SELECT uri, cid, uri || 'x', "indexedAt" FROM "like"
    WHERE abs(hashtext(uri)) % 30 = 0""",
]
"""Faults by which nothing is judged that depends on a moment (gates, notifications): the truth is what it would be."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SECOND_LOOK_S", 0.05)
    monkeypatch.setattr(walk, "PORTION", 100)


APART = ("dirty_count", "reconcile", "handle_lookup", "notification")
"""Tables that nothing here is about."""


async def rows(sink: Writing) -> Snapshot:
    """NULL and false of flags are the same."""
    found = {table: some for table, some in (await snapshot(sink.pool)).items() if table not in APART}
    posts = [json.loads(text) for text in found["post"]]
    found["post"] = sorted(json.dumps({k: v or None for k, v in post.items()}, sort_keys=True) for post in posts)
    return found


async def beside(
    database: str,
    other: str,
    messages: Sequence[bytes],
    aggregates: Aggregates,
    faults: Sequence[str] = HARMLESS,
    only: Sequence[str] = (),
) -> None:
    """Faults in the middle of the messages; mended while the rest comes. The tables are those of a calm run."""
    half = len(messages) // 2
    async with writing(other) as calm, writing(database, aggregates=aggregates) as sink:
        await calm.feed(messages)
        await sink.feed(messages[:half])
        for statement in faults:
            await sink.pool.execute(statement)
        await asyncio.gather(sink.feed(messages[half:], 20), reconcile(database, only))
        await reconcile(database, only)  # what came to rows that were wrong when they were looked at
        assert await verify(database, *only) == {}
        assert await wrong_counters(sink.pool) == []
        assert await rows(sink) == await rows(calm)


@pytest.mark.parametrize("aggregates", ["delta", "recount"])
async def test_mended_beside_an_instance_the_tables_are_the_truth(
    database: str, other_database: str, aggregates: Aggregates
) -> None:
    await beside(
        database, other_database, truth.traffic(300, 12), aggregates, HARMLESS[:4], ("like.missing", "aggregates")
    )


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("aggregates", ["delta", "recount"])
async def test_much_is_mended_beside_an_instance(database: str, other_database: str, aggregates: Aggregates) -> None:
    await beside(database, other_database, truth.traffic(8_000, 40), aggregates)


async def test_count_waits_for_a_delta_that_is_in_flight(database: str) -> None:
    """A like is written, and its delta not committed yet: the count is taken after that, not before."""
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 50 WHERE uri = $1""", POST)
        async with sink.pool.acquire() as neighbour:
            await neighbour.execute("BEGIN")
            await neighbour.execute(
                """INSERT INTO "like" (uri, cid, creator, subject, "subjectCid", "createdAt", "indexedAt")
                VALUES ('at://x', 'c', 'x', $1, 'c', 't', 't')""",
                POST,
            )
            await neighbour.execute("""UPDATE post_agg SET "likeCount" = "likeCount" + 1 WHERE uri = $1""", POST)
            mending = asyncio.create_task(reconcile(database, ["post_agg"]))
            waits = (
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while not await sink.value(waits):
                await asyncio.sleep(0.01)
            await neighbour.execute("COMMIT")
        await mending
        assert await sink.value("""SELECT "likeCount" FROM post_agg WHERE uri = $1""", POST) == 3


async def test_broken_off_it_goes_on_where_it_was(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PORTION", 5)
    async with writing(database) as sink, walking(database, "like") as walker:
        await sink.feed([create(like_uri(A, f"{n:03}"), like(f"{POST}{n}"), REVS[n], C1) for n in range(40)])
        await sink.pool.execute("""UPDATE "like" SET cid = 'planted'""")
        stop, first = asyncio.Event(), Reconciliation(walker, checks(walker), 1.0)
        note, seen = first._checkpoints.note, []

        async def noting(one: object) -> None:
            await note(one)  # type: ignore[arg-type]
            seen.append(one)
            if len(seen) == 3:
                stop.set()

        monkeypatch.setattr(first._checkpoints, "note", noting)
        await first.all(stop)
        assert first.changed == {"like.differs": 15}
        again = Reconciliation(walker, checks(walker), 1.0)
        looked_at: dict[str, int] = {}
        keep = again._checkpoints.note

        async def keeping(one: Pass) -> None:
            await keep(one)
            looked_at[one.name] = one.keys

        monkeypatch.setattr(again._checkpoints, "note", keeping)
        await again.all(asyncio.Event())
        assert looked_at["record"] == 40, "what was done is looked at again"
        assert again.changed == {"like.differs": 40}  # in all
        assert await sink.value("""SELECT count(*) FROM "like" WHERE cid = 'planted'""") == 0
        assert await sink.value("SELECT count(*) FROM indexer.reconcile") == 0


async def test_newer_run_takes_over(database: str) -> None:
    async with writing(database) as sink, walking(database, "like") as walker:
        await sink.feed(world())
        older, newer = (Reconciliation(walker, checks(walker), 1.0) for _ in range(2))
        note = older._checkpoints.note

        async def overtaken(one: object) -> None:
            await newer._checkpoints.take(restart=False)
            await note(one)  # type: ignore[arg-type]

        older._checkpoints.note = overtaken  # type: ignore[method-assign]
        with pytest.raises(StoppedEarlyError):
            await older.all(asyncio.Event())


async def test_row_that_cannot_be_written_is_left_and_told(database: str) -> None:
    async with writing(database) as sink, walking(database, "post") as walker:
        await sink.feed(world())
        await sink.pool.execute("UPDATE post SET text = 'planted'")
        await sink.pool.execute("ALTER TABLE post ADD CHECK (text <> 'hello') NOT VALID")
        run = Reconciliation(walker, checks(walker), 1.0)
        await run.all(asyncio.Event())
        assert {one.key for one in run.left} == {POST}
        assert set((await verify(database, "post")).get("post.differs", ())) == {POST}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command of the indexer, in this process: to start one takes seconds on a busy machine."""
    monkeypatch.setenv("DB_POSTGRES_URL", database)
    monkeypatch.setenv("INDEXER_RECONCILE_PAUSE", "0")

    def run(*words: str, text: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        try:
            code = cli.main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return Done(code, *capsys.readouterr())

    return run


def prepare(database: str, *statements: str) -> None:
    async def run() -> None:
        async with writing(database) as sink:
            await sink.feed(world())
            for statement in statements:
                await sink.pool.execute(statement)

    asyncio.run(run())


def test_commands_say_what_is_wrong_and_what_they_did(database: str, command: Command) -> None:
    prepare(database, f"""UPDATE post_agg SET "likeCount" = 9 WHERE uri = '{POST}'""")
    found = command("verify", "--all", "--only", "post_agg", "--json")
    assert found.code == ExitCode.FINDINGS, found.err
    document = json.loads(found.out)
    assert document["findings"]["post_agg.likeCount"]["examples"] == [
        {"key": POST, "detail": "is 9, counted 2", "mendable": True}
    ]
    dry = command("reconcile", "--only", "post_agg", "--dry-run")
    assert (dry.code, "1 would be mended" in dry.out) == (ExitCode.FINDINGS, True)
    done = command("reconcile", "--only", "post_agg")
    assert (done.code, done.out) == (0, "        1  post_agg.likeCount\n1 mended\n")
    assert command("verify", "--only", "post_agg").code == 0


def test_single_keys_are_counted_again(database: str, command: Command) -> None:
    prepare(
        database,
        """UPDATE post_agg SET "likeCount" = 9; UPDATE profile_agg SET "followersCount" = 9""",
    )
    done = command("reconcile", "--uri", POST, "--keys", "-", "--json", text=f"{A}\n\n{B}\n")
    changed = json.loads(done.out)["changed"]
    assert changed == {"post_agg.likeCount": 1, "profile_agg.followersCount": 2}
    left = asyncio.run(verify(database))
    assert set(left) <= {"post_agg.likeCount", "profile_agg.followersCount"}
    assert POST not in left["post_agg.likeCount"]
    assert command("reconcile", "--uri", "nonsense").code == ExitCode.CONFIG
    assert command("verify", "--only", "nonsense").code == ExitCode.USAGE


KILLS = 4
_DONE = "SELECT coalesce(sum(keys), 0) + count(*) FROM indexer.reconcile"


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_again_and_again_it_comes_to_the_end(
    database: str, other_database: str, redis_url: str, tmp_path: Path
) -> None:
    """Beside two daemons, which are not disturbed; the tables are those of one daemon alone."""
    messages = truth.traffic(4_000, 40)
    truth.index_alone(other_database, redis_url, tmp_path, messages)
    feed(redis_url, truth.STREAM, messages[:2_000])
    with running(database, redis_url, tmp_path, "--drain") as daemon:
        assert daemon.wait() == 0, daemon.output
    for statement in HARMLESS:
        asyncio.run(query(database, statement))
    environment = {**os.environ, "DB_POSTGRES_URL": database, "INDEXER_RECONCILE_PAUSE": "20"}
    words = [sys.executable, "-m", "indexer", "reconcile"]
    with (
        running(database, redis_url, tmp_path, consumer="a") as one,
        running(database, redis_url, tmp_path, consumer="b") as two,
    ):
        feed(redis_url, truth.STREAM, messages[2_000:])
        for _ in range(KILLS):
            before = asyncio.run(query(database, _DONE))[0][0]
            process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            one.until(lambda before=before: asyncio.run(query(database, _DONE))[0][0] > before + 3)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        assert "goes on where a run was broken off" in done.stderr
        one.until(lambda: left_over(redis_url, truth.STREAM) == (0, 0))
        assert (one.stop(), two.stop()) == (0, 0)
    assert subprocess.run(words, env=environment, check=False, capture_output=True).returncode == 0
    truth.equals(database, other_database, messages, in_stream_order=False)


async def test_record_that_goes_while_it_is_mended_stays_gone(database: str) -> None:
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("DELETE FROM follow WHERE uri = $1", FOLLOW)
        await asyncio.gather(reconcile(database), sink.feed([delete(FOLLOW, REVS[200])]))
        assert await verify(database) == {}
        assert FOLLOW not in await sink.uris("follow")
