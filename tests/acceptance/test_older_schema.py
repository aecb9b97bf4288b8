"""A database of an older AppView: columns that came late switch off what they hold, others end the start."""

from pathlib import Path

import redis

from indexer.errors import ExitCode
from tests.acceptance.daemon import Daemon
from tests.conftest import execute
from tests.messages import A, B, create, like, like_uri, post_uri

STREAM = "firehose_live"


def test_likes_are_indexed_without_via(database: str, redis_url: str, tmp_path: Path) -> None:
    execute(database, 'ALTER TABLE "like" DROP COLUMN via, DROP COLUMN "viaCid"')
    with redis.Redis.from_url(redis_url) as client:
        client.xadd(STREAM, {"event": create(like_uri(B, "l1"), like(post_uri(A, "p")))})
        daemon = Daemon(database, redis_url, tmp_path, "--drain")
        assert daemon.wait() == ExitCode.DONE, daemon.output
        assert client.xlen(STREAM) == 0
    notes = [line["note"] for line in daemon.lines("schema_note")]
    assert [note for note in notes if "via" in note and "viaCid" not in note]
    assert len(notes) == 2
    execute(database, 'DO $$ BEGIN ASSERT (SELECT count(*) FROM "like") = 1; END $$')


def test_a_column_that_is_needed_ends_the_start(database: str, redis_url: str, tmp_path: Path) -> None:
    execute(database, 'ALTER TABLE "like" DROP COLUMN "subjectCid" CASCADE')
    daemon = Daemon(database, redis_url, tmp_path, "--drain")
    assert daemon.wait() == ExitCode.CONFIG
    assert "like.subjectCid is missing" in daemon.output
