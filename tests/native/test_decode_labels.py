"""The shape of what `decode_labels` returns."""

import pytest

from indexer._native import Ignored, Reject, decode_labels
from tests.messages import label, label_frame, label_message

ROW = ("did:plc:s", "did:plc:u", "bafy", "spam", True, "2025-10-20T09:00:00.000Z", "2026-01-01T00:00:00.000Z")
LABEL = label("did:plc:u", src=ROW[0], cts=ROW[5], cid="bafy", neg=True, exp=ROW[6])
BARE = {"src": "s", "uri": "u", "val": "v", "cts": "2025-10-20 09:00:00.5 UTC"}
BARE_ROW = ("s", "u", "", "v", False, "2025-10-20T09:00:00.500Z", None)


def test_labels_are_tuples_in_the_order_of_the_columns() -> None:
    assert decode_labels([label_message(LABEL), label_frame(BARE, LABEL), label_frame()]) == [
        [ROW],
        [BARE_ROW, ROW],
        [],
    ]


def test_each_payload_has_one_result_in_its_place() -> None:
    results = decode_labels([b"{", label_message(BARE), b"", label_frame(LABEL, {}), b'{"type":"create"}', b"5"])
    assert [getattr(result, "cause", getattr(result, "reason", result)) for result in results] == [
        "not_json",
        [BARE_ROW],
        "empty",
        "missing_field:labels/1/src",
        "unknown_type",
        "not_an_object",
    ]
    assert [type(result) for result in results] == [Reject, list, Ignored, Reject, Ignored, Reject]
    assert decode_labels([]) == []


def test_reject_tells_people_what_is_wrong() -> None:
    (missing, bad) = decode_labels([label_frame(LABEL, {**LABEL, "uri": 5}), label_message({**LABEL, "val": "a\0b"})])
    assert isinstance(missing, Reject)
    assert isinstance(bad, Reject)
    assert (missing.reason, missing.detail) == (
        "missing_field",
        "uri is not a string; it must be a string that is not empty",
    )
    assert (bad.reason, bad.cause, bad.detail) == ("bad_label", "bad_label:val", "val holds NUL or a lone surrogate")


def test_texts_are_what_postgresql_accepts() -> None:
    (row,) = decode_labels(
        [b'{"type":"label","label":{"src":"\xff","uri":"\\ud83d\\ude00","val":"\xc3\xa9","cts":"t"}}']
    )
    assert row == [("\ufffd", "\U0001f600", "", "é", False, "t", None)]


def test_what_is_not_bytes_is_refused() -> None:
    for bad in (["{}"], [None], [bytearray(b"{}")], 5):
        with pytest.raises(TypeError):
            decode_labels(bad)  # type: ignore[arg-type]
