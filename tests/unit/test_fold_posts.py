"""Posts, their embeds, and what hangs on them (vectors.md 6 and 8, records.md 5.1; DIV-4, DIV-14 to DIV-18)."""

import itertools
import json
from typing import Any

import pytest

from tests.messages import (
    C1,
    C2,
    REVS,
    TIME,
    A,
    B,
    C,
    blob,
    blob_cid,
    cid,
    create,
    delete,
    post,
    post_uri,
    quote,
    record,
    reference,
    repost,
    repost_uri,
    update,
    uri,
)
from tests.unit.folding import Tables, tables_after

P = post_uri(A, "p")
ORDERS = list(itertools.permutations(range(4)))


def images(*blobs: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.images", "images": [{"image": image, "alt": f"alt {image}"} for image in blobs]}


def video(name: str, **properties: Any) -> dict[str, Any]:
    return {"$type": "app.bsky.embed.video", "video": blob(name, "video/mp4"), **properties}


def of_one(embed: Any, **properties: Any) -> Tables:
    return tables_after(create(P, post("text", embed=embed, **properties)))


def test_post_without_an_embed() -> None:
    tables = of_one(None)
    assert set(tables.rows) == {"record", "post", "feed_item"}
    assert tables.count("profile_agg", "postsCount", A) == 1


def test_images_have_their_position_as_text_and_either_form_of_blob() -> None:
    untyped = {"cid": blob_cid("second"), "mimeType": "image/png"}
    tables = of_one(images(blob("first"), untyped))
    assert [(row["position"], row["imageCid"]) for row in tables["post_embed_image"]] == [
        ("0", blob_cid("first")),
        ("1", blob_cid("second")),
    ]
    stored = json.loads(tables["record"][0]["json"])
    assert stored["embed"]["images"][1]["image"] == untyped, "record.json keeps the untyped form"


@pytest.mark.parametrize(
    "embed",
    [images(), {"$type": "com.example.embed"}, {**images(blob("x")), "$type": "app.bsky.embed.images#main"}],
)
def test_embeds_without_rows(embed: dict[str, Any]) -> None:
    assert set(of_one(embed).rows) == {"record", "post", "feed_item"}


def test_external_with_and_without_a_thumbnail() -> None:
    link = {"uri": "https://example.com", "title": "", "description": "about"}
    for thumb in (None, blob("thumb")):
        external = link | ({"thumb": thumb} if thumb else {})
        (row,) = of_one({"$type": "app.bsky.embed.external", "external": external})["post_embed_external"]
        assert (row["uri"], row["title"], row["description"]) == ("https://example.com", "", "about")
        assert row["thumbCid"] == (blob_cid("thumb") if thumb else None)


def test_video_without_alt_has_none() -> None:
    assert of_one(video("v"))["post_embed_video"] == [{"postUri": P, "videoCid": blob_cid("v"), "alt": None}]
    assert of_one(video("v", alt="a"))["post_embed_video"][0]["alt"] == "a"


def test_embed_of_a_post_is_a_quote_and_of_anything_else_is_none() -> None:
    tables = of_one(quote(post_uri(B, "q"), C2))
    assert tables["post_embed_record"] == [{"postUri": P, "embedUri": post_uri(B, "q"), "embedCid": C2}]
    (row,) = tables["quote"]
    assert (row["uri"], row["cid"], row["subject"], row["subjectCid"]) == (P, C1, post_uri(B, "q"), C2)
    assert (row["createdAt"], row["indexedAt"]) == ("2025-10-20T09:00:00.000Z", TIME)
    tables = of_one(quote(uri(B, "app.bsky.graph.list", "l")))
    assert len(tables["post_embed_record"]) == 1
    assert tables["quote"] == []


@pytest.mark.parametrize("media", [images(blob("i")), video("v")])
def test_record_with_media_has_the_rows_of_both(media: dict[str, Any]) -> None:
    embed = {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"record": reference(post_uri(B, "q"))},
        "media": media,
    }
    tables = of_one(embed)
    assert len(tables["quote"]) == len(tables["post_embed_record"]) == 1
    assert len(tables["post_embed_image"]) + len(tables["post_embed_video"]) == 1


