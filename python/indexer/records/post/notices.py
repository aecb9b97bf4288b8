"""Whom a post tells (records.md 5.1, the insert rule of notifications)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.fold import aturi
from indexer.fold.record_type import Notice, Version, sort_at
from indexer.fold.world import Reply
from indexer.records.post.embeds import embedded_record
from indexer.records.post.gates import thread_gate_of

if TYPE_CHECKING:
    from indexer.fold.world import World

REPLY_DEPTH = 5
"""Ancestors nearer than this are told of a reply."""


def notices(version: Version, world: "World") -> Iterator[Notice]:
    """Each person once per post, first reason first; never the author."""
    post = world.posts[version.uri]
    told = {version.creator}
    for notice in _all(version, world, violates=bool(post.violates), embed_violates=bool(post.embed_violates)):
        if notice.recipient not in told:
            told.add(notice.recipient)
            yield notice


def _all(version: Version, world: "World", *, violates: bool, embed_violates: bool) -> Iterator[Notice]:
    for facet in version.value.get("facets", ()):
        for feature in facet["features"]:
            if feature["$type"] == "app.bsky.richtext.facet#mention":
                yield _notice(version, feature["did"], "mention", None, None)
    embedded = embedded_record(version)
    if embedded and not embed_violates:
        about = aturi.with_path(embedded["uri"])
        if aturi.parse(about).collection == "app.bsky.feed.post":
            yield _notice(version, aturi.authority(about), "quote", about, world.thread_of(about))
    if not violates:
        yield from _replies(version, world)


def _replies(version: Version, world: "World") -> Iterator[Notice]:
    hidden = _hidden_replies(version, world)
    ancestors = _ancestors(version.uri, world)
    for uri in ancestors[1:REPLY_DEPTH]:
        yield _notice(version, aturi.authority(uri), "reply", uri, world.thread_of(uri))
        if uri in hidden:
            break
    if not hidden:
        return  # everybody up there has been told of this post, and is told once
    # replies that came before this post: they reach people above a hidden one through it only now
    for depth, below in _descendants(version.uri, world):
        for uri in ancestors[: REPLY_DEPTH - depth]:
            yield Notice(
                aturi.authority(uri),
                below.uri,
                below.cid,
                aturi.authority(below.uri),
                "reply",
                uri,
                sort_at(below.created_at, below.indexed_at),
                world.thread_of(uri),
            )


def _descendants(uri: str, world: "World") -> Iterator[tuple[int, Reply]]:
    """The replies below a post that are there now, with their depth, nearest first, down to depth 5."""
    level, seen = [uri], {uri}
    for depth in range(1, REPLY_DEPTH + 1):
        found = sorted((reply for above in level for reply in _children(above, world)), key=lambda reply: reply.uri)
        level = [reply.uri for reply in found if reply.uri not in seen]
        seen.update(level)
        yield from ((depth, reply) for reply in found)


def _children(parent: str, world: "World") -> Iterator[Reply]:
    for reply in world.replies.get(parent, {}).values():
        if reply.uri not in world.own_posts:
            yield reply
    for own in world.own_replies.get(parent, ()):
        post = world.posts.get(own)
        if post is not None and post.parent == parent:
            version = world.versions[own]
            yield Reply(own, parent, version.cid, version.created_at, version.time)


def _ancestors(uri: str, world: "World") -> list[str]:
    """The post itself and the posts above it that are there, nearest first, up to height 5."""
    found: list[str] = []
    at: str | None = uri
    while at is not None and at in world.posts and len(found) <= REPLY_DEPTH and at not in found:
        found.append(at)
        at = world.posts[at].parent
    return found


def _hidden_replies(version: Version, world: "World") -> frozenset[str]:
    reply = version.value.get("reply")
    gate_uri = thread_gate_of(reply["root"]["uri"] if reply else version.uri)
    gate = world.thread_gates.get(gate_uri) if gate_uri else None
    return frozenset(gate.get("hiddenReplies", ())) if gate else frozenset()


def _notice(version: Version, recipient: str, reason: str, subject: str | None, thread: str | None) -> Notice:
    return Notice(
        recipient,
        version.uri,
        version.cid,
        version.creator,
        reason,
        subject,
        sort_at(version.created_at, version.time),
        thread,
    )
