"""The shape of what `decode_events` returns."""

import json
from typing import Any

import pytest

from indexer._native import COLLECTIONS, IGNORED_REASONS, REJECT_REASONS, Event, Ignored, Reject, decode_events

CID = "bafyreihhvnqqezgk4hztfevaic6kxxllqg2pbkj25wnbdxcqs6jojyj64i"
RAW = "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm"
DID = "did:plc:abc"
TIME = "2025-10-20T10:00:00.123456Z"
CLOCK_MS = 1_760_954_400_000


def message(record: Any, collection: str = "app.bsky.feed.post", **fields: Any) -> bytes:
    """A create; a record that is an object gets the properties that every record has."""
    if isinstance(record, dict):
        record = {"$type": collection, "createdAt": "2025-10-20T09:00:00Z", **record}
    event = {
        "type": "create",
        "record": record,
        "cid": CID,
        "seq": 7,
        "time": TIME,
        "did": DID,
        "commit": CID,
        "rev": "3m000000000aa",
        "collection": collection,
        "rkey": "r1",
    }
    return json.dumps(event | fields).encode()


def event_of(payload: bytes) -> Event:
    [result] = decode_events([payload], [CLOCK_MS])
    assert isinstance(result, Event), getattr(result, "detail", result)
    return result


def value_of(record: Any, collection: str = "app.bsky.feed.post") -> dict[str, Any]:
    value = event_of(message(record, collection)).value
    assert value is not None
    return value


def test_a_create_has_every_field() -> None:
    event = event_of(message({"text": "hi", "other": 1}))
    assert event.kind == "create"
    assert event.did == event.creator == DID
    assert event.time == TIME
    assert event.rev == "3m000000000aa"
    assert event.commit == event.cid == CID
    assert event.uri == f"at://{DID}/app.bsky.feed.post/r1"
    assert event.collection == "app.bsky.feed.post"
    assert event.rkey == "r1"
    assert event.json == '{"$type":"app.bsky.feed.post","createdAt":"2025-10-20T09:00:00Z","text":"hi","other":1}'
    assert event.value == {"createdAt": "2025-10-20T09:00:00Z", "text": "hi"}
    assert event.created_at == "2025-10-20T09:00:00.000Z"
    assert (event.backfill, event.cleaned) == (False, False)
    assert (event.description_facets, event.active, event.status) == (None, None, None)


def test_fields_that_a_kind_lacks_are_none() -> None:
    common: dict[str, Any] = {"did": DID, "time": TIME}
    messages: list[dict[str, Any]] = [
        common | {"type": "account", "active": False, "status": "Suspended"},
        common | {"type": "identity", "handle": "a.test"},
        common | {"type": "repo", "rev": "3m", "commit": CID},
        common | {"type": "delete", "rev": "3m", "commit": CID, "collection": "a.b.c", "rkey": "x", "seq": -2},
    ]
    payloads = [json.dumps(fields).encode() for fields in messages]
    [account, identity, repo, delete] = decode_events(payloads, [CLOCK_MS] * 4)
    record_fields = ("cid", "json", "value", "created_at", "description_facets")
    for event in (account, identity, repo, delete):
        assert isinstance(event, Event)
        assert [getattr(event, name) for name in record_fields] == [None] * 5
    assert isinstance(account, Event)
    assert (account.active, account.status, account.rev, account.uri) == (False, "suspended", None, None)
    assert isinstance(repo, Event)
    assert (repo.rev, repo.commit, repo.uri, repo.collection, repo.backfill) == ("3m", CID, None, None, None)
    assert isinstance(delete, Event)
    assert (delete.uri, delete.rkey, delete.backfill) == (f"at://{DID}/a.b.c/x", "x", True)


def test_value_holds_the_declared_properties_with_what_lies_in_them() -> None:
    blob = {"$type": "blob", "ref": {"$link": RAW}, "mimeType": "image/png", "size": 5}
    embed = {
        "$type": "app.bsky.embed.images",
        "images": [{"alt": "x", "image": blob, "extra": [None, True, 1.5]}],
        "10": 1,
        "9": -0.0,
    }
    value = value_of({"text": "", "embed": embed, "undeclared": 1})
    assert value == {"createdAt": "2025-10-20T09:00:00Z", "text": "", "embed": embed}
    assert list(value["embed"]) == ["9", "10", "$type", "images"]
    assert isinstance(value["embed"]["9"], int)


