"""app.bsky.feed.post → post, feed_item, the embed tables and quote (records.md 5.1)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from indexer.fold.record_type import (
    DATES,
    PROVENANCE,
    TEXT,
    Counter,
    RecordType,
    Row,
    Table,
    Version,
    dates,
    provenance,
)
from indexer.fold.world import Post
from indexer.records._feed_item import FEED_ITEM, feed_item
from indexer.records.post.embeds import EMBED_TABLES, embed_rows, embedded_record, quoted_post
from indexer.records.post.gates import disallows_embedding, post_gate_of, thread_gate_of, violates_thread_gate
from indexer.records.post.notices import notices
from indexer.records.post.threads import has_invalid_root, parent_arrived

if TYPE_CHECKING:
    from indexer.fold.world import Questions, World

POST = Table(
    "post",
    {
        **PROVENANCE,
        "text": TEXT,
        "replyRoot": TEXT,
        "replyRootCid": TEXT,
        "replyParent": TEXT,
        "replyParentCid": TEXT,
        "langs": "jsonb",
        "tags": "jsonb",
        "invalidReplyRoot": "boolean",
        "violatesThreadGate": "boolean",
        "violatesEmbeddingRules": "boolean",
        **DATES,
    },
    counters=(
        Counter("post_agg", "replyCount", by="replyParent", unless="violatesThreadGate"),
        Counter("profile_agg", "postsCount", by="creator"),
    ),
)


def asks(version: Version, questions: "Questions") -> None:
    reply = version.value.get("reply")
    gate = thread_gate_of(reply["root"]["uri"] if reply else version.uri)
    if gate and (reply or questions.tells):
        questions.thread_gates.add(gate)
    if reply:
        questions.parents.add(reply["parent"]["uri"])
    quoted = quoted_post(version)
    if quoted:
        questions.post_gates.add(post_gate_of(quoted))


def arrive(version: Version, world: "World") -> None:
    """Judge the post as things stand at its place in the stream."""
    uri = version.uri
    reply = version.value.get("reply")
    post = Post(uri, None, None, None, value=version.value)
    if reply:
        post.parent, post.root = reply["parent"]["uri"], reply["root"]["uri"]
        invalid = has_invalid_root(post, world)
        violates = violates_thread_gate(version.creator, reply["root"]["uri"], world)
        if invalid or violates:
            post.invalid, post.violates = invalid, violates
    quoted = quoted_post(version)
    if quoted and disallows_embedding(version.creator, quoted, world):
        post.embed_violates = True
    world.posts[uri] = post
    world.own_posts.add(uri)
    if post.parent is not None:
        world.own_replies.setdefault(post.parent, set()).add(uri)
    if post.invalid and post.parent is not None:
        world.waiting.setdefault(post.parent, []).append(post)
    parent_arrived(uri, world)


def depart(uri: str, world: "World") -> None:
    world.posts.pop(uri, None)
    world.own_posts.add(uri)


def rows(version: Version, world: "World") -> Iterator[tuple[Table, Row]]:
    value, post = version.value, world.posts[version.uri]
    reply = value.get("reply")
    root, parent = (reply["root"], reply["parent"]) if reply else (None, None)
    yield (
        POST,
        (
            *provenance(version),
            value["text"],
            root["uri"] if root else None,
            root["cid"] if root else None,
            parent["uri"] if parent else None,
            parent["cid"] if parent else None,
            _json_list(value.get("langs")),
            _json_list(value.get("tags")),
            post.invalid,
            post.violates,
            post.embed_violates,
            *dates(version),
        ),
    )
    yield FEED_ITEM, feed_item(version, "post", version.uri)
    if "embed" in value:
        yield from embed_rows(version, world)


def _json_list(texts: list[str] | None) -> str | None:
    """Jsonb text; NULL when absent or empty."""
    return orjson.dumps(texts).decode() if texts else None


RECORD = RecordType(
    "app.bsky.feed.post",
    (POST, FEED_ITEM, *EMBED_TABLES),
    rows,
    asks=asks,
    arrive=arrive,
    depart=depart,
    notices=notices,
    retract="always",
    hangs_on=quoted_post,
    is_hung_on=True,
)

__all__ = ["POST", "RECORD", "embedded_record"]
