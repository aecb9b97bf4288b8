"""Labels through the real daemon: both dialects, in a lane and a group of their own (streams.md 4, 6.3)."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis

from indexer import embedded
from tests.acceptance.daemon import GROUP, count, feed, left_over, query, run_once, running
from tests.messages import LABELER, A, B, create, label, label_frame, label_message, post, post_uri
from tests.oracle import library

CASE, STREAM = "labels-2k", "label_live"


def groups(redis_url: str, stream: str) -> list[str]:
    with redis.Redis.from_url(redis_url) as client:
        found: Any = client.xinfo_groups(stream) if client.exists(stream) else []
        return [group["name"].decode() for group in found]


def in_rust_spelling(label: dict[str, Any]) -> dict[str, Any]:
    """As the Rust producer writes it: no `sig`, null for what is absent, times as Rust displays them.

    It drops `exp`; here that stays, so that the rows can be compared.
    """
    cts = re.sub(r"^(.{10})T(.{8})(?:\.000|(\.\d+))Z$", r"\1 \2\3 UTC", label["cts"])
    kept = {name: label.get(name) for name in ("src", "uri", "cid", "val", "neg", "exp")}
    return {**kept, "cts": cts}


def frames_of(payloads: list[bytes], bad: set[int]) -> list[bytes]:
    """The same labels in frames of one to nine; what is refused has a frame of its own."""
    frames: list[bytes] = []
    sizes = itertools.cycle((3, 1, 9, 2, 5))
    waiting: list[dict[str, Any]] = []
    size = next(sizes)
    for place, payload in enumerate(payloads):
        one = json.loads(payload)["label"]
        if place in bad:
            frames.append(label_frame(one, seq=place))
            continue
        waiting.append(in_rust_spelling(one))
        if len(waiting) == size:
            frames.append(label_frame(*waiting, seq=place))
            waiting, size = [], next(sizes)
    return [*frames, label_frame(*waiting)]


def refused() -> set[int]:
    return {
        place for place, kind in library.kinds(CASE).items() if kind in ("label_no_cts", "label_no_uri", "label_nul")
    }


def equals_reference(database: str) -> None:
    status, said = library.compare(database, CASE)
    assert status == 0, said
    assert "differing rows 0 ; broken invariants 0" in said


@pytest.mark.parametrize("size", [7, pytest.param(500, marks=pytest.mark.long)])
def test_frames_of_the_rust_producer_give_the_same_rows(
    database: str, redis_url: str, tmp_path: Path, size: int
) -> None:
    frames = frames_of(library.messages(CASE), refused())
    assert b" UTC" in frames[0]
    assert b"sig" not in frames[0]
    feed(redis_url, STREAM, frames, "labels")
    assert run_once(database, redis_url, tmp_path, "--drain", INDEXER_BATCH_SIZE=str(size)).wait() == 0
    assert left_over(redis_url, STREAM) == (0, 0)
    equals_reference(database)


def test_both_dialects_in_one_stream_give_the_same_rows(database: str, redis_url: str, tmp_path: Path) -> None:
    payloads, bad = library.messages(CASE), refused()
    for start in range(0, len(payloads), 100):
        part = payloads[start : start + 100]
        if start % 200:
            part = frames_of(part, {place - start for place in bad})
        feed(redis_url, STREAM, part, "labels" if start % 200 else "event")
    assert run_once(database, redis_url, tmp_path, "--drain").wait() == 0
    assert left_over(redis_url, STREAM) == (0, 0)
    equals_reference(database)


@pytest.mark.parametrize(
    ("mode", "read"),
    [
        ("all", {"firehose_live", "firehose_backfill", STREAM}),
        ("stream", {"firehose_live", "firehose_backfill"}),
        ("label", {STREAM}),
    ],
)
def test_mode_says_which_lanes_run(database: str, redis_url: str, tmp_path: Path, mode: str, read: set[str]) -> None:
    fed = {
        "firehose_live": create(post_uri(A, "a"), post()),
        "firehose_backfill": create(post_uri(B, "b"), post(), seq=-2),
        STREAM: label_message(label()),
    }
    for stream, payload in fed.items():
        feed(redis_url, stream, [payload])
    with running(database, redis_url, tmp_path, environment={"INDEXER_MODE": mode}) as daemon:
        daemon.started()
        daemon.until(lambda: all(left_over(redis_url, stream) == (0, 0) for stream in read))
        shown = {dict(labels)["stream"] for _, labels in daemon.metrics() if "stream" in dict(labels)}
        assert daemon.get("/readyz") == (200, "ok\n")
        assert daemon.stop() == 0
    assert shown == read
    assert run_once(database, redis_url, tmp_path, "--drain", INDEXER_MODE=mode).wait() == 0
    assert {stream for stream in fed if left_over(redis_url, stream) == (0, 0)} == read
    assert count(database, "post") == len(read - {STREAM})
    assert count(database, "label") == (STREAM in read)


def test_labels_have_a_group_of_their_own(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, STREAM, [label_message(label())])
    feed(redis_url, "firehose_live", [create(post_uri(A, "a"), post())])
    assert run_once(database, redis_url, tmp_path, "--drain").wait() == 0
    assert groups(redis_url, STREAM) == ["label_group"]
    assert groups(redis_url, "firehose_live") == [GROUP]


def test_stream_and_group_of_labels_can_be_named(database: str, tmp_path: Path) -> None:
    """As rsky has it: the group of the events. The ACL file names the usual streams, so this server has none."""
    names = {"INDEXER_LABEL_STREAM": "labels_here", "INDEXER_LABEL_GROUP": GROUP}
    with embedded.redis() as server:
        feed(server.url, "labels_here", [label_frame(label())], "labels")
        assert run_once(database, server.url, tmp_path, "--drain", **names).wait() == 0
        assert groups(server.url, "labels_here") == [GROUP]
        assert groups(server.url, STREAM) == []
    assert count(database, "label") == 1


def test_gauges_of_labels_are_those_of_their_group(database: str, redis_url: str, tmp_path: Path) -> None:
    feed(redis_url, STREAM, [label_message(label(val=str(n))) for n in range(3)])
    with redis.Redis.from_url(redis_url) as client:
        client.xgroup_create(STREAM, "label_group", id="0")
        client.xreadgroup("label_group", "somebody", {STREAM: ">"}, count=2)
    with running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        series = ("stream", STREAM)
        daemon.until(lambda: daemon.metrics()["indexer_stream_pending", (series,)] == 2)
        assert daemon.metrics()["indexer_messages_total", (("outcome", "indexed"), series)] == 1
        daemon.stop()


async def test_rows_of_labels_are_counted(database: str, redis_url: str, tmp_path: Path) -> None:
    first = [label(val="a"), label(val="b", cts="2025-10-20T09:00:01.000Z")]
    then = [label(val="b", cts="2025-10-20T09:00:02.000Z", neg=True), label(val="a", neg=True)]
    with running(database, redis_url, tmp_path) as daemon:
        daemon.started()
        for labels in (first, then):
            feed(redis_url, STREAM, [label_frame(*labels)], "labels")
            daemon.until(lambda: left_over(redis_url, STREAM) == (0, 0))
        found = daemon.metrics()
        assert daemon.stop() == 0
    table = ("table", "label")
    rows = {
        change: found["indexer_rows_total", (("change", change), table)] for change in ("insert", "update", "delete")
    }
    assert rows == {"insert": 2, "update": 1, "delete": 0}
    kept = await query(database, "SELECT src, val, neg FROM label ORDER BY val")
    assert [tuple(row) for row in kept] == [(LABELER, "a", False), (LABELER, "b", True)]