@pytest.mark.parametrize(
    "parts",
    [
        {"record": {"$type": kind, "record": reference(post_uri(B, "q"))}, "media": {"$type": "com.example.media"}}
        for kind in ("app.bsky.embed.images", "app.bsky.embed.external", "app.bsky.embed.video", "com.example.x", 5)
    ]
    + [
        {"record": {"$type": "com.example.x", "record": reference(post_uri(B, "q"))}, "media": {"$type": kind}}
        for kind in ("app.bsky.embed.record", "app.bsky.embed.recordWithMedia", "app.bsky.embed.images#other")
    ],
)
def test_part_of_a_record_with_media_that_calls_itself_something_else_has_no_rows(parts: dict[str, Any]) -> None:
    """Nothing validated it as that: one such record would halt every lane that meets it."""
    tables = of_one({"$type": "app.bsky.embed.recordWithMedia", **parts})
    assert tables.uris("post") == [P]
    for table in ("post_embed_record", "quote", "post_embed_image", "post_embed_external", "post_embed_video"):
        assert tables[table] == [], table
    assert tables.world.notices == {}


def test_blobs_of_any_type_and_size_are_indexed() -> None:
    tables = of_one(images(blob("i", "text/html", 99_999_999_999)))
    assert tables["post_embed_image"][0]["imageCid"] == blob_cid("i")


@pytest.mark.parametrize("given", [None, []])
def test_langs_and_tags_that_are_absent_or_empty_are_null(given: list[str] | None) -> None:
    (row,) = of_one(None, langs=given, tags=given)["post"]
    assert (row["langs"], row["tags"]) == (None, None)


def test_langs_and_tags_are_json() -> None:
    (row,) = of_one(None, langs=["en", "en-US", "x-klingon"], tags=["a\tb", "é"])["post"]
    assert json.loads(row["langs"]) == ["en", "en-US", "x-klingon"]
    assert json.loads(row["tags"]) == ["a\tb", "é"]


