"""Dead letters with the real daemon: when there are too many, and how they are fed again."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.acceptance.daemon import Daemon, count, feed, left_over, query, refuse, run_once, running
from tests.integration.dead_letters import environment, rows
from tests.messages import A, B, create, label, label_frame, like, like_uri, post, post_uri

STREAM = "firehose_live"


def posts(number: int, first: int = 0) -> list[bytes]:
    return [create(post_uri(A, f"p{n}"), post()) for n in range(first, first + number)]


def likes(number: int) -> list[bytes]:
    return [create(like_uri(A, f"l{n}"), like(post_uri(B, f"p{n}"))) for n in range(number)]


def dlq(database: str, redis_url: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "indexer", "dlq", *arguments]
    return subprocess.run(
        command, env=environment(database, redis_url), capture_output=True, text=True, check=True
    ).stdout


def halted(daemon: Daemon) -> str:
    (line,) = daemon.lines("lane_halted")
    return str(line["error"])


def test_lane_halts_where_postgresql_refuses_more_than_the_limit(database: str, redis_url: str, tmp_path: Path) -> None:
    asyncio.run(refuse(database, "like", "23514"))
    feed(redis_url, STREAM, [*posts(949), *likes(51)])
    settings = {"INDEXER_MAX_ATTEMPTS": "1"}
    daemon = run_once(database, redis_url, tmp_path, "--drain", **settings)
    assert daemon.process.returncode == 1
    assert "51 of the last 1000 messages were refused by PostgreSQL" in halted(daemon)
    # the first batches have 64, 128, 256 and 500 messages
    assert left_over(redis_url, STREAM) == (52, 52), "the batch that was too much is not acknowledged"
    assert count(database, "post") == 949
    letters = rows(database, "SELECT id, message_id, first_at FROM indexer.dead_letter ORDER BY id")
    assert len(letters) == 51

    again = run_once(database, redis_url, tmp_path, "--drain", **settings)
    assert again.process.returncode == 0, "it begins to count anew"
    assert left_over(redis_url, STREAM) == (0, 0)
    assert rows(database, "SELECT id, message_id, first_at FROM indexer.dead_letter ORDER BY id") == letters


def test_lane_halts_where_more_than_half_is_dead_and_stays_for_people_to_look_at(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    feed(redis_url, STREAM, [*posts(499), *[b"{"] * 501])
    with running(database, redis_url, tmp_path) as daemon:
        daemon.until(lambda: bool(daemon.lines("lane_halted")))
        status, said = daemon.get("/readyz")
        assert status == 503
        assert "501 of the last 1000 messages became dead letters, more than 50 %" in said
        assert daemon.get("/livez")[0] == 200, "a restart would not help"
        assert daemon.stop() == 0
    assert left_over(redis_url, STREAM) == (52, 52)
    assert dlq(database, redis_url, "ls").splitlines()[-1] == "501 dead letters, 1 cause"


def test_what_strangers_can_write_is_told_and_does_not_halt(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, STREAM, [*posts(300), *[b"{"] * 400, *posts(800, 300)])
    daemon = run_once(database, redis_url, tmp_path, "--drain")
    assert daemon.process.returncode == 0
    assert left_over(redis_url, STREAM) == (0, 0)
    (line,) = daemon.lines("many_dead_letters")
    # batches of 64, 128, 256, 500 and 500
    assert (line["stream"], line["dead"], line["of_messages"]) == (STREAM, 400, 1_448)
    assert line["reasons"] == {"not_json": 400}


def test_switched_off_all_of_them_go_through(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, STREAM, [b"{"] * 1_200)
    daemon = run_once(database, redis_url, tmp_path, "--drain", INDEXER_DEAD_LETTER_LIMIT="off")
    assert daemon.process.returncode == 0
    assert left_over(redis_url, STREAM) == (0, 0)
    assert daemon.lines("many_dead_letters")


def test_messages_are_fed_again_when_the_cause_is_gone(database: str, redis_url: str, tmp_path: Path) -> None:
    """No daemon runs meanwhile. What dies again is a new letter, with its own times and attempts."""
    asyncio.run(refuse(database, "like", "23514"))
    feed(redis_url, STREAM, [*likes(3), b"{poison"])
    feed(redis_url, "label_live", [label_frame(label(val="a"), label(cts=""))], "labels")
    assert run_once(database, redis_url, tmp_path, "--drain").process.returncode == 0
    old = dict(rows(database, "SELECT message_id, id FROM indexer.dead_letter"))
    assert len(old) == 5

    asyncio.run(query(database, 'DROP TRIGGER refuse ON "like"'))
    said = dlq(database, redis_url, "retry", "--all")
    assert said == "added 5 messages again: firehose_live 4, label_live 1\n"
    assert run_once(database, redis_url, tmp_path, "--drain").process.returncode == 0
    assert count(database, "like") == 3
    again = rows(
        database, "SELECT message_id, id, cause, attempts, first_at = last_at FROM indexer.dead_letter ORDER BY id"
    )
    assert {(cause, attempts, once) for _, _, cause, attempts, once in again} == {
        ("not_json", 1, True),
        ("missing_field:labels/1/cts", 1, True),
    }
    assert not old.keys() & {message_id for message_id, *_ in again}
    assert min(id_ for _, id_, *_ in again) > max(old.values())
