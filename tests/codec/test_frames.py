"""Frames of the network against what others made of them."""

import json
from typing import Any

import pytest

from indexer import codec
from indexer.codec.testing import build
from tests.codec import corpus

RELAY = "relay-2026-07-04"
RECORDS = {"a.b.c/1": {"a": 1}}


def decoded(name: str) -> list[codec.Frame]:
    found = codec.decode_frames(corpus.frames(name))
    assert all(isinstance(frame, codec.Frame) for frame in found), found
    return [frame for frame in found if isinstance(frame, codec.Frame)]


def test_the_relays_frames_become_what_jetstream_served() -> None:
    events = [json.loads(event) for frame in decoded(RELAY) for event in frame.events]
    served = corpus.lines(f"frames/{RELAY}.jetstream_v1.jsonl.gz")
    assert len(events) == len(served) == 72
    ours = [
        (
            event["did"],
            {
                "rev": event["rev"],
                "operation": event["type"],
                "collection": event["collection"],
                "rkey": event["rkey"],
                **{name: event[name] for name in ("record", "cid") if name in event},
            },
        )
        for event in events
    ]
    assert sorted(ours, key=str) == sorted(((line["did"], line["commit"]) for line in served), key=str)


@pytest.mark.parametrize("name", corpus.FRAMES)
def test_frames_are_what_another_decoder_says(name: str) -> None:
    described = corpus.lines(f"frames/{name}.decoded.jsonl.gz")
    for frame, expected in zip(decoded(name), described, strict=True):
        body = expected["body"]
        assert (frame.kind, frame.seq, frame.skipped) == (expected["header"]["t"], body["seq"], 0)
        assert [json.loads(event) for event in frame.events] == list(
            events_of(frame.kind, body, expected.get("records"))
        )


def events_of(kind: str, body: dict[str, Any], records: Any) -> list[dict[str, Any]]:
    """The stream events of a message, from its description."""
    shared = {"seq": body["seq"], "time": body["time"]}
    if kind in ("#identity", "#account"):
        fields: dict[str, Any] = {name: body[name] for name in ("did", "handle", "active", "status") if name in body}
        return [{"type": kind[1:], **shared, **fields}]
    found = []
    for op in body.get("ops", ()):
        collection, rkey = op["path"].split("/")
        event = {"type": op["action"], **shared, "did": body["repo"], "commit": body["commit"]["$link"]}
        event |= {"rev": body["rev"], "collection": collection, "rkey": rkey}
        if op["action"] != "delete":
            event |= {"cid": op["cid"]["$link"], "record": records[op["cid"]["$link"]]}
        found.append(event)
    return found


def test_events_made_by_another_decoder_are_among_ours() -> None:
    ours = [json.loads(event) for name in corpus.FRAMES for frame in decoded(name) for event in frame.events]
    assert all(event in ours for event in corpus.lines("frames/live.jsonl.gz"))


def test_all_events_are_ones_that_the_indexer_takes() -> None:
    payloads = [event for name in corpus.FRAMES for frame in decoded(name) for event in frame.events]
    results = codec.decode_events(payloads)
    assert len(results) > 120
    assert all(isinstance(result, codec.Event) for result in results)


def test_fields_have_the_order_of_the_reference() -> None:
    (event, *_), (deletion, *_) = (
        [event for frame in decoded(RELAY) for event in frame.events if json.loads(event)["type"] == kind]
        for kind in ("create", "delete")
    )
    order = ["type", "record", "cid", "seq", "time", "did", "commit", "rev", "collection", "rkey"]
    assert list(json.loads(event)) == order
    assert list(json.loads(deletion)) == [name for name in order if name not in ("record", "cid")]


def test_a_batch_is_each_frame_for_itself() -> None:
    frames = [frame for name in corpus.FRAMES for frame in corpus.frames(name)] * 30
    frames.insert(7, b"")
    results = codec.decode_frames(frames)
    assert len(results) == len(frames)
    assert isinstance(results[7], codec.Fault)
    for frame, result in list(zip(frames, results, strict=True))[:200]:
        (alone,) = codec.decode_frames([frame])
        if isinstance(result, codec.Frame):
            assert isinstance(alone, codec.Frame)
            assert alone.events == result.events
        else:
            assert alone == result


def test_a_commit_that_was_too_big_may_come_without_blocks() -> None:
    body = {**build.commit_body(RECORDS, ["a.b.c/2"]), "tooBig": True, "blocks": b""}
    (frame,) = codec.decode_frames([build.message("#commit", body)])
    assert isinstance(frame, codec.Frame)
    assert (frame.skipped, [json.loads(event)["type"] for event in frame.events]) == (1, ["delete"])
    (fault,) = codec.decode_frames([build.message("#commit", body | {"tooBig": False})])
    assert isinstance(fault, codec.Fault)
    assert fault.kind == "bad_car"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("#handle", {"seq": 7, "did": build.DID, "handle": "a.example", "time": build.TIME}),
        ("#tombstone", {"seq": 7, "did": build.DID, "time": build.TIME}),
        ("#sync", {"seq": 7, "did": build.DID, "time": build.TIME, "rev": build.REV, "blocks": b"\x00"}),
        ("#sometime", {"seq": 7, "new": [{}]}),
    ],
)
def test_messages_without_events_give_their_place(kind: str, body: dict[str, Any]) -> None:
    (frame,) = codec.decode_frames([build.message(kind, body)])
    assert isinstance(frame, codec.Frame)
    assert (frame.kind, frame.seq, frame.events, frame.skipped) == (kind, 7, [], 0)


def test_what_a_commit_may_have_beside_what_is_needed() -> None:
    body = build.commit_body(RECORDS)
    (expected,) = codec.decode_frames([build.message("#commit", body)])
    root, blocks = build.repository(RECORDS)
    blocks[codec.Cid.of_raw(b"x")] = b"x"
    for change in (
        {"prevData": root, "rebase": False, "tooBig": False, "new": [None]},
        {"ops": [{**body["ops"][0], "prev": root, "new": 1}]},
        {"blocks": build.car([root], [*blocks.items()] * 2)},
        {"blocks": build.car([], blocks.items())},
    ):
        (frame,) = codec.decode_frames([build.message("#commit", body | change)])
        assert codec.checked(frame).events == codec.checked(expected).events
    (empty,) = codec.decode_frames([build.message("#commit", body | {"blocks": build.car([root], [])})])
    assert (codec.checked(empty).events, codec.checked(empty).skipped) == ([], 1)