@pytest.mark.parametrize(
    ("created", "time", "column", "sort_at"),
    [
        (
            "2025-10-20T10:00:00.000Z",
            "2025-10-20T10:00:00Z",
            "2025-10-20T10:00:00.000Z",
            "2025-10-20T10:00:00.000Z",
        ),
        ("2025-10-20T10:00:00.999Z", TIME, "2025-10-20T10:00:00.999Z", TIME),
        (
            "2025-10-20T12:00:00+02:00",
            "2025-10-20T10:00:00.0Z",
            "2025-10-20T10:00:00.000Z",
            "2025-10-20T10:00:00.000Z",
        ),
        (
            "2025-10-21T10:00:00Z",
            "2025-10-20T10:00:00+00:00",
            "2025-10-21T10:00:00.000Z",
            "2025-10-20T10:00:00+00:00",
        ),
        ("1969-01-01T00:00:00Z", TIME, "1969-01-01T00:00:00.000Z", "1969-01-01T00:00:00.000Z"),
        ("2025-10-20T10:00:60Z", TIME, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
        ("0005-01-01T00:00:00Z", TIME, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
    ],
)
def test_feed_item_sorts_by_the_lesser_text(created: str, time: str, column: str, sort_at: str) -> None:
    """vectors.md 8."""
    tables = tables_after(create(P, post(createdAt=created), time=time))
    assert (tables["post"][0]["createdAt"], tables["post"][0]["indexedAt"]) == (column, time)
    assert tables["feed_item"][0]["sortAt"] == sort_at


def test_update_replaces_the_post_its_feed_item_and_its_embeds() -> None:
    tables = tables_after(
        create(P, post("old", embed=images(blob("a"), blob("b"))), REVS[1], C1),
        update(P, post("new", embed=video("v")), REVS[2], C2, time="2025-10-20T11:00:00Z"),
    )
    assert [(row["text"], row["cid"], row["indexedAt"]) for row in tables["post"]] == [
        ("new", C2, "2025-10-20T11:00:00Z")
    ]
    assert tables["post_embed_image"] == []
    assert tables["feed_item"][0]["cid"] == C2
    assert tables.count("profile_agg", "postsCount", A) == 1


def test_div_4_update_of_a_video_post_is_applied() -> None:
    tables = tables_after(
        create(P, post(embed=video("one")), REVS[1], C1), update(P, post(embed=video("two")), REVS[2], C2)
    )
    assert [row["videoCid"] for row in tables["post_embed_video"]] == [blob_cid("two")]


def test_div_14_update_keeps_quotes_of_it_and_feed_items_of_its_reposts() -> None:
    q, r = post_uri(B, "q"), repost_uri(C, "r")
    tables = tables_after(
        create(P, post(), REVS[1], C1),
        create(q, post(embed=quote(P)), REVS[2], cid("q")),
        create(r, repost(P), REVS[2], cid("r")),
        update(P, post("new"), REVS[3], C2),
    )
    assert tables.uris("quote") == [q]
    assert tables.uris("feed_item") == [P, q, r]
    assert tables.count("post_agg", "quoteCount", P) == 1


def test_div_14_update_of_a_quoting_post_moves_its_quote() -> None:
    q, other = post_uri(B, "q"), post_uri(A, "other")
    tables = tables_after(
        create(q, post(embed=quote(P)), REVS[1], C1), update(q, post(embed=quote(other)), REVS[2], C2)
    )
    assert [(row["subject"], row["cid"]) for row in tables["quote"]] == [(other, C2)]
    assert (tables.count("post_agg", "quoteCount", P), tables.count("post_agg", "quoteCount", other)) == (0, 1)


def test_div_15_quotes_count_whatever_cid_they_name() -> None:
    quotes = [create(post_uri(did, "q"), post(embed=quote(P, of)), cid=cid(of)) for did, of in ((B, C1), (C, C2))]
    tables = tables_after(*quotes)
    assert tables.count("post_agg", "quoteCount", P) == 2
    tables = tables_after(*quotes, delete(post_uri(B, "q"), REVS[5]))
    assert tables.count("post_agg", "quoteCount", P) == 1


@pytest.mark.parametrize("last", [[], [create(P, post("again"), REVS[4], C2)], [update(P, post("n"), REVS[4], C2)]])
def test_div_16_deleted_post_leaves_no_embed(last: list[bytes]) -> None:
    embed = {
        "$type": "app.bsky.embed.recordWithMedia",
        "record": {"record": reference(post_uri(B, "q"))},
        "media": video("v"),
    }
    tables = tables_after(create(P, post(embed=embed), REVS[1], C1), delete(P, REVS[3]), *last)
    for table in ("post_embed_video", "post_embed_record", "quote", "post_embed_image", "post_embed_external"):
        assert tables[table] == [], table
    assert tables.uris("feed_item") == ([P] if last else [])


class TestHanging:
    """DIV-18: quotes and feed items of reposts of a post that was deleted."""

    q, r = post_uri(B, "q"), repost_uri(C, "r")
    born, died = create(P, post(), REVS[1], C1), delete(P, REVS[5])

    def hung(self, rev: str) -> list[bytes]:
        return [
            create(self.q, post(embed=quote(P)), rev, cid("q")),
            create(self.r, repost(P), rev, cid("r")),
        ]

    @pytest.mark.parametrize("order", [order for order in ORDERS if order.index(0) < order.index(1)])
    def test_div_18_what_is_older_than_the_deletion_goes_in_any_order(self, order: tuple[int, ...]) -> None:
        messages = [self.born, self.died, *self.hung(REVS[4])]
        tables = tables_after(*(messages[n] for n in order))
        assert self.q not in tables.uris("quote")
        assert self.r not in tables.uris("feed_item")
        assert tables.uris("repost") == [self.r], "the repost itself stays"
        assert len(tables["post_embed_record"]) == 1

    @pytest.mark.parametrize("rev", [REVS[5], REVS[6]])
    def test_div_18_what_is_not_older_stays(self, rev: str) -> None:
        tables = tables_after(self.born, *self.hung(rev), self.died)
        assert tables.uris("quote") == [self.q]
        assert self.r in tables.uris("feed_item")

    def test_deleted_post_leaves_its_reposts_and_their_count(self) -> None:
        tables = tables_after(self.born, *self.hung(REVS[4]), self.died)
        assert tables.uris("repost") == [self.r]
        assert tables.count("post_agg", "repostCount", P) == 1
        assert tables.count("profile_agg", "postsCount", A) == 0


def test_post_may_quote_and_answer_at_once() -> None:
    root = post_uri(B, "root")
    tables = tables_after(create(root, post()), create(P, post(parent=root, embed=quote(root)), cid=C2))
    assert tables.count("post_agg", "quoteCount", root) == tables.count("post_agg", "replyCount", root) == 1


def test_record_of_an_unknown_collection_has_no_rows() -> None:
    tables = tables_after(create(uri(A, "com.example.foo", "x"), record("com.example.foo")))
    assert tables["record"] == []
    assert tables.folded.fates == ["indexed"]