def test_blobs_links_and_bytes_have_one_form() -> None:
    untyped = {"mimeType": "a/b", "cid": "zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}
    canonical = "bafkreidon73zkcrwdb5iafqtijxildoonbwnpv7dyd6ef3qdgads2jc4su"
    embed = {
        "$type": "com.example.unknown",
        "untyped": untyped,
        "dialect": {"size": 1, "mimeType": "a/b", "ref": RAW, "$type": "blob"},
        "link": {"$link": untyped["cid"]},
        "bytes": {"$bytes": "AQI="},
    }
    assert value_of({"text": "", "embed": embed})["embed"] == {
        "$type": "com.example.unknown",
        "untyped": {"cid": canonical, "mimeType": "a/b"},
        "dialect": {"$type": "blob", "ref": {"$link": RAW}, "mimeType": "a/b", "size": 1},
        "link": {"$link": canonical},
        "bytes": {"$bytes": "AQI"},
    }


def test_numbers_are_integers_where_they_are_exact() -> None:
    payload = message({"text": "", "embed": {"$type": "x", "n": "@"}}).replace(
        b'"@"', b"[1, 1.0, 9007199254740992, 1e300, 0.5, 1e400]"
    )
    value = event_of(payload).value
    assert value is not None
    numbers = value["embed"]["n"]
    assert numbers == [1, 1, 9007199254740992, 1e300, 0.5, None]
    assert [type(number) for number in numbers] == [int, int, int, float, float, type(None)]


def test_texts_and_keys_of_value_are_clean() -> None:
    event = event_of(
        message({"text": "a\0b\ud800c\ud83d\ude00", "tags": ["\0", "\udc00"], "embed": {"$type": "x", "k\0": 1}})
    )
    assert event.cleaned
    assert event.value is not None
    assert event.value["text"] == "ab\ufffdc😀"
    assert event.value["tags"] == ["", "\ufffd"]
    assert event.value["embed"] == {"$type": "x", "k": 1}
    assert event.json is not None
    assert r'"a\u0000b\ud800c😀"' in event.json


def test_description_facets_are_json_text() -> None:
    facet = {"index": {"byteStart": 0, "byteEnd": 1.0}, "features": []}
    record = {"name": "n", "purpose": "p", "descriptionFacets": [facet]}
    event = event_of(message(record, "app.bsky.graph.list"))
    assert event.description_facets == '[{"index":{"byteStart":0,"byteEnd":1},"features":[]}]'
    event = event_of(message(record | {"descriptionFacets": []}, "app.bsky.graph.list"))
    assert event.description_facets == "[]"


def test_a_chat_declaration_that_is_no_object_has_an_empty_value() -> None:
    payload = message(["anything"], "chat.bsky.actor.declaration")
    event = event_of(payload)
    assert (event.json, event.value) == ('["anything"]', {})
    event = event_of(message({"allowIncoming": 5, "x": 1}, "chat.bsky.actor.declaration"))
    assert event.value == {"allowIncoming": 5}


def test_other_collections_have_no_record() -> None:
    event = event_of(message({}, "com.example.other", cid=None))
    assert (event.collection, event.cid, event.json, event.value) == ("com.example.other", None, None, None)


def test_each_payload_has_one_result_in_its_place() -> None:
    payloads = [b"", message({"text": "1"}), b"{", b"[]", message({}), message({"text": "2"})]
    results = decode_events(payloads, [CLOCK_MS] * len(payloads))
    assert [type(result) for result in results] == [Ignored, Event, Reject, Ignored, Reject, Event]
    texts = [result.value["text"] for result in results if isinstance(result, Event) and result.value is not None]
    assert texts == ["1", "2"]


def test_a_reject_names_the_place_and_says_what_is_allowed() -> None:
    embed = {"$type": "app.bsky.embed.images", "images": [{"alt": 5}]}
    [reject] = decode_events([message({"text": "", "embed": embed})], [CLOCK_MS])
    assert isinstance(reject, Reject)
    assert reject.reason == "invalid_record"
    assert reject.cause == "invalid_record:embed/images/0/image"
    assert reject.detail == "embed/images/0/image must be present"


def test_each_payload_has_its_own_clock() -> None:
    payload = message({"text": ""}, rev="3m3mu000000aa")
    early, late = decode_events([payload, payload], [0, 4_000_000_000_000])
    assert isinstance(early, Reject)
    assert early.cause == "bad_rev"
    assert isinstance(late, Event)


def test_reasons_are_closed_lists() -> None:
    assert {"not_json", "missing_field", "crashed", "db"} < set(REJECT_REASONS)
    assert set(IGNORED_REASONS) == {"empty", "unknown_type", "account_status", "not_its_own", "vanished"}
    assert len(set(COLLECTIONS)) == len(COLLECTIONS) == 18


def test_wrong_arguments_raise() -> None:
    with pytest.raises(TypeError):
        decode_events(["{}"], [0])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        decode_events(b"{}", [0, 0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="1 payloads, but 2 clocks"):
        decode_events([b"{}"], [0, 0])
    assert decode_events([], []) == []


def test_results_are_immutable() -> None:
    event = event_of(message({"text": ""}))
    with pytest.raises(AttributeError):
        event.did = "x"  # type: ignore[misc]
