"""The functions beside `decode_events`."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer._native import (
    COLLECTIONS,
    REJECT_REASONS,
    Event,
    Reject,
    decode_events,
    decode_records,
    is_valid,
    normalize_timestamps,
    sanitize_text,
)

LIST = {"$type": "app.bsky.graph.list", "name": "a\0", "purpose": "p", "createdAt": "2025-10-20T09:00:00+02:00"}
LIST_NSID = "app.bsky.graph.list"


def test_stored_records_decode_like_events() -> None:
    with_facets = LIST | {"descriptionFacets": [], "x": 1}
    [record] = decode_records([(LIST_NSID, json.dumps(with_facets))])
    assert record is not None
    assert record.value == {
        "name": "a",
        "purpose": "p",
        "createdAt": "2025-10-20T09:00:00+02:00",
        "descriptionFacets": [],
    }
    assert record.created_at == "2025-10-20T07:00:00.000Z"
    assert record.description_facets == "[]"


@pytest.mark.parametrize(
    ("collection", "text"),
    [
        (LIST_NSID, ""),
        (LIST_NSID, "{"),
        (LIST_NSID, "\ud800"),
        (LIST_NSID, "null"),
        (LIST_NSID, json.dumps(LIST | {"name": ""})),
        (LIST_NSID, json.dumps(LIST | {"x": {"$link": "bad"}})),
        (LIST_NSID, json.dumps(LIST).replace('"p"', "[" * 2000 + "]" * 2000)),
        ("app.bsky.graph.block", json.dumps(LIST)),
        ("com.example.other", json.dumps(LIST)),
        ("\ud800", json.dumps(LIST)),
    ],
)
def test_what_is_no_valid_record_is_none(collection: str, text: str) -> None:
    good = (LIST_NSID, json.dumps(LIST))
    before, none, after = decode_records([good, (collection, text), good])
    assert none is None
    assert before is not None
    assert after is not None


def test_timestamps_keep_their_places() -> None:
    texts = [
        "2023-05-11T22:00:48.140135",
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:60Z",
        "",
        "2024-01-01T00:00:00+05:30",
        "\ud800",
    ]
    assert normalize_timestamps(texts) == [
        "2023-05-11T22:00:48.140Z",
        None,
        "2024-01-02T00:00:00.000Z",
        "1970-01-01T00:00:00.000Z",
        None,
        "2023-12-31T18:30:00.000Z",
        None,
    ]
    with pytest.raises(TypeError):
        normalize_timestamps([None])  # type: ignore[list-item]


@given(st.datetimes(min_value=datetime(10, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_instants_are_truncated_to_milliseconds(instant: datetime) -> None:
    text = instant.strftime("%m-%dT%H:%M:%S")
    [normalized] = normalize_timestamps([f"{instant.year:04}-{text}.{instant.microsecond:06}Z"])
    assert normalized == f"{instant.year:04}-{text}.{instant.microsecond // 1000:03}Z"


def test_what_needs_no_repair_is_not_copied() -> None:
    times = ["2026-07-04T14:38:07.517Z", "1970-01-01T00:00:00.000Z"]
    assert all(same is time for same, time in zip(normalize_timestamps(times), times, strict=True))
    for text in ("".join(["a post ", "äöü 😀"]), "x" * 1000):
        assert sanitize_text(text) is text


def test_sanitized_text_has_neither_nul_nor_surrogates() -> None:
    assert sanitize_text("a\0b\ud800c") == "ab\ufffdc"
    assert sanitize_text("\ud83d\ude00\ude00") == "😀\ufffd"
    assert sanitize_text(b"a\0\xffb\xe2\x82") == "a\ufffdb\ufffd"
    assert sanitize_text(b"") == ""
    with pytest.raises(TypeError):
        sanitize_text(5)  # type: ignore[arg-type]


@given(st.text())
def test_clean_text_is_the_same_object(text: str) -> None:
    cleaned = sanitize_text(text)
    assert (cleaned is text) == ("\0" not in text)
    assert cleaned == text.replace("\0", "")


@given(st.binary())
def test_any_bytes_become_text(data: bytes) -> None:
    text = sanitize_text(data)
    text.encode()
    assert text == data.decode(errors="replace").replace("\0", "")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("at-identifier", "a.test", "a"),
        ("at-uri", "at://did:plc:abc/a.b.c/x", "at://did:plc:abc/"),
        ("cid", "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm", "bafkrei"),
        ("datetime", "2024-01-01T00:00:00Z", "2024-01-01"),
        ("did", "did:plc:abc", "did:plc:"),
        ("handle", "a.test", "a.test."),
        ("language", "en-US", "e"),
        ("nsid", "a.b.c", "a.b"),
        ("record-key", "self", "."),
        ("tid", "3jzfcijpj2z2a", "3jzfcijpj2z21"),
        ("uri", "https://a.b/c", "https://a b"),
    ],
)
def test_formats_are_known_by_name(name: str, good: str, bad: str) -> None:
    assert is_valid(name, good)
    assert not is_valid(name, bad)
    assert not is_valid(name, "\ud800")


def test_an_unknown_format_raises() -> None:
    with pytest.raises(ValueError, match='unknown format "colour"'):
        is_valid("colour", "red")


@given(st.lists(st.binary(max_size=60)))
def test_any_payloads_have_one_result_each(payloads: list[bytes]) -> None:
    results = decode_events(payloads, [0] * len(payloads))
    assert len(results) == len(payloads)
    for result in results:
        if isinstance(result, Reject):
            assert result.reason in REJECT_REASONS
            assert result.reason != "crashed"
            assert result.cause.split(":")[0] == result.reason
            assert 0 < len(result.detail) <= 300


# JavaScript makes no property of `__proto__` (records.md 7).
keys = st.text(min_size=1).filter(lambda key: key != "__proto__")
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_json_of_any_value_reads_back_as_the_value(value: Any) -> None:
    payload = json.dumps(
        {
            "type": "create",
            "did": "did:plc:abc",
            "collection": "chat.bsky.actor.declaration",
            "rkey": "self",
            "rev": "2",
            "time": "t",
            "commit": "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm",
            "cid": "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm",
            "record": {"allowIncoming": value},
        }
    ).encode()
    [event] = decode_events([payload], [0])
    assert isinstance(event, Event)
    assert event.json is not None
    # A large double is printed with its shortest digits, which as an integer are another number.
    assert json.loads(event.json, parse_int=float) == {"allowIncoming": value}


def test_the_collections_are_the_eighteen() -> None:
    assert "app.bsky.feed.post" in COLLECTIONS
    assert "com.germnetwork.declaration" not in COLLECTIONS
