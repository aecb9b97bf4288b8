"""A batch is decoded in portions: nobody should notice."""

import json

from indexer._native import Event, decode_events, decode_labels, decode_records

from .test_decode_events import CLOCK_MS, message

PORTION = 256 << 10
"""Bytes of a portion in `batch.rs`; a longer item is one by itself."""
SIZES = [1, PORTION + 1, 1, PORTION // 2, PORTION // 2, 2 * PORTION, PORTION - 1, *[1] * 1200, PORTION, 1]


def test_each_item_has_its_result_in_its_place() -> None:
    payloads = [
        message({"text": "", "other": "x" * size}, rkey=f"r{place}") if size > 1 else b"[" + b" " * (place % 3) + b"]"
        for place, size in enumerate(SIZES)
    ]
    results = decode_events(payloads, [CLOCK_MS] * len(payloads))
    assert len(results) == len(SIZES)
    for place, (size, result) in enumerate(zip(SIZES, results, strict=True)):
        assert isinstance(result, Event) == (size > 1)
        if isinstance(result, Event):
            assert result.rkey == f"r{place}"
            assert result.json is not None
            assert len(result.json) > size


def test_labels_and_records_as_well() -> None:
    label = {"src": "did:plc:a", "val": "spam", "cts": "2025-10-20T10:00:00Z"}
    entries = [json.dumps({"labels": [label | {"uri": f"{place}/{'x' * size}"}]}) for place, size in enumerate(SIZES)]
    rows = decode_labels([entry.encode() for entry in entries])
    uris = [row[0][1] for row in rows if isinstance(row, list)]
    assert uris == [f"{place}/{'x' * size}" for place, size in enumerate(SIZES)]
    records = [json.dumps({"allowIncoming": place, "other": "x" * size}) for place, size in enumerate(SIZES)]
    decoded = decode_records([("chat.bsky.actor.declaration", record) for record in records])
    assert [record and record.value for record in decoded] == [{"allowIncoming": place} for place in range(len(SIZES))]


def test_an_empty_batch_has_no_results() -> None:
    assert (decode_events([], []), decode_labels([]), decode_records([])) == ([], [], [])
