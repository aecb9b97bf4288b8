"""What is no valid record (vectors.md 6, limits; records.md 3): each just inside and just outside."""

from typing import Any

import pytest

from indexer._native import COLLECTIONS, Event, Reject, decode_events
from indexer.records import RECORDS
from tests.messages import C1, A, B, Record, blob, create, like, mention, post, post_uri, record, reference, uri
from tests.unit.folding import CLOCK_MS

FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}\u200d\N{BOY}"  # 25 bytes, one grapheme
P = post_uri(A, "p")


def outcome(link: str, said: Any) -> str:
    (result,) = decode_events([create(link, said)], [CLOCK_MS])
    assert isinstance(result, Event | Reject)
    return "valid" if isinstance(result, Event) else result.reason


def facets(*features: Any, start: Any = 0) -> list[Any]:
    return [{"index": {"byteStart": start, "byteEnd": 1}, "features": list(features)}]


def linked(address: str) -> Any:
    return {"$type": "app.bsky.richtext.facet#link", "uri": address}


def images(number: int) -> Record:
    return {"$type": "app.bsky.embed.images", "images": [{"image": blob(n), "alt": ""} for n in range(number)]}


def labels(number: int) -> Record:
    return {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": str(n)} for n in range(number)]}


VALID: dict[str, Record] = {
    "300 characters": post("a" * 300),
    "120 joined emoji": post(FAMILY * 120),
    "no text": post(""),
    "3 languages": post(langs=["en", "de", "x-klingon"]),
    "8 tags": post(tags=["t"] * 8),
    "4 images": post(embed=images(4)),
    "10 labels": post(labels=labels(10)),
    "labels of an unknown type": post(labels={"$type": "com.example.labels", "values": 5}),
    "unknown keys": post(unknown={"a": [1, None]}),
    "an embed of an unknown type": post(embed={"$type": "com.example.embed"}),
    "prefix lex": {**post(), "$type": "lex:app.bsky.feed.post"},
    "integral float": {**post(facets=facets(linked("https://a.example"), start=1.0))},
}
INVALID: dict[str, Record] = {
    "301 characters": post("a" * 301),
    "121 joined emoji": post(FAMILY * 121),
    "4 languages": post(langs=["en"] * 4),
    "9 tags": post(tags=["t"] * 9),
    "5 images": post(embed=images(5)),
    "11 labels": post(labels=labels(11)),
    "a facet without features": post(facets=[{"index": {"byteStart": 0, "byteEnd": 1}}]),
    "a mention of no DID": post(facets=mention("alice.test")),
    "a link with a blank": post(facets=facets(linked("https://a.example/b c"))),
    "a facet at half a byte": post(facets=facets(linked("https://a.example"), start=0.5)),
    "a facet before the text": post(facets=facets(linked("https://a.example"), start=-1)),
    "a reply with a bad cid": post(reply={"root": reference(P), "parent": reference(P, "zzz")}),
    "an embed without type": post(embed={"images": []}),
    "reply null": {**post(), "reply": None},
    "tags null": {**post(), "tags": None},
    "a blob whose ref is text with further keys": post(
        embed={"$type": "app.bsky.embed.images", "images": [{"image": {**blob("x"), "extra": 1}, "alt": ""}]}
    ),
    "type with #main": {**post(), "$type": "app.bsky.feed.post#main"},
    "another type": {**post(), "$type": "app.bsky.feed.like"},
    "no type": {name: value for name, value in post().items() if name != "$type"},
}


@pytest.mark.parametrize("what", VALID)
def test_valid(what: str) -> None:
    assert outcome(P, VALID[what]) == "valid"


@pytest.mark.parametrize("what", INVALID)
def test_invalid(what: str) -> None:
    assert outcome(P, INVALID[what]) == "invalid_record"


@pytest.mark.parametrize("said", [None, [], "x", 5, {}])
def test_like_that_is_no_object_or_lacks_its_subject_is_invalid(said: Any) -> None:
    assert outcome(uri(A, "app.bsky.feed.like", "l"), said) in ("invalid_record", "missing_field")
    broken = {**like(P), "subject": said}
    assert outcome(uri(A, "app.bsky.feed.like", "l"), broken) == "invalid_record"


@pytest.mark.parametrize("said", [{}, {"$type": "x"}, {"allowIncoming": 5}])
def test_chat_declaration_is_never_validated(said: Any) -> None:
    assert outcome(uri(A, "chat.bsky.actor.declaration", "self"), said) == "valid"


@pytest.mark.parametrize(
    "extra", [{"$link": "notacid"}, {"$bytes": "***"}, {"cid": "notacid", "mimeType": "image/png"}]
)
def test_what_is_not_of_the_data_model_is_refused_in_any_field(extra: Any) -> None:
    assert outcome(P, post(unknown=[extra])) == "bad_record"


def test_python_and_rust_know_the_same_collections() -> None:
    assert set(RECORDS) == set(COLLECTIONS)
    assert {kind.collection for kind in RECORDS.values()} == set(RECORDS)


def test_purpose_of_a_list_is_not_enforced() -> None:
    assert outcome(uri(A, "app.bsky.graph.list", "l"), record("app.bsky.graph.list", name="n", purpose="w")) == "valid"
    assert outcome(uri(A, "app.bsky.graph.follow", "f"), record("app.bsky.graph.follow", subject=B)) == "valid"
    assert outcome(uri(A, "app.bsky.graph.follow", "f"), record("app.bsky.graph.follow", subject=C1)) == (
        "invalid_record"
    )
